"""Two commands as a later program might have them: functions, classes, fields and an enum renamed, and new fields."""

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum

from plants.commands.execution import PlantLedgerWriter, command
from plants.commands.inventory.receipts import Delivery
from plants.rules.inventory.events import BATCH_RECEIVED, BatchReceived
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.quality.events import BATCH_QUARANTINED


@stable_name("AliasOrder")
@dataclass(frozen=True, slots=True)
class OtherName:
    """AliasOrder under another name, with its fields in another order and a new one."""

    issuer: str = ""
    scheme: str = ""
    value: str = ""
    printed: bool = True


@stable_name("Delivery", lot="supplier_lot", held="quarantine")
@dataclass(frozen=True, slots=True)
class Intake:
    """Delivery under another name: two fields renamed and two new ones."""

    material: str
    amount: str
    unit: str
    location: str
    carrier: str | None = None
    supplier: str | None = None
    lot: str | None = None
    order: str | None = None
    produced_at: datetime | None = None
    expires_on: date | None = None
    grade: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    aliases: tuple[OtherName, ...] = ()
    held: str | None = None
    seals: tuple[str, ...] = ()


@command("receive_batch")
def take_in(writer: PlantLedgerWriter, order: Intake) -> Entry:
    """Receive goods, by a program in which the function and the classes have other names."""
    return writer.record(BATCH_RECEIVED, order.material, BatchReceived(supplier_lot=None, order=None))


class Ground(StrEnum):
    """HoldKind under another name, its members too."""

    OF_QUALITY = "QUALITY"
    OF_RECALL = "RECALL"


@stable_name("Quarantine")
@dataclass(frozen=True, slots=True)
class Stop:
    batch: str
    reason: str
    kind: Ground = Ground.OF_QUALITY


@command("quarantine_batch")
def stop_batch(writer: PlantLedgerWriter, order: Stop) -> Entry:
    """Hold a batch, by a program in which the enum has another name."""
    return writer.record(BATCH_QUARANTINED, order.batch, Outcome())


def later(order: Delivery) -> Intake:
    """Return the same delivery as the later program has it."""
    parts = {one.name: getattr(order, one.name) for one in fields(order)}
    aliases = tuple(OtherName(one.issuer, one.scheme, one.value) for one in order.aliases)
    lot, held = parts.pop("supplier_lot"), parts.pop("quarantine")
    return Intake(lot=lot, held=held, **{**parts, "aliases": aliases})

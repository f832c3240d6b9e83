"""Batches as a plant's commands see them: what they are, what blocks them, and how much is where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from infra.database import Session
from plants.rules.dispositions import Disposition, Hold, HoldKind, check_usable
from plants.rules.quantities import Quantity, format_micro
from plants.rules.refusals import Refusal, RefusalCode

SELECT_BY_CODE = (
    "SELECT id, code, material, unit, made, produced_us, expires_on, retest_on, grade, supplier, attributes,"
    " disposition, version FROM batches WHERE code = :code AND plant_id = :plant"
)
SELECT_BY_ID = SELECT_BY_CODE.replace("code = :code", "id = :id")
SELECT_HOLDS = (
    "SELECT hold_id, kind, reason FROM holds"
    " WHERE plant_id = :plant AND batch_id = :batch AND lifted_idx IS NULL ORDER BY hold_id"
)
SELECT_STOCK = (
    "SELECT location, quantity FROM stock WHERE plant_id = :plant AND batch_id = :batch AND quantity > 0"
    " ORDER BY location"
)
SELECT_ALIAS = (
    "SELECT batch_id FROM aliases WHERE plant_id = :plant AND scheme = :scheme AND issuer = :issuer"
    " AND value = :value AND ended_idx IS NULL ORDER BY batch_id"
)


@dataclass(frozen=True, slots=True)
class Goods:
    """A batch as one plant knows it, with the holds on the plant's goods and what is on hand per location.

    Amounts are millionths of `unit`; times are microseconds since the epoch.
    """

    id: int
    code: str
    material: str
    unit: str
    made: int
    produced_us: int
    expires_on: str | None
    retest_on: str | None
    grade: str | None
    supplier: str | None
    attributes: str
    disposition: Disposition
    version: int
    holds: tuple[Hold, ...]
    on_hand: Mapping[str, int]

    def check_usable(self, on: date) -> None:
        """Raise the Refusal that names why these goods may not be used on that local day, if they may not."""
        check_usable(self.code, self.disposition, self.holds, self.expires_on, on)

    def check_on_hand(self, location: str, wanted: Quantity) -> None:
        """Raise Refusal unless so much is at the location; the quantity is in the batch's unit."""
        available = self.on_hand.get(location, 0)
        if available < wanted.micro:
            raise Refusal(
                RefusalCode.STOCK_SHORT,
                batch=self.code,
                location=location,
                available=format_micro(available),
                wanted=wanted.amount,
                unit=self.unit,
            )


def goods_by_code(session: Session, plant: int, code: str) -> Goods:
    """Return what the plant knows of a batch, or raise Refusal BATCH_UNKNOWN."""
    row = session.row(SELECT_BY_CODE, {"plant": plant, "code": code})
    if row is None:
        raise Refusal(RefusalCode.BATCH_UNKNOWN, batch=code[:40])
    return _goods(session, plant, row)


def is_code_known(session: Session, plant: int, code: str) -> bool:
    """Tell whether the plant knows a batch of that code."""
    return session.row(SELECT_BY_CODE, {"plant": plant, "code": code}) is not None


def goods_by_id(session: Session, plant: int, batch: int) -> Goods | None:
    """Return what the plant knows of a batch by its id, or None."""
    row = session.row(SELECT_BY_ID, {"plant": plant, "id": batch})
    return None if row is None else _goods(session, plant, row)


def batches_by_alias(session: Session, plant: int, scheme: str, issuer: str, value: str) -> list[Goods]:
    """Return the batches that an alias in force names at the plant."""
    key = {"plant": plant, "scheme": scheme, "issuer": issuer, "value": value}
    found = (goods_by_id(session, plant, batch) for (batch,) in session.rows(SELECT_ALIAS, key))
    return [goods for goods in found if goods is not None]


def _goods(session: Session, plant: int, row: tuple[object, ...]) -> Goods:
    key = {"plant": plant, "batch": row[0]}
    holds = tuple(
        Hold(hold, HoldKind(kind), reason) for hold, kind, reason in session.rows(SELECT_HOLDS, key)
    )
    on_hand: dict[str, int] = dict(session.rows(SELECT_STOCK, key))
    *facts, disposition, version = row
    return Goods(*facts, Disposition(str(disposition)), version, holds, on_hand)  # type: ignore[call-arg, arg-type]

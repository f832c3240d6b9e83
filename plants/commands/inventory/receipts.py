"""Receive goods from a supplier, or goods that begin here: a batch is made and gets its code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from plants.commands.execution import (
    CLOCK_LEAD_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    PlantLedgerWriter,
    check_text,
    command,
)
from plants.rules.inventory.events import BATCH_RECEIVED, BatchReceived
from plants.rules.inventory.refusals import ALIAS_TAKEN
from plants.rules.ledger.events import KEY_CHARACTER_MAX, Entry
from plants.rules.ledger.payloads import AliasStatement, BatchStatement, Movement
from plants.rules.ledger.request_forms import stable_name
from plants.rules.materials.definitions import MasterKind
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.instants import format_instant
from plants.rules.values.refusals import (
    RULE_COUNT_MAX,
    RULE_LENGTH_MAX,
    TEXT_INVALID,
    TIME_IN_FUTURE,
    Refusal,
    Refusals,
    message,
    within,
)
from plants.store.inventory import batches
from plants.store.materials import definitions

ATTRIBUTES_MAX = 50  # attributes of one batch
ATTRIBUTE_NAME_RULE = message("RULE_ATTRIBUTE_NAME", "free of emoji and other characters above U+FFFF")
FIELD_ATTRIBUTE = message("FIELD_ATTRIBUTE", "attribute “{name}”")
ATTRIBUTE_LENGTH_MAX = 2000  # characters of one attribute's value
ALIAS_LENGTH_MAX = 200  # characters of an alias


@stable_name("AliasOrder")
@dataclass(frozen=True, slots=True)
class AliasOrder:
    """Another name that the batch shall be found by; the issuer is who gave it ("" for the plant itself)."""

    scheme: str
    value: str
    issuer: str = ""


@stable_name("Delivery")
@dataclass(frozen=True, slots=True)
class Delivery:
    """Received goods. Without a supplier the goods begin here (harvest, opening stock)."""

    material: str
    amount: str
    unit: str
    location: str
    supplier: str | None = None
    supplier_lot: str | None = None
    order: str | None = None
    produced_at: datetime | None = None
    expires_on: date | None = None
    grade: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[AliasOrder, ...] = ()
    quarantine: str | None = None  # the reason, when the goods go straight on hold


@command("receive_batch")
def receive_batch(writer: PlantLedgerWriter, order: Delivery) -> Entry:
    """Make a batch of what came in and put it on stock; its expiry follows from the material unless given.

    The same supplier lot of the same material on the same order (or without one) is refused as a second scan; a later
    order may bring more of the lot, which makes a batch of its own that the lot's code finds as well.
    """
    material = material_named(writer, order.material)
    writer.check_location(order.location)
    if order.supplier is not None:
        with within("supplierCode"):
            definitions.check_defined(writer.session, writer.call.plant, MasterKind.SUPPLIER, order.supplier)
    with within("quantity"):
        quantity = writer.quantity(order.amount, order.unit, material.code, material.unit)
    batch_id, code = writer.new_node(), writer.new_batch_code()
    produced_at = check_produced(writer, order.produced_at)
    batch = new_batch(writer, batch_id, code, material, made=quantity.amount, produced_at=produced_at)
    batch["supplier"] = order.supplier
    if order.grade is not None:
        batch["grade"] = check_grade(order.grade)
    if order.expires_on is not None:
        batch["expires_on"] = order.expires_on.isoformat()
    if order.order is not None:
        with within("purchaseOrder"):
            check_text("order", order.order, ALIAS_LENGTH_MAX)
    aliases: list[AliasStatement] = []
    with Refusals() as refusals:
        with refusals.at():
            batch["attributes"] = check_attributes(order.attributes)
        for index, alias in enumerate(order.aliases):
            with refusals.at("aliases", index):
                aliases.append(new_alias(writer, batch_id, material.code, alias))
        if order.supplier_lot is not None:
            with refusals.at("supplierLot"):
                aliases += _lot_aliases(writer, batch_id, order.supplier_lot, order)
    movement: Movement = {
        "batch": batch_id,
        "amount": quantity.amount,
        "unit": material.unit,
        "taken_from": "source" if order.supplier is None else f"supplier:{order.supplier}",
        "put_in": f"stock:{order.location}",
    }
    if order.unit != material.unit:
        movement["entered"] = f"{order.amount} {order.unit}"
    payload: BatchReceived = {
        "batches": [batch],
        "movements": [movement],
        "aliases": aliases,
        "supplier_lot": order.supplier_lot,
        "order": order.order,
    }
    if order.quarantine is not None:
        with within("holdReason"):
            reason = check_text("hold reason", order.quarantine, REASON_LENGTH_MAX)
        payload["holds"] = [{"batch": batch_id, "kind": "QUALITY", "reason": reason}]
    return writer.record(BATCH_RECEIVED, code, payload)


def new_batch(
    writer: PlantLedgerWriter,
    batch_id: int,
    code: str,
    material: definitions.MaterialFacts,
    *,
    made: str,
    produced_at: datetime,
) -> BatchStatement:
    """Return the statement of a new, unrestricted batch, with expiry and retest from the material's shelf life."""
    made_on = writer.day_of(produced_at)

    def after(days: int | None) -> str | None:
        return None if days is None else (made_on + timedelta(days=days)).isoformat()

    return {
        "id": batch_id,
        "code": code,
        "material": material.code,
        "unit": material.unit,
        "made": made,
        "produced_at": format_instant(produced_at),
        "expires_on": after(material.shelf_life_days),
        "retest_on": after(material.retest_days),
        "grade": None,
        "supplier": None,
        "attributes": {},
        "disposition": Disposition.UNRESTRICTED,
    }


def check_produced(writer: PlantLedgerWriter, produced_at: datetime | None) -> datetime:
    """Return when a new batch was produced, by default when this happened; raises Refusal when it is yet to come."""
    if produced_at is None:
        return writer.occurred_at
    if produced_at > writer.call.now + CLOCK_LEAD_MAX:
        with within("producedAt"):
            raise Refusal(TIME_IN_FUTURE, at=produced_at.isoformat())
    return produced_at


def material_named(writer: PlantLedgerWriter, code: str) -> definitions.MaterialFacts:
    """Return the material of the field `materialCode`, or raise Refusal."""
    with within("materialCode"):
        return definitions.material(writer.session, writer.call.plant, code)


def check_grade(grade: str) -> str:
    """Return the grade of a batch, or raise Refusal."""
    with within("grade"):
        return check_text("grade", grade, NAME_LENGTH_MAX)


def check_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of a batch, or raise Refusal above the limits and for a name that is no key of an entry.

    An attribute's place in the input is its place in the mapping.
    """
    with within("attributes"):
        if len(attributes) > ATTRIBUTES_MAX:
            raise Refusal(TEXT_INVALID, field="attributes", rule=RULE_COUNT_MAX(limit=ATTRIBUTES_MAX))
        with Refusals() as refusals:
            for index, (name, value) in enumerate(attributes.items()):
                with refusals.at(index):
                    _check_attribute(name, value)
    return dict(attributes)


def _check_attribute(name: str, value: str) -> None:
    with within("name"):
        check_text("attribute", name, ALIAS_LENGTH_MAX)
        if max(name) > KEY_CHARACTER_MAX:
            raise Refusal(TEXT_INVALID, field="attribute", rule=ATTRIBUTE_NAME_RULE())
    with within("value"):
        if len(value) > ATTRIBUTE_LENGTH_MAX:
            rule = RULE_LENGTH_MAX(limit=ATTRIBUTE_LENGTH_MAX)
            raise Refusal(TEXT_INVALID, field=FIELD_ATTRIBUTE(name=name[:40]), rule=rule)


def new_alias(writer: PlantLedgerWriter, batch_id: int, material: str, alias: AliasOrder) -> AliasStatement:
    """Return the statement of an alias, or raise Refusal when it names another batch of the material here already."""
    for name, text in (("value", alias.value), ("scheme", alias.scheme)):
        with within(name):
            check_text("alias", text, ALIAS_LENGTH_MAX)
    session, plant = writer.session, writer.call.plant
    for named in batches.batches_by_alias(session, plant, alias.scheme, alias.issuer, alias.value):
        if named.material == material and named.id != batch_id:
            raise Refusal(ALIAS_TAKEN, alias=alias.value, batch=named.code)
    return {"batch": batch_id, "scheme": alias.scheme, "issuer": alias.issuer, "value": alias.value}


def first_places(aliases: Sequence[AliasOrder]) -> Iterator[tuple[int, AliasOrder]]:
    """Yield each alias once, with its first place in the list."""
    seen: set[AliasOrder] = set()
    for place, alias in enumerate(aliases):
        if alias not in seen:
            seen.add(alias)
            yield place, alias


def _lot_aliases(writer: PlantLedgerWriter, batch_id: int, lot: str, order: Delivery) -> list[AliasStatement]:
    check_text("supplier lot", lot, ALIAS_LENGTH_MAX)
    issuer = order.supplier or ""
    if order.order is None:
        return [new_alias(writer, batch_id, order.material, AliasOrder("SUPPLIER_LOT", lot, issuer))]
    delivery = AliasOrder("DELIVERY", f"{order.order} {lot}"[:ALIAS_LENGTH_MAX], issuer)
    return [
        new_alias(writer, batch_id, order.material, delivery),
        {"batch": batch_id, "scheme": "SUPPLIER_LOT", "issuer": issuer, "value": lot},
    ]

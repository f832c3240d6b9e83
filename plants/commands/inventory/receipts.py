"""Receive goods from a supplier, or goods that begin here: a batch is made and gets its code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

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
    batch_id, code = writer.new_node(), writer.new_batch_code()
    aliases: list[AliasStatement] = []
    with Refusals() as refusals:
        with refusals.at():
            batch = new_goods(writer, batch_id, code, order)
        is_order_right = _check_names(writer, order, refusals)
        for index, alias in enumerate(order.aliases):
            with refusals.at("aliases", index):
                aliases.append(new_alias(writer, batch_id, order.material, alias))
        if order.supplier_lot is not None:
            with refusals.at("supplierLot"):
                aliases += _lot_aliases(writer, batch_id, order.supplier_lot, order, named=is_order_right)
    batch["supplier"] = order.supplier
    movement: Movement = {
        "batch": batch_id,
        "amount": batch["made"],
        "unit": batch["unit"],
        "taken_from": "source" if order.supplier is None else f"supplier:{order.supplier}",
        "put_in": f"stock:{order.location}",
    }
    if order.unit != batch["unit"]:
        movement["entered"] = f"{order.amount} {order.unit}"
    payload: BatchReceived = {
        "batches": [batch],
        "movements": [movement],
        "aliases": aliases,
        "supplier_lot": order.supplier_lot,
        "order": order.order,
    }
    if order.quarantine is not None:
        payload["holds"] = [{"batch": batch_id, "kind": "QUALITY", "reason": order.quarantine}]
    return writer.record(BATCH_RECEIVED, code, payload)


def _check_names(writer: PlantLedgerWriter, order: Delivery, refusals: Refusals) -> bool:
    """Collect the Refusals of supplier, purchase order and hold reason. Returns False for a refused order."""
    is_order_right = True
    if order.supplier is not None:
        with refusals.at("supplierCode"):
            definitions.check_defined(writer.session, writer.call.plant, MasterKind.SUPPLIER, order.supplier)
    if order.order is not None:
        is_order_right = False
        with refusals.at("purchaseOrder"):
            check_text("order", order.order, ALIAS_LENGTH_MAX)
            is_order_right = True
    if order.quarantine is not None:
        with refusals.at("holdReason"):
            check_text("hold reason", order.quarantine, REASON_LENGTH_MAX)
    return is_order_right


class NewGoods(Protocol):
    """Common data of a delivery and an output: the statement of a new batch."""

    @property
    def material(self) -> str: ...
    @property
    def amount(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def produced_at(self) -> datetime | None: ...
    @property
    def expires_on(self) -> date | None: ...
    @property
    def grade(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...


def new_goods(writer: PlantLedgerWriter, batch_id: int, code: str, order: NewGoods) -> BatchStatement:
    """Return the statement of a new batch, or raise all Refusals of its values and of its location."""
    made = ""
    with Refusals() as refusals:
        material = refusals.value(_material_named, writer, order.material)
        with refusals.at("quantity"):
            if material is None:
                writer.check_quantity(order.amount, order.unit)
            else:
                made = writer.quantity(order.amount, order.unit, material.code, material.unit).amount
        refusals.value(writer.check_location, order.location)
        with refusals.at("producedAt"):
            produced_at = _check_produced(writer, order.produced_at)
        with refusals.at("grade"):
            if order.grade is not None:
                check_text("grade", order.grade, NAME_LENGTH_MAX)
        with refusals.at("attributes"):
            check_attributes(order.attributes)
    assert material is not None
    batch = _new_batch(writer, batch_id, code, material, made=made, produced_at=produced_at)
    batch["grade"], batch["attributes"] = order.grade, dict(order.attributes)
    if order.expires_on is not None:
        batch["expires_on"] = order.expires_on.isoformat()
    return batch


def _new_batch(
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


def _check_produced(writer: PlantLedgerWriter, produced_at: datetime | None) -> datetime:
    """Return when a new batch was produced, by default when this happened; raises Refusal when it is yet to come."""
    if produced_at is None:
        return writer.occurred_at
    if produced_at > writer.call.now + CLOCK_LEAD_MAX:
        raise Refusal(TIME_IN_FUTURE, at=produced_at.isoformat())
    return produced_at


def _material_named(writer: PlantLedgerWriter, code: str) -> definitions.MaterialFacts:
    """Return the material of the field `materialCode`, or raise Refusal."""
    with within("materialCode"):
        return definitions.material(writer.session, writer.call.plant, code)


def check_attributes(attributes: Mapping[str, str]) -> None:
    """Raise the Refusals of attributes above the limits, and of names that are no key of an entry.

    An attribute's place in the input is its place in the mapping.
    """
    if len(attributes) > ATTRIBUTES_MAX:
        raise Refusal(TEXT_INVALID, field="attributes", rule=RULE_COUNT_MAX(limit=ATTRIBUTES_MAX))
    with Refusals() as refusals:
        for index, (name, value) in enumerate(attributes.items()):
            with refusals.at(index, "name"):
                check_text("attribute", name, ALIAS_LENGTH_MAX)
                if max(name) > KEY_CHARACTER_MAX:
                    raise Refusal(TEXT_INVALID, field="attribute", rule=ATTRIBUTE_NAME_RULE())
            with refusals.at(index, "value"):
                if len(value) > ATTRIBUTE_LENGTH_MAX:
                    rule = RULE_LENGTH_MAX(limit=ATTRIBUTE_LENGTH_MAX)
                    raise Refusal(TEXT_INVALID, field=FIELD_ATTRIBUTE(name=name[:40]), rule=rule)


def new_alias(writer: PlantLedgerWriter, batch_id: int, material: str, alias: AliasOrder) -> AliasStatement:
    """Return the statement of an alias, or raise Refusal when it names another batch of the material here already."""
    check_alias(alias)
    session, plant = writer.session, writer.call.plant
    for named in batches.batches_by_alias(session, plant, alias.scheme, alias.issuer, alias.value):
        if named.material == material and named.id != batch_id:
            raise Refusal(ALIAS_TAKEN, alias=alias.value, batch=named.code)
    return {"batch": batch_id, "scheme": alias.scheme, "issuer": alias.issuer, "value": alias.value}


def check_alias(alias: AliasOrder) -> None:
    """Raise the Refusals of the texts of an alias."""
    with Refusals() as refusals:
        for name, text in (("value", alias.value), ("scheme", alias.scheme)):
            with refusals.at(name):
                check_text("alias", text, ALIAS_LENGTH_MAX)


def first_places(aliases: Sequence[AliasOrder]) -> Iterator[tuple[int, AliasOrder]]:
    """Yield each alias once, with its first place in the list."""
    seen: set[AliasOrder] = set()
    for place, alias in enumerate(aliases):
        if alias not in seen:
            seen.add(alias)
            yield place, alias


def _lot_aliases(
    writer: PlantLedgerWriter, batch_id: int, lot: str, order: Delivery, *, named: bool
) -> list[AliasStatement]:
    """Return the aliases of a supplier lot: without that of its purchase order unless the order's name is right."""
    check_text("supplier lot", lot, ALIAS_LENGTH_MAX)
    if not named:
        return []
    issuer = order.supplier or ""
    if order.order is None:
        return [new_alias(writer, batch_id, order.material, AliasOrder("SUPPLIER_LOT", lot, issuer))]
    delivery = AliasOrder("DELIVERY", f"{order.order} {lot}"[:ALIAS_LENGTH_MAX], issuer)
    return [
        new_alias(writer, batch_id, order.material, delivery),
        {"batch": batch_id, "scheme": "SUPPLIER_LOT", "issuer": issuer, "value": lot},
    ]

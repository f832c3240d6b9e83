"""Batches as commands of a plant read them: values, holds, and stock by location."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Index
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Row, Session
from plants.rules.identification.codes import plant_of
from plants.rules.inventory.aliases import alias_form
from plants.rules.inventory.refusals import STOCK_SHORT, batch_unknown
from plants.rules.quality.dispositions import Disposition, check_usable
from plants.rules.quality.holds import Hold, HoldKind
from plants.rules.values.quantities import Quantity, format_micro
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.sql.columns import CHANGING, PLANT, PROJECTION, big, key, text, text_key
from plants.store.sql.filters import CodeCriterion, filtered


class Batch(SQLModel, table=True):
    """A batch as one plant knows it; the row of its origin is the authority on what it is."""

    __tablename__ = "batches"
    __table_args__ = (
        Index("batches_by_code", "code", "plant_id"),
        Index("batches_by_material", "plant_id", "material", "id"),
        Index("batches_by_expiry", "plant_id", "expires_on", "id"),
        Index("batches_by_production", "produced_us", "id"),
        CHANGING,
    )

    id: int = key()
    plant_id: int = key(PLANT)
    code: str = text()
    material: str = text()
    unit: str = text()
    made: int = big()  # millionths of the unit, at the origin
    produced_us: int = big()
    expires_on: str | None = text(None)
    retest_on: str | None = text(None)
    grade: str | None = text(None)
    supplier: str | None = text(None)
    attributes: str = text()  # canonical JSON
    disposition: str = text()
    version: int = big()  # index of the last entry that changed the batch or its goods at this plant
    stated_idx: int = big()  # index of the entry by which this plant came to know the batch


class Alias(SQLModel, table=True):
    """Another name of a batch, scoped by who issued it."""

    __tablename__ = "aliases"
    __table_args__ = (
        Index("aliases_by_value_search", "value_search"),
        Index("aliases_by_batch", "batch_id"),
        PROJECTION,
    )

    plant_id: int = key(PLANT)
    scheme: str = text_key()
    issuer: str = text_key()
    value: str = text_key()
    batch_id: int = key()
    value_search: str = text("")  # `alias_form` of the value
    ended_idx: int | None = big(None)


SELECT_GOODS = (
    "SELECT id, code, material, unit, made, produced_us, expires_on, retest_on, grade, supplier, attributes,"
    " disposition, version, hold_id, kind, reason, directed, location, quantity FROM batches"
    " LEFT JOIN holds ON holds.plant_id = batches.plant_id AND holds.batch_id = id AND lifted_idx IS NULL"
    " LEFT JOIN stock ON stock.plant_id = batches.plant_id AND stock.batch_id = id AND quantity > 0"
    " WHERE batches.plant_id = :plant AND"
)
SELECT_BY_CODE = f"{SELECT_GOODS} code = :code"
SELECT_BY_ID = f"{SELECT_GOODS} id = :id"
LOOKED_UP_AT_ONCE = 5000  # batches in one statement
SELECT_IDS = "SELECT id FROM batches WHERE plant_id = :plant AND code IN ({codes})"
SELECT_CODES = "SELECT code FROM batches WHERE plant_id = :plant AND id IN ({ids})"
SELECT_ALIAS = (
    "SELECT batch_id, value FROM aliases WHERE plant_id = :plant AND scheme = :scheme AND issuer = :issuer"
    " AND value_search = :form AND ended_idx IS NULL ORDER BY batch_id, value"
)


DISPOSITIONS = {str(disposition): disposition for disposition in Disposition}


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
                STOCK_SHORT,
                batch=self.code,
                location=location,
                available=format_micro(available),
                wanted=wanted.amount,
                unit=self.unit,
            )


def goods_named(session: Session, plant: int, code: str) -> Goods | None:
    """Return what the plant knows of a batch by its code, or None."""
    return _goods(session.rows(SELECT_BY_CODE, {"plant": plant, "code": code}))


def goods_by_code(session: Session, plant: int, code: str) -> Goods:
    """Return what the plant knows of a batch, or raise Refusal BATCH_UNKNOWN."""
    goods = goods_named(session, plant, code)
    if goods is None:
        raise batch_unknown(code)
    return goods


def is_code_known(session: Session, plant: int, code: str) -> bool:
    """Tell whether the plant knows a batch of that code."""
    return session.row(SELECT_BY_CODE, {"plant": plant, "code": code}) is not None


def goods_by_id(session: Session, plant: int, batch: int) -> Goods | None:
    """Return what the plant knows of a batch by its id, or None."""
    return _goods(session.rows(SELECT_BY_ID, {"plant": plant, "id": batch}))


def batches_by_alias(session: Session, plant: int, scheme: str, issuer: str, value: str) -> list[Goods]:
    """Return the batches that an alias in force names at the plant, however it is written."""
    named = dict.fromkeys(batch for batch, _ in aliases_in_force(session, plant, scheme, issuer, value))
    found = (goods_by_id(session, plant, batch) for batch in named)
    return [goods for goods in found if goods is not None]


def aliases_in_force(session: Session, plant: int, scheme: str, issuer: str, value: str) -> list[tuple[int, str]]:
    """Return the batches that an alias names at the plant, each with the value as it was given to it."""
    key = {"plant": plant, "scheme": scheme, "issuer": issuer, "form": alias_form(scheme, value)}
    return [(batch, given) for batch, given in session.rows(SELECT_ALIAS, key)]


def ids_of_codes(session: Session, plant: int, codes: Sequence[str]) -> list[int]:
    """Return the ids of the batches that these codes name at a plant."""
    found: list[int] = []
    for start in range(0, len(codes), LOOKED_UP_AT_ONCE):
        part = codes[start : start + LOOKED_UP_AT_ONCE]
        names = {f"c{number}": code for number, code in enumerate(part)}
        sql = SELECT_IDS.format(codes=", ".join(f":{name}" for name in names))
        found += (batch for (batch,) in session.rows(sql, {"plant": plant, **names}))
    return found


def codes_of_ids(session: Session, plant: int, ids: Sequence[int]) -> list[str]:
    """Return the codes of the batches with these ids at a plant."""
    found: list[str] = []
    for start in range(0, len(ids), LOOKED_UP_AT_ONCE):
        part = ids[start : start + LOOKED_UP_AT_ONCE]
        sql = SELECT_CODES.format(ids=", ".join(map(str, part)))
        found += (code for (code,) in session.rows(sql, {"plant": plant}))
    return found


def _goods(rows: Sequence[Row]) -> Goods | None:
    """Return a batch from its rows: one for each pair of an open hold and a location with stock."""
    if not rows:
        return None
    *facts, disposition, version = rows[0][:13]
    held = {
        hold: Hold(hold, HoldKind(kind), reason, directed)
        for *_, hold, kind, reason, directed, _, _ in rows
        if hold is not None
    }
    on_hand = {location: quantity for *_, location, quantity in rows if location is not None}
    holds = tuple(held[hold] for hold in sorted(held))
    return Goods(*facts, DISPOSITIONS[disposition], version, holds, on_hand)  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Known:
    """A batch as the plants of a scope know it: a row of each; `stated` is its origin's where that may be seen."""

    stated: Batch
    rows: tuple[Batch, ...]


def known_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, Known]:
    """Return batches by id as the plants of the scope know them."""
    rows: dict[int, list[Batch]] = {}
    found = select(Batch).where(col(Batch.id).in_(set(ids)), col(Batch.plant_id).in_(scope))
    for row in reads.exec(found.order_by(col(Batch.plant_id))):
        rows.setdefault(row.id, []).append(row)
    return {
        batch: Known(next((row for row in known if row.plant_id == plant_of(batch)), known[0]), tuple(known))
        for batch, known in rows.items()
    }


def batches_coded(scope: PlantScope, code: CodeCriterion) -> SelectOfScalar[int]:
    """Return the ids of the batches with such a code, for a condition."""
    return filtered(select(Batch.id).where(col(Batch.plant_id).in_(scope)), {Batch.code: code})


def known_by_code(reads: ReadSession, scope: PlantScope, codes: Sequence[str]) -> dict[str, Known]:
    """Return batches by code as the plants of the scope know them."""
    found = select(Batch.id).where(col(Batch.code).in_(set(codes)), col(Batch.plant_id).in_(scope))
    return {known.stated.code: known for known in known_by_id(reads, scope, reads.exec(found).all()).values()}

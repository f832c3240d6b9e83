"""Entries about a thing: under its key, with it in their payload, and their corrections.

A thing is named by the parts of its id. Areas above this one add theirs with `positions_of`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Select, Text, cast, func, literal, tuple_, union
from sqlalchemy import select as sql_select
from sqlmodel import col, select

from infra.database import ReadSession
from plants.rules.ledger.events import Subject
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import Batch
from plants.store.inventory.movements import MovementRow
from plants.store.ledger.corrected_entries import CorrectionRow
from plants.store.ledger.entries import LedgerEntry
from plants.store.ledger.logs import logs_of
from plants.store.materials.plants import Plant
from plants.store.production.process_records import ProcessStatementRow
from plants.store.quality.holds import HoldRow
from plants.store.sql import pages
from plants.store.sql.orders import Order

TYPES: Final[Mapping[Subject, frozenset[Subject]]] = {
    Subject.BATCH: frozenset({Subject.BATCH, Subject.CHANGE_REQUEST, Subject.DIRECTIVE, Subject.ENTRY}),
    **{one: frozenset({one, Subject.ENTRY}) for one in (Subject.PROCESS_RECORD, Subject.SHIPMENT, Subject.TRANSFER)},
}
"""The events whose entries have things of a kind as their key, by the subjects of the events: otherwise the kind's."""


@dataclass(frozen=True, slots=True)
class About:
    """A thing that entries are about. `types` are the events that name things of its kind by their key."""

    kind: Subject
    parts: tuple[int | str, ...]
    types: frozenset[str] = field(compare=False)

    @property
    def name(self) -> str:
        """The parts in one text."""
        return "/".join(map(str, self.parts))


Positions = Any  # A Select or a CompoundSelect. Its columns are typed, and its users take them by place.
"""Selects the name of a thing, a log id and an index."""
Find = Callable[[PlantScope, Sequence[About]], Positions]
FINDERS: Final[dict[Subject, Find]] = {}
"""The selection of the entries about things of one kind, by the kind."""


def positions_of(*kinds: Subject) -> Callable[[Find], Find]:
    """Register the selection of the entries about things of these kinds."""

    def register(find: Find) -> Find:
        FINDERS.update(dict.fromkeys(kinds, find))
        return find

    return register


def positions_about(scope: PlantScope, things: Iterable[About]) -> list[Select[Any]]:
    """Return for each kind the selection of names, log ids and indexes of the entries about its things."""
    kinds: dict[Subject, list[About]] = {}
    for one in things:
        kinds.setdefault(one.kind, []).append(one)
    return [sql_select(*FINDERS[kind](scope, some).subquery().c) for kind, some in kinds.items()]


def history_page(
    reads: ReadSession,
    scope: PlantScope,
    things: Sequence[About],
    after: pages.Key | None,
    limit: int,
    *,
    order: Order[Any],
) -> dict[About, list[LedgerEntry]]:
    """Return one page of the entries about each thing, by ledger and position in the direction of the order."""
    found: dict[About, list[LedgerEntry]] = {}
    named = {(one.kind, one.name): one for one in things}
    for kind in {one.kind for one in things}:
        (positions,) = positions_about(scope, [one for one in things if one.kind is kind])
        name, log, idx = positions.selected_columns
        page = pages.page_of_each(positions, (name,), (log, idx), after, limit, descending=order.descending)
        listed = reads.connection().execute(page).all()
        row = LedgerEntry
        there = tuple_(col(row.log_id), col(row.idx)).in_({(log_id, index) for _, log_id, index in listed})
        entries = {(one.log_id, one.idx): one for one in reads.exec(select(row).where(there))}
        for of, log_id, index in listed:
            found.setdefault(named[kind, of], []).append(entries[log_id, index])
    return found


def history_count(reads: ReadSession, scope: PlantScope, things: Sequence[About]) -> dict[About, int]:
    """Return how many entries there are about each thing."""
    found: dict[About, int] = {}
    named = {(one.kind, one.name): one for one in things}
    for kind in {one.kind for one in things}:
        (positions,) = positions_about(scope, [one for one in things if one.kind is kind])
        counted = pages.count_of_each(reads, positions, (positions.selected_columns[0],))
        found |= {named[kind, of]: number for of, number in counted.items()}
    return found


def numbers(things: Sequence[About], part: int = 0) -> set[Any]:
    """Return one part of each thing."""
    return {one.parts[part] for one in things}


@positions_of(Subject.BATCH)
def _batches(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select the entries under the code of each batch, and those that moved goods of it."""
    row, moved, logs = LedgerEntry, MovementRow, logs_of(scope)
    ids = numbers(things)
    known = sql_select(col(Batch.id), col(Batch.code)).where(col(Batch.id).in_(ids), col(Batch.plant_id).in_(scope))
    batch = known.distinct().subquery().c
    return union(
        sql_select(cast(batch.id, Text).label("name"), col(row.log_id), col(row.idx)).where(
            col(row.log_id).in_(logs), col(row.key) == batch.code, col(row.type).in_(things[0].types)
        ),
        sql_select(cast(batch.id, Text), col(moved.plant_id), col(moved.entry_idx)).where(
            col(moved.batch_id) == batch.id, col(moved.plant_id).in_(scope)
        ),
    )


@positions_of(Subject.PROCESS_RECORD, Subject.SHIPMENT, Subject.TRANSFER)
def _process_records(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select the entries under the number of each record, those that stated it, and the corrections of both."""
    row, stated, correction = LedgerEntry, ProcessStatementRow, CorrectionRow
    base = union(
        sql_select(col(row.key).label("name"), col(row.log_id).label("log_id"), col(row.idx).label("idx")).where(
            col(row.log_id).in_(scope),
            col(row.key).in_({one.name for one in things}),
            col(row.type).in_(things[0].types),
        ),
        sql_select(cast(col(stated.process_id), Text), col(stated.plant_id), col(stated.entry_idx)).where(
            col(stated.process_id).in_(numbers(things)), col(stated.plant_id).in_(scope)
        ),
    ).cte("stated")
    reversing = sql_select(base.c.name, col(correction.plant_id), col(correction.corrected_by)).where(
        col(correction.plant_id) == base.c.log_id, col(correction.entry_idx) == base.c.idx
    )
    return union(sql_select(base.c.name, base.c.log_id, base.c.idx), reversing)


@positions_of(Subject.MATERIAL, Subject.UNIT, Subject.SUPPLIER, Subject.CUSTOMER, Subject.LOCATION, Subject.EQUIPMENT)
def _definitions(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select the definitions of each code at its plant."""
    row = LedgerEntry
    found: Any = sql_select(
        (cast(col(row.log_id), Text) + literal("/") + col(row.key)).label("name"), col(row.log_id), col(row.idx)
    ).where(
        col(row.log_id).in_(numbers(things) & scope),
        tuple_(col(row.log_id), col(row.key)).in_([one.parts for one in things]),
        col(row.type).in_(things[0].types),
    )
    return found


@positions_of(Subject.PLANT)
def _plants(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select the entries under the code of each plant, at the plant and in the hub's ledger."""
    row, plant = LedgerEntry, Plant
    found: Any = sql_select(cast(col(plant.plant_id), Text).label("name"), col(row.log_id), col(row.idx)).where(
        col(plant.plant_id).in_(numbers(things) & scope),
        col(row.key) == col(plant.code),
        col(row.log_id).in_(logs_of(scope)),
        col(row.type).in_(things[0].types),
    )
    return found


@positions_of(Subject.HOLD)
def _holds(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select the entries by which the plant placed and lifted each hold."""
    row, separator = HoldRow, literal("/")
    name = (
        cast(col(row.plant_id), Text) + separator + cast(col(row.batch_id), Text) + separator
        + func.coalesce(col(row.directed), cast(col(row.hold_id), Text))
    )  # fmt: skip
    named: Any = sql_select(
        name.label("name"), col(row.plant_id).label("log_id"), col(row.hold_id), col(row.lifted_idx)
    ).where(col(row.plant_id).in_(numbers(things) & scope), col(row.batch_id).in_(numbers(things, 1)))
    hold = named.subquery().c
    wanted = hold.name.in_({one.name for one in things})
    return union(
        sql_select(hold.name, hold.log_id, hold.hold_id).where(wanted),
        sql_select(hold.name, hold.log_id, hold.lifted_idx).where(wanted, hold.lifted_idx.is_not(None)),
    )

"""Save many rows of master data: kept first, then run in portions, so that they go on after the node was restarted.

Each row is a command of its own, under a request id derived from that of the save. Its result is stored in the
transaction of its entry, so it is recorded once.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from infra.database import Session
from infra.ids import named_id, new_id
from plants.commands.execution import Command, CommandContext, check_call
from plants.commands.materials.changes import Change, MasterChange, MaterialChange, UnitChange
from plants.commands.materials.definitions import define_master, define_material, define_unit
from plants.rules.ledger.refusals import REQUEST_PRUNED, REQUEST_REUSED
from plants.rules.ledger.request_forms import canonical_form
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.saves import OnRefusal, RowOutcome, SaveState
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.actors import Author
from plants.rules.values.refusals import LINES_INVALID, NOTHING_CHANGES, Refusal, Refusals, within
from plants.store.materials.saves import (
    RowResult,
    Save,
    add_save,
    delete_saves,
    next_save,
    refusal_json,
    rows_from,
    save_by_request,
    store_results,
)

ROWS_MAX: Final = 10_000
PORTION: Final = 100  # rows of one transaction, so that other commands go on between portions
KEPT_FOR: Final = timedelta(days=31)
OF_THE_SAVE: Final = frozenset({PLANT_FENCED, REQUEST_PRUNED, REQUEST_REUSED})
"""Refusals that concern no single row."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one kind, in order, and what a refused one means for the others."""

    kind: str  # MATERIAL or a MasterKind
    changes: tuple[Change, ...]
    on_refusal: OnRefusal


class RolledBack(Exception):
    """Undoes the rows that were run, and carries their results."""

    def __init__(self, results: Sequence[RowResult]) -> None:
        super().__init__("rolled back")
        self.results = tuple(results)


def begin_save(session: Session, rows: Rows, *, actor: Author, call: CommandContext) -> str:
    """Keep rows to be run, and return the id of their save. A repeated request returns the first save.

    Raises Refusal for a wrong number of rows, and for a request id that another save has.
    """
    check_rows(rows, call)
    assert call.request is not None
    digest = _digest(rows, call)
    earlier = save_by_request(session, call.plant, call.request)
    if earlier is not None:
        if (earlier.actor, earlier.digest) != (actor.person, digest):
            with within("requestId"):
                raise Refusal(REQUEST_REUSED, request=call.request)
        return earlier.id
    delete_saves(session, call.plant, call.now - KEPT_FOR)
    save = Save(
        id=new_id(),
        plant_id=call.plant,
        request=call.request,
        digest=digest,
        kind=rows.kind,
        on_refusal=rows.on_refusal,
        actor=actor.person,
        printed_name=actor.printed_name,
        device=actor.device,
        reason=call.reason,
        occurred=call.occurred_at,
        requested=call.now,
        state=SaveState.WAITING,
        size=len(rows.changes),
    )
    add_save(session, save, [(change.code[:40], _content(change)) for change in rows.changes])
    return save.id


def check_rows(rows: Rows, call: CommandContext) -> None:
    """Raise Refusal for what concerns the whole save."""
    check_call(call)
    if not 1 <= len(rows.changes) <= ROWS_MAX:
        with within("rows"):
            raise Refusal(LINES_INVALID, count=len(rows.changes), limit=ROWS_MAX)


def advance_save(session: Session, plant: int, now: datetime, save_id: str | None = None) -> bool:
    """Run the next rows of a save, or of the oldest that is not finished; return whether there may be more."""
    save = next_save(session, plant, save_id)
    if save is None:
        return False
    together = save.on_refusal is OnRefusal.REJECT_ALL
    contents = rows_from(session, save, save.size if together else PORTION)
    changes = [_read(save.kind, one) for one in contents]
    author = Author(save.actor, save.printed_name, save.device)
    call = CommandContext(plant, now, save.occurred, save.request, save.reason)
    save.state = SaveState.RUNNING
    try:
        with session.savepoint():
            run = run_together if together else run_rows
            results = run(session, changes, save.done, actor=author, call=call)
    except RolledBack as undone:
        results = [_rejected(one) for one in undone.results]
    except Refusal as refusal:
        _end(session, save, now, SaveState.STOPPED, refusal)
        return True
    store_results(session, save, results)
    if save.done == save.size:
        _end(session, save, now, SaveState.DONE)
    return True


def validate_rows(session: Session, rows: Rows, *, actor: Author, call: CommandContext) -> None:
    """Run rows without keeping anything; raises the Refusal of each row that would be refused, as one."""
    check_rows(rows, call)
    results = undone_rows(session, rows, actor=actor, call=call)
    with Refusals() as refusals:
        for one in (each.refusal for each in results if each.refusal is not None):
            with refusals.at():
                raise one


def run_rows(
    session: Session, changes: Sequence[Change], first: int, *, actor: Author, call: CommandContext
) -> list[RowResult]:
    """Run rows in order; `first` is the place of the first. Raises what ends the whole save."""
    return [
        _run_row(session, change, place, actor=actor, call=call) for place, change in enumerate(changes, start=first)
    ]


def run_together(
    session: Session, changes: Sequence[Change], first: int, *, actor: Author, call: CommandContext
) -> list[RowResult]:
    """Run rows as `run_rows` does; raises RolledBack where one is refused."""
    results = run_rows(session, changes, first, actor=actor, call=call)
    if any(one.refusal is not None for one in results):
        raise RolledBack(results)
    return results


def undone_rows(session: Session, rows: Rows, *, actor: Author, call: CommandContext) -> Sequence[RowResult]:
    """Run rows, undo them, and return their results."""
    try:
        with session.savepoint():
            _run_and_undo(session, rows, actor=actor, call=call)
    except RolledBack as undone:
        return undone.results
    raise AssertionError("rows were not undone")


def _run_and_undo(session: Session, rows: Rows, *, actor: Author, call: CommandContext) -> None:
    raise RolledBack(run_rows(session, rows.changes, 0, actor=actor, call=call))


def row_request(request: str, place: int) -> str:
    """Return the request id of a row: a UUID of version 5 in the namespace of the save's request id."""
    return named_id(UUID(request), f"rows/{place}")


def _run_row(session: Session, change: Change, place: int, *, actor: Author, call: CommandContext) -> RowResult:
    own = call if call.request is None else replace(call, request=row_request(call.request, place))
    # The limit of back-dating was checked when the rows were sent; they may have waited since.
    own = replace(own, history=True)
    try:
        # A refused command has written nothing, so a row needs no savepoint.
        with within("rows", place):
            entry = _command(change)(session, change, actor=actor, call=own)
    except Refusal as refusal:
        if refusal.code in OF_THE_SAVE:
            refusal.path = ()
            raise
        if refusal.code is NOTHING_CHANGES:
            return RowResult(RowOutcome.UNCHANGED)
        return RowResult(RowOutcome.REFUSED, refusal=refusal)
    return RowResult(RowOutcome.RECORDED, entry.index)


def _command(change: Change) -> Command[Any]:
    match change:
        case MaterialChange():
            return define_material
        case UnitChange():
            return define_unit
        case MasterChange():
            return define_master


def _rejected(result: RowResult) -> RowResult:
    return RowResult(RowOutcome.REJECTED) if result.outcome is RowOutcome.RECORDED else result


def _end(session: Session, save: Save, now: datetime, state: SaveState, refusal: Refusal | None = None) -> None:
    save.state, save.finished = state, now
    save.refusal = None if refusal is None else refusal_json(refusal)
    session.add(save)


def _digest(rows: Rows, call: CommandContext) -> str:
    given = rows.kind, rows.on_refusal, rows.changes, call.occurred_at, call.reason
    return sha256(canonical_form(given)).hexdigest()


def _content(change: Change) -> str:
    """Return a change as JSON, without the fields that it does not give."""
    return json.dumps(dict(_given(asdict(change).items())), ensure_ascii=False)


def _given(values: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, value in values:
        if isinstance(value, frozenset):
            if value:
                yield name, sorted(value)
        elif value is not None and name != "kind":
            yield name, value


def _read(kind: str, content: str) -> Change:
    values: dict[str, Any] = json.loads(content)
    values["cleared"] = frozenset(values.get("cleared", ()))
    if "conversions" in values:
        values["conversions"] = tuple((unit, factor) for unit, factor in values["conversions"])
    return _change(kind, values)


def _change(kind: str, values: Mapping[str, Any]) -> Change:
    if kind == MATERIAL:
        return MaterialChange(**values)
    if kind == MasterKind.UNIT:
        return UnitChange(**values)
    return MasterChange(MasterKind(kind), **values)

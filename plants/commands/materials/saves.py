"""Save many rows of master data: kept first, then run in portions, so that they go on after the node was restarted.

Each row is a command of its own, under a request id derived from that of the save. Its result is stored in the
transaction of its entry, so it is recorded once.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final, NoReturn, Protocol
from uuid import UUID

from infra.database import Session
from infra.ids import named_id, new_id
from plants.commands.execution import Command, CommandContext, check_call, request_reused
from plants.commands.materials.changes import Change, MasterChange, MaterialChange, UnitChange
from plants.commands.materials.definitions import define_master, define_material, define_unit
from plants.rules.ledger.refusals import REQUEST_PRUNED, REQUEST_REUSED
from plants.rules.ledger.request_forms import canonical_form
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.refusals import ROW_REPEATED
from plants.rules.materials.saves import OnRefusal, RowOutcome, SaveState
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.actors import Author
from plants.rules.values.refusals import CODE_SHOWN_MAX, LINES_INVALID, NOTHING_CHANGES, Refusal, within
from plants.store.ledger.entries import entry_by_request
from plants.store.materials.saves import (
    NewRow,
    RowResult,
    Save,
    add_save,
    delete_saves,
    end_rows,
    next_save,
    refusal_json,
    reject_rows,
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
    """Rows of one kind, in order, and what a refused one means for the others.

    `plants` holds the codes of the plants that a save of headquarters addresses.
    """

    kind: str  # MATERIAL or a MasterKind
    changes: tuple[Change, ...]
    on_refusal: OnRefusal
    plants: tuple[str, ...] = ()


AuthorCheck = Callable[[Session, Author], None]
"""Raises the Refusal of an author who may no longer save."""


class RowRecorder(Protocol):
    """Records one row of a save; raises its Refusal."""

    def __call__(
        self, session: Session, save: Save, change: Change, *, actor: Author, call: CommandContext
    ) -> RowResult:
        """Return the result of the recorded row."""


class RolledBack(Exception):
    """Undoes the rows that were run, and carries their results."""

    def __init__(self, results: Sequence[RowResult]) -> None:
        super().__init__("rolled back")
        self.results = tuple(results)


def undo(results: Sequence[RowResult]) -> NoReturn:
    """Raise RolledBack."""
    raise RolledBack(results)


def begin_save(session: Session, rows: Rows, *, actor: Author, call: CommandContext, validates: bool = False) -> str:
    """Keep rows to be run, and return the id of their save. A repeated request returns the first save.

    With `validates`, the rows are run and undone. Their request id stays unused.

    Raises Refusal for a wrong number of rows, and for a request id that another save or a command has.
    """
    check_rows(rows, call)
    assert call.request is not None
    if entry_by_request(session, call.plant, call.request) is not None:
        raise request_reused(call.request)
    return keep_save(session, rows, actor=actor, call=call, validates=validates)


def keep_save(session: Session, rows: Rows, *, actor: Author, call: CommandContext, validates: bool) -> str:
    """Store rows that were checked, and return the id of their save; raises what `begin_save` raises of other saves."""
    assert call.request is not None
    digest = _digest(rows, call)
    earlier = save_by_request(session, call.plant, call.request)
    if earlier is not None:
        if (earlier.actor, earlier.digest) != (actor.person, digest):
            raise request_reused(call.request)
        return earlier.id
    delete_saves(session, call.plant, call.now - KEPT_FOR)
    save = Save(
        id=new_id(),
        plant_id=call.plant,
        request=new_id() if validates else call.request,
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
        validates=validates,
        addressed=json.dumps(rows.plants) if rows.plants else None,
    )
    add_save(session, save, _new_rows(rows.changes))
    return save.id


def _new_rows(changes: Sequence[Change]) -> list[NewRow]:
    """Return the rows to store, each with the number of an earlier row with the same code."""
    first: dict[str, int] = {}
    found = []
    for number, change in enumerate(changes):
        earlier = first.setdefault(change.code, number)
        repeats = None if earlier == number else earlier
        found.append(NewRow(change.code[:CODE_SHOWN_MAX], _content(change), repeats))
    return found


def check_rows(rows: Rows, call: CommandContext) -> None:
    """Raise Refusal for what concerns the whole save."""
    check_call(call)
    if not 1 <= len(rows.changes) <= ROWS_MAX:
        with within("rows"):
            raise Refusal(LINES_INVALID, count=len(rows.changes), limit=ROWS_MAX)


def record_here(session: Session, save: Save, change: Change, *, actor: Author, call: CommandContext) -> RowResult:
    """Record a row in the ledger of this plant."""
    del save
    return RowResult(RowOutcome.RECORDED, _command(change)(session, change, actor=actor, call=call).index)


def advance_save(
    session: Session,
    plant: int,
    now: datetime,
    save_id: str | None = None,
    *,
    check: AuthorCheck,
    record: RowRecorder = record_here,
) -> bool:
    """Run the next rows of a save, or of the oldest that is not finished; return whether there may be more.

    `check` is asked before each portion. Where it raises Refusal, the save is stopped and no further row is run.
    """
    save = next_save(session, plant, save_id)
    if save is None:
        return False
    author = Author(save.actor, save.printed_name, save.device)
    save.state = SaveState.RUNNING
    try:
        check(session, author)
        results = _run_portion(session, save, author, now, record)
    except Refusal as refusal:
        end_rows(session, save, refusal)
        _end(session, save, now, SaveState.STOPPED, refusal)
        return True
    store_results(session, save, results)
    if save.done == save.size:
        if save.on_refusal is OnRefusal.REJECT_ALL and save.refused:
            reject_rows(session, save)
        _end(session, save, now, SaveState.DONE)
    return True


def _run_portion(
    session: Session, save: Save, author: Author, now: datetime, record: RowRecorder
) -> Sequence[RowResult]:
    """Run the next rows in order, and undo those of a validation, or all where one refused row rejects the others."""
    together = save.on_refusal is OnRefusal.REJECT_ALL and not save.validates
    rows = rows_from(session, save, save.size if together else PORTION)
    call = CommandContext(save.plant_id, now, save.occurred, save.request, save.reason)
    run = partial(_run_row, session, save, actor=author, call=call, record=record)
    try:
        with session.savepoint():
            results = [run(content, repeats, n) for n, (content, repeats) in enumerate(rows, start=save.done)]
            if save.validates or (together and any(one.refusal is not None for one in results)):
                undo(results)
    except RolledBack as undone:
        return [replace(one, entry_idx=None, directives=()) for one in undone.results]
    return results


def row_request(request: str, place: int) -> str:
    """Return the request id of a row: a UUID of version 5 in the namespace of the save's request id."""
    return named_id(UUID(request), f"rows/{place}")


def _run_row(
    session: Session,
    save: Save,
    content: str,
    repeats: int | None,
    number: int,
    *,
    actor: Author,
    call: CommandContext,
    record: RowRecorder,
) -> RowResult:
    """Run one row; raises the Refusal that ends the whole save."""
    change = _read(save.kind, content)
    # The limit of back-dating was checked when the rows were sent; they may have waited since.
    own = replace(call, request=row_request(save.request, number), history=True)
    try:
        # A refused command has written nothing, so a row needs no savepoint.
        with within("rows", number):
            _check_first(change, repeats)
            return record(session, save, change, actor=actor, call=own)
    except Refusal as refusal:
        if refusal.code in OF_THE_SAVE:
            refusal.path = ()
            raise
        if refusal.code is NOTHING_CHANGES:
            return RowResult(RowOutcome.UNCHANGED)
        return RowResult(RowOutcome.REFUSED, refusal=refusal)


def _check_first(change: Change, repeats: int | None) -> None:
    if repeats is not None:
        with within("code"):
            raise Refusal(ROW_REPEATED, code=change.code[:CODE_SHOWN_MAX], first=repeats)


def _command(change: Change) -> Command[Any]:
    match change:
        case MaterialChange():
            return define_material
        case UnitChange():
            return define_unit
        case MasterChange():
            return define_master


def _end(session: Session, save: Save, now: datetime, state: SaveState, refusal: Refusal | None = None) -> None:
    save.state, save.finished = state, now
    save.refusal = None if refusal is None else refusal_json(refusal)
    session.add(save)


def _digest(rows: Rows, call: CommandContext) -> str:
    given = rows.kind, rows.on_refusal, rows.changes, call.occurred_at, call.reason
    return sha256(canonical_form((*given, rows.plants) if rows.plants else given)).hexdigest()


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

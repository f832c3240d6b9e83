"""Detects conflicts between a rebased entry and the current tables, or the entries that it builds on.

Nothing is decided anew here. An entry collides when applying it would contradict what is there (an id, a code or an
alias of another thing, less than nothing on hand, goods used that are on hold) or when what it states of something as a
whole (a balance, an amount made so far) was stated without knowing of the entries before it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.database import Session
from plants.rules.audit.corrections import stock_change
from plants.rules.audit.events import ENTRY_CORRECTED
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import Movement
from plants.rules.logistics.events import TRANSFER_RECEIVED
from plants.rules.production.events import PROCESS_CLOSED
from plants.rules.replication.conflict_kinds import ConflictKind
from plants.rules.replication.events import ENTRY_DISPUTED, Collision
from plants.rules.replication.rebasing import nodes_in, nodes_made, processes_in
from plants.store.audit import corrections
from plants.store.inventory.batches import batches_by_alias, goods_by_id, is_code_known
from plants.store.logistics.transfers import is_received

SELECT_PROCESS = "SELECT state FROM process_records WHERE plant_id = :plant AND id = :id"
SELECT_HOLD = "SELECT lifted_idx FROM holds WHERE plant_id = :plant AND batch_id = :batch AND hold_id = :hold"
Conflict = tuple[ConflictKind, object]
"""A kind of conflict and its subject."""

TAKING = frozenset({"CONSUMED", "TRANSFERRED", "SHIPPED"})


class RebaseState:
    """The state that an entry builds on: the tables, and the changes and failures of the entries before it.

    `lost` are the batches and process records that disputed entries would have made, `changed` those that adopted
    entries touched or disputed ones would have.
    """

    def __init__(self, session: Session, plant: int) -> None:
        self.session = session
        self.plant = plant
        self.lost: set[int] = set()
        self.changed: set[int] = set()

    def adopted(self, entries: Iterable[Entry]) -> None:
        """Note what entries that were taken on touch."""
        for entry in entries:
            self.changed |= nodes_in(entry.envelope["key"], entry.payload)

    def disputed(self, entry: Entry, *, recorded: Mapping[int, str]) -> None:
        """Note what a disputed entry would have made and touched; `recorded` was made in its stead."""
        self.changed |= nodes_in(entry.envelope["key"], entry.payload)
        self.lost |= {node for node, code in nodes_made(entry.payload).items() if recorded.get(node) != code}


def collisions(base: RebaseState, entry: Entry, payload: Any) -> list[Collision]:
    """Return why an entry cannot be applied with this payload, its positions renumbered; an empty list if it can."""
    if not isinstance(payload, dict) or entry.type == ENTRY_DISPUTED.name:
        return []
    return [{"code": code, "what": str(what)[:100]} for code, what in _found(base, entry, payload)]


def _found(base: RebaseState, entry: Entry, payload: dict[str, Any]) -> Iterator[Conflict]:
    for node in sorted(nodes_in(entry.envelope["key"], payload) & base.lost):
        yield ConflictKind.MADE_BY_DISPUTED, node
    yield from _made(base, entry, payload)
    yield from _moved(base, payload)
    yield from _named(base, payload)
    yield from _stated(base, entry, payload)


def _made(base: RebaseState, entry: Entry, payload: dict[str, Any]) -> Iterator[Conflict]:
    session, plant = base.session, base.plant
    for batch in payload.get("batches", ()):
        if goods_by_id(session, plant, batch["id"]) is not None:
            yield ConflictKind.BATCH_TAKEN, batch["id"]
        if is_code_known(session, plant, batch["code"]):
            yield ConflictKind.CODE_TAKEN, batch["code"]
    if entry.type == TRANSFER_RECEIVED.name:
        if is_received(session, plant, payload["transfer"]):
            yield ConflictKind.TRANSFER_RECEIVED, payload["transfer"]
    elif "process" in payload:
        yield from _processed(base, entry, payload["process"])


def _processed(base: RebaseState, entry: Entry, process: dict[str, Any]) -> Iterator[Conflict]:
    number = process["id"]
    state = _state(base, number)
    if "kind" in process:
        if state is not None:
            yield ConflictKind.PROCESS_TAKEN, number
    elif state is None:
        yield ConflictKind.PROCESS_UNKNOWN, number
    elif entry.type == PROCESS_CLOSED.name and state == "CLOSED":
        yield ConflictKind.PROCESS_CLOSED, number
    elif entry.type == PROCESS_CLOSED.name and number in base.changed:
        yield ConflictKind.PROCESS_CHANGED, number


def _moved(base: RebaseState, payload: dict[str, Any]) -> Iterator[Conflict]:
    movements = payload.get("movements", [])
    stated = {batch["id"] for batch in payload.get("batches", ())}
    goods = {batch: goods_by_id(base.session, base.plant, batch) for batch in {one["batch"] for one in movements}}
    for batch in sorted(goods):
        if goods[batch] is None and batch not in stated:
            yield ConflictKind.BATCH_UNKNOWN, batch
    taken = {one["batch"] for one in movements if one.get("use") in TAKING and one["taken_from"].startswith("stock:")}
    for known in (goods[batch] for batch in sorted(taken)):
        if known is not None and known.holds:
            yield ConflictKind.BATCH_ON_HOLD, known.code
        if known is not None and known.disposition != "UNRESTRICTED":
            yield ConflictKind.BATCH_RESTRICTED, known.code
    for (batch, location), change in stock_change(movements).items():
        known = goods[batch]
        if (0 if known is None else known.on_hand.get(location, 0)) + change < 0:
            yield ConflictKind.STOCK_SHORT, f"{batch} {location}"
    yield from _processes(base, payload, movements)


def _processes(base: RebaseState, payload: dict[str, Any], movements: list[Movement]) -> Iterator[Conflict]:
    own = payload.get("process", {}).get("id")
    edges = processes_in([movement for movement in movements if "use" in movement])
    for process in sorted(processes_in(movements) - {own}):
        state = _state(base, process)
        if state is None:
            yield ConflictKind.PROCESS_UNKNOWN, process
        elif state == "CLOSED" and process in edges:
            yield ConflictKind.PROCESS_CLOSED, process


def _named(base: RebaseState, payload: dict[str, Any]) -> Iterator[Conflict]:
    session, plant = base.session, base.plant
    stated = {batch["id"]: batch["material"] for batch in payload.get("batches", ())}
    named = [(alias["batch"], alias) for alias in payload.get("aliases", ())]
    held = [hold["batch"] for hold in payload.get("holds", ())]
    for batch in (*(batch for batch, _ in named), *held, *(batch for batch, _ in payload.get("lifted", ()))):
        if batch not in stated and goods_by_id(session, plant, batch) is None:
            yield ConflictKind.BATCH_UNKNOWN, batch
    for batch, alias in named:
        known = goods_by_id(session, plant, batch)
        material = stated.get(batch) or (known.material if known is not None else None)
        for other in batches_by_alias(session, plant, alias["scheme"], alias["issuer"], alias["value"]):
            if other.id != batch and other.material == material and alias["scheme"] != "SUPPLIER_LOT":
                yield ConflictKind.ALIAS_TAKEN, alias["value"]
    for batch, hold in payload.get("lifted", ()):
        row = session.row(SELECT_HOLD, {"plant": plant, "batch": batch, "hold": hold})
        if row is None or row[0] is not None:
            yield ConflictKind.HOLD_UNKNOWN, f"{batch} {hold}"


def _stated(base: RebaseState, entry: Entry, payload: dict[str, Any]) -> Iterator[Conflict]:
    session, plant = base.session, base.plant
    for member in ("made", "dispositions"):
        for batch in map(int, payload.get(member, {})):
            if goods_by_id(session, plant, batch) is None:
                yield ConflictKind.BATCH_UNKNOWN, batch
            elif batch in base.changed:
                yield ConflictKind.BATCH_CHANGED, batch
    for batch, expires_on in payload.get("expiries", {}).items():
        known = goods_by_id(session, plant, int(batch))
        if known is None:
            yield ConflictKind.BATCH_UNKNOWN, batch
        elif known.expires_on is not None and (expires_on is None or expires_on > known.expires_on):
            yield ConflictKind.BATCH_CHANGED, batch
    if entry.type == ENTRY_CORRECTED.name and corrections.corrected_by(session, plant, payload["entry"]) is not None:
        yield ConflictKind.ENTRY_ALREADY_CORRECTED, payload["entry"]


def _state(base: RebaseState, process: int) -> str | None:
    row = base.session.row(SELECT_PROCESS, {"plant": base.plant, "id": process})
    return None if row is None else str(row[0])

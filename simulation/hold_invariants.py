"""Invariants of holds at the end of a run, read from tables and ledgers without the reference model."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from simulation.ledger_replay import LedgerReplay, links_of
from simulation.model_check.deviations import HOLDS_STAY_BEHIND, Deviation
from simulation.run_log import Violation
from simulation.world import HUB, World

SELECT_IN_FORCE: Final = (
    "SELECT hold, batch_code, plant_id, directive_idx FROM directed_holds WHERE ended_idx IS NULL"
    " ORDER BY plant_id, directive_idx, batch_code"
)
SELECT_KNOWN: Final = "SELECT id FROM batches WHERE plant_id = ? AND code = ?"
SELECT_STOCKED: Final = "SELECT count(*) FROM stock WHERE plant_id = ? AND batch_id = ? AND quantity > 0"
SELECT_OPEN: Final = "SELECT directed, kind FROM holds WHERE plant_id = ? AND batch_id = ? AND lifted_idx IS NULL"
SELECT_WAITING: Final = "SELECT count(*) FROM waiting_holds WHERE plant_id = ? AND batch_code = ? AND hold = ?"


def check_directed_holds(world: World, known: Sequence[Deviation]) -> None:
    """I18: a directed hold in force at the hub is in force wherever goods are, and on what became of them there."""
    for hold, code, addressed, index in world.hub.disk.peek(SELECT_IN_FORCE):
        if addressed not in world.plants:
            continue
        everywhere = world.replays[HUB, -addressed].entries[index]["payload"]["everywhere"]
        for number in world.plants if everywhere else (addressed,):
            _check_at(world, number, hold, code, addressed=number == addressed, known=known)


def _check_at(world: World, number: int, hold: str, code: str, *, addressed: bool, known: Sequence[Deviation]) -> None:
    disk, name = world.plants[number].disk, world.plants[number].name
    rows = disk.peek(SELECT_KNOWN, (number, code))
    if not rows:
        if addressed and not disk.peek(SELECT_WAITING, (number, code, hold))[0][0]:
            raise Violation("I18", f"{name} neither knows batch {code} nor keeps hold {hold} for it")
        return
    batch = rows[0][0]
    stocked = disk.peek(SELECT_STOCKED, (number, batch))[0][0]
    is_held = any(directed == hold for directed, _ in disk.peek(SELECT_OPEN, (number, batch)))
    if (addressed or stocked) and not is_held:
        raise Violation("I18", f"{name} has goods of {code} without hold {hold}, which is in force at the hub")
    world.run_log.mark("directed holds in force")
    if HOLDS_STAY_BEHIND in known:
        return
    for descendant in _descendants(world, number, batch):
        kinds = {kind for _, kind in disk.peek(SELECT_OPEN, (number, descendant))}
        if disk.peek(SELECT_STOCKED, (number, descendant))[0][0] and "UPSTREAM" not in kinds:
            raise Violation("I18", f"{name}: batch {descendant} comes from {code}, and hold {hold} does not reach it")


def _descendants(world: World, number: int, batch: int) -> set[int]:
    """Return the batches at a plant that a batch became, by its ledger."""
    links = links_of([world.replays[number, number]])
    found, queue = set[int](), deque([batch])
    while queue:
        at = queue.popleft()
        for source, target, use in links:
            if source == at and target not in found and use not in {"RETURNED", "TRANSFERRED", "SHIPPED"}:
                found.add(target)
                queue.append(target)
    return found & world.replays[number, number].state.batches.keys()


def check_lifted_holds(world: World) -> None:
    """I19: a hold ends by an approved release, by headquarters, or with the entry that placed it, and never else."""
    for number in world.plants:
        here = world.replays[number, number]
        directives = world.replays[number, -number].entries
        released = {one["payload"]["hold"] for one in directives if one["type"] == "ReleaseDirected"}
        for entry in here.entries:
            for batch, placed in entry["payload"].get("lifted", ()):
                if not _may_lift(here, entry, batch, placed, released):
                    text = f"entry {entry['index']} {entry['type']} of plant {number} lifts hold {placed} of {batch}"
                    raise Violation("I19", f"{text}, and nobody released it")


def _may_lift(here: LedgerReplay, entry: dict[str, object], batch: int, placed: int, released: Iterable[str]) -> bool:
    payload = entry["payload"]
    assert isinstance(payload, dict)
    match entry["type"]:
        case "ChangeApplied":
            asked = here.entries[payload["change"]]["payload"]
            wanted = asked["detail"].get("holds", "").split(",")
            is_approved = here.state.changes[payload["change"]]["state"] == "APPROVED"
            return is_approved and asked["batch"] == batch and str(placed) in wanted
        case "BatchReleased":
            holds = here.entries[placed]["payload"].get("holds", ())
            return any(one["batch"] == batch and one.get("directed") in released for one in holds)
        case "EntryCorrected":
            return bool(payload["entry"] == placed)
    return False

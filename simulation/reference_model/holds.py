"""Holds as rules with a reach that last until lifted, and the check that goods may be used (rules 3, 8 and 10).

Choices where domain.md is silent:
- The check of usability looks at holds first, then expiry, disposition and retest.
- An UPSTREAM hold names the hold that was placed, not the step before. Its ancestor is the batch of that hold.
- A correction that takes an input back leaves UPSTREAM holds in place: only a release lifts a hold.
- A hold counts from five minutes before its time, and until five minutes before it was lifted.
- A use before an open hold needs a reason. Without one it is refused with the hold.
- A split or a late use carries every open hold on as UPSTREAM, also one with reach GOODS.
- Goods drawn from a released batch before a later input held it again stay free.
- A share below the carry-over limit ends a path once all runs that made the batch are closed.
"""

from collections import defaultdict, deque
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any, Final

from simulation.reference_model.amounts import BUILT_IN, in_base
from simulation.reference_model.calls import Call, Settings
from simulation.reference_model.genealogy import Step, ancestors, bounds, descendants, leading_to, network, steps
from simulation.reference_model.rows import Batch, Hold, LateUse, Tables
from simulation.reference_model.verdicts import RefusalFound

GENEALOGY_KINDS: Final = frozenset({"QUALITY", "PARAMETER_BREACH", "RECALL", "UPSTREAM"})


def default_reach(kind: str) -> str:
    return "GENEALOGY" if kind in GENEALOGY_KINDS else "GOODS"


def open_holds(tables: Tables, batch: str, location: str | None = None) -> list[Hold]:
    """Return the open holds on a batch, in the order placed: with a location those there, else those everywhere."""
    found = [hold for hold in tables.holds.values() if hold.batch == batch and hold.lifted is None]
    chosen = [hold for hold in found if hold.location in (None, location)]
    return sorted(chosen, key=lambda hold: (hold.entry, hold.id))


def root(hold: Hold) -> str:
    return hold.cause or hold.id


def place(call: Call, batch: str, kind: str, reason: str, **details: Any) -> Hold:
    """Place a hold, without its UPSTREAM holds."""
    count = sum(hold.entry == call.index for hold in call.tables.holds.values())
    hold = Hold(
        f"{call.plant}/H{call.index}.{count + 1}", batch, kind, default_reach(kind), reason, call.at, call.index
    )
    hold = replace(hold, **details)
    call.tables.holds[hold.id] = hold
    return hold


def lift(call: Call, hold: Hold) -> None:
    """Lift a hold, and the UPSTREAM holds that it caused."""
    for other in list(call.tables.holds.values()):
        if other.lifted is None and hold.id in (other.id, other.cause):
            lifted = replace(other, lifted_at=call.at, lifted=call.index, released=other.id == hold.id)
            call.tables.holds[other.id] = lifted
    call.amend(hold.batch, decided=True)


def check_usable(call: Call, batch: Batch, location: str, *path: str) -> tuple[str, ...]:
    """Refuse goods that may not be used at the time of the command; return the holds of which the use is late."""
    late = []
    history = [hold for hold in call.tables.holds.values() if hold.batch == batch.id]
    for hold in sorted(history, key=lambda hold: (hold.entry, hold.id)):
        if hold.location not in (None, location):
            continue
        if call.is_before(call.at, hold.placed_at):
            late += [hold] if hold.lifted is None else []
        elif hold.lifted_at is None or call.is_before(call.at, hold.lifted_at):
            raise RefusalFound("BATCH_ON_HOLD", *path, hold=hold.id, ancestor=hold.ancestor)
    if late and call.text("reason") is None:
        raise RefusalFound("BATCH_ON_HOLD", *path, hold=late[0].id, ancestor=late[0].ancestor)
    if (code := unusable(call.tables, batch, call.day(call.at), call.settings)) is not None:
        raise RefusalFound(code, *path)
    return tuple(root(hold) for hold in late)


def unusable(tables: Tables, batch: Batch, day: date, settings: Settings) -> str | None:
    """Return why a batch cannot be used on a day, its holds left out."""
    if batch.expires_on is not None and day > batch.expires_on:
        return "BATCH_EXPIRED"
    if batch.void:
        return "BATCH_RESTRICTED"
    material = tables.materials.get(batch.material)
    warns = (material is not None and material.retest_warns) or not settings.retest_blocks
    return "RETEST_DUE" if batch.retest_on is not None and day > batch.retest_on and not warns else None


def note_late_use(call: Call, holds: tuple[str, ...], run: str | None = None) -> None:
    """Put a late use on the worklist, for another user to confirm."""
    if holds:
        before = call.tables.late_uses.get(call.index)
        known = before.holds if before is not None else ()
        call.tables.late_uses[call.index] = LateUse(call.index, call.by, run, tuple(dict.fromkeys((*known, *holds))))


Onward = dict[str, list[Step]]
Releases = dict[tuple[str, str], int]


def onward_steps(tables: Tables) -> Onward:
    """Return the steps from each batch."""
    found: Onward = defaultdict(list)
    for step in steps(tables.edges.values()):
        found[step.source].append(step)
    return found


def last_releases(tables: Tables) -> Releases:
    """Return, for each hold and batch, the latest entry that released the batch from the hold's UPSTREAM holds."""
    found: Releases = {}
    for other in tables.holds.values():
        if other.cause is not None and other.released and other.lifted is not None:
            key = (other.cause, other.batch)
            found[key] = max(other.lifted, found.get(key, 0))
    return found


def reached(tables: Tables, hold: Hold, onward: Onward, releases: Releases) -> list[str]:
    """Return the batches that a hold reaches at the plant, the held one left out.

    `since` has the entry from which each batch is reached: from 0, or from the later input that holds it again.
    """
    since = {hold.batch: 0}
    queue = deque([hold.batch])
    while queue:
        at = queue.popleft()
        for step in onward.get(at, ()):
            follows = hold.reach == "GENEALOGY" or hold.id in step.fed.carries
            released = releases.get((hold.id, step.target))
            first = 0 if released is None else step.entry
            is_new = first < since.get(step.target, first + 1)
            is_free = step.entry < since[at] or (released is not None and step.entry <= released)
            if is_new and follows and not is_free and not is_below_limit(tables, hold, step.target):
                since[step.target] = first
                queue.append(step.target)
    return [batch for batch in since if batch != hold.batch]


def is_below_limit(tables: Tables, hold: Hold, batch: str) -> bool:
    """Return whether the most that the held batch can be of a batch is below the limit of its material."""
    material = tables.materials.get(tables.batches[batch].material)
    if material is None or material.hold_limit == 0 or not hold.limited:
        return False
    runs = {edge.run for edge in tables.edges.values() if edge.batch == batch and edge.side == "OUT"}
    if any(tables.runs[run].closed_at is None for run in runs):
        return False
    found = contribution(tables, hold.batch, batch)
    return found is not None and found[1] < material.hold_limit * found[2]


def contribution(tables: Tables, suspect: str, target: str) -> tuple[Fraction, Fraction, Fraction] | None:
    """Return the least and most of a batch in another, and the whole of that, in the base unit of its kind.

    Without a conversion on the way between the two, the most is all of it and the least nothing. An input of another
    kind may have any amount, so that the least is nothing. Returns None if the target's unit is not known here.
    """
    own = BUILT_IN.get(tables.batches[target].unit) or tables.units.get(tables.batches[target].unit)
    if own is None:
        return None
    kind = own.kind
    totals = {
        code: made
        for code, batch in tables.batches.items()
        if (made := in_base(tables, batch, batch.made, kind)) is not None
    }
    whole = totals[target]
    between = {suspect, target} | (
        descendants(suspect, tables.edges.values()).keys() & ancestors(target, tables.edges.values()).keys()
    )
    if not between <= totals.keys():
        return Fraction(0), whole, whole
    lines = leading_to(target, tables.edges.values())
    measured = [edge for edge in lines if edge.batch in totals]
    capacities = network(measured, lambda batch, amount: in_base(tables, tables.batches[batch], amount, kind))
    least, most = bounds(suspect, target, capacities, totals)
    unmeasured = [edge for edge in lines if edge.batch not in totals and edge.side == "IN"]
    return (Fraction(0) if unmeasured else least), most, whole


def write_upstream(call: Call) -> None:
    """Place the UPSTREAM holds that open holds cause and that are not there yet."""
    if not call.settings.upstream_holds:
        return
    tables = call.tables
    onward, releases = onward_steps(tables), last_releases(tables)
    for hold in [hold for hold in tables.holds.values() if hold.lifted is None and hold.cause is None]:
        held = {other.batch for other in tables.holds.values() if other.cause == hold.id and other.lifted is None}
        for batch in reached(tables, hold, onward, releases):
            if batch not in held:
                placed_at = max(call.at, hold.placed_at)
                placed = place(call, batch, "UPSTREAM", hold.reason, cause=hold.id, ancestor=hold.batch)
                call.tables.holds[placed.id] = replace(placed, placed_at=placed_at, reach=hold.reach)

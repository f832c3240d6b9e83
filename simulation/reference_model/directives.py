"""Headquarters' directives: sent by the hub, applied by a plant as they are delivered (rule 8, replication.md 4).

A directive's content holds rows of the model. The plant answers with DirectiveApplied or DirectiveRejected.

Choices where domain.md is silent:
- A hold without plants goes to those with goods of the batch, on hand or on the road to them. Without goods anywhere,
  it goes to all plants that know the batch.
- A hold for a batch that the plant does not know is rejected as BATCH_UNKNOWN and waits. It is placed at the receipt.
- A plant that gets goods of a held batch later gets the directive from the hub once the hub has the entry.
- A hold of one plant with reach GENEALOGY reaches other plants as a directed hold of the same kind, sent once for each
  first hold and batch.
- Batch data that its origin put right go to every other plant that knows the batch, and count there at once.
- A directed hold counts at the plant from the time at which the plant applies it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from simulation.reference_model import registry
from simulation.reference_model.calls import Call
from simulation.reference_model.holds import default_reach, lift, place, root
from simulation.reference_model.rows import Change, DirectedHold, Hold, RightData, Tables
from simulation.reference_model.verdicts import Directive, Effect, RefusalFound


def plants_with_goods(mirrors: Iterable[tuple[str, Tables]], batch: str) -> list[str]:
    """Return the plants with goods of a batch, on hand, in an open run, or on the road to them."""
    known = dict(mirrors)
    found = set()
    for plant, tables in known.items():
        if any(row.amount for (code, _), row in tables.stock.items() if code == batch):
            found.add(plant)
        running = {run.id for run in tables.runs.values() if run.closed_at is None and not run.void}
        if any(edge.run in running and edge.batch == batch and edge.side == "IN" for edge in tables.edges.values()):
            found.add(plant)
        for transfer in tables.transfers.values():
            sent = sum(line.amount for line in transfer.lines if line.batch.id == batch)
            received = sum(
                other.received[transfer.id, batch].amount
                for other in known.values()
                if (transfer.id, batch) in other.received
            )
            if sent > received:
                found.add(transfer.destination)
    return sorted(found)


def addressed(call: Call, batches: Iterable[str]) -> list[str]:
    """Return the plants that the input names, or those with goods, or those that know one of the batches."""
    named = call.input.get("plantCodes") or ()
    for number, plant in enumerate(named):
        if plant not in call.zones:
            raise RefusalFound("NOT_DEFINED", "plantCodes", str(number))
    if named:
        return sorted(set(named))
    batches = list(batches)
    with_goods = {plant for batch in batches for plant in plants_with_goods(call.mirrors.items(), batch)}
    knowing = {plant for plant, tables in call.mirrors.items() for batch in batches if batch in tables.batches}
    return sorted(with_goods or knowing)


def send_hold(call: Call, hold: DirectedHold, kind: str) -> None:
    """Record a directed hold, and send it to its plants."""
    call.tables.directed[hold.id] = hold
    call.directives += [Directive(plant, kind, {"hold": hold}) for plant in hold.plants]


def known_at_hub(call: Call, batch: object, *path: str) -> str:
    """Return a batch that the hub knows. One that it does not know may be held at plants that are named."""
    if not call.input.get("plantCodes") and not any(batch in tables.batches for tables in call.mirrors.values()):
        raise RefusalFound("BATCH_UNKNOWN", *path)
    return str(batch)


@registry.command("placeHold", "HoldDirected", at_hub=True)
def direct_hold(call: Call) -> None:
    reason = call.text("reason", required=True)
    batch = known_at_hub(call, call.input["batchCode"], "batchCode")
    kind = str(call.input.get("kind", "QUALITY"))
    reach = str(call.input.get("reach") or default_reach(kind))
    call.subject = call.new_id("D")
    plants = tuple(addressed(call, [batch]))
    hold = DirectedHold(call.subject, (batch,), kind, reach, reason or "", plants, limited=kind != "RECALL")
    send_hold(call, replace(hold, root=hold.id), "HoldDirected")


@registry.command("openRecall", "RecallDirected", at_hub=True)
def open_recall(call: Call) -> None:
    """The planned field `carryOverLimit` says that the recall ends at the materials' limits."""
    reason = call.text("reason", required=True)
    codes = [known_at_hub(call, code, "batchCodes", str(n)) for n, code in enumerate(call.lines("batchCodes"))]
    call.subject = call.new_id("D")
    plants = tuple(addressed(call, codes))
    limited = bool(call.input.get("carryOverLimit"))
    batches = tuple(dict.fromkeys(codes))
    hold = DirectedHold(call.subject, batches, "RECALL", "GENEALOGY", reason or "", plants, limited=limited)
    send_hold(call, replace(hold, root=hold.id), "RecallDirected")


@registry.command("liftHold", "ReleaseDirected", at_hub=True)
def lift_directed(call: Call) -> None:
    call.text("reason", required=True)
    hold = call.tables.directed.get(str(call.input["holdId"]))
    if hold is None or hold.lifted is not None or hold.automatic:
        raise RefusalFound("DIRECTED_HOLD_UNKNOWN", "holdId")
    call.subject = hold.id
    release(call, hold)


def release(call: Call, hold: DirectedHold) -> None:
    """Lift a directed hold at every plant that it was sent to."""
    call.tables.directed[hold.id] = replace(hold, lifted=call.index)
    call.directives += [Directive(plant, "ReleaseDirected", {"hold": hold.id}) for plant in hold.plants]


def place_waiting(call: Call, batch: str) -> None:
    """Place the directed holds that waited for a batch."""
    for (directed, code), hold in list(call.tables.waiting.items()):
        if code == batch and hold.lifted is None:
            call.tables.waiting[directed, code] = replace(hold, lifted=call.index)
            place_directed(call, hold, batch)


def place_directed(call: Call, hold: DirectedHold, batch: str) -> Hold:
    return place(call, batch, hold.kind, hold.reason, directed=hold.id, reach=hold.reach, limited=hold.limited)


def apply_hold(call: Call, content: dict[str, Any]) -> str | None:
    """Place a directed hold on each batch known here, and let the others wait; refused if none is known."""
    hold: DirectedHold = content["hold"]
    refusal: str | None = "BATCH_UNKNOWN"
    for batch in hold.batches:
        if batch in call.tables.batches:
            place_directed(call, hold, batch)
            refusal = None
        else:
            call.tables.waiting[hold.id, batch] = hold
    return refusal


def apply_release(call: Call, content: dict[str, Any]) -> str | None:
    """Lift the holds of a directed hold, and stop waiting."""
    wanted = content["hold"]
    for key, waiting in list(call.tables.waiting.items()):
        if key[0] == wanted and waiting.lifted is None:
            call.tables.waiting[key] = replace(waiting, lifted=call.index)
    for hold in list(call.tables.holds.values()):
        if hold.directed == wanted and hold.lifted is None:
            lift(call, hold)
    return None


def follow_goods(call: Call) -> None:
    """At the hub: send each directed hold in force to the plants with goods of its batches that it was not sent to."""
    for hold in list(call.tables.directed.values()):
        if hold.lifted is None:
            plants = {plant for batch in hold.batches for plant in plants_with_goods(call.mirrors.items(), batch)}
            new = sorted(plants - set(hold.plants) - already_held(hold))
            if new:
                call.tables.directed[hold.id] = replace(hold, plants=(*hold.plants, *new))
                call.directives += [Directive(plant, "HoldDirected", {"hold": hold}) for plant in new]


def already_held(hold: DirectedHold) -> set[str]:
    """Return the plant whose own hold an automatic directive passes on: it needs no directive."""
    return {hold.cause.partition("/")[0]} if hold.automatic else set()


def first_hold(call: Call, plant: str, hold: Hold) -> str:
    """Return the hold that somebody placed, at a plant or at headquarters, and that led to this one."""
    placed = call.mirrors[plant].holds[root(hold)]
    return placed.id if placed.directed is None else call.tables.directed[placed.directed].root


def pass_on_holds(call: Call, plant: str) -> None:
    """At the hub: direct other plants to hold batches that a plant holds with reach GENEALOGY, and lift with it."""
    for hold in list(call.mirrors[plant].holds.values()):
        if hold.directed is not None or hold.reach != "GENEALOGY":
            continue
        first = first_hold(call, plant, hold)
        identity = f"{first}:{hold.batch}"
        known = call.tables.directed.get(identity)
        if known is None and hold.lifted is None:
            plants = tuple(code for code in plants_with_goods(call.mirrors.items(), hold.batch) if code != plant)
            directed = DirectedHold(identity, (hold.batch,), hold.kind, hold.reach, hold.reason, plants)
            directed = replace(directed, automatic=True, limited=hold.limited, root=first, cause=hold.id)
            send_hold(call, directed, "HoldDirected")
        elif known is not None and known.lifted is None and known.cause == hold.id and hold.lifted is not None:
            release(call, known)


def pass_on_batch_data(call: Call, plant: str, at: datetime, effects: Iterable[Effect]) -> None:
    """At the hub: direct other plants to take over what the origin of a batch put right."""
    for change in [effect.row for effect in effects if isinstance(effect.row, Change)]:
        applied = change.kind == "BATCH_DATA" and change.state == "APPLIED"
        if applied and call.mirrors[plant].batches[change.batch].origin == plant:
            content: dict[str, object] = {"batch": change.batch, "right": RightData(at, change.detail)}
            knowing = {code for code, tables in call.mirrors.items() if change.batch in tables.batches}
            others = (knowing | set(plants_with_goods(call.mirrors.items(), change.batch))) - {plant}
            call.directives += [Directive(code, "BatchDataDirected", content) for code in sorted(others)]


def apply_batch_data(call: Call, content: dict[str, Any]) -> str | None:
    """Take over batch data. Those of a batch that is not known here wait for its goods."""
    batch, right = content["batch"], content["right"]
    call.tables.right_data[batch] = right
    if batch not in call.tables.batches:
        return "BATCH_UNKNOWN"
    call.amend(batch, **dict(right.detail))
    return None

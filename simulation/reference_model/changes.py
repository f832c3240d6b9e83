"""Holds placed by hand and gated changes: requests, decisions, application (domain.md section 4).

The id of a request is `plant/number`, and so is its proposal. The caller maps both.

Choices where domain.md is silent:
- A decision is checked in this order: known, open, not expired, right level, same content, not the requester.
- A request lives seven days. The decision in time counts, also where it arrives at the plant later.
- The last decision makes the change at once. A change that cannot be made ends as REFUSED, and the decision itself is
  accepted.
- Every row of a batch, its stock or its holds that a command changes raises the batch's version by one.
- A release without a hold lifts all open QUALITY holds that the plant may lift. An UPSTREAM hold that a directed hold
  caused is headquarters' to lift, as the directed hold is. An UNCONFIRMED hold waits for the hub's word.
- A batch that does not expire has no later expiry: EXPIRY_NOT_LATER.
- Headquarters decides with one decision, whatever number of approvals the policy asks for at the plant.
- A late use is confirmed by another user than its author. That lifts the UPSTREAM holds that a hold with reach GOODS
  caused by it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simulation.reference_model import registry
from simulation.reference_model.calls import Call, Policy, read_day
from simulation.reference_model.change_requests import Detail, request
from simulation.reference_model.corrections import correct_genealogy
from simulation.reference_model.handling import ADJUSTMENT, adjust, counted
from simulation.reference_model.holds import default_reach, lift, open_holds, place, root
from simulation.reference_model.materials import correct_material, read_material
from simulation.reference_model.rows import Change, Hold, Tables
from simulation.reference_model.stock import stock_at
from simulation.reference_model.verdicts import Directive, RefusalFound

REJECTED: Final = "REJECTED"
OPEN: Final = "REQUESTED"


@registry.command("placeHold", "BatchQuarantined")
def place_hold(call: Call) -> None:
    """The planned fields are `reach` and `locationCode`, for goods at one location only."""
    reason = call.text("reason", required=True)
    batch = call.batch(call.input["batchCode"], "batchCode")
    kind = str(call.input.get("kind", "QUALITY"))
    location = call.input.get("locationCode")
    reach = "GOODS" if location is not None else str(call.input.get("reach") or default_reach(kind))
    hold = place(call, batch.id, kind, reason or "", reach=reach, location=location, limited=kind != "RECALL")
    call.subject = hold.id


@registry.command("requestRelease", "ChangeRequested")
def request_release(call: Call) -> None:
    call.text("reason", required=True)
    batch = call.batch(call.input["batchCode"], "batchCode")
    named = call.input.get("holdId")
    if named is None:
        quality = [hold for hold in all_open(call.tables, batch.id) if hold.kind == "QUALITY"]
        wanted = [hold for hold in quality if not is_directed(call.tables, hold)]
        if quality and not wanted:
            raise RefusalFound("HOLD_DIRECTED", "holdId", hold=quality[0].id)
    else:
        wanted = [hold for hold in all_open(call.tables, batch.id) if hold.id == named]
    if not wanted:
        raise RefusalFound("HOLD_UNKNOWN", "holdId")
    for hold in wanted:
        if is_directed(call.tables, hold) or hold.kind == "UNCONFIRMED":
            raise RefusalFound("HOLD_DIRECTED", "holdId", hold=hold.id)
    recall = any(hold.kind == "RECALL" for hold in wanted)
    detail: Detail = {"holds": tuple(hold.id for hold in wanted)}
    request(call, "RELEASE", batch.id, detail, "RELEASE_RECALL" if recall else None)


def all_open(tables: Tables, batch: str) -> list[Hold]:
    """Return the open holds on a batch, also those on one location."""
    found = [hold for hold in tables.holds.values() if hold.batch == batch and hold.lifted is None]
    return sorted(found, key=lambda hold: (hold.entry, hold.id))


def is_directed(tables: Tables, hold: Hold) -> bool:
    return tables.holds[root(hold)].directed is not None


@registry.command("requestExpiryExtension", "ChangeRequested")
def request_expiry_extension(call: Call) -> None:
    call.text("reason", required=True)
    batch = call.batch(call.input["batchCode"], "batchCode")
    wanted = read_day(call.input["expiresOn"], "expiresOn")
    if batch.expires_on is None or wanted <= batch.expires_on:
        raise RefusalFound("EXPIRY_NOT_LATER", "expiresOn")
    request(call, "EXPIRY_EXTENSION", batch.id, {"expires_on": wanted})


@registry.command("requestStockAdjustment", "ChangeRequested")
def request_stock_adjustment(call: Call) -> None:
    call.text("reason", required=True)
    batch = call.batch(call.input["batchCode"], "batchCode")
    location = call.master("LOCATION", call.input["locationCode"], "locationCode")
    now = stock_at(call.tables, batch.id, location).amount
    amount = counted(call, batch, location, now)
    if amount == now:
        raise RefusalFound("NOTHING_CHANGES", "counted")
    request(call, "STOCK_ADJUSTMENT", batch.id, {"location": location, "amount": amount})


@registry.command("requestBatchChange", "ChangeRequested", planned=True)
def request_batch_change(call: Call) -> None:
    """Input: reason, batchCode, and the new expiresOn, retestOn or grade, each null for none."""
    call.text("reason", required=True)
    batch = call.batch(call.input["batchCode"], "batchCode")
    detail: Detail = {}
    for name, field in (("expiresOn", "expires_on"), ("retestOn", "retest_on")):
        if name in call.input:
            given = call.input[name]
            detail[field] = None if given is None else read_day(given, name)
    if "grade" in call.input:
        detail["grade"] = call.input["grade"]
    if all(getattr(batch, field) == value for field, value in detail.items()):
        raise RefusalFound("NOTHING_CHANGES")
    request(call, "BATCH_DATA", batch.id, detail)


@registry.command("requestMaterialCorrection", "ChangeRequested", planned=True)
def request_material_correction(call: Call) -> None:
    """Input: reason, and a material as for saveMaterial. Batches take the new factors, and keep their amounts."""
    call.text("reason", required=True)
    before = call.tables.materials.get(str(call.input["code"]))
    if before is None:
        raise RefusalFound("NOT_DEFINED", "code")
    material = read_material(call, before)
    if material.unit != before.unit:
        raise RefusalFound("MATERIAL_IN_USE", "unitCode")
    request(call, "MATERIAL_CORRECTION", "", {"material": material})


def pending(call: Call, tables: Mapping[str, Tables]) -> Change:
    """Return the request of the input, refused unless it may still be decided at this node."""
    plant, _, number = str(call.input["changeRequestId"]).rpartition("/")
    change = tables[plant].changes.get(int(number)) if plant in tables else None
    if change is None:
        raise RefusalFound("CHANGE_UNKNOWN", "changeRequestId")
    if change.state != OPEN or (plant, change.number) in call.tables.decisions:
        raise RefusalFound("CHANGE_ALREADY_DECIDED", "changeRequestId")
    if call.now > change.expires_at:
        raise RefusalFound("CHANGE_EXPIRED", "changeRequestId")
    level = "PLANT" if call.plant else "HUB"
    if level_due(call, change) != level and not (policy_of(call, change).either and level in change.levels):
        raise RefusalFound("CHANGE_LEVEL_WRONG", "changeRequestId")
    if call.input["proposal"] != change.proposal:
        raise RefusalFound("PROPOSAL_DIFFERS", "proposal")
    policy = policy_of(call, change)
    if (change.by == call.by and not policy.requester_may) or call.by in {by for _, by in change.approvals}:
        raise RefusalFound("CHANGE_OWN_REQUEST", "changeRequestId")
    return change


def policy_of(call: Call, change: Change) -> Policy:
    recall = change.kind == "RELEASE" and change.levels == call.settings.policies["RELEASE_RECALL"].levels
    return call.settings.policies["RELEASE_RECALL" if recall else change.kind]


def level_due(call: Call, change: Change) -> str | None:
    """Return the level at which the next approval is due, or None if none is."""
    if policy_of(call, change).either and change.approvals:
        return None
    for level in change.levels:
        needed = policy_of(call, change).approvals if level == "PLANT" else 1
        if sum(given == level for given, _ in change.approvals) < needed:
            return level
    return None


@registry.command("decideChangeRequest", "ChangeDecided")
def decide_at_plant(call: Call) -> None:
    comment = call.text("comment")
    verdict = str(call.input["verdict"])
    if verdict == REJECTED and comment is None:
        raise RefusalFound("TEXT_INVALID", "comment")
    change = pending(call, {call.plant: call.tables})
    call.subject = change.proposal
    settle(call, change, verdict, "PLANT", call.by)


@registry.command("decideChangeRequest", "ChangeDecided", at_hub=True)
def decide_at_hub(call: Call) -> None:
    comment = call.text("comment")
    verdict = str(call.input["verdict"])
    if verdict == REJECTED and comment is None:
        raise RefusalFound("TEXT_INVALID", "comment")
    change = pending(call, call.mirrors)
    plant, _, _ = change.proposal.rpartition("/")
    call.subject = change.proposal
    call.tables.decisions[plant, change.number] = verdict
    content = {"change": change.number, "verdict": verdict, "by": call.by}
    call.directives.append(Directive(plant, "ChangeDecided", content))


def apply_decision(call: Call, content: Mapping[str, Any]) -> str | None:
    """At the plant: take over headquarters' decision; return the refusal if the change cannot be made."""
    change = call.tables.changes[content["change"]]
    if change.state != OPEN:
        return "CHANGE_ALREADY_DECIDED"
    settle(call, change, content["verdict"], "HUB", content["by"])
    return call.tables.changes[change.number].refusal


def settle(call: Call, change: Change, verdict: str, level: str, by: str) -> None:
    """Note a decision, and make the change when no further approval is due."""
    if verdict == REJECTED:
        call.tables.changes[change.number] = replace(change, state=REJECTED)
        return
    change = replace(change, approvals=(*change.approvals, (level, by)))
    call.tables.changes[change.number] = change
    if level_due(call, change) is None:
        refusal = make(call, change)
        state = "APPLIED" if refusal is None else "REFUSED"
        call.tables.changes[change.number] = replace(change, state=state, refusal=refusal)


def make(call: Call, change: Change) -> str | None:
    """Make an approved change; return the code of the refusal if it cannot be made."""
    detail = dict(change.detail)
    if change.batch and call.tables.batches[change.batch].version != change.version:
        return "CHANGE_STALE"
    match change.kind:
        case "RELEASE":
            holds = detail["holds"]
            assert isinstance(holds, tuple)
            for hold in holds:
                lift(call, call.tables.holds[hold])
        case "EXPIRY_EXTENSION" | "BATCH_DATA":
            call.amend(change.batch, **detail)
        case "STOCK_ADJUSTMENT":
            location, amount = str(detail["location"]), detail["amount"]
            assert isinstance(amount, int)
            there = stock_at(call.tables, change.batch, location).amount
            adjust(call, change.batch, location, amount - there, ADJUSTMENT)
        case "MATERIAL_CORRECTION":
            correct_material(call, detail["material"])
        case _:
            return correct_genealogy(call, detail["entry"])
    return None


@registry.command("confirmLateUse", "LateUseConfirmed", planned=True)
def confirm_late_use(call: Call) -> None:
    """Input: reason and the entryId of the late use."""
    call.text("reason", required=True)
    late = call.tables.late_uses.get(int(call.input["entryId"]))
    if late is None:
        raise RefusalFound("ENTRY_UNKNOWN", "entryId")
    if late.confirmed is not None:
        raise RefusalFound("NOTHING_CHANGES", "entryId")
    if late.by == call.by:
        raise RefusalFound("CHANGE_OWN_REQUEST", "entryId")
    call.tables.late_uses[late.entry] = replace(late, confirmed=call.index)
    outputs = {edge.batch for edge in call.tables.edges.values() if edge.run == late.run and edge.side == "OUT"}
    for batch in sorted(outputs):
        for hold in open_holds(call.tables, batch):
            if hold.cause in late.holds and hold.reach == "GOODS":
                lift(call, hold)

"""Intents of quality and management: holds, change requests, decisions, corrections, aliases and conflicts."""

from datetime import timedelta
from typing import Any

from plants.commands.approvals.change_requests import (
    AdjustmentRequest,
    ExtensionRequest,
    ReleaseRequest,
    request_change,
)
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.receipts import AliasOrder
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication.disputes import Settlement, settle_dispute
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.quality.holds import HoldKind
from plants.rules.values.quantities import format_micro
from plants.store.projection.registry import EVENTS
from simulation.workload import DECIDERS, HEADQUARTERS, STAFF, Intent, View


def hold(view: View) -> Intent | None:
    chance = view.chance
    found = view.goods(free=False) if chance.randrange(4) else None
    code = found[0] if found else (view.batch() or (0, ""))[1]
    kind = HoldKind.QUALITY if chance.randrange(4) else HoldKind.RECALL
    return Intent(quarantine_batch, Quarantine(code, "smell 异味", kind), chance.choice(STAFF)) if code else None


def ask(view: View) -> Intent | None:
    chance = view.chance
    held = [batch for batch, holds in view.state.holds.items() if holds]
    kind = chance.randrange(4)
    if held and kind < 2:  # noqa: PLR2004 -- releases are asked for most.
        batch = chance.choice(held)
        named = chance.choice(sorted(view.state.holds[batch])) if chance.randrange(3) == 0 else None
        order: Any = ReleaseRequest(view.state.batches[batch]["code"], "retested 复检合格", named)
        return Intent(request_change, order, chance.choice(STAFF))
    found = view.goods(free=False)
    if found is None:
        return None
    code, location, amount, _ = found
    if kind == 2:  # noqa: PLR2004 -- the third kind.
        order = ExtensionRequest(code, "retested 复检", view.today + timedelta(days=chance.randint(30, 90)))
    else:
        order = AdjustmentRequest(code, "count 盘点", location, format_micro(amount // 2), "KGM")
    return Intent(request_change, order, chance.choice(STAFF))


def decide(view: View) -> Intent | None:
    waiting = [one for one, change in view.state.changes.items() if change["state"] == "REQUESTED"]
    chosen = waiting if waiting and view.chance.randrange(8) else list(view.state.changes)
    if not chosen:
        return None
    change, chance = view.chance.choice(chosen[-5:]), view.chance
    verdict = ChangeVerdict.APPROVED if chance.randrange(4) else ChangeVerdict.REJECTED
    at_hub = "PLANT" not in view.state.changes[change]["levels"] or chance.randrange(2) == 0
    order = Decision(change, view.replay.leaves[change].hex(), verdict, "" if verdict == "APPROVED" else "no 不同意")
    people = HEADQUARTERS if at_hub else (*DECIDERS, chance.choice(STAFF))
    return Intent(decide_change_at_hub if at_hub else decide_change, order, chance.choice(people), at_hub=at_hub)


def correct(view: View) -> Intent | None:
    wrong = [index for index, entry in enumerate(view.replay.entries) if EVENTS[entry["type"]].correctable]
    if not wrong:
        return None
    index, chance = view.chance.choice(wrong[-5:]), view.chance
    return Intent(
        correct_entry,
        Correction(index, chance.choice(list(CorrectionReason)), "typed wrong 误录"),
        chance.choice(STAFF),
    )


def name(view: View) -> Intent | None:
    found, chance = view.batch(), view.chance
    if found is None:
        return None
    number = chance.randrange(30)
    aliases = (AliasOrder("CUSTOMER", f"K{number}", "C1"), AliasOrder("CUSTOMER", f"K{number + 1}", "C1"))
    order = Naming(found[1], aliases[: chance.choice((1, 1, 2))])
    return Intent(alias_batch, order, chance.choice(STAFF))


def unname(view: View) -> Intent | None:
    """End an alias that was given, or now and then one that was not."""
    chance = view.chance
    given = [
        (view.state.batches[one["batch"]]["code"], AliasOrder(one["scheme"], one["value"], one["issuer"]))
        for entry in view.replay.entries
        if entry["type"] == "BatchAliased"
        for one in entry["payload"].get("aliases", ())
    ]
    if not given:
        return name(view)
    code, alias = chance.choice(given)
    if chance.randrange(6) == 0:
        alias = AliasOrder("CUSTOMER", "K99", "C1")
    return Intent(end_alias, Naming(code, (alias,)), chance.choice(STAFF))


def settle(view: View) -> Intent | None:
    """Take an entry that conflicts off the worklist."""
    found = [index for indices in view.state.disputed.values() for index in indices]
    if not found:
        return None
    order = Settlement(view.chance.choice(found), "recorded anew 已重新记录")
    return Intent(settle_dispute, order, view.chance.choice(DECIDERS))

"""Counts fault scenarios that arose by chance in a run (F48-F50)."""

from typing import Any

from simulation.ledger_replay import TAKES, LedgerReplay
from simulation.world import HUB, World

HOLDS = frozenset({"HoldDirected", "RecallDirected"})


def count_coincidences(world: World) -> None:
    """Count decisions that came late or again (F48), holds that crossed a use (F49) or came first (F50)."""
    for number in world.plants:
        here, directives = world.replays[number, number], world.replays[HUB, -number]
        for entry in here.entries:
            payload = entry["payload"]
            if entry["type"] == "ChangeRefused":
                world.run_log.hit("F48")
            if entry["type"] not in {"DirectiveApplied", "DirectiveRejected"}:
                continue
            directive = directives.entries[payload["directive"]]
            world.run_log.hit("F48", directive["type"] == "ChangeDecided" and entry["type"] == "DirectiveRejected")
            world.run_log.hit("F50", bool(payload.get("waiting")))
            world.run_log.hit("F49", directive["type"] in HOLDS and _used_meanwhile(here, directive, entry))


def _used_meanwhile(here: LedgerReplay, directive: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Tell whether goods of a held batch were used after headquarters held them and before the plant heard of it."""
    held = {here.state.codes.get(code) for code in answer["payload"].get("met", {})}
    return any(
        movement["batch"] in held and movement.get("use") in TAKES
        for entry in here.entries[: answer["index"]]
        if entry["hlc"] > directive["hlc"]
        for movement in entry["payload"].get("movements", ())
    )

"""What met in a run without anybody planning it: faults that lie in the order of things, counted when it is over."""

from typing import Any

from simulation.books import TAKES, Shadow
from simulation.world import HUB, World

HOLDS = frozenset({"HoldDirected", "RecallDirected"})


def count_meetings(world: World) -> None:
    """Count decisions that came late or again (F48), holds that crossed a use (F49) or came first (F50)."""
    for number in world.plants:
        here, directives = world.shadows[number, number], world.shadows[HUB, -number]
        for entry in here.entries:
            payload = entry["payload"]
            if entry["type"] == "ChangeRefused":
                world.story.hit("F48")
            if entry["type"] not in {"DirectiveApplied", "DirectiveRejected"}:
                continue
            directive = directives.entries[payload["directive"]]
            world.story.hit("F48", directive["type"] == "ChangeDecided" and entry["type"] == "DirectiveRejected")
            world.story.hit("F50", bool(payload.get("waiting")))
            world.story.hit("F49", directive["type"] in HOLDS and _used_meanwhile(here, directive, entry))


def _used_meanwhile(here: Shadow, directive: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Tell whether goods of a held batch were used after headquarters held them and before the plant heard of it."""
    held = {here.books.codes.get(code) for code in answer["payload"].get("met", {})}
    return any(
        movement["batch"] in held and movement.get("use") in TAKES
        for entry in here.entries[: answer["index"]]
        if entry["hlc"] > directive["hlc"]
        for movement in entry["payload"].get("movements", ())
    )

"""Writes a directive of the hub's ledger as the reference model's directive to a plant."""

from collections.abc import Mapping
from typing import Any, cast

from plants.commands.directives.definitions import read_change
from plants.rules.ledger.events import Entry
from simulation.model_check.identities import Identities
from simulation.model_check.inputs import saved
from simulation.nodes import CODES
from simulation.reference_model.holds import default_reach
from simulation.reference_model.rows import DirectedHold
from simulation.reference_model.verdicts import Directive


def directive_of(ids: Identities, plant: int, said: Mapping[str, Any]) -> Directive:
    """Return what an entry of the hub's directives to a plant asks for. Raises LookupError for an unknown type."""
    kind, payload = said["type"], said["payload"]
    code = CODES[plant]
    match kind:
        case "HoldDirected":
            return Directive(code, kind, {"hold": _hold(ids, payload["hold"], [payload["batch"]], payload, code)})
        case "RecallDirected":
            recall = {**payload, "kind": "RECALL"}
            return Directive(code, kind, {"hold": _hold(ids, payload["recall"], payload["batches"], recall, code)})
        case "ReleaseDirected":
            return Directive(code, kind, {"hold": payload["hold"]})
        case "ChangeDecided":
            change = ids.entries.get((plant, payload["change"]), -1)
            return Directive(code, kind, {"change": change, "verdict": payload["verdict"], "by": said["actor"]})
        case "MasterChangeDirected":
            command, given = saved(read_change(Entry(cast("Any", said), b"", b"")), ids.entries, plant)
            return Directive(code, "MasterDirected", {"command": command, "input": given})
    raise LookupError(kind)


def _hold(
    ids: Identities, hold: str, batches: list[Mapping[str, Any]], said: Mapping[str, Any], plant: str
) -> DirectedHold:
    codes = tuple(ids.batch(batch["code"]) for batch in batches)
    kind = said["kind"]
    limited = kind != "RECALL"
    return DirectedHold(hold, codes, kind, default_reach(kind), said["reason"], (plant,), limited=limited, root=hold)

"""Master data that headquarters defines for plants: checked at the hub, defined at each plant as it is delivered.

Choices where domain.md is silent:
- The hub checks the values that are given. Each plant checks the whole definition that follows, and the version.
- An expected version is that of one plant. With several plants it is refused as VERSION_OF_ONE_PLANT.
- `plantCodes` is part of the input. A definition that changes nothing at a plant is still sent and applied there.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simulation.reference_model import registry
from simulation.reference_model.calls import Call
from simulation.reference_model.rows import Tables
from simulation.reference_model.verdicts import Directive, RefusalFound

GIVEN_ELSEWHERE: Final = {"name": "-", "unitCode": "KGM", "baseUnitCode": "KGM", "factor": "1"}
"""Required fields that a plant may have already."""
JUDGED_AT_PLANTS: Final = frozenset({"UNIT_UNKNOWN", "NOTHING_CHANGES"})
NOUNS: Final = ("Material", "Unit", "Supplier", "Customer", "Location", "Equipment")


def direct(call: Call, command: str) -> None:
    """Send a definition to each plant of the input."""
    plants = [str(plant) for plant in call.lines("plantCodes")]
    for number, plant in enumerate(plants):
        if plant not in call.zones:
            raise RefusalFound("NOT_DEFINED", "plantCodes", str(number))
    given = {name: value for name, value in call.input.items() if name not in ("plantCodes", "requestId", "occurredAt")}
    if given.get("expectedVersion") is not None and len(set(plants)) > 1:
        raise RefusalFound("VERSION_OF_ONE_PLANT", "expectedVersion")
    check_values(call, command, given)
    for plant in dict.fromkeys(plants):
        call.directives.append(Directive(plant, "MasterDirected", {"command": command, "input": given}))


def check_values(call: Call, command: str, given: Mapping[str, Any]) -> None:
    """Refuse values that no plant could take, whatever it has defined."""
    alone = {name: value for name, value in given.items() if name != "expectedVersion"}
    try:
        registry.COMMANDS[False, command].judge(replace(call, tables=Tables(), input={**GIVEN_ELSEWHERE, **alone}))
    except RefusalFound as found:
        if found.refused.code not in JUDGED_AT_PLANTS:
            raise


def define(call: Call, command: str) -> None:
    """Define master data in the tables of the call, which may have the same already."""
    try:
        registry.COMMANDS[False, command].judge(call)
    except RefusalFound as found:
        if found.refused.code != "NOTHING_CHANGES":
            raise


def apply_master(call: Call, content: Mapping[str, Any]) -> str | None:
    """At the plant: define what headquarters directs; return the refusal if it cannot be defined."""
    given = call.input
    call.input = content["input"]
    try:
        define(call, content["command"])
    except RefusalFound as found:
        return found.refused.code
    finally:
        call.input = given
    return None


def register_nouns() -> None:
    """Register the hub's command for each kind of master data. It has the name of the plant's command."""
    for noun in NOUNS:

        def judge(call: Call, command: str = f"save{noun}") -> None:
            direct(call, command)

        registry.command(f"save{noun}", "MasterDirected", at_hub=True)(judge)


register_nouns()

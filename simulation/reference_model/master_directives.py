"""Master data that headquarters defines for plants: checked at the hub, defined at each plant as it is delivered.

Choices where domain.md is silent:
- The hub checks the form of a definition with the units that it knows of the plant. The plant judges the rest.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simulation.reference_model import registry
from simulation.reference_model.calls import Call
from simulation.reference_model.rows import Tables
from simulation.reference_model.verdicts import Directive, RefusalFound

NOUNS: Final = ("Material", "Unit", "Supplier", "Customer", "Location", "Equipment")


def direct(call: Call, command: str) -> None:
    """Send a definition to each plant of the input."""
    plants = [str(plant) for plant in call.lines("plantCodes")]
    for number, plant in enumerate(plants):
        if plant not in call.zones:
            raise RefusalFound("NOT_DEFINED", "plantCodes", str(number))
    given = {name: value for name, value in call.input.items() if name not in ("plantCodes", "requestId", "occurredAt")}
    for plant in dict.fromkeys(plants):
        known = call.mirrors[plant].units
        checked = replace(call, tables=Tables(units=dict(known)), input=given, plant=plant)
        registry.COMMANDS[False, command].judge(checked)
        call.directives.append(Directive(plant, "MasterDirected", {"command": command, "input": given}))


def apply_master(call: Call, content: Mapping[str, Any]) -> str | None:
    """At the plant: define what headquarters directs; return the refusal if it cannot be defined."""
    given = call.input
    call.input = content["input"]
    try:
        registry.COMMANDS[False, content["command"]].judge(call)
    except RefusalFound as found:
        return found.refused.code
    finally:
        call.input = given
    return None


def register_nouns() -> None:
    """Register the directing command of each kind of master data, under its name of today and as planned."""
    for noun in NOUNS:
        for name, command, planned in ((f"direct{noun}", f"define{noun}", False), (f"save{noun}", f"save{noun}", True)):

            def judge(call: Call, command: str = command) -> None:
                direct(call, command)

            registry.command(name, "MasterDirected", at_hub=True, planned=planned)(judge)


register_nouns()

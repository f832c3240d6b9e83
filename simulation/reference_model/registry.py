"""The commands of the model by node and name. A planned command is in domain.md and not in the SDL."""

from collections.abc import Callable
from dataclasses import dataclass

from simulation.reference_model.calls import Call


@dataclass(frozen=True)
class Command:
    """A command and the event that its entry records. `planned` lets a caller leave it out."""

    name: str
    event: str
    judge: Callable[[Call], None]
    at_hub: bool = False
    planned: bool = False


COMMANDS: dict[tuple[bool, str], Command] = {}


def command(
    name: str, event: str, *, at_hub: bool = False, planned: bool = False
) -> Callable[[Callable[[Call], None]], Callable[[Call], None]]:
    """Register the function that judges a command: it writes rows into the draft, or raises RefusalFound."""

    def register(judge: Callable[[Call], None]) -> Callable[[Call], None]:
        COMMANDS[at_hub, name] = Command(name, event, judge, at_hub, planned)
        return judge

    return register

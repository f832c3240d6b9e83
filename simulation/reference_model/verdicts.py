"""Verdicts of the model: a command is accepted with its effects, or refused with a code and a path.

`PLANNED` names the codes that domain.md needs and docs/reference/refusals.md lacks. A caller that compares with the
product decides how to treat them.
"""

from dataclasses import dataclass
from typing import Final

PLANNED: Final = frozenset(
    {
        "ADDITION_SHORTENS_EXPIRY",
        "EXPIRY_ABOVE_LIMIT",
        "MATERIAL_IN_USE",
        "RETEST_DUE",
        "TIME_OUT_OF_ORDER",
    }
)


@dataclass(frozen=True)
class Effect:
    """One row of a table after the command. The row replaces an earlier row with the same key."""

    table: str
    key: object
    row: object


@dataclass(frozen=True)
class Accepted:
    """The command takes effect at `plant` as the entry `index`. A repeated request has no effects and the first index.

    `made` lists the ids of new batches in the order of the input, and `subject` the id of the new process record,
    transfer, shipment, hold, change request or directed hold.
    """

    plant: str
    index: int
    effects: tuple[Effect, ...] = ()
    made: tuple[str, ...] = ()
    subject: str | None = None
    directives: tuple["Directive", ...] = ()


@dataclass(frozen=True)
class Refused:
    """The command changes nothing. `path` leads to the field of the input that is at fault, if one is.

    `entry` is the index of the entry that the command contradicts, and `hold` the id of the hold that blocks it.
    `ancestor` is the batch from which that hold came down the genealogy.
    """

    code: str
    path: tuple[str, ...] = ()
    entry: int | None = None
    hold: str | None = None
    ancestor: str | None = None


@dataclass(frozen=True)
class Directive:
    """An entry of the hub to one plant. `content` depends on `kind`, which is the event type."""

    plant: str
    kind: str
    content: dict[str, object]


Verdict = Accepted | Refused


class RefusalFound(Exception):
    """Ends the judgement of a command with its refusal."""

    def __init__(
        self,
        code: str,
        *path: str,
        entry: int | None = None,
        hold: str | None = None,
        ancestor: str | None = None,
    ) -> None:
        super().__init__(code)
        self.refused = Refused(code, path, entry, hold, ancestor)

"""Shared by the modules that apply directives at a plant: the directive, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.database import Session
from plants.commands.execution import CommandContext, PlantLedgerWriter, author_of
from plants.rules.ledger.events import Cause, Entry
from plants.rules.ledger.payloads import WaitingHold
from plants.rules.values.actors import SYSTEM, Author
from plants.rules.values.refusals import Refusal

Causes = Sequence[tuple[Cause, str]]


@dataclass(frozen=True, slots=True)
class Applying:
    """One directive under way at its plant; `causes` is the directive itself, for what is recorded because of it."""

    session: Session
    plant: int
    directive: Entry
    call: CommandContext
    causes: Causes

    def writer(self, author: Author | None = None) -> PlantLedgerWriter:
        """Return a writer of the plant's ledger in the name of who directed it, or of another."""
        return PlantLedgerWriter(self.session, author or author_of(self.directive), self.call)

    def recording_itself(self) -> PlantLedgerWriter:
        """Return a writer of the plant's ledger in the node's own name."""
        return self.writer(SYSTEM)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a directive. With a refusal it is rejected; the other fields count all the same."""

    met_version: int | None = None
    refusal: Refusal | None = None
    met: dict[str, int] = field(default_factory=dict)
    waiting: list[WaitingHold] = field(default_factory=list)
    waited: list[list[str]] = field(default_factory=list)


class NotUnderstood(ValueError):
    """The directive does not say what one of its type and version has to say."""

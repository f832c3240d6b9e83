"""The workload: operations of users, and the view from which each intent is chosen at random."""

from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import Any, Final, Protocol

from infra.database import Session
from plants.commands.directives.directives import MasterDirection
from plants.commands.execution import CommandContext
from plants.commands.inventory.issues import StockLine
from plants.commands.materials.saves import Rows
from plants.rules.ledger.events import Entry
from plants.rules.production.process_records import RUN_KINDS
from plants.rules.values.actors import Author
from plants.rules.values.quantities import format_micro
from simulation.ledger_replay import LedgerReplay, LedgerState

MICRO: Final = 1_000_000
LOCATIONS: Final = ("A1", "B1")
STAFF: Final = ("wang.fang", "li.lei", "han.mei")
DECIDERS: Final = ("ma.long", "deng.yu")
HEADQUARTERS: Final = ("hq.chen", "hq.zhou")


class Command(Protocol):
    """A command that can be done in a session."""

    name: str

    def __call__(self, session: Session, order: Any, *, actor: Author, call: CommandContext) -> Any:
        """Do it."""
        ...


@dataclass
class Operation:
    """A command that a user sends, under one request id however often it is sent.

    `at_hub` is true for a command of the hub. It writes the directives to `plant`, or the hub's own ledger if `of_hub`.
    """

    number: int
    plant: int
    command: Command
    order: Any
    person: str
    request: str
    reason: str | None = None
    at_hub: bool = False
    of_hub: bool = False
    occurred_at: datetime | None = None
    done: Entry | None = None
    written: frozenset[int] = frozenset()
    refused: str | None = None
    tries: int = 0
    excused: bool = False

    @property
    def device(self) -> str:
        """The device that the entries of the operation name."""
        return f"scanner-{self.number}"

    @property
    def author(self) -> Author:
        return Author(self.person, f"{self.person} printed", self.device)

    @property
    def log_ids(self) -> frozenset[int]:
        """The ledgers that the operation wrote, or that it writes unless it addresses other plants."""
        own = 0 if self.of_hub else -self.plant if self.at_hub else self.plant
        return self.written or frozenset({own})

    @property
    def sent(self) -> str:
        """The command and the class of its order, or of the rows or definition in it."""
        order = self.order
        if isinstance(order, MasterDirection):
            order = order.definition
        elif isinstance(order, Rows):
            order = order.changes[0]
        return f"{self.command.name} {type(order).__name__}"


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that a user would give."""

    command: Command
    order: Any
    person: str
    reason: str | None = None
    at_hub: bool = False
    of_hub: bool = False


@dataclass
class View:
    """The view of a user at a plant: its state, labels, and the day.

    `parked` are entries that the hub cannot apply: plant, index and leaf hash.
    """

    state: LedgerState
    replay: LedgerReplay
    today: date
    plant: int
    codes: tuple[str, ...]
    labels: list[str]
    chance: Random
    directed: list[str] = field(default_factory=list)
    everywhere: list[str] = field(default_factory=list)
    other_labels: list[str] = field(default_factory=list)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    parked: list[tuple[int, int, str]] = field(default_factory=list)

    def goods(self, *, free: bool = True) -> tuple[str, str, int, int] | None:
        """Return some goods that are there: code, location, amount and batch; free ones have no hold."""
        there = [
            (batch, location, amount)
            for (batch, location), amount in self.state.stock.items()
            if amount > 0 and not (free and self.state.holds[batch])
        ]
        if not there:
            return None
        # The newest are the likeliest: chains get long that way.
        batch, location, amount = self.chance.choice(there[-6:] if self.chance.randrange(3) else there)
        return self.state.batches[batch]["code"], location, amount, batch

    def part(self, amount: int) -> str:
        """Return all of an amount, some of it, or now and then more than there is."""
        draw = self.chance.randrange(20)
        if draw == 0:
            return format_micro(amount + MICRO)
        if draw < 7:  # noqa: PLR2004 -- a third of the time all of it.
            return format_micro(amount)
        return format_micro(max(1, amount * self.chance.randint(1, 9) // 10))

    def line(self) -> StockLine | None:
        """Return a line of an order over some goods."""
        found = self.goods(free=self.chance.randrange(12) > 0)
        if found is None:
            return None
        code, location, amount, batch = found
        if self.state.batches[batch]["material"] == "SUGAR" and self.chance.randrange(2):
            return StockLine(code, str(self.chance.choice((1, 2, "0.5"))), "BG", location)
        return StockLine(code, self.part(amount), self.state.batches[batch]["unit"], location)

    def open_run(self) -> int | None:
        """Return a process record that is open, or now and then one that is not."""
        runs = [one for one, process in self.state.processes.items() if process.get("kind") in RUN_KINDS]
        is_open = [one for one in runs if self.state.processes[one]["state"] == "OPEN"]
        chosen = is_open if is_open and self.chance.randrange(15) else runs
        return self.chance.choice(chosen) if chosen else None

    def batch(self) -> tuple[int, str] | None:
        """Return any batch that is known here."""
        if not self.state.batches:
            return None
        batch = self.chance.choice(list(self.state.batches))
        return batch, self.state.batches[batch]["code"]

    def pair(self, batch: int) -> list[tuple[str, str, int, int]]:
        """Return other goods of the material of a batch: code, location, amount and batch."""
        material = self.state.batches[batch]["material"]
        return [
            (self.state.batches[one]["code"], location, amount, one)
            for (one, location), amount in self.state.stock.items()
            if amount > 0 and one != batch and self.state.batches[one]["material"] == material
        ]

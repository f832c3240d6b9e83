"""The two sides of replication put together: what the jobs of a plant and of the hub need of their node."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from auth.keys import SigningKey
from auth.machines import EnrolledMachine, find_machine
from auth.notes import NoteSigner
from auth.tokens import Assertions
from infra.clock import Clock
from infra.database import Store
from infra.writer import Writing
from plants.rules.notes import NoteKey
from sync_jobs.doors import Door
from sync_jobs.wire import Limits

EMBEDDED_HOLDER: Final = "jobs"
"""The holder of the leases that jobs inside a node's own process take."""


def nobody_waits(_plant: int) -> None:
    """Tell nobody: the periodic jobs will see what arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubNode:
    """The hub as replication needs it. `signer` has the hub's own origin for a name; `arrived` hears of new entries."""

    origin: str
    store: Store
    clock: Clock
    signer: NoteSigner
    assertions: Assertions
    version: str
    limits: Limits = field(default_factory=Limits)
    arrived: Callable[[int], None] = nobody_waits

    def recognise(self, assertion: str) -> EnrolledMachine:
        """Return the plant's node behind an assertion, which is used up; raises NotAuthenticated."""
        found: list[EnrolledMachine] = []

        def find(kid: str) -> EnrolledMachine | None:
            machine = find_machine(reads, kid)
            if machine is not None:
                found.append(machine)
            return machine

        with self.store.reading() as reads:
            self.assertions.verify(assertion, find)
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantNode:
    """A plant as replication needs it. `signer` has the plant's origin for a name, `hub_key` is the hub's vkey.

    `checkpoint_seconds` is after how long a checkpoint is signed though nothing happened, `holder` names the process in
    its leases, and `open_door` opens the way to the hub where that is not HTTPS.
    """

    number: int
    origin: str
    directive_origin: str
    store: Store
    writer: Writing
    clock: Clock
    signer: NoteSigner
    assertion_key: SigningKey
    hub_url: str
    hub_key: NoteKey
    version: str
    checkpoint_seconds: float = 60.0
    holder: str = EMBEDDED_HOLDER
    open_door: Callable[["PlantNode"], AbstractContextManager[Door]] | None = None

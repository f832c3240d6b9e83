"""The two sides of replication put together: what the jobs of a plant and of the hub need of their node."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from auth.actors import NotAuthenticated
from auth.enrolment import waiting_key
from auth.keys import SigningKey, public_key_from_text
from auth.machines import EnrolledMachine, confirm_assertion_key, find_machine
from auth.notes import NoteSigner
from auth.tokens import Assertions
from infra.clock import Clock
from infra.database import ReadSession, Store
from infra.settings import plant_origin
from infra.writer import Writing
from plants.rules.ledger.notes import NoteKey
from plants.store.ledger.archive import Archive
from sync_jobs.protocol.hub_client import HubClient
from sync_jobs.protocol.wire import Limits, Problem

EMBEDDED_HOLDER: Final = "jobs"
"""The holder of the leases that jobs inside a node's own process take."""


class NotRecognised(NotAuthenticated):
    """An assertion that does not hold; `origin` is the enrolled plant whose key it names, where it names one."""

    def __init__(self, failure: NotAuthenticated, origin: str | None) -> None:
        super().__init__(failure.failure)
        self.origin = origin


def ignore_arrivals(_plant: int) -> None:
    """Tell nobody: the periodic jobs will see what arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubNode:
    """The hub as replication needs it. `signer` has the hub's own origin for a name; `arrived` hears of new entries.

    `holder` names the process in its leases. `project` applies received entries where another process does that.
    `statements` are those of its key's rotations that lie beside its keys (`sync_jobs.keys.hub_keys`).
    """

    origin: str
    store: Store
    clock: Clock
    signer: NoteSigner
    assertions: Assertions
    version: str
    limits: Limits = field(default_factory=Limits)
    arrived: Callable[[int], None] = ignore_arrivals
    transfer_overdue_days: int = 7
    archive: Archive | None = None
    statements: tuple[bytes, ...] = ()
    holder: str = EMBEDDED_HOLDER
    project: Callable[[], bool] | None = None

    def recognise(self, assertion: str) -> EnrolledMachine:
        """Return the plant's node behind an assertion, which is used up.

        Raises NotRecognised, and Problem 403 NOT_YET_APPROVED for a plant that asked to be taken in and still waits.
        """
        found: list[EnrolledMachine] = []
        waits = False

        def find(kid: str) -> EnrolledMachine | None:
            nonlocal waits
            machine = find_machine(reads, kid)
            if machine is None:
                machine = self._waiting(reads, kid)
                waits = machine is not None
            if machine is not None:
                found.append(machine)
            return machine

        with self.store.reading() as reads:
            try:
                self.assertions.verify(assertion, find)
            except NotAuthenticated as failure:
                raise NotRecognised(failure, found[0].origin if found and not waits else None) from failure
        if waits:
            raise Problem(403, "NOT_YET_APPROVED", origin=found[0].origin)
        if found[0].confirms:
            with self.store.transaction() as session:
                confirm_assertion_key(session, found[0])
        return found[0]

    def _waiting(self, reads: ReadSession, kid: str) -> EnrolledMachine | None:
        """Return the plant that waits for approval with this key, so that its assertion can be checked all the same."""
        waiting = waiting_key(reads, kid)
        if waiting is None or waiting.assertion_key is None:
            return None
        origin = plant_origin(self.origin.partition("/")[0], waiting.code)
        return EnrolledMachine(waiting.number, waiting.code, origin, public_key_from_text(waiting.assertion_key), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantNode:
    """A plant as replication needs it. `signer` has the plant's origin for a name, `hub_key` is the hub's vkey.

    Of the hub's vkeys it is the one that the plant was given; those that followed are proven from there
    (`sync_jobs.keys.hub_keys`). `earlier_assertion_keys` are those of the past, for a hub that does not know the
    present. `statements` are those of the ledger key's rotations that lie beside the keys
    (`sync_jobs.keys.ledger_key_files`). `checkpoint_seconds` is after how long a checkpoint is signed though nothing
    happened, `holder` names the process in its leases, and `open_door` opens the way to the hub where that is not
    HTTPS.
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
    earlier_assertion_keys: tuple[SigningKey, ...] = ()
    statements: tuple[bytes, ...] = ()
    open_hub_client: Callable[["PlantNode"], AbstractContextManager[HubClient]] | None = None

"""The plant's and the hub's side of replication: everything that the jobs of a node need."""

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
"""The holder of the leases that jobs take inside a node's own process."""


class NotRecognised(NotAuthenticated):
    """An invalid assertion. `origin` is the enrolled plant whose key it names, or None."""

    def __init__(self, failure: NotAuthenticated, origin: str | None) -> None:
        super().__init__(failure.failure)
        self.origin = origin


def ignore_arrivals(_plant: int) -> None:
    """Do nothing: the periodic jobs find the new entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubNode:
    """The hub as replication needs it. The name of `signer` is the hub's own origin.

    `arrived` is called with a plant's number when entries of it were stored. `statements` are the rotations of the
    hub's key whose files are in its folder of keys (`sync_jobs.keys.hub_keys`).
    `holder` names the process in its leases. `project` applies received entries where another process does that.
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
        """Return the plant's node behind an assertion. The assertion cannot be used again.

        Raises NotRecognised, or Problem 403 NOT_YET_APPROVED for a plant whose enrolment waits for approval.
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
        """Return the plant that waits for approval with this key, so that its assertion can be verified."""
        waiting = waiting_key(reads, kid)
        if waiting is None or waiting.assertion_key is None:
            return None
        origin = plant_origin(self.origin.partition("/")[0], waiting.code)
        return EnrolledMachine(waiting.number, waiting.code, origin, public_key_from_text(waiting.assertion_key), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantNode:
    """A plant as replication needs it. The name of `signer` is the plant's origin.

    `hub_key` is the vkey of the hub from the plant's settings; later keys are proven from it
    (`sync_jobs.keys.hub_keys`). `earlier_assertion_keys` are for a hub that does not know the current one. `statements`
    are the rotations of the ledger's key whose files are in the folder of keys (`sync_jobs.keys.ledger_key_files`).
    After `checkpoint_seconds` a checkpoint is signed even when the ledger has not grown. `holder` names the process in
    its leases. `open_hub_client` opens the connection to the hub where that is not HTTPS.
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

"""The context of one exchange of a plant with the hub."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from infra.database import Session
from plants.store.replication.leases import Lease
from sync_jobs.nodes import PlantNode
from sync_jobs.protocol.hub_client import HubClient

LEASE: Final = "replication"
"""The lease of exchanging, pruning and restoring bodies: one of these at a time per plant."""

Result = TypeVar("Result")


def ignore_progress(_done: int, _total: int) -> None:
    """Do nothing: no caller shows the progress of a repair."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """The node, its client of the hub, the lease, and whether there is time for one more request.

    `progress` is called during repairs with the number of entries done and their total.
    """

    node: PlantNode
    client: HubClient
    lease: Lease
    has_time: Callable[[], bool]
    progress: Callable[[int, int], None] = ignore_progress

    def write(self, work: Callable[[Session], Result]) -> Result:
        """Run `work` in a transaction under the lease; raises LeaseLost when another process has taken it."""

        def write(session: Session) -> Result:
            self.lease.renew(session, self.node.clock.now())
            return work(session)

        return self.node.writer.write(write)

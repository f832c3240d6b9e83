"""What the steps of one exchange share."""

from collections.abc import Callable
from dataclasses import dataclass

from plants.store.replication.leases import Lease
from sync_jobs.nodes import PlantNode
from sync_jobs.protocol.hub_client import HubClient


def ignore_progress(_done: int, _total: int) -> None:
    """Tell nobody how far a repair is."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """What an exchange needs: the node, the hub's door, the lease, and whether there is time for one more request.

    `progress` hears of a repair how many entries are done, and of how many.
    """

    node: PlantNode
    client: HubClient
    lease: Lease
    has_time: Callable[[], bool]
    progress: Callable[[int, int], None] = ignore_progress

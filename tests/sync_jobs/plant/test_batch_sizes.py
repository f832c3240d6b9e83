"""The batch size of a plant's requests: it follows the pace of the hub, and shrinks after a failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from infra.clock import FixedClock
from plants.rules.values.scope import PlantScope
from plants.store.replication.status import PlantReplication, ReplicationState, replication_status
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.projection.projecting import project_pending
from sync_jobs.protocol.hub_client import HubTimedOut
from sync_jobs.protocol.wire import Parcel, Problem, Receipt
from tests.sync_jobs.group import CLOCK, Group, column, receive, stand

LIMIT = 400


@dataclass
class Line:
    """The connection to the hub: the duration or the failure of each of the next requests; later ones are fast."""

    clock: FixedClock
    script: list[float | Exception] = field(default_factory=list)

    @contextmanager
    def __call__(self, node: PlantNode) -> Iterator[HttpHubClient]:
        with HttpHubClient(node) as client:
            real = client.send

            def send(origin: str, start: int, session: str, parcel: Parcel) -> Receipt:
                step = self.script.pop(0) if self.script else 0
                if isinstance(step, Exception):
                    raise step
                self.clock.advance(seconds=step)
                return real(origin, start, session, parcel)

            client.send = send  # type: ignore[method-assign]
            yield client


def sending(group: Group, *script: float | Exception) -> PlantNode:
    """Return a plant with 603 unsent entries on such a connection, to a hub with a limit of 400 per request."""
    group.hub.node = replace(group.hub.node, limits=group.hub.node.limits.model_copy(update={"max_entries": LIMIT}))
    group.hub.stop()
    group.hub.start()
    node = group.plant(1, "SH1")
    receive(node, 600)
    clock = FixedClock(CLOCK.now())
    return replace(node, clock=clock, open_hub_client=Line(clock, list(script)))


def status(group: Group, node: PlantNode) -> tuple[PlantReplication, PlantReplication]:
    """Return the replication status of the plant, at the plant and at the hub."""
    found = []
    for store in (node.store, group.hub.node.store):
        with store.reading() as reads:
            found += replication_status(reads, PlantScope(frozenset({1})), now=CLOCK.now())
    here, there = found
    return here, there


def test_slow_request_then_the_next_is_smaller_and_grows_again(group: Group) -> None:
    node = sending(group, 3.0)
    done = exchange(node)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 603)
    with node.store.transaction() as session:
        sizes = [size for (size,) in session.rows("SELECT size FROM checkpoints WHERE log_id = 1 ORDER BY size")]
    assert sizes == [400, 603]
    assert column(node.store, 1, "batch_entries") == 400 * 2 // 3
    assert column(node.store, 1, "pace") == 400 * 1000 // 3
    assert stand(group.hub.node.store, 1) == stand(node.store, 1)


@pytest.mark.parametrize(
    "error, following",
    [
        (HubTimedOut("ReadTimeout"), 200),
        (Problem(408, "BODY_STALLED"), 200),
        (Problem(413, "BODY_TOO_LARGE", limit=1), 200),
        (Problem(429, "ONE_AT_A_TIME", retry_seconds=1), 256),
        (Problem(503, "BUSY", retry_seconds=1), 256),
        (Problem(422, "ROOT_WRONG"), 0),
    ],
)
def test_request_was_too_much_then_the_next_is_smaller(group: Group, error: Exception, following: int) -> None:
    node = sending(group, error)
    exchange(node)
    assert column(node.store, 1, "batch_entries") == following
    assert column(node.store, 1, "acknowledged") == 0
    assert stand(group.hub.node.store, 1)[0] == 0
    assert exchange(node, forced=True).sent == 603
    assert stand(group.hub.node.store, 1) == stand(node.store, 1)


def test_nothing_gets_through_then_one_entry_is_still_tried(group: Group) -> None:
    node = sending(group, *(HubTimedOut("ReadTimeout") for _ in range(11)))
    seen = []
    for _ in range(11):
        exchange(node, forced=True)
        seen.append(column(node.store, 1, "batch_entries"))
    assert seen == [200, 100, 50, 25, 12, 6, 3, 1, 1, 1, 1]
    assert exchange(node, forced=True).sent == 603
    assert column(node.store, 1, "batch_entries") == 0, "back at the hub's limit"


def test_half_way_then_both_sides_say_how_long_it_takes(group: Group) -> None:
    node = sending(group, 2.0, HubTimedOut("ReadTimeout"))
    exchange(node)
    here, there = status(group, node)
    assert (here.waiting, here.entries_per_second, here.seconds_left) == (203, 200.0, 2)
    assert (there.size, there.projected, there.seconds_left) == (400, 0, None), "nothing was applied yet"
    assert exchange(node, forced=True).sent == 203
    while project_pending(group.hub.node.store, 1, clock=CLOCK, holder="test"):
        pass
    pace = column(group.hub.node.store, 1, "applied_pace")
    assert isinstance(pace, int)
    assert pace > 0
    here, there = status(group, node)
    assert (here.entries_per_second, here.seconds_left) == (None, None)
    assert (there.projected, there.entries_per_second, there.seconds_left) == (603, None, None)

"""Networks between a plant and its hub at their worst, over real connections: late is allowed, lost and doubled not."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from api.http.replication import sync_routes
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.merkle import Frontier
from plants.store.ledger import mirrors
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant import http_hub_client
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Parcel, Position, Problem
from tests.databases import migrated_database
from tests.patience import patient, wait_until
from tests.scenarios.faults.certificates import certificate
from tests.scenarios.faults.proxy import Proxy, proxy_to
from tests.sync_jobs.group import CLOCK, Group, at, column, free_port, receive, running_group, stand

pytestmark = pytest.mark.timeout(240)

SHORT: Final = httpx2.Timeout(0.5, connect=0.5)
STEP: Final = 127  # bytes between two cuts; a prime, so that cuts fall everywhere in what repeats


@pytest.fixture(scope="module")
def plant(postgres_18: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Group, PlantNode]]:
    """A hub and a plant that all tests of this file go on with; each leaves them level."""
    with running_group(migrated_database(postgres_18), tmp_path_factory.mktemp("network")) as group:
        node = group.plant(1, "SH1")
        exchange(node)
        yield group, node


def level(group: Group, node: PlantNode) -> None:
    """Exchange directly and check that hub and plant have one ledger, once each entry."""
    for _ in range(3):
        if exchange(node, forced=True).state is ReplicationState.IN_SYNC:
            break
    hub = group.hub.node.store
    assert stand(hub, node.number) == stand(node.store, node.number)
    assert column(node.store, node.number, "acknowledged") == stand(node.store, node.number)[0]
    assert column(node.store, node.number, "alarm") is None
    with hub.transaction() as session:
        ((count, different),) = session.rows("SELECT count(*), count(DISTINCT event_id) FROM entries WHERE log_id = 1")
    assert count == different == stand(hub, node.number)[0]


def through(proxy: Proxy, node: PlantNode) -> ReplicationState | None:
    return exchange(at(node, proxy.url), forced=True).state


@pytest.mark.parametrize("direction", ["cut_request", "cut_answer"])
def test_connection_cut_at_byte_offsets_then_nothing_is_lost_or_doubled(
    plant: tuple[Group, PlantNode], direction: str
) -> None:
    """From the first byte of the greeting to the last of the receipt."""
    group, node = plant
    with proxy_to(group.hub.port) as proxy:
        receive(node, 3)
        for offset in range(0, 100_000, STEP):
            if direction == "cut_answer":
                receive(node)
            setattr(proxy, direction, offset)
            state = through(proxy, node)
            assert stand(group.hub.node.store, 1)[0] <= stand(node.store, 1)[0]
            if state is ReplicationState.IN_SYNC:
                break
            assert state is ReplicationState.UNREACHABLE
            assert column(node.store, 1, "alarm") is None, "a bad network is no alarm"
        assert offset > 10 * STEP, "the cuts went through a whole exchange"
    level(group, node)


def test_refused_and_swallowed_connections_then_late_and_whole(
    plant: tuple[Group, PlantNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    group, node = plant
    monkeypatch.setattr(http_hub_client, "TIMEOUT", SHORT)
    with proxy_to(group.hub.port) as proxy:
        for fault in ("refuse", "black_hole"):
            receive(node, 3)
            setattr(proxy, fault, True)
            began = time.monotonic()
            assert through(proxy, node) is ReplicationState.UNREACHABLE
            assert time.monotonic() - began < patient(20)
            proxy.heal()
            assert through(proxy, node) is ReplicationState.IN_SYNC
    assert exchange(at(node, f"http://127.0.0.1:{free_port()}"), forced=True).state is ReplicationState.UNREACHABLE
    level(group, node)


@pytest.mark.parametrize("status", [200, 302, 502, 503])
def test_gateway_answers_with_a_page_then_the_hub_is_only_away(plant: tuple[Group, PlantNode], status: int) -> None:
    group, node = plant
    receive(node, 2)
    with proxy_to(group.hub.port) as proxy:
        proxy.page = status
        assert through(proxy, node) is ReplicationState.UNREACHABLE
        assert "other than the hub" in str(column(node.store, 1, "error"))
        assert column(node.store, 1, "alarm") is None
        proxy.heal()
        assert through(proxy, node) is ReplicationState.IN_SYNC
    level(group, node)


def test_hub_drips_its_answer_then_the_job_gives_up_in_time(
    plant: tuple[Group, PlantNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes before the patience of one read is over: only the whole answer takes too long."""
    group, node = plant
    receive(node, 2)
    monkeypatch.setattr(http_hub_client, "ANSWER_SECONDS", 1.0)
    with proxy_to(group.hub.port) as proxy:
        proxy.drip_seconds = 0.02
        began = time.monotonic()
        assert through(proxy, node) is ReplicationState.UNREACHABLE
        assert time.monotonic() - began < patient(15)
    level(group, node)


def test_64_kbit_per_second_then_everything_arrives(plant: tuple[Group, PlantNode]) -> None:
    group, node = plant
    receive(node, 300)
    with proxy_to(group.hub.port) as proxy:
        proxy.bits_per_second = 64_000
        began = time.monotonic()
        assert any(through(proxy, node) is ReplicationState.IN_SYNC for _ in range(3))
        assert time.monotonic() - began > proxy.request_bytes * 8 / 64_000 * 0.5
    level(group, node)


def parcel(node: PlantNode, low: int, high: int) -> Parcel:
    """Return entries of the plant as a parcel signed at their end."""
    with node.store.reading() as reads:
        rows = mirrors.rows_within(reads, node.number, low, high, 10**7)
        before = mirrors.frontier_at(reads, node.number, low) if low else Frontier()
    position = before.extend(leaf for _, leaf in rows)
    note = checkpoints.sign(node.origin, Position(position.size, position.root()), node.signer, CLOCK.now())
    return Parcel(tuple(body for body, _ in rows), bytes(note))


def test_parcels_doubled_late_and_out_of_order_then_each_entry_once(plant: tuple[Group, PlantNode]) -> None:
    group, node = plant
    exchange(node, forced=True)
    low = stand(node.store, 1)[0]
    receive(node, 6)
    session = str(column(group.hub.node.store, 1, "session"))
    one, two = parcel(node, low, low + 3), parcel(node, low + 3, low + 6)
    with HttpHubClient(node) as client:
        with pytest.raises(Problem) as early:
            client.send(node.origin, low + 3, session, two)
        assert (early.value.status, early.value.code) == (409, "WRONG_POSITION")
        assert stand(group.hub.node.store, 1)[0] == low
        assert client.send(node.origin, low, session, one).size == low + 3
        assert client.send(node.origin, low, session, one).size == low + 3
        assert client.send(node.origin, low + 3, session, two).size == low + 6
        assert client.send(node.origin, low, session, one).size == low + 6, "an old parcel after a newer one"
    level(group, node)


def test_name_of_the_hub_not_found_then_it_is_away(plant: tuple[Group, PlantNode]) -> None:
    group, node = plant
    receive(node)
    assert exchange(at(node, "https://hub.invalid"), forced=True).state is ReplicationState.UNREACHABLE
    assert "ConnectError" in str(column(node.store, 1, "error"))
    assert column(node.store, 1, "alarm") is None
    level(group, node)


@contextmanager
def over_tls(hub: HubNode, files: tuple[Path, Path]) -> Iterator[str]:
    """Serve the hub's routes over TLS."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=sync_routes(hub)), host="127.0.0.1", port=port, log_level="critical", ws="none",
            ssl_certfile=files[0], ssl_keyfile=files[1],
        )
    )  # fmt: skip
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the server has started")
    try:
        yield f"https://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_certificate_expired_or_not_yet_valid_then_nothing_is_sent_until_it_is_renewed(
    plant: tuple[Group, PlantNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, node = plant
    receive(node, 2)
    before, now, year = stand(group.hub.node.store, 1), CLOCK.now(), timedelta(days=365)
    spans = {
        "expired": (now - 2 * year, now - year, ReplicationState.UNREACHABLE),
        "early": (now + year, now + 2 * year, ReplicationState.UNREACHABLE),
        "good": (now - year, now + year, ReplicationState.IN_SYNC),
    }
    for name, (begins, ends, state) in spans.items():
        files = certificate(tmp_path, name, begins, ends)
        trust = ssl.create_default_context(cafile=str(files[0]))
        monkeypatch.setattr(http_hub_client, "_trust", lambda trust=trust: trust)
        with over_tls(group.hub.node, files) as url:
            assert exchange(replace(node, hub_url=url), forced=True).state is state
        if state is not ReplicationState.IN_SYNC:
            assert "CERTIFICATE_VERIFY_FAILED" in str(column(node.store, 1, "error"))
            assert stand(group.hub.node.store, 1) == before
    level(group, node)

"""Plants and hub over real HTTP: every entry of a plant arrives once, complete and in order."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from auth.keys import SigningKey
from auth.notes import NoteSigner, generate_key
from infra.clock import FixedClock
from infra.messages import Language
from infra.postgres import EmbeddedPostgres
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.execution import CommandContext
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.values.actors import Author
from plants.rules.values.scope import PlantScope
from plants.store.replication.status import ReplicationState, known, replication_status
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.projection.projecting import project_pending
from tests.databases import migrated_database
from tests.sync_jobs.group import CLOCK, LI, Group, at, column, receive, running_group, stand

WANG = Author("wang.fang", "Wang Fang")


def level(group: Group, node: PlantNode) -> None:
    """Assert that hub and plant hold the same two ledgers, and that no alarm is open."""
    hub = group.hub.node.store
    for log_id in (node.number, -node.number):
        if column(node.store, log_id, "state") is not None:
            assert column(node.store, log_id, "alarm") is None
    assert stand(hub, node.number) == stand(node.store, node.number)
    assert column(node.store, node.number, "acknowledged") == stand(node.store, node.number)[0]


@contextmanager
def deaf_hub(port: int, *, forward_bytes: int) -> Iterator[str]:
    """Relay to the hub and cut every answer after a number of bytes: the request arrives, its answer is lost."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, socket.create_connection(("127.0.0.1", port)) as hub:
                    request = client.recv(65_536)
                    posts_entries = b"/entries" in request.split(b"\r\n", 1)[0]
                    client.settimeout(0.3)
                    hub.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                    try:
                        while piece := client.recv(65_536):
                            hub.sendall(piece)
                    except TimeoutError:
                        pass
                    answer = b""
                    while piece := hub.recv(65_536):
                        answer += piece
                    client.sendall(answer[:forward_bytes] if posts_entries else answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def alarm_of(node: PlantNode, language: Language) -> str:
    """Return the stored alarm of a plant in a language."""
    with node.store.reading() as reads:
        said = known(reads, node.number).said
    assert said is not None
    return said.word(language)


def test_plant_writes_then_hub_has_the_same_ledger(group: Group) -> None:
    node = group.plant(1, "SH1")
    receive(node, 5)
    done = exchange(node)
    assert (done.state, done.sent, done.more) == (ReplicationState.IN_SYNC, 8, False)
    level(group, node)
    assert exchange(node).sent == 0


def test_more_than_one_parcel_then_every_receipt_is_kept(group: Group) -> None:
    node = group.plant(1, "SH1")
    group.hub.node = replace(group.hub.node, limits=group.hub.node.limits.model_copy(update={"max_entries": 7}))
    group.hub.stop()
    group.hub.start()
    receive(node, 30)
    assert exchange(node).sent == 33
    level(group, node)
    with node.store.transaction() as session:
        sizes = [size for (size,) in session.rows("SELECT size FROM checkpoints WHERE log_id = 1 ORDER BY size")]
    assert sizes == [7, 14, 21, 28, 33]


def test_hub_down_then_plant_goes_on_and_catches_up(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    group.hub.stop()
    receive(node, 20)
    down = exchange(node, forced=True)
    assert down.state is ReplicationState.UNREACHABLE
    assert "ConnectError" in str(column(node.store, 1, "error"))
    assert column(node.store, 1, "attempts") == 1
    assert not exchange(node).ran, "the wait after the failure lasts"
    group.hub.start()
    assert exchange(node, forced=True).sent == 20
    level(group, node)
    assert column(node.store, 1, "attempts") == 0


@pytest.mark.parametrize("forward_bytes", [0, 1, 40, 200])
def test_acknowledgement_lost_then_nothing_is_lost_or_doubled(group: Group, forward_bytes: int) -> None:
    node = group.plant(1, "SH1")
    receive(node, 10)
    with deaf_hub(group.hub.port, forward_bytes=forward_bytes) as url:
        assert exchange(at(node, url)).state is ReplicationState.UNREACHABLE
    assert stand(group.hub.node.store, 1) == stand(node.store, 1)
    assert column(node.store, 1, "acknowledged") == 0
    receive(node, 3)
    assert exchange(node, forced=True).sent == 3
    level(group, node)


def test_nothing_happened_then_silence_is_signed_too(group: Group) -> None:
    node = replace(group.plant(1, "SH1"), checkpoint_seconds=0.000001)
    exchange(node)
    first = column(group.hub.node.store, 1, "received_us")
    exchange(node)
    second = column(group.hub.node.store, 1, "received_us")
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert second > first
    level(group, node)


def test_plants_with_each_others_names_then_refused_with_an_alarm(group: Group) -> None:
    one, two = group.plant(1, "SH1"), group.plant(2, "SZ2")
    exchange(one)
    exchange(two)
    before = stand(group.hub.node.store, 1), stand(group.hub.node.store, 2)
    receive(two, 2)
    other_key = replace(two, assertion_key=one.assertion_key)
    assert exchange(other_key, forced=True).state is ReplicationState.REFUSED
    unknown_key = replace(two, assertion_key=SigningKey(generate_key()))
    assert exchange(unknown_key, forced=True).state is ReplicationState.REFUSED
    assert "401 NOT_RECOGNISED" in str(column(two.store, 2, "alarm"))
    wrong_ledger_key = replace(two, signer=NoteSigner(two.origin, generate_key()))
    assert exchange(wrong_ledger_key, forced=True).state is ReplicationState.REFUSED
    assert "403 CHECKPOINT_REFUSED" in str(column(two.store, 2, "alarm"))
    assert (stand(group.hub.node.store, 1), stand(group.hub.node.store, 2)) == before
    assert exchange(two, forced=True).sent == 2
    level(group, two)


def test_hub_with_another_key_then_its_receipt_is_not_believed(group: Group) -> None:
    node = group.plant(1, "SH1")
    strange = replace(node, hub_key=NoteSigner(group.hub.node.origin, generate_key()).key)
    assert exchange(strange).state is ReplicationState.REFUSED
    assert "has not signed the hub's receipt" in str(column(node.store, 1, "alarm"))
    assert "没有本厂所知的总部密钥的签名" in alarm_of(node, "zh")
    assert column(node.store, 1, "acknowledged") == 0


def test_bit_flipped_at_the_plant_then_nothing_is_signed(group: Group) -> None:
    node = group.plant(1, "SH1")
    receive(node, 3)
    with node.store.transaction() as session:
        session.run(
            "UPDATE entries SET body = CAST(replace(body, '12.5', '92.5') AS BLOB) WHERE log_id = 1 AND idx = 4"
        )
    assert exchange(node).state is ReplicationState.REFUSED
    assert "entry 4 does not match its hash" in str(column(node.store, 1, "alarm"))
    assert "第 4 个条目与其哈希不符" in alarm_of(node, "zh")
    assert stand(group.hub.node.store, 1)[0] == 0


def test_two_exchanges_at_once_then_one_runs(group: Group) -> None:
    node = group.plant(1, "SH1")
    receive(node, 200)
    results = []
    threads = [threading.Thread(target=lambda: results.append(exchange(node, forced=True))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done.sent for done in results) == 203
    level(group, node)


def test_decision_at_the_hub_then_applied_once_and_answered(group: Group) -> None:
    node = group.plant(1, "SH1")
    hub = group.hub.node
    (received,) = receive(node)
    code = received.envelope["key"]
    call = CommandContext(1, CLOCK.now())
    with node.store.transaction() as session:
        quarantine_batch(session, Quarantine(code, "broken seal"), actor=LI, call=call)
        asked = request_change(session, ReleaseRequest(code, "seal was fine"), actor=LI, call=call)
    exchange(node)
    project_pending(hub.store, 1, clock=CLOCK, holder="test")
    with hub.store.transaction() as session:
        decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "seen it")
        decide_change_at_hub(session, decision, actor=WANG, call=CommandContext(1, CLOCK.now()))
    done = exchange(node)
    assert (done.received, done.applied, done.more) == (1, 1, True)
    assert stand(node.store, -1) == stand(hub.store, -1)
    again = exchange(node)
    assert (again.received, again.applied) == (0, 0)
    assert again.sent > 0
    assert column(hub.store, -1, "acknowledged") == 1
    level(group, node)
    project_pending(hub.store, 1, clock=CLOCK, holder="test")
    with hub.store.transaction() as session:
        (state,) = session.row("SELECT state FROM change_requests WHERE plant_id = 1") or (None,)
        (applied,) = session.row("SELECT applied FROM directive_outcomes WHERE plant_id = 1") or (None,)
    assert (state, applied) == ("APPLIED", 1)


def test_status_then_both_sides_say_the_same(group: Group) -> None:
    node = group.plant(1, "SH1")
    group.plant(2, "SZ2")
    receive(node, 2)
    exchange(node)
    now = CLOCK.now()
    with group.hub.node.store.reading() as reads:
        one, two = replication_status(reads, PlantScope(frozenset({1, 2})), now=now)
        assert [each.plant_id for each in replication_status(reads, PlantScope(frozenset({2})), now=now)] == [2]
        assert replication_status(reads, PlantScope(frozenset()), now=now) == []
    with node.store.reading() as reads:
        (own,) = replication_status(reads, PlantScope(frozenset({1})), now=now)
    assert (one.size, one.root, one.acknowledged, one.state) == (own.size, own.root, own.acknowledged, own.state)
    assert (one.size, one.projected, one.state, one.alarms) == (5, 0, ReplicationState.IN_SYNC, ())
    assert one.lag_seconds is not None
    assert 0 <= one.lag_seconds <= 5
    assert (two.size, two.state, two.lag_seconds) == (0, ReplicationState.NEVER_MET, None)


def test_oldest_postgresql_on_both_sides_then_the_same(postgres_15: EmbeddedPostgres, tmp_path: Path) -> None:
    with running_group(migrated_database(postgres_15), tmp_path) as group:
        node = group.plant(1, "SH1", migrated_database(postgres_15))
        receive(node, 5)
        assert exchange(node).sent == 8
        level(group, node)
        assert project_pending(group.hub.node.store, 1, clock=CLOCK, holder="test") == 8


@pytest.mark.parametrize("hours", [-3, 3])
def test_clock_of_the_plant_wrong_then_the_alarm_says_so(group: Group, hours: int) -> None:
    node = replace(group.plant(1, "SH1"), clock=FixedClock(CLOCK.now() + timedelta(hours=hours)))
    assert exchange(node).state is ReplicationState.REFUSED
    assert f"The hub's clock is {'-' if hours > 0 else ''}10" in str(column(node.store, 1, "alarm"))


def test_something_else_answers_then_the_hub_is_unreachable(group: Group) -> None:
    node = group.plant(1, "SH1")

    class Proxy(BaseHTTPRequestHandler):
        """Answers like a captive portal: with a page and a success status."""

        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Please sign in</html>")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        done = exchange(at(node, f"http://127.0.0.1:{server.server_port}"))
    assert done.state is ReplicationState.UNREACHABLE
    assert column(node.store, 1, "error") == "200 text/html: something other than the hub answered"


@pytest.mark.parametrize("url", ["http://hub.example", "http://192.0.2.1:8700", "ftp://127.0.0.1", "hub.example"])
def test_hub_elsewhere_without_tls_then_it_is_never_called(group: Group, url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        HttpHubClient(at(group.plant(1, "SH1"), url))

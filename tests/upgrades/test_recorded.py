"""Today's program on what released versions left: their stores go on, their parcels arrive, their hubs are enough."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from auth.actors import Role, system_actor
from auth.keys import SigningKey, public_key_text
from auth.notes import NoteSigner
from auth.tokens import issue_assertion
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from infra.settings import directive_origin, hub_origin, plant_origin
from migrations import upgrade
from plants.commands.execution import CommandContext
from plants.commands.group.enrolment import Enrolment, open_hub
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.replication.rebuild import rebuild
from plants.rules.ledger.refusals import REQUEST_REUSED
from plants.rules.values.refusals import Refusal
from plants.store.ledger.entries import entry_by_request
from plants.store.projection.rebuilding import table_digests
from plants.store.replication.status import ReplicationState
from sync_jobs.hub.enrolment import enrol
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import fresh_database
from tests.plants.renamed_orders import later, take_in
from tests.sync_jobs.group import CLOCK, GROUP, column, free_port, stand
from tests.upgrades.record import LI, digests, key_of
from tests.upgrades.recorded import (
    CODES,
    NUMBERS,
    VERSIONS,
    Request,
    heads,
    heads_said,
    heard,
    hub_on,
    plant_on,
    restore,
    said,
)  # fmt: skip
from tests.upgrades.serving import serving

REQUEST = "01990000-0000-7000-8000-000000000001"  # of the first delivery of the recorded story
every_version = pytest.mark.parametrize("version", VERSIONS)


@every_version
@pytest.mark.parametrize("code", CODES)
def test_recorded_store_then_migrated_and_replayed_to_the_bit(tmp_path: Path, version: str, code: str) -> None:
    with closing(Store(restore(version, code, tmp_path))) as store:
        upgrade(store)
        _check_requests(store)
        filled = table_digests(store)
        assert heads(store) == heads_said(version, code)
        with store.transaction() as session:
            assert rebuild(session) > 0
        assert table_digests(store) == filled, "the migration fills new tables as the ledger does"
        assert heads(store) == heads_said(version, code)
        # The recorded program kept no requests of ledgers that other nodes write.
        mirrored = "log_id > 0" if code == "HUB" else "log_id < 0"
        with store.transaction() as session:
            session.run(f"UPDATE entries SET request = NULL WHERE {mirrored}")
        assert digests(store, said(version)["columns"]) == said(version)["digests"][code]


def _check_requests(store: Store) -> None:
    """Check that each entry has the request of its body."""
    with store.transaction() as session:
        rows = session.rows("SELECT body, request FROM entries")
    assert [request for _, request in rows] == [json.loads(bytes(body)).get("request") for body, _ in rows]
    assert any(request for _, request in rows)


@every_version
def test_recorded_stores_then_the_group_goes_on_together(tmp_path: Path, version: str) -> None:
    """Unsent entries are sent, the waiting directive is applied, and a repeated request has one effect."""
    with closing(Store(restore(version, "HUB", tmp_path))) as store:
        upgrade(store)
        hub = hub_on(store)
        with serving(hub, free_port()) as url:
            for code in NUMBERS:
                with plant_on(restore(version, code, tmp_path), code, hub, url) as node:
                    _go_on(node, store)
            with store.transaction() as session:
                outcomes = session.rows("SELECT applied FROM directive_outcomes WHERE plant_id = 1")
            assert len(outcomes) == 2


def _go_on(node: PlantNode, hub: Store) -> None:
    number = node.number
    before, _ = stand(node.store, number)
    with node.store.transaction() as session:
        again = receive_batch(session, delivery(), actor=LI, call=CommandContext(number, CLOCK.now(), request=REQUEST))
    assert again.index < before, "the recorded request has its recorded answer"
    write(node.store, 1, number)
    done = [exchange(node, forced=True) for _ in range(3)][-1]
    assert done.state is ReplicationState.IN_SYNC
    assert column(node.store, number, "alarm") is None
    while project_behind(hub, CLOCK, "test"):
        pass
    assert stand(hub, number) == stand(node.store, number)
    assert stand(hub, number)[0] > before
    if stand(hub, -number)[0]:
        assert stand(node.store, -number) == stand(hub, -number)
    own, at_hub = table_digests(node.store, plant=number), table_digests(hub, plant=number)
    differing = {name for name in own if own[name] != at_hub[name]}
    assert differing <= {"change_decisions"}, "the hub's own decisions are not in the plant's tables"


@every_version
@pytest.mark.parametrize("code", NUMBERS)
def test_recorded_request_then_repeated_by_a_program_with_other_names(tmp_path: Path, version: str, code: str) -> None:
    """The function, the classes and two fields are renamed, and there are new optional fields."""
    with closing(Store(restore(version, code, tmp_path))) as store:
        upgrade(store)
        before = heads(store), table_digests(store)
        call = CommandContext(NUMBERS[code], CLOCK.now(), request=REQUEST)
        with store.transaction() as session:
            recorded = entry_by_request(session, NUMBERS[code], REQUEST)
            assert take_in(session, later(delivery()), actor=LI, call=call) == recorded
        for other in (replace(later(delivery()), carrier="C"), replace(later(delivery()), lot="L-2")):
            with pytest.raises(Refusal) as caught, store.transaction() as session:
                take_in(session, other, actor=LI, call=call)
            assert caught.value.code is REQUEST_REUSED
        assert (heads(store), table_digests(store)) == before


def delivery() -> Delivery:
    return Delivery("RM-MILK", "100", "KGM", "A1", "S1", "L-1", "PO-1", attributes={"fat": "3.8"})


def enrolment(code: str) -> Enrolment:
    """Return the order by which a recorded plant is taken into a new hub."""
    return Enrolment(
        number=NUMBERS[code],
        code=code,
        name=f"Plant {code}",
        origin=plant_origin(GROUP, code),
        directive_origin=directive_origin(GROUP, code),
        ledger_key=str(NoteSigner(plant_origin(GROUP, code), key_of(f"{code} ledger")).key),
        assertion_key=public_key_text(SigningKey(key_of(f"{code} assertion")).public_key),
    )


def new_hub(database_url: str) -> Store:
    """Return the store of a hub of today that has enrolled the recorded plants and has none of their entries."""
    store = Store(database_url)
    upgrade(store)
    with store.transaction() as session:
        open_hub(session, group=GROUP, origin=hub_origin(GROUP), now=CLOCK.now())
        for code in NUMBERS:
            enrol(session, enrolment(code), actor=system_actor("cli", Role.ADMINISTRATOR), now=CLOCK.now())
    return store


@every_version
def test_recorded_requests_then_todays_hub_takes_them_in(postgres_18: EmbeddedPostgres, version: str) -> None:
    """Byte for byte as the released plant sent them, until the recorded hub had directives that a new one has not."""
    with closing(new_hub(fresh_database(postgres_18))) as store, serving(hub_on(store), free_port()) as url:
        sessions: dict[str, str] = {}
        sizes = dict.fromkeys(NUMBERS, 0)
        with httpx2.Client(base_url=url, trust_env=False) as http:
            for one in heard(version):
                greeting = json.loads(one.body) if one.path.endswith("/hello") else None
                if one.method == "GET" or (greeting and (greeting["directives"] or {}).get("size", 0)):
                    break
                answer = send(http, one, sessions.get(one.plant, ""))
                assert answer.status_code == one.status == 200, answer.text
                if greeting is not None:
                    sessions[one.plant] = answer.json()["session"]
                    assert answer.json()["ledger"] == json.loads(one.answer)["ledger"]
                else:
                    sizes[one.plant] = answer.json()["size"]
                    assert sizes[one.plant] == json.loads(one.answer)["size"]
        assert sizes["SH1"] > 30
        assert sizes["SZ2"] > 10
        while project_behind(store, CLOCK, "test"):
            pass
        with store.transaction() as session:
            assert session.rows("SELECT count(*) FROM projection_faults") == [(0,)]
        before = table_digests(store)
        with store.transaction() as session:
            rebuild(session)
        assert table_digests(store) == before


def send(http: httpx2.Client, one: Request, session: str) -> httpx2.Response:
    """Send a recorded request with what cannot be recorded: a fresh assertion, and this hub's own session."""
    key = SigningKey(key_of(f"{one.plant} assertion"))
    assertion = issue_assertion(key, origin=plant_origin(GROUP, one.plant), hub_issuer=hub_origin(GROUP), clock=CLOCK)
    headers = {**one.headers, "Authorization": f"Bearer {assertion}"}
    if "batchloom-session" in headers:
        headers["batchloom-session"] = session
    return http.request(one.method, f"{one.path}?{one.query}", content=one.body, headers=headers)


@every_version
def test_todays_plant_and_a_hub_that_answers_like_the_recorded_one_then_level(tmp_path: Path, version: str) -> None:
    """And the hub is upgraded in mid-stream: the plant does not notice."""
    with closing(Store(restore(version, "HUB", tmp_path))) as store:
        upgrade(store)
        hub, port = hub_on(store), free_port()
        with plant_on(restore(version, "SH1", tmp_path), "SH1", hub, f"http://127.0.0.1:{port}") as node:
            with serving(hub, port, like=version):
                assert exchange(node, forced=True).state in {ReplicationState.IN_SYNC, ReplicationState.BEHIND}
                assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
                assert stand(store, 1) == stand(node.store, 1)
                assert column(node.store, 1, "alarm") is None
            write(node.store, 20)
            assert exchange(node, forced=True).state is ReplicationState.UNREACHABLE
            with serving(hub, port):
                assert exchange(node, forced=True).sent == 20
                write(node.store, 5)
            with serving(hub, port, like=version):
                assert exchange(node, forced=True).sent == 5, "and back, as after an upgrade that was taken back"
            assert stand(store, 1) == stand(node.store, 1)
            assert column(node.store, 1, "alarm") is None


def write(store: Store, count: int, number: int = 1) -> None:
    with store.transaction() as session:
        call = CommandContext(number, CLOCK.now())
        for _ in range(count):
            receive_batch(session, Delivery("RM-MILK", "5", "KGM", "A1"), actor=LI, call=call)

"""The hub goes away, in order or by a power cut: the plants go on, and nothing is lost or doubled."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import httpx2
import pytest

from infra.clock import SystemClock
from infra.ids import new_id
from plants.commands.execution import CommandContext
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.rules.values.actors import Author
from tests.patience import wait_until
from tests.scenarios.preparing import CHEN, LI, OPERATORS, PLANTS, WANG
from tests.scenarios.processes import HUB, Group, Person, mutation_document
from tests.scenarios.shop_floor import (
    ENTRY,
    amount,
    check_equal,
    completeness,
    dispatch,
    line,
    produce,
    receive,
    replication,
    stock_of,
    take_in,
    wait_level,
)
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(180)

RECEIVED = f"... on BatchReceived {{ {ENTRY} batch {{ code }} }}"


def test_hub_stopped_for_a_while_then_plants_go_on_and_all_is_level(group: Group) -> None:
    group.start()
    at = {code: group.at(code, WANG) for code in PLANTS}
    for person in at.values():
        for _ in range(3):
            receive(person)
    wait_level(group)
    before = {code: replication(group, HUB)[code]["size"] for code in PLANTS}
    group.stop(HUB)
    made = {code: [receive(person, "12.5") for _ in range(20)] for code, person in at.items()}
    for code in PLANTS:
        wait_until(partial(notices, group, code), f"{code} notices")
        own = replication(group, code)[code]
        assert (own["size"], own["acknowledged"]) == (before[code] + 20, before[code])
        assert own["alarms"] == [], "a hub that is away is no alarm"
    group.start(HUB)
    wait_level(group)
    check_equal(group)
    assert {code: replication(group, HUB)[code]["size"] for code in PLANTS} == {
        code: size + 20 for code, size in before.items()
    }
    for codes in made.values():
        with group.store(HUB).transaction() as session:
            known = {code for (code,) in session.rows("SELECT code FROM batches")}
        assert set(codes) <= known


def test_transfer_while_the_hub_is_away_then_traces_say_what_is_missing_until_all_is_heard(group: Group) -> None:
    group.start()
    here, there, chen = group.at("SH1", WANG), group.at("SZ2", WANG), group.at(HUB, CHEN)
    wait_level(group)
    group.stop(HUB)
    milk = receive(here, "40")
    take_in(there, dispatch(here, "SZ2", [line(milk, "25")]))
    final = produce(there, [line(milk, "25")], "24.5")
    group.stop("SH1")
    group.start(HUB)
    wait_level(group, ["SZ2"])
    said = completeness(chen, final, "BACKWARD")["completeness"]
    assert said["complete"] is False
    assert {(gap["kind"], (gap["plant"] or {}).get("code")) for gap in said["gaps"]["nodes"]} == {
        ("AWAITING_SOURCE", "SH1"), ("UNSEEN_BATCHES", "SH1"),
    }  # fmt: skip
    group.start("SH1")
    wait_level(group)
    check_equal(group)
    whole = completeness(chen, final, "BACKWARD")
    assert (whole["completeness"]["complete"], whole["completeness"]["gaps"]) == (True, {"nodes": []})
    sizes = {one["plant"]["code"]: one["size"] for one in whole["completeness"]["asOf"]}
    assert sizes == {code: stand(group.store(code), number)[0] for code, number in PLANTS.items()}
    assert stock_of(chen, milk) == {"A1": "15"}


def test_hub_killed_while_receiving_then_nothing_is_lost_or_doubled(group: Group) -> None:
    """9,000 entries travel in two parcels: the first kill is between them, the second while tables are written."""
    group.start(HUB)
    store, number = group.store("SH1"), PLANTS["SH1"]
    author, order = Author(LI, "Li Wei"), Delivery("MILK", "12.5", "KGM", "A1")
    with store.transaction() as session:
        call = CommandContext(number, SystemClock().now())
        for _ in range(9_000):
            receive_batch(session, order, actor=author, call=call)
    size = stand(store, number)[0]
    group.start("SH1", "SZ2")
    wait_until(lambda: hub_size(group, number) > 0, "the hub has the first entries")
    group.kill(HUB)
    first = hub_size(group, number), hub_projected(group, number)
    group.start(HUB)
    wait_until(lambda: hub_projected(group, number) > first[1], "the hub goes on")
    group.kill(HUB)
    assert hub_projected(group, number) < size, "it was killed in the middle"
    receive(group.at("SH1", WANG))
    group.start(HUB)
    wait_level(group)
    check_equal(group)
    assert stand(group.store(HUB), number)[0] == size + 1
    with group.store(HUB).transaction() as session:
        counted = session.rows("SELECT count(*), sum(quantity) FROM stock WHERE plant_id = 1")
    assert counted == [(9_001, 9_000 * 12_500_000 + 100_000_000)]


def notices(group: Group, code: str) -> bool:
    return bool(replication(group, code)[code]["state"] == "UNREACHABLE")


def hub_size(group: Group, number: int) -> int:
    with group.store(HUB).transaction() as session:
        row = session.row("SELECT size FROM logs WHERE log_id = :log_id", {"log_id": number})
    return 0 if row is None else int(row[0])


def hub_projected(group: Group, number: int) -> int:
    with group.store(HUB).transaction() as session:
        row = session.row("SELECT projected FROM logs WHERE log_id = :log_id", {"log_id": number})
    return 0 if row is None else int(row[0])


def test_plant_killed_while_writing_then_what_it_answered_is_there(group: Group) -> None:
    """Four people write without pause when the power fails; each sends again what was not answered."""
    group.start()
    people = [group.at("SH1", name) for name in OPERATORS[:4]]
    began = stand(group.store("SH1"), 1)[0]
    stopping = Event()
    with ThreadPoolExecutor(len(people)) as pool:
        working = [pool.submit(write_until_it_breaks, person, stopping) for person in people]
        wait_until(lambda: stand(group.store("SH1"), 1)[0] >= began + 40, "they write")
        group.kill("SH1")
        stopping.set()
        done = [one.result() for one in working]
    group.start("SH1")
    kept = dict(ledger(group))
    answered = [entry for answers, _ in done for entry in answers]
    assert len(answered) >= 30
    assert [kept.get(index) for index, _ in answered] == [leaf for _, leaf in answered]
    again = [receive_as(person, request) for person, (_, request) in zip(people, done, strict=True)]
    kept = dict(ledger(group))
    assert [kept[index] for index, _ in again] == [leaf for _, leaf in again]
    assert Counter(index for index, _ in (*answered, *again)).most_common(1)[0][1] == 1
    assert len(kept) == began + len(answered) + len(again)
    wait_level(group)
    check_equal(group)
    with group.store("SH1").transaction() as session:
        counted = session.rows("SELECT count(*), sum(quantity) FROM stock")
    number = len(answered) + len(again)
    assert counted == [(number, number * 1_000_000)]


def write_until_it_breaks(person: Person, stopping: Event) -> tuple[list[tuple[int, str]], str]:
    """Receive 1 kg again and again; return what was answered, and the request that was not."""
    answered: list[tuple[int, str]] = []
    while True:
        request = new_id()
        try:
            answered.append(receive_as(person, request))
        except httpx2.TransportError:
            return answered, request
        assert not stopping.is_set() or len(answered) < 10_000


def receive_as(person: Person, request: str) -> tuple[int, str]:
    order = {"materialCode": "MILK", "quantity": amount("1"), "locationCode": "A1"}
    given = {"requestId": request, **order}
    answer = person.ask(mutation_document("receiveBatch", RECEIVED), input=given)["receiveBatch"]
    return int(answer["entry"]["index"]), str(answer["entry"]["leafHash"])


def ledger(group: Group) -> list[tuple[int, str]]:
    with group.store("SH1").transaction() as session:
        rows = session.rows("SELECT idx, leaf FROM entries WHERE log_id = 1 ORDER BY idx")
    return [(index, bytes(leaf).hex()) for index, leaf in rows]

"""Ten people write at one plant at once, and each request is sent twice at the same time, as scanners do."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from infra.ids import new_id
from plants.rules.ledger.events import Entry
from tests.patience import patient
from tests.scenarios.preparing import OPERATORS, WANG, Prepared, copy_group
from tests.scenarios.processes import Group, Person, mutation_document
from tests.scenarios.shop_floor import ENTRY, amount, entries_of, line, receive, stock_of
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(120)

ROUNDS = 4
MOVED = f"... on BatchMoved {{ {ENTRY} }}"
FED = f"... on ProcessInputsAdded {{ {ENTRY} }}"
RECEIVED = f"... on BatchReceived {{ {ENTRY} batch {{ code }} }}"


@pytest.fixture(scope="module")
def plant(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A plant by itself: writing needs no hub."""
    with copy_group(prepared, tmp_path_factory.mktemp("operators")) as group:
        group.start("SH1")
        for name in OPERATORS:
            group.at("SH1", name)
        yield group


def twice(
    pool: ThreadPoolExecutor, person: Person, mutation: str, wanted: str, order: dict[str, Any]
) -> dict[str, Any]:
    """Send one request two times at the same moment; both answers must have the same data."""
    document = mutation_document(mutation, wanted)
    given = {"input": {"requestId": new_id(), **order}}
    together = Barrier(2)

    def send() -> Any:
        together.wait(patient(30))
        return answered()

    def answered() -> Any:
        answer = person.post(document, given)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        assert "errors" not in content, content
        return content["data"]

    first, second = (one.result() for one in [pool.submit(send), pool.submit(send)])
    assert first == second
    assert answered() == first, "a third time, when all is done"
    return dict(first[mutation])


def move_order(code: str, quantity: str) -> dict[str, Any]:
    return {"batchCode": code, "fromLocationCode": "A1", "toLocationCode": "B1", "quantity": amount(quantity)}


def at_once(group: Group, work: Any) -> list[list[dict[str, Any]]]:
    """Have all operators work at once, each with two hands, and return what each was answered."""
    count = len(OPERATORS)
    with ThreadPoolExecutor(count) as people, ThreadPoolExecutor(2 * count) as hands:
        working = [people.submit(work, hands, group.at("SH1", name)) for name in OPERATORS]
        return [one.result() for one in working]


def new_entries(group: Group, since: int) -> list[Entry]:
    return entries_of(group.store("SH1"), 1, since)


def test_each_request_twice_then_exact_stock_and_no_doubles(plant: Group) -> None:
    wang = plant.at("SH1", WANG)
    shared = receive(wang, "1000")
    process = wang.do("openProcess", "... on ProcessOpened { process { id } }")["process"]["id"]
    began = stand(plant.store("SH1"), 1)[0]

    def work(hands: ThreadPoolExecutor, person: Person) -> list[dict[str, Any]]:
        answers = []
        for _ in range(ROUNDS):
            delivery = {"materialCode": "SUGAR", "quantity": amount("10.5"), "locationCode": "A1"}
            answers.append(twice(hands, person, "receiveBatch", RECEIVED, delivery))
            answers.append(twice(hands, person, "moveBatch", MOVED, move_order(shared, "1.25")))
            feed = {"processId": process, "lines": [line(shared, "2.000001")]}
            answers.append(twice(hands, person, "addProcessInputs", FED, feed))
        return answers

    answers = [answer for each in at_once(plant, work) for answer in each]
    times = len(OPERATORS) * ROUNDS
    assert Counter(answer["__typename"] for answer in answers) == {
        "BatchReceived": times, "BatchMoved": times, "ProcessInputsAdded": times,
    }  # fmt: skip
    entries = new_entries(plant, began)
    assert Counter(entry.type for entry in entries) == {
        "BatchReceived": times, "BatchMoved": times, "ProcessFed": times,
    }  # fmt: skip
    assert len({entry.envelope["request"] for entry in entries}) == 3 * times
    assert sorted(answer["entry"]["index"] for answer in answers) == list(range(began, began + 3 * times))
    assert {entry.index: entry.leaf.hex() for entry in entries} == {
        answer["entry"]["index"]: answer["entry"]["leafHash"] for answer in answers
    }
    assert Counter(entry.envelope["actor"] for entry in entries) == dict.fromkeys(OPERATORS, 3 * ROUNDS)
    # 1000 - 40 x 1.25 - 40 x 2.000001 and 40 x 1.25
    assert stock_of(wang, shared) == {"A1": "869.99996", "B1": "50"}
    made = [answer["batch"]["code"] for answer in answers if answer["__typename"] == "BatchReceived"]
    assert len(set(made)) == times
    assert [stock_of(wang, code) for code in made] == [{"A1": "10.5"}] * times
    with plant.store("SH1").transaction() as session:
        fed = session.rows("SELECT count(*), sum(quantity) FROM edges WHERE use = 'CONSUMED'")
        in_balance = session.rows("SELECT coalesce(sum(quantity), 0) FROM movements WHERE taken_from = put_in")
    assert fed == [(times, times * 2_000_001)]
    assert in_balance == [(0,)]


def test_less_than_all_want_then_exactly_what_there_is_is_taken(plant: Group) -> None:
    wang = plant.at("SH1", WANG)
    scarce = receive(wang, "25")
    began = stand(plant.store("SH1"), 1)[0]

    def work(hands: ThreadPoolExecutor, person: Person) -> list[dict[str, Any]]:
        return [twice(hands, person, "moveBatch", MOVED, move_order(scarce, "4")) for _ in range(2)]

    answers = [answer for each in at_once(plant, work) for answer in each]
    assert Counter(answer["__typename"] for answer in answers) == {"BatchMoved": 6, "StockShort": 14}
    assert [entry.type for entry in new_entries(plant, began)] == ["BatchMoved"] * 6
    assert stock_of(wang, scarce) == {"A1": "1", "B1": "24"}
    short = next(answer for answer in answers if answer["__typename"] == "StockShort")
    assert short["message"] == f"Only 1 KGM of batch {scarce} in A1, 4 KGM wanted. Count again or take less."


def test_same_request_with_another_order_then_refused(plant: Group) -> None:
    wang = plant.at("SH1", WANG)
    code, request = receive(wang, "10"), new_id()
    wang.do("moveBatch", MOVED, request=request, **move_order(code, "1"))
    before = stand(plant.store("SH1"), 1)
    other = wang.say("moveBatch", MOVED, request=request, **move_order(code, "2"))
    assert (other["__typename"], other["code"]) == ("RequestReused", "REQUEST_REUSED")
    assert stand(plant.store("SH1"), 1) == before
    assert stock_of(wang, code) == {"A1": "9", "B1": "1"}

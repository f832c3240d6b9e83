"""A user with roles at one plant sees nothing of another: not by any field, id, error text or total."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.ids import new_id
from schema.engine.node_ids import node_id, read_kind
from tests.scenarios.preparing import CHEN, STRANGER, WANG, ZHAO, Prepared, copy_group
from tests.scenarios.processes import HUB, Group, Person, mutation_document
from tests.scenarios.shop_floor import (
    amount,
    ask_release,
    completeness,
    define,
    dispatch,
    line,
    produce,
    quarantine,
    receive,
    take_in,
    wait_level,
)
from tests.scenarios.walking import Pair, Question, Walk, post, without_spent

pytestmark = pytest.mark.timeout(240)

# Here SH1's own entries name the other plant: its own transfers are found by where they went
# and came from.
SAID_BY_ITSELF = ("transfers(filter.destinationCode", "transfers(filter.sourceCode")
SECRETS = ("SECRET", "LOT-SZ2", "PO-SZ2", "JO-SZ2", "CO-SZ2", "Damp sacks", "Hidden reason")


@dataclass(frozen=True)
class Played:
    """A group of which only the hub still runs, and what there is at plant SZ2 that plant SH1 does not know."""

    group: Group
    walk: Walk
    hidden: str
    held: str
    change: dict[str, Any]
    shared: str
    final: str
    named: dict[str, list[Pair]]
    forbidden: tuple[str, ...]

    @property
    def headquarters(self) -> Person:
        return self.group.at(HUB, CHEN)

    @property
    def zhao(self) -> Person:
        """The person who is manager of SH1, at the hub."""
        return self.group.at(HUB, ZHAO)


@pytest.fixture(scope="module")
def played(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with copy_group(prepared, tmp_path_factory.mktemp("isolation")) as group:
        group.start()
        here, there = group.at("SH1", WANG), group.at("SZ2", WANG)
        define_secrets(there)
        hidden = receive(
            there, "50", material="SECRET", supplierCode="S-SZ2", supplierLot="LOT-SZ2", purchaseOrder="PO-SZ2"
        )
        held = receive(there, "7")
        quarantine(there, held)
        change = ask_release(there, held, "Hidden reason")
        shared = produce(there, [line(hidden, "20")], "19", jobOrder="JO-SZ2")
        ship: dict[str, Any] = {"customerCode": "C-SZ2", "customerOrder": "CO-SZ2", "lines": [line(shared, "2")]}
        there.do("shipGoods", "... on GoodsShipped { entry { index } }", **ship)
        take_in(here, dispatch(there, "SH1", [line(shared, "10")]))
        dispatch(there, "NB1", [line(receive(there, "3"), "3")])
        own = receive(here, "30")
        final = produce(here, [line(shared, "10"), line(own, "5")], "14")
        take_in(there, dispatch(here, "SZ2", [line(final, "4")]))
        produce(there, [line(final, "4")], "3.5", material="SECRET")
        wait_level(group)
        group.stop("SH1", "SZ2")
        order: dict[str, Any] = {"batchCode": hidden, "reason": "SECRET recall", "plantCodes": ["SZ2"]}
        group.at(HUB, CHEN).do("placeHold", "... on DirectivesSent { directives { index } }", **order)
        walk = Walk.of(group.at(HUB, CHEN))
        only_there = things_of_other(group, walk)
        named = {
            **names(hidden, change),
            "ID": [Pair(one, like(one), only_there[one]) for one in some_of_each(only_there)],
        }
        batches = (one for one in only_there if read_kind(one) == "batch")
        forbidden = (*SECRETS, "S-SZ2", "C-SZ2", "L-SZ2", "E-SZ2", hidden, held, *batches)
        yield Played(group, walk, hidden, held, change, shared, final, named, forbidden)


def define_secrets(person: Person) -> None:
    define(person, "Material", {"code": "SECRET", "name": "SECRET recipe", "unitCode": "KGM"})
    define(person, "Supplier", {"code": "S-SZ2", "name": "SECRET partner"})
    define(person, "Customer", {"code": "C-SZ2", "name": "SECRET partner"})
    define(person, "Location", {"code": "L-SZ2", "name": "SECRET place"})
    define(person, "Equipment", {"code": "E-SZ2", "name": "SECRET machine"})
    define(person, "Unit", {"code": "USZ", "name": "SECRET sack", "baseUnitCode": "KGM", "factor": "25"})


def entities(hidden: str) -> list[Pair]:
    """Return what the query of a federation's gateway names a batch and a plant by."""
    return [
        Pair({"code": theirs, "__typename": kind}, {"code": nobodys, "__typename": kind}, kind)
        for kind, theirs, nobodys in (("Batch", hidden, "SZ2-260101-0001A"), ("Plant", "SZ2", "ZZ9"))
    ]


def names(hidden: str, change: dict[str, Any]) -> dict[str, list[Pair]]:
    """Return what names something of SZ2, and what names nothing, by the argument's name or its type."""
    number = int(change["index"])
    return {
        "_Any": entities(hidden),
        "BatchCode": [Pair(hidden, "SZ2-260101-0001A")],
        "PlantCode": [Pair("SZ2", "ZZ9")],
        "code": [Pair("SECRET", "SECREX"), Pair(hidden, "SZ2-260101-0001A")],
        "supplier.code": [Pair("S-SZ2", "S-ZZ9")],
        "customer.code": [Pair("C-SZ2", "C-ZZ9")],
        "location.code": [Pair("L-SZ2", "L-ZZ9")],
        "equipment.code": [Pair("E-SZ2", "E-ZZ9")],
        "unit.code": [Pair("USZ", "UZZ")],
        "batchCode": [Pair(hidden, "SZ2-260101-0001A")],
        "plantCode": [Pair("SZ2", "ZZ9")],
        "sourceCode": [Pair("SZ2", "ZZ9")],
        "destinationCode": [Pair("SZ2", "ZZ9")],
        "value": [Pair("LOT-SZ2", "LOT-ZZ9")],
        "materialCode": [Pair("SECRET", "SECREX")],
        "supplierCode": [Pair("S-SZ2", "S-ZZ9")],
        "customerCode": [Pair("C-SZ2", "C-ZZ9")],
        "customerCodes": [Pair("C-SZ2", "C-ZZ9")],
        "aliases": [Pair("LOT-SZ2", "LOT-ZZ9")],
        "supplierLots": [Pair("LOT-SZ2", "LOT-ZZ9")],
        "purchaseOrders": [Pair("PO-SZ2", "PO-ZZ9")],
        "customerOrders": [Pair("CO-SZ2", "CO-ZZ9")],
        "jobOrders": [Pair("JO-SZ2", "JO-ZZ9")],
        "customerOrder": [Pair("CO-SZ2", "CO-ZZ9")],
        "jobOrder": [Pair("JO-SZ2", "JO-ZZ9")],
        "key": [Pair(hidden, "SZ2-260101-0001A")],
        "text": [Pair("SECRET", "SECREX")],
        "change": [Pair(number, 4_242)],
        "index": [Pair(number, 4_242)],
    }


def things_of_other(group: Group, walk: Walk) -> dict[str, str]:
    """Return everything that the whole group's reader sees and the reader of SH1 does not: types by id."""
    whole, own = (
        {
            one: kind
            for name, answer in walk.read(group.at(HUB, person))
            if name != "viewer"
            for one, kind in ids(answer)
        }
        for person in (CHEN, ZHAO)
    )
    # SZ2 has received the goods from SH1, and SH1 does not know of the receipt.
    assert {read_kind(one) for one in own.keys() - whole.keys()} == {"open-transfer"}
    assert len(own) < len(whole)
    return {one: kind for one, kind in sorted(whole.items()) if one not in own}


def some_of_each(node_ids: Iterable[str]) -> list[str]:
    """Return the first two and the last id of each kind."""
    kinds: dict[str | None, list[str]] = {}
    for one in node_ids:
        kinds.setdefault(read_kind(one), []).append(one)
    return [one for each in kinds.values() for one in dict.fromkeys([*each[:2], each[-1]])]


def ids(answer: Any) -> Iterator[tuple[str, str]]:
    """Yield the id and the type of every thing in an answer."""
    if isinstance(answer, dict):
        if isinstance(answer.get("id"), str):
            yield answer["id"], answer["__typename"]
        answer = list(answer.values())
    if isinstance(answer, list):
        for one in answer:
            yield from ids(one)


def like(node_id: str) -> str:
    """Return an id of the same form that names nothing, with as many characters."""
    plain = base64.urlsafe_b64decode(node_id + "=" * (-len(node_id) % 4)).decode()
    head, _, last = plain.rpartition("/")
    other = f"{head}/{'9' * len(last)}" if last.isdigit() else f"{head}/{'Z' * len(last)}"
    return base64.urlsafe_b64encode(other.encode()).decode().rstrip("=")


def told(answer: bytes) -> str:
    return answer.decode()[:600]


def test_every_query_about_things_of_another_plant_then_as_if_they_did_not_exist(played: Played) -> None:
    asked: set[str] = set()
    telling: set[str] = set()
    for question in played.walk.questions(played.named):
        theirs, nobodys = question.answers(played.zhao)
        if not question.name.startswith(SAID_BY_ITSELF):
            assert theirs == nobodys, f"{question.name}\n{told(theirs)}\n{told(nobodys)}"
        assert b"INCIDENT" not in theirs, told(theirs)
        found = [secret for secret in played.forbidden if secret in theirs.decode()]
        assert found == [], f"{question.name} {question.theirs}"
        name = question.name.partition("(")[0]
        asked.add(name)
        if name not in telling and is_telling(played, question):
            telling.add(name)
    without_names = {"viewer", "server", "plants", "transfersInTransit", "eventCursor", "_service"}
    assert asked == set(played.walk.queries) - without_names
    without_rows = {"alarms", "conflictingEntry", "conflictingEntries", "parkedEntries", "skippedEntries"}
    assert telling == asked - without_rows, (
        "to the whole group's reader the two differ, so that the walk proves something"
    )


def is_telling(played: Played, question: Question) -> bool:
    theirs, nobodys = question.answers(played.headquarters)
    return theirs != nobodys


def test_every_query_without_arguments_then_nothing_of_the_other_plant(played: Played) -> None:
    for name, found_there in played.walk.read(played.zhao):
        answer = json.dumps(found_there, ensure_ascii=False)
        found = [secret for secret in played.forbidden if secret in answer]
        assert found == [], f"{name}: {answer[:2000]}"


def test_totals_then_only_of_ones_own(played: Played) -> None:
    totals = (
        "{ batches { totalCount } stock { totalCount } materials { totalCount } suppliers { totalCount }"
        " processRecords { totalCount } shipments { totalCount } changeRequests { totalCount } ledger { totalCount }"
        " transfers { totalCount } plants { code } }"
    )
    answer = played.zhao.ask(totals)
    counted = {name: value["totalCount"] for name, value in answer.items() if name != "plants"}
    with played.group.store(HUB).transaction() as session:

        def count(table: str, where: str = "") -> int:
            row = session.row(f"SELECT count(*) FROM {table} WHERE plant_id = 1 {where}")
            assert row is not None
            return int(row[0])

        ledger = session.row("SELECT size FROM logs WHERE log_id = 1")
        assert ledger is not None
        expected = {
            "batches": count("batches"),
            "stock": count("stock", "AND quantity <> 0"),
            "materials": count("materials"),
            "suppliers": 1,
            "processRecords": 1,
            "shipments": 0,
            "changeRequests": 0,
            "transfers": 2,
        }
    assert counted.pop("ledger") == ledger[0]
    assert counted == expected
    assert answer["plants"] == [{"code": "SH1"}]


@pytest.mark.parametrize("direction", ["BACKWARD", "FORWARD", "BOTH"])
def test_trace_of_ones_own_batch_then_it_stops_with_a_statement(played: Played, direction: str) -> None:
    query = "query($input: TraceInput!) { trace(input: $input) { batches { nodes { batch { code } } totalCount } } }"
    given = {"batchCodes": [played.final], "direction": direction}
    own = json.dumps(played.zhao.ask(query, input=given))
    whole = json.dumps(played.headquarters.ask(query, input=given))
    assert [secret for secret in played.forbidden if secret in own] == []
    if direction != "FORWARD":
        assert played.hidden in whole
        assert played.shared in own, "what came in is known, and from where"
    said = completeness(played.zhao, played.final, direction)["completeness"]
    assert said["complete"] is False
    kinds = {gap["kind"] for gap in said["gaps"]["nodes"]}
    assert "OTHER_PLANT" in kinds or direction == "FORWARD", said
    assert [one["plant"]["code"] for one in said["asOf"]] == ["SH1"]
    assert completeness(played.headquarters, played.final, direction)["completeness"]["complete"] is True


def test_deciding_on_anothers_request_then_the_same_as_on_none(played: Played) -> None:
    document = mutation_document("decideChangeRequest", "... on ChangeRequestDecided { entry { index } }")
    number = int(played.change["index"])
    answers = set()
    for plant, change in ((2, number), (2, 4_242), (77, number)):
        order = {
            "changeRequestId": node_id("change", plant, change),
            "proposal": played.change["proposal"],
            "verdict": "APPROVED",
        }
        answers.add(without_spent(played.zhao.post(document, {"input": {"requestId": new_id(), **order}})))
    (answer,) = answers
    assert json.loads(answer)["data"]["decideChangeRequest"]["code"] == "NOT_PERMITTED"
    with played.group.store(HUB).transaction() as session:
        assert session.rows("SELECT size FROM logs WHERE log_id = -2") == [(1,)], "the hold of headquarters alone"


def test_stranger_at_a_plant_then_everything_is_empty_and_every_answer_the_same(played: Played) -> None:
    """Last of the file: the plant runs again for it. The stranger has a role at another plant alone."""
    group = played.group
    group.start("SH1")
    stranger, wang = group.at("SH1", STRANGER), group.at("SH1", WANG)
    walk = Walk.of(wang)
    empty = re.compile(r'"nodes":\[\]|null|"plants":\[\]')
    for name, text in walk.plain():
        answer = post(stranger, text, {})
        assert "SH1-" not in answer.text
        if name == "units":
            assert '"plant":{' not in answer.text, "the built-in units alone, which are everybody's"
        elif name not in {"viewer", "server", "eventCursor"}:
            assert empty.search(answer.text), (name, answer.text)
            assert not re.search(r'"totalCount":[1-9]', answer.text), answer.text
    own = wang.ask("{ batches { nodes { id code } } }")["batches"]["nodes"][0]
    named = {
        "BatchCode": [Pair(own["code"], "SH1-260101-0001A")],
        "PlantCode": [Pair("SH1", "ZZ9")],
        "materialCode": [Pair("MILK", "SILK")],
        "code": [Pair("MILK", "SILK")],
        "ID": [Pair(own["id"], like(own["id"]), "Batch")],
        "change": [Pair(3, 4_242)],
        "index": [Pair(3, 4_242)],
    }
    for question in walk.questions(named):
        theirs, nobodys = question.answers(stranger)
        assert theirs == nobodys, f"{question.name}\n{told(theirs)}\n{told(nobodys)}"
    assert stranger.ask("{ viewer { actor { code } plants { code } } }") == {
        "viewer": {"actor": {"code": STRANGER}, "plants": []}
    }


MUTATIONS: dict[str, dict[str, Any]] = {
    "moveBatch": {"fromLocationCode": "A1", "toLocationCode": "B1", "quantity": amount("1")},
    "placeHold": {"reason": "Why not"},
    "requestRelease": {"reason": "Why not"},
    "splitBatch": {"locationCode": "A1", "parts": [{"quantity": amount("1"), "locationCode": "A1"}]},
    "addBatchAliases": {"aliases": [{"scheme": "LOT", "value": "X"}]},
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_stranger_writes_then_not_permitted_whether_it_exists_or_not(played: Played, mutation: str) -> None:
    group = played.group
    if group.nodes["SH1"].process.running is None:
        group.start("SH1")
    stranger = group.at("SH1", STRANGER)
    document, answers = mutation_document(mutation, ""), set()
    for code in (played.final, "SH1-260101-0001A"):
        order = {"requestId": new_id(), "batchCode": code, **MUTATIONS[mutation]}
        answers.add(without_spent(stranger.post(document, {"input": order})))
    (answer,) = answers
    assert json.loads(answer)["data"][mutation]["code"] == "NOT_PERMITTED"

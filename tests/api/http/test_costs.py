"""Costs over HTTP: in every answer, and a spent budget is refused until the next minute."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.node.client import NodeClient
from auth.people import set_password
from infra.database import Session
from schema.engine.limits import COST_MAX, COST_PER_MINUTE, OPERATIONS_PER_PERSON_MAX
from tests.api.serving import PASSWORD, SETUP, Serving, password
from tests.patience import wait_until

DEAR = """{ batches(first: 500) { nodes {
  code stock(first: 1) { totalCount nodes { id } } holds(first: 1) { totalCount nodes { id } }
  aliases(first: 1) { totalCount nodes { id } } history(first: 5) { totalCount nodes { id index } } } } }"""
DEAREST = "{ batches(first: 500) { nodes { history(first: 99) { nodes { id } } } } }"


def test_answers_then_each_says_what_it_costs_and_what_is_left(plant: Serving) -> None:
    li, reset = plant.people["li"], "2026-03-14T08:01:00.000000Z"
    answers = [
        li.send(document).json()
        for document in ("{ viewer { name } }", "{ batches(first: 3) { nodes { code } } }", "{ nothing }", "{")
    ]
    spent = [(1, 1), (3, 4), (0, 4), (0, 4)]
    assert [one["extensions"]["cost"] for one in answers] == [
        {"requested": requested, "spent": sum_, "left": COST_PER_MINUTE - sum_, "resetAt": reset}
        for requested, sum_ in spent
    ]


def test_budget_spent_then_status_429_until_the_next_minute(plant: Serving) -> None:
    li = plant.people["li"]
    for _ in range(COST_PER_MINUTE // COST_MAX):
        assert li.send(DEAREST).status_code == 200
    plant.clock.advance(seconds=15.5)

    refused = li.send("{ viewer { name } }")

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "45")
    content = refused.json()
    assert "data" not in content
    assert content["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limitName": "COST_PER_MINUTE", "cost": 1, "limit": COST_PER_MINUTE, "left": 0,
        "resetAt": "2026-03-14T08:01:00.000000Z",
    }  # fmt: skip
    assert content["extensions"]["cost"]["left"] == 0
    assert plant.people["wang"].send("{ viewer { name } }").status_code == 200
    plant.clock.advance(seconds=45)
    assert li.send("{ viewer { name } }").status_code == 200


def test_mutation_without_budget_then_nothing_is_written(plant: Serving) -> None:
    wang = plant.people["wang"]
    for _ in range(COST_PER_MINUTE // COST_MAX):
        assert wang.send(DEAREST).status_code == 200
    before = plant.plant().everything()
    document = """mutation($input: OpenProcessInput!) { openProcess(input: $input) { __typename } }"""
    given = {"requestId": "0190d6a1-0000-7000-8000-000000000001"}
    assert wang.send(document, input=given).status_code == 429
    assert plant.plant().everything() == before


def test_our_own_client_then_it_waits_for_the_next_minute(plant: Serving) -> None:
    waited: list[int] = []

    def sleep(seconds: int) -> None:
        waited.append(seconds)
        plant.clock.advance(seconds=seconds)

    def work(session: Session) -> None:
        at = plant.clock.now()
        set_password(session, actor=SETUP, person_id="li", password=password("li"), at=at)

    plant.node.writer.write(work)
    with NodeClient(plant.url, sleep=sleep) as client:
        client.sign_in("li", PASSWORD)
        answers: list[Any] = [client.ask(DEAREST) for _ in range(COST_PER_MINUTE // COST_MAX + 1)]
    assert answers == [answers[0]] * len(answers)
    assert waited == [60.0]


def test_dear_queries_of_one_user_at_once_then_another_user_is_answered_while_they_run(plant: Serving) -> None:
    for _ in range(150):
        plant.plant().receive()
    chen, wang = plant.people["chen"], plant.people["wang"]
    count = 4 * OPERATIONS_PER_PERSON_MAX
    with ThreadPoolExecutor(count) as pool:
        dear = [pool.submit(chen.send, DEAR) for _ in range(count)]
        wait_until(lambda: any(one.done() for one in dear), "the first of the queries is answered")
        opened = wang.do("openProcess", "... on ProcessOpened { process { state } }")
        waiting = [one for one in dear if not one.done()]
        answers = [one.result() for one in dear]
    assert opened["process"] == {"state": "OPEN"}
    assert waiting, "the write was answered while queries ran or waited"
    assert {answer.status_code for answer in answers} == {200}
    assert all(len(answer.json()["data"]["batches"]["nodes"]) == 150 for answer in answers)

"""Downloads: links, the person in a ticket, and files that are made while they are fetched."""

import hashlib
import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from auth.actors import Grant, Role
from auth.people import disable_person, grant_role, revoke_role
from infra.database import Session
from schema.audit import exports
from schema.engine.downloads import DOWNLOAD_SECONDS
from tests.api.serving import SETUP, Person, Serving
from tests.patience import wait_until

EXPORT = """query($from: Int! = 0, $before: Int, $plant: PlantCode) {
  ledgerExport(plantCode: $plant, fromIndex: $from, beforeIndex: $before) {
    url mediaType expiresAt } }"""


def link(person: Person, **given: Any) -> str:
    found = person.ask(EXPORT, **given)["ledgerExport"]
    assert found["mediaType"] == "application/x-ndjson"
    return str(found["url"])


def lines(served: Serving, url: str) -> list[Any]:
    answer = served.people["li"].client.get(url)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_ledger_exported_then_each_body_has_the_hash_of_its_leaf(
    plant: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ENTRIES_AT_ONCE", 3)
    last = plant.plant().entry().index

    found = lines(plant, link(plant.people["li"]))

    assert [one["index"] for one in found] == list(range(last + 1))
    assert {one["origin"] for one in found} == {plant.plant().origin}
    for one in found:
        assert hashlib.sha256(b"\0" + one["body"].encode()).hexdigest() == one["leafHash"]


@pytest.mark.parametrize(
    "given, indexes", [({"from": 2, "before": 4}, [2, 3]), ({"from": 4, "before": 4}, []), ({"from": 900}, [])]
)
def test_range_given_then_its_entries_alone(plant: Serving, given: Any, indexes: list[int]) -> None:
    assert [one["index"] for one in lines(plant, link(plant.people["li"], **given))] == indexes


def test_entries_written_after_the_link_then_not_in_the_file(plant: Serving) -> None:
    last = plant.plant().entry().index
    url = link(plant.people["li"])

    plant.plant().receive()

    assert lines(plant, url)[-1]["index"] == last


def test_time_over_then_not_found_in_the_readers_language(plant: Serving) -> None:
    url = link(plant.people["li"])
    plant.clock.at += timedelta(seconds=DOWNLOAD_SECONDS)

    answer = plant.people["li"].client.get(url, headers={"Accept-Language": "zh"})

    assert (answer.status_code, answer.json()) == (404, {"message": "此链接无效或已过期。请重新获取链接。"})


def test_ticket_changed_then_not_found(plant: Serving) -> None:
    url = link(plant.people["li"])
    for other in (url[:-2], url + "x", "/downloads/x", "/downloads/" + "x" * 5000):
        assert plant.people["li"].client.get(other).status_code == 404


def test_person_disabled_after_the_link_then_not_found(plant: Serving) -> None:
    url = link(plant.people["li"])

    def disable(session: Session) -> None:
        disable_person(session, actor=SETUP, person_id="li", at=plant.clock.now())

    plant.node.writer.write(disable)

    assert plant.people["li"].client.get(url).status_code == 404


def test_manager_made_an_operator_after_the_link_then_the_link_is_refused(plant: Serving) -> None:
    url = link(plant.people["li"])

    def demote(session: Session) -> None:
        operator, manager = (Grant(1, role) for role in (Role.OPERATOR, Role.MANAGER))
        grant_role(session, actor=SETUP, person_id="li", grant=operator, at=plant.clock.now())
        revoke_role(session, actor=SETUP, person_id="li", grant=manager)

    assert lines(plant, url)
    plant.node.writer.write(demote)

    assert plant.client.get(url).status_code == 404


def test_ledger_that_the_caller_may_not_read_then_no_link(hub: Serving) -> None:
    assert hub.people["manager-1"].ask(EXPORT, plant="BJ2") == {"ledgerExport": None}
    assert hub.people["manager-1"].ask(EXPORT, plant="SH1")["ledgerExport"] is not None


def test_fetched_then_the_log_holds_no_ticket(plant: Serving, caplog: pytest.LogCaptureFixture) -> None:
    url = link(plant.people["li"])
    caplog.set_level(logging.INFO, "batchloom.requests")

    lines(plant, url)

    wait_until(lambda: caplog.records, "the request is in the log")
    assert caplog.records[-1].getMessage().startswith("GET /downloads/{ticket} 200 ")

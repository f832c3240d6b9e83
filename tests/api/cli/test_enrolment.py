"""Enrolment by one-time code, by the commands that people run, against a hub that really serves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

import api.cli.tree
from api.cli.alarms import node_alarms
from api.node.node import Node, make_home
from auth.enrolment import OneTimeCode, hub_key_digest
from auth.keys import public_key_text
from auth.notes import generate_key
from infra.clock import FixedClock, SystemClock
from infra.messages import Failure
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import FILE_NAME, Settings
from plants.commands.group.enrolment import open_hub
from tests.api.serving import Serving, serving
from tests.databases import fresh_database
from tests.factories import GROUP
from tests.sync_jobs.group import stand

ENROL = "/sync/v1/enrol"
HUB_ENVIRONMENT: dict[str, str] = {}


@pytest.fixture
def hub(tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[Serving]:
    """A hub without plants, that serves."""
    url = fresh_database(postgres_18)
    settings = Settings(home=tmp_path / "hub", role=Role.HUB, group=GROUP, database_url=SecretStr(url))
    make_home(settings)
    clock = FixedClock(SystemClock().now())
    with Node(settings, clock=clock) as node:
        node.writer.write(lambda session: open_hub(session, group=GROUP, origin=settings.origin, now=clock.now()))
        HUB_ENVIRONMENT["BATCHLOOM_DATABASE_URL"] = url
        with serving(node, clock) as served:
            yield served


def at_hub(hub: Serving, *words: object, given: str | None = None) -> Result:
    home = ("--home", str(hub.node.settings.home))
    return CliRunner().invoke(api.cli.tree.app, ["hub", str(words[0]), *home, *map(str, words[1:])], given,
                              env=HUB_ENVIRONMENT)  # fmt: skip


def at_plant(*words: object) -> Result:
    return CliRunner().invoke(api.cli.tree.app, ["plant", *map(str, words)])


def no(result: Result) -> str:
    assert isinstance(result.exception, Failure), (result.output, result.exception)
    return str(result.exception)


def invited(hub: Serving, code: str = "SH1") -> str:
    done = at_hub(hub, "invite", "--code", code, "--name", f"Plant {code}")
    assert done.exit_code == 0, (done.output, done.exception)
    shown = re.search(r"--code (\S+)", done.output)
    assert shown is not None
    return shown[1]


def enrolled(hub: Serving, home: Path, code: str) -> str:
    """Ask with a code at a plant, and return the fingerprint that it shows."""
    done = at_plant("enrol", "--home", home, "--hub", hub.url, "--code", code, "--time-zone", "Asia/Shanghai")
    assert done.exit_code == 0, (done.output, done.exception)
    shown = re.search(r"\b([0-9A-Z]{5}(-[0-9A-Z]{5}){4})\b", done.output)
    assert shown is not None, done.output
    return shown[1]


def enrolments(hub: Serving) -> int:
    with hub.node.store.reading() as reads:
        return int(reads.rows("SELECT count(*) FROM entries WHERE type = 'PlantEnrolled'")[0][0])


def kinds(hub: Serving, about: str) -> list[tuple[str, str]]:
    return [(one.kind, one.said.text.split(":")[0]) for one in node_alarms(hub.node) if one.about == about]


def test_invited_plant_works_at_once_and_travels_once_approved(hub: Serving, tmp_path: Path) -> None:
    home, code = tmp_path / "sh1", invited(hub)
    shown = enrolled(hub, home, code.lower())
    origin = f"{GROUP}/plant/SH1/i1"

    hub.clock.at = SystemClock().now()
    assert "NOT_YET_APPROVED" in no(at_plant("sync-now", "--home", home))
    assert kinds(hub, origin) == [("REPLICATION_REFUSED", "403 NOT_YET_APPROVED")]
    assert shown in at_hub(hub, "invitations").output
    assert "not the one given" in no(at_hub(hub, "approve", "SH1", "--fingerprint", "0" * 29))
    assert "Nothing was changed" in no(at_hub(hub, "approve", "SH1", given="n\n"))
    assert enrolments(hub) == 0

    done = at_hub(hub, "approve", "SH1", given="y\n")
    assert done.exit_code == 0, done.exception
    assert shown in done.output
    hub.clock.at = SystemClock().now()
    done = at_plant("sync-now", "--home", home)
    assert done.exit_code == 0, (done.output, done.exception)
    settings = Settings(home=home, role=Role.PLANT, group=GROUP, plant_number=1, plant_code="SH1")
    with Node(settings) as plant:
        assert stand(plant.store, 1) == stand(hub.node.store, 1)
    assert kinds(hub, origin) == []
    assert enrolments(hub) == 1
    assert "SH1 does not wait for approval" in no(at_hub(hub, "approve", "SH1", given="y\n"))


def test_rejected_plant_then_its_keys_never_count(hub: Serving, tmp_path: Path) -> None:
    home = tmp_path / "sh1"
    enrolled(hub, home, invited(hub))
    assert at_hub(hub, "reject", "SH1").exit_code == 0
    hub.clock.at = SystemClock().now()
    assert "NOT_RECOGNISED" in no(at_plant("sync-now", "--home", home))
    assert "SH1 does not wait for approval" in no(at_hub(hub, "approve", "SH1", given="y\n"))
    assert enrolments(hub) == 0
    enrolled(hub, tmp_path / "again", invited(hub))


def test_asked_twice_then_the_same_keys_and_another_home_is_refused(hub: Serving, tmp_path: Path) -> None:
    home, code = tmp_path / "sh1", invited(hub)
    first = enrolled(hub, home, code)
    (home / FILE_NAME).unlink()
    (home / "plant.db").unlink()
    assert enrolled(hub, home, code) == first
    assert "refuses this code" in no(at_plant("enrol", "--home", tmp_path / "other", "--hub", hub.url, "--code", code))
    assert not (tmp_path / "other" / FILE_NAME).exists()


def test_mistyped_code_or_a_hub_in_the_open_then_nothing_is_sent(hub: Serving, tmp_path: Path) -> None:
    code = invited(hub)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for typed, url in ((wrong, hub.url), (code, "http://hub.example")):
        no(at_plant("enrol", "--home", tmp_path / "sh1", "--hub", url, "--code", typed))
    assert not (tmp_path / "sh1").exists()


def test_code_of_another_hub_then_the_plant_refuses_it(hub: Serving, tmp_path: Path) -> None:
    code = OneTimeCode.read(invited(hub))
    forged = OneTimeCode(code.plant, code.secret, hub_key_digest("acme.example/hub/i1+00000000+AAAA"))
    said = no(at_plant("enrol", "--home", tmp_path / "sh1", "--hub", hub.url, "--code", str(forged)))
    assert "not the hub that made this code" in said
    assert not (tmp_path / "sh1" / FILE_NAME).exists()


def asked(hub: Serving, **changes: Any) -> httpx2.Response:
    keys = {name: public_key_text(generate_key().public_key()) for name in ("ledger_key", "assertion_key")}
    return hub.client.post(ENROL, json={"plant": "SH1", "secret": "x", **keys, **changes})


def test_wrong_codes_then_one_answer_for_all_and_a_limit_and_one_alarm(hub: Serving) -> None:
    code = OneTimeCode.read(invited(hub))
    late = OneTimeCode.read(invited(hub, "SZ2"))
    hub.clock.advance(hours=25)
    answers = [
        asked(hub, secret=code.secret[:-1]),
        asked(hub, plant="ZZ"),
        asked(hub, plant="SZ2", secret=late.secret),
    ]
    assert {(one.status_code, one.text) for one in answers} == {(403, '{"code": "INVITATION_REFUSED"}')}
    assert asked(hub, ledger_key="x").status_code == 422
    assert hub.client.post(ENROL, content=b"{").status_code == 422
    assert hub.client.post(ENROL, content=b"x" * 5000).status_code == 413
    statuses = [asked(hub).status_code for _ in range(20)]
    assert statuses == [403] * 17 + [429] * 3
    assert hub.client.post(ENROL, json={}).headers["Retry-After"] == "60"
    (alarm,) = node_alarms(hub.node)
    assert (alarm.about, alarm.times) == ("not recognised", 1)
    hub.clock.advance(seconds=61)
    assert asked(hub).status_code == 403
    (alarm,) = node_alarms(hub.node)
    assert alarm.times == 24


def test_alarm_about_a_word_then_it_is_listed_and_ended_in_chinese(
    hub: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub.client.post("/sync/v1/hello", json={}).status_code == 401
    home = str(hub.node.settings.home)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    listed = CliRunner().invoke(api.cli.tree.app, ["alarms", "--home", home], env=HUB_ENVIRONMENT)
    assert "REPLICATION_REFUSED 无法识别的客户端" in listed.output
    words = ["end-alarm", "--home", home, "REPLICATION_REFUSED", "无法识别的客户端"]
    assert CliRunner().invoke(api.cli.tree.app, words, env=HUB_ENVIRONMENT).exit_code == 0
    assert node_alarms(hub.node) == []


def test_unknown_plants_then_one_alarm_that_counts_and_can_be_ended(hub: Serving) -> None:
    for _ in range(50):
        assert hub.client.post("/sync/v1/hello", json={}).status_code == 401
    (alarm,) = node_alarms(hub.node)
    assert (alarm.kind, alarm.about, alarm.times) == ("REPLICATION_REFUSED", "not recognised", 1)
    home = str(hub.node.settings.home)
    words = ["end-alarm", "--home", home, "REPLICATION_REFUSED", "not recognised"]
    assert CliRunner().invoke(api.cli.tree.app, words, env=HUB_ENVIRONMENT).exit_code == 0
    assert node_alarms(hub.node) == []
    no(CliRunner().invoke(api.cli.tree.app, words, env=HUB_ENVIRONMENT))

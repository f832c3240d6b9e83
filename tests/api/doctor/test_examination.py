"""The doctor against a plant in which one thing at a time is really broken, and against a hub."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from api.doctor.examination import examine
from api.doctor.findings import Finding, Level
from api.node.backups import make_backup
from api.node.node import Node, NodeKeys, make_home
from auth import enrolment
from auth.actors import Grant, system_actor
from auth.actors import Role as Trust
from auth.keys import public_key_text
from auth.notes import generate_key
from auth.people import add_person, grant_role
from infra.clock import FixedClock, SystemClock
from infra.database import Session
from infra.high_water_marks import FILE_NAME as MARKS
from infra.high_water_marks import HighWaterMarks
from infra.messages import Notice
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import FILE_NAME, Settings, hub_origin
from plants.commands.group.enrolment import open_hub
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.rules.values.instants import micros
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from sync_jobs.keys.ledger_key_files import prepare_key
from sync_jobs.plant import assertion_key_rotation
from tests.api.serving import fill
from tests.databases import fresh_database
from tests.factories import GROUP, Plant
from tests.sync_jobs.group import free_port

CLOCK = SystemClock()
SETUP = system_actor("setup", Trust.ADMINISTRATOR)
ORIGIN = f"{GROUP}/plant/SH1/i1"


def add_people(session: Session) -> None:
    at = CLOCK.now()
    add_person(session, actor=SETUP, person_id="li", printed_name="Li", plant_number=1, language="en", at=at)
    grant_role(session, actor=SETUP, person_id="li", grant=Grant(1, Trust.OPERATOR), at=at)


@pytest.fixture
def home(healthy: Path, tmp_path: Path) -> Path:
    """A copy of that home, for one test."""
    return Path(shutil.copytree(healthy, tmp_path / "SH1"))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant's home in which nothing is wrong."""
    tmp_path = tmp_path_factory.mktemp("healthy")
    settings = Settings(home=tmp_path / "SH1", role=Role.PLANT, group=GROUP, plant_number=1, plant_code="SH1")
    make_home(settings)
    with Node(settings) as node:
        plant = Plant(node.store, 1, "SH1", FixedClock(CLOCK.now()))
        node.writer.write(lambda session: fill(session, plant))
        node.writer.write(add_people)
        order = Delivery("RM-MILK", "12.5", "KGM", "A1")
        for _ in range(3):
            node.writer.write(lambda session: receive_batch(session, order, actor=plant.actor, call=plant.call()))
        make_backup(node, tmp_path / "copy", with_keys=False)
    if not (settings.home / MARKS).exists():
        (settings.home / MARKS).write_bytes(HighWaterMarks(ORIGIN, 0, "", {}).to_bytes())
    return settings.home


@contextmanager
def store_of(home: Path) -> Iterator[Session]:
    """Yield a session of the store, past the node."""
    with closing(sqlite.connect(home / "plant.db", isolation_level=None)) as opened:
        yield Session(opened, "sqlite")


def sql(home: Path, statement: str, **given: object) -> None:
    with store_of(home) as session:
        session.run(statement, given)


def found(home: Path, **given: bool) -> dict[str, Finding]:
    """Return the worst finding of each check that found something which needs action."""
    problems = [one for one in reversed(examine(home, CLOCK, **given)) if one.level >= Level.PERSON]
    return {one.check: one for one in problems}


def set_to(home: Path, key: str, value: object) -> None:
    with (home / FILE_NAME).open("a", encoding="utf-8") as file:
        file.write(f"{key} = {json.dumps(value)}\n")


def test_nothing_wrong_then_nothing_for_a_person_and_nothing_changed(home: Path) -> None:
    with store_of(home) as session:
        before = session.rows("SELECT * FROM logs"), session.rows("SELECT * FROM leases")
    for full in (False, True):
        assert found(home, full=full) == {}
    checked = {one.check for one in examine(home, CLOCK)}
    assert {"settings_file", "keys", "disk", "sqlite_version", "backups", "store", "ledgers", "marks"} <= checked
    with store_of(home) as session:
        assert (session.rows("SELECT * FROM logs"), session.rows("SELECT * FROM leases")) == before


def alter_entry(home: Path) -> None:
    sql(home, "UPDATE entries SET body = :body WHERE log_id = 1 AND idx = 3", body=b'{"index":3}')


def stand(state: ReplicationState, *, signed: timedelta | None = None, **more: object) -> Callable[[Path], None]:
    """Return what sets a ledger's replication row, with a receipt of that age when it is called."""

    def write(home: Path) -> None:
        receipt = {} if signed is None else {"signed_at": CLOCK.now() - signed}
        with store_of(home) as session:
            status.ledger_status(session, 1)
            status.amend(session, 1, state=state, **receipt, **more)

    return write


def raise_one(home: Path) -> None:
    with store_of(home) as session:
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, ORIGIN, Notice("TEST", "Set the clock.")), CLOCK.now())


def forget_backup(home: Path) -> None:
    at = CLOCK.now() - timedelta(days=8)
    (home / "last-backup.json").write_text(json.dumps({"at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "to": "/x"}))


def remember_more(home: Path) -> None:
    (home / MARKS).write_bytes(HighWaterMarks(ORIGIN, 4000, "00" * 32, {}).to_bytes())


def lease_for_ever(home: Path) -> None:
    until = micros(CLOCK.now() + timedelta(hours=1))
    sql(home, "INSERT INTO leases VALUES ('replication', 'jobs', 1, :until)", until=until)


def dispute(home: Path) -> None:
    sql(
        home,
        "INSERT INTO disputes (plant_id, entry_idx, event_id, type, key, actor, occurred_us, collisions, state)"
        " VALUES (1, 3, 'e', 'BatchReceived', 'k', 'li', 0, '[]', 'OPEN')",
    )


def dead_hub(home: Path) -> None:
    set_to(home, "hub_url", f"http://127.0.0.1:{free_port()}")
    set_to(home, "hub_key", str(NodeKeys.load(settings_of(home)).ledger.key))


def settings_of(home: Path) -> Settings:
    return Settings(home=home, role=Role.PLANT, group=GROUP, plant_number=1, plant_code="SH1")


def leave_a_job_overdue(home: Path) -> None:
    """Store a job that has not run for a day, and the alarm that the node raised for it."""
    sql(
        home,
        "INSERT INTO job_runs (name, period_ms, known_since_us, failures) VALUES ('sync.pull', 5000, :since, 0)",
        since=micros(CLOCK.now() - timedelta(days=1)),
    )
    with store_of(home) as session:
        raise_alarm(session, Alarm(AlarmKind.JOB_OVERDUE, "sync.pull", Notice("TEST", "Overdue.")), CLOCK.now())


BROKEN: dict[str, tuple[Callable[[Path], object], str, Level, str]] = {
    "settings": (lambda home: set_to(home, "porrt", 1), "settings", Level.BROKEN, "porrt"),
    "settings open": (lambda home: (home / FILE_NAME).chmod(0o666), "settings_file", Level.PERSON, "666"),
    "key gone": (lambda home: (home / "keys" / "token.pem").unlink(), "keys", Level.BROKEN, "token.pem"),
    "key open": (lambda home: (home / "keys" / "ledger.pem").chmod(0o644), "keys", Level.BROKEN, "644"),
    "keys open": (lambda home: (home / "keys").chmod(0o755), "keys", Level.PERSON, "keys"),
    "rotation": (lambda home: prepare_key(home / "keys", ORIGIN), "keys", Level.PERSON, "rotate-key"),
    "signing in": (lambda home: assertion_key_rotation.prepare_key(home / "keys"), "keys", Level.PERSON, "--assertion"),
    "no backup": (lambda home: (home / "last-backup.json").unlink(), "backups", Level.PERSON, "ever"),
    "old backup": (forget_backup, "backups", Level.PERSON, "8 days"),
    "no database": (lambda home: (home / "plant.db").write_bytes(b"x" * 9000), "store", Level.BROKEN, "not a database"),
    "old tables": (lambda home: sql(home, "UPDATE alembic_version SET version_num = '0001'"), "tables",
                   Level.PERSON, "0001"),
    "another's": (lambda home: sql(home, "UPDATE logs SET origin = 'acme.example/plant/SZ2/i1' WHERE log_id = 1"),
                  "store", Level.BROKEN, "SZ2"),
    "entry altered": (alter_entry, "ledgers", Level.BROKEN, "entry 3 was altered"),
    "entry gone": (lambda home: sql(home, "DELETE FROM entries WHERE idx = 2"), "ledgers", Level.BROKEN, "12 of 13"),
    "head altered": (lambda home: sql(home, "UPDATE logs SET frontier = zeroblob(length(frontier))"), "ledgers",
                     Level.BROKEN, "head"),
    "marks gone": (lambda home: (home / MARKS).unlink(), "marks", Level.PERSON, "missing"),
    "marks unreadable": (lambda home: (home / MARKS).write_text("{"), "marks", Level.PERSON, "read"),
    "marks ahead": (remember_more, "marks", Level.BROKEN, "4000"),
    "lease": (lease_for_ever, "leases", Level.PERSON, "jobs"),
    "nobody": (lambda home: sql(home, "DELETE FROM role_grants"), "people", Level.PERSON, "Nobody"),
    "dispute": (dispute, "disputes", Level.PERSON, "1 entries"),
    "alarm": (raise_one, "alarms", Level.PERSON, "Set the clock"),
    "job overdue": (leave_a_job_overdue, "last_successes", Level.PERSON, "sync.pull"),
    "hub away": (dead_hub, "hub_reached", Level.PERSON, "not reached"),
    "refused": (stand(ReplicationState.REFUSED, error="403 X"), "replication", Level.PERSON, "403 X"),
    "fenced": (stand(ReplicationState.FENCED), "replication", Level.BROKEN, "take-over"),
    "unsent": (stand(ReplicationState.UNREACHABLE, signed=timedelta(hours=2), attempts=3), "replication", Level.PERSON,
               "has sent nothing for 12"),
    "clock": (stand(ReplicationState.IN_SYNC, skew_ms=-9000, signed=timedelta()), "replication",
              Level.PERSON, "9 s"),
    "broker": (lambda home: set_to(home, "broker_url", f"redis://127.0.0.1:{free_port()}/0"), "broker",
               Level.PERSON, "broker"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_one_thing_broken_then_it_is_named_with_what_to_do(home: Path, name: str) -> None:
    damage, check, level, said = BROKEN[name]
    damage(home)

    problems = found(home)

    assert check in problems, problems
    assert problems[check].level is level
    assert said in problems[check].text + problems[check].todo
    assert problems[check].todo
    assert problems.keys() <= {check} | ALSO.get(name, set()), problems


ALSO = {"refused": {"alarms"}, "fenced": {"alarms"}, "entry gone": {"marks"}}


def test_old_damage_then_only_a_full_look_finds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.doctor.store.NEWEST", 2)
    alter_entry(home)

    assert found(home) == {}
    assert found(home, full=True)["ledgers"].level is Level.BROKEN


def test_worst_first(home: Path) -> None:
    raise_one(home)
    (home / "keys" / "token.pem").unlink()
    levels = [one.level for one in examine(home, CLOCK)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] is Level.BROKEN


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_disk_that_runs_full_then_said(home: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", small], check=True)
    try:
        shutil.copytree(home, small / "SH1")
        assert found(small / "SH1")["disk"].level is Level.BROKEN
    finally:
        subprocess.run(["/bin/umount", small], check=True)


def test_something_else_at_the_hubs_address_then_said(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        set_to(home, "hub_url", f"http://127.0.0.1:{silent.getsockname()[1]}")
        set_to(home, "hub_key", str(NodeKeys.load(settings_of(home)).ledger.key))
        silent.settimeout(0)
        assert "not reached" in found(home)["hub_reached"].text


def test_hub_then_parked_entries_and_waiting_plants_are_found(
    tmp_path: Path, postgres_18: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOOM_DATABASE_URL", fresh_database(postgres_18))
    settings = Settings(home=tmp_path / "hub", role=Role.HUB, group=GROUP)
    make_home(settings)
    from infra.settings import load  # noqa: PLC0415 -- with the environment of this test.

    with Node(load(settings.home)) as node:
        origin = hub_origin(GROUP)
        node.writer.write(lambda session: open_hub(session, group=GROUP, origin=origin, now=CLOCK.now()))
        shown = public_key_text(generate_key().public_key()), public_key_text(generate_key().public_key())

        def ask(session: Session) -> None:
            code, _ = enrolment.invite(
                session, actor=SETUP, code="SH1", number=None, name="S", hub_key="k", now=CLOCK.now()
            )
            assert enrolment.present_keys(session, "SH1", code.secret, shown, CLOCK.now()) is not None
            session.run(
                "INSERT INTO projection_faults (log_id, idx, key, type, error, attempts, parked_us)"
                " VALUES (0, 0, 'K', 'T', 'no such thing', 1, 0)"
            )

        node.writer.write(ask)
    problems = found(settings.home)
    assert "archive" not in problems
    assert "hub approve" in problems["enrolments"].todo
    assert enrolment.fingerprint(*shown) in problems["enrolments"].text
    assert "no such thing" in problems["tables"].text
    assert "PARKED" in problems["alarms"].text
    monkeypatch.setenv("BATCHLOOM_ARCHIVE_URL", "file:///dev/null/archive")
    assert "archive_url" in found(settings.home)["archive"].todo

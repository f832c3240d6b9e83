"""Restore drills: what goes wrong with stores and homes, put right by commands that a person runs; nothing is lost."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from infra.high_water_marks import FILE_NAME as MARKS
from tests.databases import fresh_database
from tests.patience import patient, wait_until
from tests.scenarios.preparing import PLANTS, WANG, Prepared
from tests.scenarios.processes import HUB, PASSWORD, Group, Node, Person, is_level, leaves
from tests.scenarios.shop_floor import amount, receive, replication

pytestmark = pytest.mark.timeout(480)

OUTAGE_SECONDS_MAX = 120
"""From the command that brings a node back until it is level with the others again."""


@contextmanager
def measured(record_property: Callable[[str, object], None], what: str) -> Iterator[None]:
    """Put into the report how long a repair took, from its first command to the end of the block."""
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    record_property(what, f"{seconds:.1f} s")
    assert seconds < patient(OUTAGE_SECONDS_MAX)


def home(group: Group, code: str) -> Path:
    return group.nodes[code].home


def back_up(group: Group, code: str, *more: str) -> Path:
    """Copy a running node by the command line, and return where the copy is."""
    place = group.folder / "backups"
    place.mkdir(exist_ok=True)
    done = group.run("backup", "--home", str(home(group, code)), "--to", str(place), "--json", *more, code=code)
    return Path(str(json.loads(done.stdout)["to"]))


def received(person: Person, count: int) -> list[str]:
    return [receive(person, "1") for _ in range(count)]


def lose(group: Group, code: str, *names: str) -> None:
    """Delete files of a plant's home, as a lost disk would."""
    group.forget_store(code)
    for name in names:
        for path in home(group, code).glob(f"{name}*"):
            path.unlink()


def level(group: Group, code: str) -> None:
    """Return when the hub is level with a plant, and check that both hold the same whole ledger, each event once."""
    wait_until(partial(is_level, group, code, PLANTS[code]), f"the hub is level with {code}")
    mine = leaves(group.store(code), PLANTS[code])
    assert [index for index, _, _ in mine] == list(range(len(mine)))
    assert len({event for _, _, event in mine}) == len(mine)


def check_kept(group: Group, code: str, batches: Iterable[str]) -> None:
    """Check that hub and plant have every one of these batches, and no code was given twice."""
    wanted = list(batches)
    assert len(set(wanted)) == len(wanted), "a code was given twice"
    level(group, code)
    for node in (code, HUB):
        with group.store(node).reading() as reads:
            known = [batch for (batch,) in reads.rows("SELECT code FROM batches WHERE plant_id = :plant",
                                                      {"plant": PLANTS[code]})]  # fmt: skip
        assert set(wanted) <= set(known)
        assert len(set(known)) == len(known)
    group.run("verify", "--home", str(home(group, code)), code=code)


def alarm_kinds(group: Group, code: str) -> set[str]:
    done = group.run("alarms", "--home", str(home(group, code)), "--json", code=code, expected=None)
    return {str(one["kind"]) for one in json.loads(done.stdout)}


def event_types(group: Group, code: str) -> list[str]:
    with group.store(code).reading() as reads:
        return [kind for (kind,) in reads.rows("SELECT type FROM entries WHERE log_id = :log_id ORDER BY idx",
                                               {"log_id": PLANTS[code]})]  # fmt: skip


def test_plants_disk_is_lost_then_backup_and_hub_give_all_of_it_back(
    group: Group, record_property: Callable[[str, object], None]
) -> None:
    """F29: a plant restored, with nothing written since; the whole disk is gone but for the keys."""
    group.start()
    wang = group.at("SH1", WANG)
    batches = received(wang, 5)
    copy = back_up(group, "SH1")
    batches += received(wang, 5)
    level(group, "SH1")
    group.stop("SH1")
    lose(group, "SH1", "plant.db", MARKS)

    with measured(record_property, "F29"):
        group.run("restore", "--home", str(home(group, "SH1")), "--from", str(copy), code="SH1")
        group.start("SH1")
        check_kept(group, "SH1", batches)
    assert "PlantRestored" in event_types(group, "SH1")
    check_kept(group, "SH1", [*batches, *received(wang, 3)])
    wait_until(lambda: not alarm_kinds_ever(group, "SH1", "WHERE over_us IS NULL"), "the alarms end")
    group.run("restore", "--home", str(home(group, "SH1")), "--from", str(copy), code="SH1", expected=1)
    check_kept(group, "SH1", batches)


def test_old_backup_and_people_write_before_the_hub_is_reached_then_nothing_is_lost_and_no_code_given_twice(
    group: Group, record_property: Callable[[str, object], None]
) -> None:
    """F28: a plant restored from an old backup, with later writes offline."""
    group.start()
    wang = group.at("SH1", WANG)
    batches = received(wang, 3)
    copy = back_up(group, "SH1")
    batches += received(wang, 6)
    level(group, "SH1")
    group.stop("SH1", HUB)
    group.forget_store("SH1")

    with measured(record_property, "F28"):
        group.run("restore", "--home", str(home(group, "SH1")), "--from", str(copy), "--replace", code="SH1")
        group.start("SH1")
        batches += received(wang, 4)
        group.start(HUB)
        check_kept(group, "SH1", batches)
    assert "PLANT_RESTORED" in {*alarm_kinds_ever(group, "SH1")}
    check_kept(group, "SH1", [*batches, *received(wang, 2)])


def alarm_kinds_ever(group: Group, code: str, which: str = "") -> set[str]:
    with group.store(code).reading() as reads:
        return {kind for (kind,) in reads.rows(f"SELECT kind FROM alarms {which}")}


def move_hub(group: Group, url: str) -> None:
    """Have the hub use another database from its next start on."""
    hub = group.nodes[HUB]
    group.forget_store(HUB)
    hub.database_url = url
    hub.process.environment["BATCHLOOM_DATABASE_URL"] = url


def test_hubs_database_is_lost_then_backup_and_plants_give_all_of_it_back(
    group: Group, prepared: Prepared, record_property: Callable[[str, object], None]
) -> None:
    """F30: the hub restored."""
    group.start()
    at = {code: group.at(code, WANG) for code in PLANTS}
    batches = {code: received(person, 3) for code, person in at.items()}
    for code in PLANTS:
        level(group, code)
    copy = back_up(group, HUB)
    for code, person in at.items():
        batches[code] += received(person, 4)
        level(group, code)
    before = {code: leaves(group.store(code), number) for code, number in PLANTS.items()}
    group.stop(HUB)
    shutil.rmtree(home(group, HUB) / "archive", ignore_errors=True)
    move_hub(group, fresh_database(prepared.server))

    with measured(record_property, "F30"):
        group.run("restore", "--home", str(home(group, HUB)), "--from", str(copy), code=HUB)
        group.start(HUB)
        for code in PLANTS:
            check_kept(group, code, batches[code])
    for code, number in PLANTS.items():
        assert leaves(group.store(code), number)[: len(before[code])] == before[code]


def test_plant_and_hub_are_lost_and_the_archive_is_whole_then_all_of_it_comes_back(
    group: Group, prepared: Prepared, record_property: Callable[[str, object], None]
) -> None:
    """F31: both restored from old backups, the archive intact."""
    group.start()
    wang = group.at("SH1", WANG)
    batches = received(wang, 3)
    level(group, "SH1")
    copies = {code: back_up(group, code) for code in ("SH1", HUB)}
    batches += received(wang, 5)
    level(group, "SH1")
    wait_until(lambda: is_level(group, "SZ2", PLANTS["SZ2"]), "SZ2 is level")
    group.run("archive", "run", "--home", str(home(group, HUB)), code=HUB)
    group.stop("SH1", HUB)
    lose(group, "SH1", "plant.db", MARKS)
    move_hub(group, fresh_database(prepared.server))

    with measured(record_property, "F31"):
        for code, copy in copies.items():
            group.run("restore", "--home", str(home(group, code)), "--from", str(copy), code=code)
        group.start(HUB, "SH1")
        check_kept(group, "SH1", batches)
    check_kept(group, "SH1", [*batches, *received(wang, 2)])


def test_new_machine_then_the_hub_gives_the_whole_plant_back(
    group: Group, record_property: Callable[[str, object], None]
) -> None:
    """The store and the high-water marks are gone and there is no backup: settings and keys alone were kept."""
    group.start()
    batches = received(group.at("SH1", WANG), 5)
    level(group, "SH1")
    group.stop("SH1")
    place = str(home(group, "SH1"))
    group.run("plant", "recover", "--home", place, "--from-hub", code="SH1", expected=1)
    lose(group, "SH1", "plant.db", MARKS)

    with measured(record_property, "new machine"):
        group.run("plant", "recover", "--home", place, "--from-hub", code="SH1")
        secret = group.folder / "password"
        secret.write_text(PASSWORD + "\n")
        person = ("--name", "Gao", "--role", "manager", "--password-file", str(secret))
        group.run("person", "add", "--home", place, "gao.lei", *person, code="SH1")
        group.start("SH1")
        gao = group.at("SH1", "gao.lei")
        check_kept(group, "SH1", [*batches, *received(gao, 2)])


def copied(group: Group, code: str) -> Node:
    """Copy a plant's home with all that is in it, and return it as a node of its own, not yet running."""
    place = group.folder / "copy"
    shutil.copytree(home(group, code), place)
    return group.add("COPY", place, f"sqlite:///{place / 'plant.db'}")


def fenced(group: Group, code: str) -> bool:
    with group.store(code).reading() as reads:
        return bool(reads.rows("SELECT fenced FROM logs WHERE log_id = 1")[0][0])


def events(group: Group, code: str) -> set[str]:
    return {event for _, _, event in leaves(group.store(code), 1)}


def test_home_copied_and_both_run_then_one_stops_writing_until_a_person_decides(
    group: Group, record_property: Callable[[str, object], None]
) -> None:
    """F32: a plant cloned, both copies running."""
    group.start()
    received(group.at("SH1", WANG), 3)
    level(group, "SH1")
    group.stop("SH1")
    copied(group, "SH1")
    group.start("SH1", "COPY")
    people = {code: group.at(code, WANG) for code in ("SH1", "COPY")}
    order: dict[str, Any] = {"materialCode": "MILK", "quantity": amount("1"), "locationCode": "A1"}

    def fenced_one() -> str | None:
        for person in people.values():
            person.say("receiveBatch", **order)
        return next((code for code in people if fenced(group, code)), None)

    loser = wait_until(fenced_one, "one of the copies is fenced")
    winner = next(code for code in people if code != loser)
    size = len(leaves(group.store(loser), 1))
    answer = people[loser].say("receiveBatch", **order)
    assert answer["code"] == "PLANT_FENCED"
    assert len(leaves(group.store(loser), 1)) == size
    assert "PLANT_FENCED" in alarm_kinds(group, loser)
    said = group.run("doctor", "--home", str(home(group, loser)), code=loser, expected=1).stdout
    assert "take-over" in said
    query = "{ plants { replication { fenced } } }"
    assert people[loser].ask(query)["plants"][0]["replication"]["fenced"] is True
    group.run("plant", "take-over", "--home", str(home(group, winner)), "--yes", code=winner, expected=1)
    wait_until(partial(level_copy, group, winner), "the other copy is level with the hub")
    done = events(group, winner) | events(group, loser)

    with measured(record_property, "F32"):
        group.stop(winner)
        group.run("plant", "take-over", "--home", str(home(group, loser)), "--yes", code=loser)
        wait_until(partial(level_copy, group, loser), "the copy that took over is level with the hub")
        assert "code" not in (people[loser].say("receiveBatch", "... on BatchReceived { batch { code } }", **order))
    wait_until(partial(level_copy, group, loser), "the copy that took over is level with the hub")
    with group.store(HUB).reading() as reads:
        bodies = b"\n".join(bytes(body) for (body,) in reads.rows("SELECT body FROM entries WHERE log_id = 1"))
    assert [event for event in sorted(done) if event.encode() not in bodies] == []
    assert not fenced(group, loser)


def level_copy(group: Group, code: str) -> bool:
    return leaves(group.store(code), 1) == leaves(group.store(HUB), 1)


def test_high_water_marks_lost_then_made_again_under_an_alarm(
    group: Group, record_property: Callable[[str, object], None]
) -> None:
    """F34: the file beside the database is gone."""
    group.start()
    wang = group.at("SH1", WANG)
    batches = received(wang, 3)
    level(group, "SH1")
    group.stop("SH1", HUB)
    (home(group, "SH1") / MARKS).unlink()
    said = group.run("doctor", "--home", str(home(group, "SH1")), code="SH1", expected=1).stdout
    assert MARKS in said

    with measured(record_property, "F34"):
        group.start("SH1")
        assert alarm_kinds(group, "SH1") == {"MARKS_LOST"}
        assert (home(group, "SH1") / MARKS).exists()
        batches += received(wang, 3)
        group.start(HUB)
        check_kept(group, "SH1", batches)
        wait_until(lambda: not alarm_kinds_ever(group, "SH1", "WHERE over_us IS NULL"), "the alarm ends")


def test_database_of_another_plant_then_nothing_starts_and_nothing_is_written(
    group: Group, record_property: Callable[[str, object], None]
) -> None:
    """F35: the wrong plant's database file is in place."""
    place = home(group, "SH1")
    own, other = place / "own.db", home(group, "SZ2") / "plant.db"
    (place / "plant.db").rename(own)
    shutil.copyfile(other, place / "plant.db")
    before = hashlib.sha256((place / "plant.db").read_bytes()).hexdigest()
    for command in (("plant", "run"), ("plant", "card"), ("doctor",), ("person", "password", "li.wei")):
        words = [*command[:2], "--home", str(place), *command[2:]]
        done = group.run(*words, *(("--generate-password",) if "person" in command else ()), code="SH1", expected=1)
        assert "acme.example/plant/SZ2" in done.stdout + done.stderr
    assert hashlib.sha256((place / "plant.db").read_bytes()).hexdigest() == before

    with measured(record_property, "F35"):
        own.replace(place / "plant.db")
        group.start()
        check_kept(group, "SH1", received(group.at("SH1", WANG), 2))
    assert replication(group, "SH1")["SH1"]["alarms"] == []
    assert httpx2.get(f"{group.nodes['SH1'].url}/readyz", trust_env=False).status_code == 200

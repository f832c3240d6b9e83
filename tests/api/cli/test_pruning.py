"""`batchloom plant prune` as an operator at the plant's console runs it, with a hub that answers."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import api.cli.tree
from auth.actors import Role, system_actor
from infra.database import Store
from infra.objects import FileObjects
from infra.postgres import EmbeddedPostgres
from infra.settings import directive_origin
from plants.commands.execution import CommandContext
from plants.commands.group.enrolment import Enrolment
from plants.commands.materials.definitions import MaterialDefinition, define_material
from plants.store.ledger.archive import Archive
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.hub.enrolment import enrol
from tests.databases import migrated_database
from tests.sync_jobs.group import CLOCK, GROUP, LI, Group, running_group

DAY_US = 86_400_000_000


@pytest.fixture
def group(postgres_18: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("BATCHLOOM_KEEP_BODIES_DAYS", "35")
    with running_group(migrated_database(postgres_18), tmp_path) as running:
        yield running


@pytest.fixture
def home(group: Group, tmp_path: Path) -> Path:
    """A plant's home, enrolled, with twenty entries of which fifteen are forty days old."""
    hub = group.hub.node
    card = {"role": "hub", "group": GROUP, "origin": hub.origin, "ledgerKey": str(hub.signer.key)}
    (tmp_path / "hub.json").write_text(json.dumps(card))
    home = tmp_path / "sh1"
    run("plant", "init", "--home", home, "--number", 1, "--code", "SH1", "--name", "Shanghai",
        "--hub-card", tmp_path / "hub.json", "--hub-url", group.hub.url)  # fmt: skip
    own = json.loads(run("plant", "card", "--home", home))
    order = Enrolment(
        number=1, code="SH1", name="Shanghai", origin=own["origin"], directive_origin=directive_origin(GROUP, "SH1"),
        ledger_key=own["ledgerKey"], assertion_key=own["assertionKey"],
    )  # fmt: skip
    with hub.store.transaction() as session:
        enrol(session, order, actor=system_actor("cli", Role.ADMINISTRATOR), now=CLOCK.now())
    with store_of(home) as store, store.transaction() as session:
        for number in range(19):
            material = MaterialDefinition(f"M{number}", "Milk", "KGM", 30)
            define_material(session, material, actor=LI, call=CommandContext(1, CLOCK.now()))
        session.run("UPDATE entries SET recorded_us = recorded_us - :us WHERE idx < 15", {"us": 40 * DAY_US})
    return home


def store_of(home: Path) -> closing[Store]:
    return closing(Store(f"sqlite:///{home / 'plant.db'}"))


def archived(group: Group, tmp_path: Path) -> None:
    hub = replace(group.hub.node, archive=Archive(FileObjects(tmp_path / "archive")))
    while archive_behind(hub, "test", forced=True):
        pass


def run(*arguments: object, status: int = 0) -> str:
    done = CliRunner().invoke(api.cli.tree.app, [str(one) for one in arguments])
    assert done.exit_code == status, (arguments, done.output, done.exception)
    return done.stdout


def told(*arguments: object, status: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", status=status))


def bodies(home: Path) -> list[tuple[Any, ...]]:
    with store_of(home) as store, store.transaction() as session:
        return session.rows("SELECT idx, body FROM entries WHERE log_id = 1 ORDER BY idx")


def test_life_of_a_plant_then_pruned_and_fetched_by_commands(group: Group, home: Path, tmp_path: Path) -> None:
    run("plant", "sync-now", "--home", home)
    archived(group, tmp_path)
    before = bodies(home)

    shown = told("plant", "prune", "--home", home, "--dry-run")
    said = run("plant", "prune", "--home", home, "--dry-run")

    size = sum(len(body) for _, body in before[:15])
    assert (shown["done"], shown["bodies"], shown["bytes"], shown["safe"], shown["pruned"]) == (False, 15, size, 15, 0)
    assert (shown["cosigned"], shown["archived"], shown["oldEnough"]) == (20, 20, 15)
    assert f"15 bodies ({size} bytes) can be removed" in said
    assert bodies(home) == before

    refused = CliRunner().invoke(api.cli.tree.app, ["plant", "prune", "--home", str(home)], input="n\n")
    assert (refused.exit_code, str(refused.exception)) == (1, "Nothing was changed.")
    assert bodies(home) == before

    said = run("plant", "prune", "--home", home, "--yes")
    assert f"15 bodies ({size} bytes) were removed. The bodies of the first 15 of 21 entries" in said
    assert f"sqlite3 {home / 'plant.db'} VACUUM" in said
    assert [len(body) for _, body in bodies(home)[:15]] == [0] * 15
    assert told("verify", "--home", home)[0]["elsewhere"] == 15
    failed = CliRunner().invoke(api.cli.tree.app, ["rebuild", "--home", str(home)])
    assert failed.exit_code == 1
    assert "batchloom plant prune --fetch" in str(failed.exception)
    assert told("plant", "prune", "--home", home, "--yes")["bodies"] == 0

    assert told("plant", "prune", "--home", home, "--fetch") == {"fetched": 15}
    assert bodies(home)[:20] == before
    assert told("rebuild", "--home", home)[0]["equal"] is True
    assert told("verify", "--home", home)[0]["elsewhere"] == 0


def test_not_archived_or_hub_away_then_nothing_is_emptied(group: Group, home: Path) -> None:
    run("plant", "sync-now", "--home", home)
    before = bodies(home)
    shown = told("plant", "prune", "--home", home, "--yes")
    assert (shown["done"], shown["safe"], shown["archived"]) == (False, 0, 0)
    with store_of(home) as store, store.transaction() as session:
        session.run("UPDATE replication SET archived = 20 WHERE log_id = 1")
    group.hub.stop()
    failed = CliRunner().invoke(api.cli.tree.app, ["plant", "prune", "--home", str(home), "--yes"])
    assert (failed.exit_code, "not in sync: UNREACHABLE" in str(failed.exception)) == (1, True)
    failed = CliRunner().invoke(api.cli.tree.app, ["plant", "prune", "--home", str(home), "--fetch", "--dry-run"])
    assert failed.exit_code == 2
    assert bodies(home) == before

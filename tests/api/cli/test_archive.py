"""`batchloom archive` at a hub and at a plant, as an operator at the console runs it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import api.cli.tree
from infra.messages import Failure
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.tiles import bundle_name
from plants.store.ledger.archive import folder
from tests.databases import fresh_database

ORIGIN = "acme.example/hub/i1"


@pytest.fixture
def home(postgres_18: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("BATCHLOOM_DATABASE_URL", fresh_database(postgres_18))
    run("hub", "init", "--home", tmp_path / "hub", "--group", "acme.example")
    return tmp_path / "hub"


def run(*arguments: object, status: int = 0) -> str:
    done = CliRunner().invoke(api.cli.tree.app, [str(one) for one in arguments])
    assert done.exit_code == status, (arguments, done.output, done.exception)
    return done.stdout


def told(*arguments: object, status: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", status=status))


def test_hub_then_it_archives_and_says_so(home: Path) -> None:
    assert told("archive", "status", "--home", home)["ledgers"][0]["archived"] == 0

    assert "1 entries are archived" in run("archive", "run", "--home", home)

    shown = told("archive", "status", "--home", home)
    assert shown["where"] == (home / "archive").as_uri()
    assert shown["missing"] == ["locked", "versioned"]
    assert [(one["origin"], one["size"], one["archived"]) for one in shown["ledgers"]] == [(ORIGIN, 1, 1)]
    assert told("archive", "verify", "--home", home) == [{"origin": ORIGIN, "size": 1, "files": 2, "wrong": None}]
    assert told("archive", "restore", "--home", home) == []


def test_database_lost_then_the_archive_gives_it_back(
    home: Path, postgres_18: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("archive", "run", "--home", home)
    card = json.loads(run("hub", "card", "--home", home))
    monkeypatch.setenv("BATCHLOOM_DATABASE_URL", fresh_database(postgres_18))

    assert told("archive", "restore", "--home", home) == [{"origin": ORIGIN, "before": 0, "size": 1}]

    assert json.loads(run("verify", "--home", home, "--json"))[0]["size"] == 1
    assert json.loads(run("hub", "card", "--home", home)) == card


def test_file_is_changed_or_missing_then_it_is_named(home: Path) -> None:
    run("archive", "run", "--home", home)
    name = f"{folder(ORIGIN, 1)}/{bundle_name(0, 1)}"
    path = home / "archive" / "objects" / name
    whole = path.read_bytes()

    path.chmod(0o644)
    path.write_bytes(whole.replace(b"acme", b"evil"))
    assert "tile/0/000.p/1" in told("archive", "verify", "--home", home, status=1)[0]["wrong"]
    path.unlink()
    assert bundle_name(0) in told("archive", "verify", "--home", home, status=1)[0]["wrong"]
    shutil.rmtree(home / "archive")
    assert "There is no archive at" in fails("archive", "verify", "--home", home)


def test_lock_required_and_a_folder_then_nothing_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHLOOM_ARCHIVE_LOCK", "required")

    done = CliRunner().invoke(api.cli.tree.app, ["archive", "run", "--home", str(home)])

    assert done.exit_code == 1
    assert "lacks these capabilities" in str(done.exception)
    assert told("archive", "status", "--home", home)["ledgers"][0]["archived"] == 0


def test_plant_then_it_does_not_archive(tmp_path: Path) -> None:
    run(
        "plant",
        "init",
        "--home",
        tmp_path / "sh1",
        "--number",
        1,
        "--code",
        "SH1",
        "--name",
        "S",
        "--group",
        "acme.example",
    )

    done = CliRunner().invoke(api.cli.tree.app, ["archive", "run", "--home", str(tmp_path / "sh1")])

    assert done.exit_code == 1
    assert "Only the hub archives ledgers" in str(done.exception)


def fails(*arguments: object) -> str:
    done = CliRunner().invoke(api.cli.tree.app, [str(one) for one in arguments])
    assert (done.exit_code, isinstance(done.exception, Failure)) == (1, True), (done.output, done.exception)
    return str(done.exception)


def test_archive_does_not_exist_then_nothing_is_read_or_made(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere, empty, card, plant = "file:///nowhere/at/all", tmp_path / "empty", tmp_path / "hub.json", tmp_path / "sh1"
    missing = f"There is no archive at {nowhere}. Check its address, and that its disk is mounted."
    for words in ("verify", "restore"):
        assert fails("archive", words, "--home", home, "--archive", nowhere) == missing
        assert "There is no archive at" in fails("archive", words, "--home", home)
    card.write_text(run("hub", "card", "--home", home))
    monkeypatch.delenv("BATCHLOOM_DATABASE_URL")
    named = ("--number", 1, "--code", "SH1", "--name", "S")
    run("plant", "init", "--home", plant, *named, "--hub-card", card, "--hub-url", "https://hub.example")
    for kept in [*plant.glob("plant.db*"), plant / "marks.json"]:
        kept.unlink()

    assert fails("plant", "recover", "--home", plant, "--from-archive", nowhere) == missing
    assert not list(plant.glob("plant.db*"))

    empty.mkdir()
    for recover in (("plant", "recover", "--from-archive"), ("archive", "restore", "--archive")):
        assert fails(*recover, empty.as_uri(), "--home", plant) == (
            f"The archive at {empty.as_uri()} holds nothing of acme.example/plant/SH1/i1. "
            "Check that it is the right one."
        )
    assert list(empty.iterdir()) == []

"""A home may have any path: the files of a node stay in its home, whichever characters the path has."""

import json
import shlex
import shutil
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx2
import pytest

import migrations
from api.node.node import make_home
from infra.database import Store
from infra.roles import Role
from infra.settings import Settings, load
from tests.api.cli.test_archive import run
from tests.api.cli.test_tree import running
from tests.sync_jobs.group import free_port

pytestmark = pytest.mark.timeout(300)

NAMES: Final = ("a?b", 'a%20b#c [bold]d[] "工厂",&;e')


@pytest.mark.parametrize("name", NAMES)
def test_path_of_a_plant_holds_odd_characters_then_all_of_it_is_in_its_home(tmp_path: Path, name: str) -> None:
    home, again, port = tmp_path / name, tmp_path / f"new {name}", free_port()
    named = ("--number", 1, "--code", "SH1", "--name", "Mill", "--group", "mills.example", "--port", port)
    shown = run("plant", "init", "--home", home, *named)
    assert shlex.split(shown.splitlines()[-1]) == ["batchloom", "plant", "run", "--home", str(home)]
    assert {path.name for path in tmp_path.iterdir()} == {name}
    assert (home / "plant.db").stat().st_size > 0

    with running(home, port):
        assert httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    checks = json.loads(run("doctor", "--home", home, "--json", status=1))
    assert [one for one in checks if one["level"] == "BROKEN"] == []

    run("backup", "--home", home, "--to", tmp_path / "copy", "--with-keys")
    run("restore", "--home", again, "--from", tmp_path / "copy")
    for command in ("verify", "rebuild"):
        assert str(home) in run(command, "--home", home)
    verified = json.loads(run("verify", "--home", home, "--home", again, "--json"))
    assert {(one["home"], one["ok"]) for one in verified} == {(str(home), True), (str(again), True)}
    assert {path.name for path in tmp_path.iterdir()} == {name, f"new {name}", "copy"}


def test_path_of_a_hub_holds_odd_characters_then_all_of_it_is_in_its_home(tmp_path: Path) -> None:
    name = NAMES[-1]
    home = tmp_path / name
    run("hub", "init", "--home", home, "--group", "mills.example")
    run("archive", "run", "--home", home)
    assert json.loads(run("archive", "status", "--home", home, "--json"))["where"] == (home / "archive").as_uri()
    assert any(path.is_file() for path in (home / "archive").rglob("*"))
    run("backup", "--home", home, "--to", tmp_path / "copy", "--with-keys")
    run("restore", "--home", tmp_path / f"new {name}", "--from", tmp_path / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {name, f"new {name}", "copy"}


def test_setting_holds_quotes_and_backslashes_then_the_file_gives_it_back(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, role=Role.HUB, group="mills.example", postgresql_bin=Path('/o"d/\\n/程序'))
    make_home(settings)
    assert load(tmp_path, {}) == settings


def test_program_lies_under_a_path_with_a_percent_sign_then_its_migrations_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "100%(sure)s" / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, room)
    monkeypatch.setattr(migrations, "__file__", str(room / "__init__.py"))
    with closing(Store(f"sqlite:///{tmp_path}/store.db")) as store:
        migrations.upgrade(store)
        assert migrations.pending(store) == ""

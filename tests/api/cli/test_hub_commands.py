"""Commands of one role at a node of the other: refused in a sentence, and nothing changes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

import api.cli.tree
from api.node.node import make_home
from infra.database import Store
from infra.roles import Role
from infra.settings import Settings
from tests.factories import Plant

MAKES_ITS_HOME: Final = {"hub init", "plant init", "plant enrol"}
AT_BOTH: Final = {"plant disputes list"}
"""Lists the disputes of all plants at the hub."""
ARGUMENTS: Final = {
    "hub enrol": ("card.json",),
    "hub invite": ("--code", "XX1", "--name", "Nowhere"),
    "hub approve": ("XX1",),
    "hub readmit": ("card.json",),
    "hub reject": ("XX1",),
    "hub revoke": ("XX1", "--reason", "Lost"),
    "hub parked retry": ("XX1", "1", "--reason", "Lost"),
    "hub parked skip": ("XX1", "1", "--reason", "Lost", "--yes"),
    "hub rotate-key": ("--yes",),
    "plant recover": ("--from-hub",),
    "plant disputes settle": ("1", "--reason", "Lost"),
}


def commands(role: Role) -> list[str]:
    """Return the commands that exist at nodes of one role alone."""

    def below(group: TyperGroup, words: str) -> Iterator[str]:
        for name, one in group.commands.items():
            if isinstance(one, TyperGroup):
                yield from below(one, f"{words} {name}")
            else:
                yield f"{words} {name}"

    root = typer.main.get_command(api.cli.tree.app)
    assert isinstance(root, TyperGroup)
    group = root.commands[role.value]
    assert isinstance(group, TyperGroup)
    return sorted({*below(group, role.value)} - MAKES_ITS_HOME - AT_BOTH)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a plant that has no hub."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.json").write_text("{}")
    home = tmp_path / "sh1"
    named = ("--number", "1", "--code", "SH1", "--name", "Mill", "--group", "mills.example")
    done = CliRunner().invoke(api.cli.tree.app, ["plant", "init", "--home", str(home), *named])
    assert done.exit_code == 0, done.output
    return home


@pytest.mark.parametrize("command", commands(Role.HUB))
def test_command_of_the_hub_at_a_plant_then_refused_and_nothing_changed(home: Path, command: str) -> None:
    before = everything(home)
    assert refusal(home, command) == "This node is a plant. Run this command at the hub."
    assert everything(home) == before


@pytest.mark.parametrize("command", commands(Role.PLANT))
def test_command_of_a_plant_at_the_hub_then_refused_before_its_store_is_opened(tmp_path: Path, command: str) -> None:
    make_home(Settings(home=tmp_path / "hub", role=Role.HUB, group="mills.example"))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert refusal(tmp_path / "hub", command) == "This node is the hub. Run this command at a plant."
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def refusal(home: Path, command: str) -> str:
    words = [*command.split(), "--home", str(home), *ARGUMENTS.get(command, ())]
    done = CliRunner().invoke(api.cli.tree.app, words)
    assert done.exit_code == 1, (done.output, done.exception)
    return str(done.exception)


def everything(home: Path) -> dict[str, Any]:
    """Return every row of the plant's ledger, of its tables and of its invitations."""
    with closing(Store(f"sqlite:///{home / 'plant.db'}")) as store:
        plant = Plant(store)
        return {**plant.everything(), "invitations": plant.rows("SELECT * FROM invitations")}

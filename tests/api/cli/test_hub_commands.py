"""Commands of the hub at a plant: refused in a sentence, and nothing changes."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import api.cli.tree
from infra.database import Store
from tests.factories import Plant

COMMANDS = {
    "invite": ("--code", "XX1", "--name", "Nowhere"),
    "invitations": (),
    "card": (),
    "approve": ("XX1",),
    "reject": ("XX1",),
    "revoke": ("XX1", "--reason", "Lost"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a plant that has no hub."""
    home = tmp_path / "sh1"
    named = ("--number", "1", "--code", "SH1", "--name", "Mill", "--group", "mills.example")
    done = CliRunner().invoke(api.cli.tree.app, ["plant", "init", "--home", str(home), *named])
    assert done.exit_code == 0, done.output
    return home


@pytest.mark.parametrize("name", COMMANDS)
def test_command_of_the_hub_at_a_plant_then_refused_and_nothing_changed(home: Path, name: str) -> None:
    before = everything(home)
    done = CliRunner().invoke(api.cli.tree.app, ["hub", name, "--home", str(home), *COMMANDS[name]])
    assert done.exit_code == 1
    assert str(done.exception) == "This node is a plant. Run this command at the hub."
    assert everything(home) == before


def everything(home: Path) -> dict[str, Any]:
    """Return every row of the plant's ledger, of its tables and of its invitations."""
    with closing(Store(f"sqlite:///{home / 'plant.db'}")) as store:
        plant = Plant(store)
        return {**plant.everything(), "invitations": plant.rows("SELECT * FROM invitations")}

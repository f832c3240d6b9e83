"""The files of the command line are its groups and commands."""

from collections.abc import Iterator

import typer.main
from typer.core import TyperGroup

import api.cli
from api.cli.tree import app
from infra.discovery import modules


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the module that holds a command, and the words that call it."""
    for name, below in group.commands.items():
        if isinstance(below, TyperGroup):
            yield from commands(below, (*path, name))
        else:
            assert below.callback is not None
            yield below.callback.__module__, (*path, name)


def words(module: str) -> tuple[str, ...]:
    """Return the words of the command in a module."""
    return tuple(part.rstrip("_").replace("_", "-") for part in module.removeprefix("api.cli.").split("."))


def test_command_called_then_its_words_are_the_path_of_its_file() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    found = list(commands(root))
    assert len(found) > len(root.commands)
    assert [(module, path) for module, path in found if path[: len(words(module))] != words(module)] == []


def test_file_declares_a_command_then_it_is_on_the_command_line() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    declared = {
        one.callback.__module__
        for module in modules(api.cli)
        for one in getattr(getattr(module, "app", None), "registered_commands", ())
        if one.callback is not None
    }
    assert declared == {module for module, _ in commands(root)}

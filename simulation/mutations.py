"""Patches functions and attributes with planted bugs, until the block ends."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

Bug = Callable[[], AbstractContextManager[None]]
PACKAGES: Final = ("api", "simulation", "schema", "sync_jobs", "auth", "plants", "infra")


@contextmanager
def patched_everywhere(old: Any, new: Any) -> Iterator[None]:
    """Put something in the place of a function in every module of ours that has it by name."""
    found = [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").split(".")[0] in PACKAGES
        for name, value in list(vars(module).items())
        if value is old
    ]
    assert found, f"nothing has {old}"
    for module, name in found:
        setattr(module, name, new)
    try:
        yield
    finally:
        for module, name in found:
            setattr(module, name, old)


@contextmanager
def patched(thing: Any, name: str, new: Any) -> Iterator[None]:
    """Put something in the place of one attribute."""
    old = vars(thing)[name]
    setattr(thing, name, new)
    try:
        yield
    finally:
        setattr(thing, name, old)


def nothing(*_given: Any, **_named: Any) -> None:
    """Do nothing."""
    return


@contextmanager
def all_of(*bugs: AbstractContextManager[None]) -> Iterator[None]:
    """Plant several mistakes that are one."""
    with ExitStack() as planted:
        for bug in bugs:
            planted.enter_context(bug)
        yield

"""Finds the modules of a package, so that what a module declares needs no second list elsewhere."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules, walk_packages
from types import ModuleType


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Import every module below a package and yield it, in the order of the full names."""
    found = walk_packages(package.__path__, f"{package.__name__}.")
    yield from (import_module(name) for name in sorted(one.name for one in found))


def modules_named(package: ModuleType, name: str) -> Iterator[ModuleType]:
    """Import the module of this name from every package directly below `package` and yield it, by full name."""
    for area in sorted(one.name for one in iter_modules(package.__path__, f"{package.__name__}.") if one.ispkg):
        if find_spec(f"{area}.{name}") is not None:
            yield import_module(f"{area}.{name}")

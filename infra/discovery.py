"""Finds the modules of a package, so that what a module declares needs no second list elsewhere."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Import every module below a package and yield it, in the order of the full names."""
    found = walk_packages(package.__path__, f"{package.__name__}.")
    yield from (import_module(name) for name in sorted(one.name for one in found))

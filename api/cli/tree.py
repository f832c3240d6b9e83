"""The whole command line: every group and command, found in the files of `api.cli`."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import typer

import api.cli


def attach(group: ModuleType) -> typer.Typer:
    """Import the files of a group, which add their commands to its `app`; attach the groups among them by file name."""
    app: typer.Typer = group.app
    for found in iter_modules(group.__path__):
        module = import_module(f"{group.__name__}.{found.name}")
        below = attach(module) if found.ispkg else getattr(module, "app", app)
        if below is not app:
            app.add_typer(below, name=found.name.rstrip("_"))
    return app


app = attach(api.cli)

"""`batchloom rebuild`: make the tables again from the ledgers."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Homes, opened
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.cli.prompts import progress_bar
from api.language import _
from api.node.node import Node
from plants.commands.replication.rebuild import rebuild as rebuild_tables
from plants.store.projection.rebuilding import table_digests


@app.command()
def rebuild(*, home: Homes, as_json: AsJson = False) -> None:
    """Rebuild every table from the ledgers, and compare each with the old one, byte for byte.

    Use it when the tables may be damaged. Nothing is lost, and readers see the old tables until the new ones are
    complete. Exit status 1 when a table differs: somebody changed it, or the program changed.

    Example:  batchloom rebuild --home sh1
    """
    shown: list[dict[str, Any]] = []
    for place in home:
        with opened(place) as node:
            before = table_digests(node.store)
            applied = _rebuild(node, quiet=as_json)
            after = table_digests(node.store)
        differing = sorted(name for name in before if before[name] != after.get(name))
        shown.append(
            {"home": str(place), "entries": applied, "tables": len(after), "digestBefore": _digest(before),
             "digestAfter": _digest(after), "equal": not differing, "differing": differing}
        )  # fmt: skip
        if not as_json:
            _print_result(shown[-1])
    if as_json:
        show_json(shown)
    if not all(one["equal"] for one in shown):
        raise typer.Exit(EXIT_REFUSED)


def _rebuild(node: Node, *, quiet: bool) -> int:
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task(_("Applying entries"), total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        with node.store.transaction() as session:
            return rebuild_tables(session, progress=tell)


def _digest(tables: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _print_result(one: Mapping[str, Any]) -> None:
    home = escape(one["home"])
    counted = _("{tables} tables from {entries} entries", tables=one["tables"], entries=one["entries"])
    if one["equal"]:
        said = _("equal before and after")
        CONSOLE.print(f"[green]✓[/] {home}: {counted}, {said}\n  [dim]{one['digestAfter']}[/]", soft_wrap=True)
    else:
        said = _("different from before")
        CONSOLE.print(f"[bold red]✗[/] {home}: {counted}, {said}: {', '.join(one['differing'])}", soft_wrap=True)

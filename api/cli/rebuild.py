"""`batchloom rebuild`: make the tables again from the ledgers."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import typer

from api.cli import app
from api.cli.nodes import AsJson, Homes, opened
from api.cli.output import CONSOLE, EXIT_REFUSED, CannotDo, pick, show_json
from api.cli.prompts import progress_bar
from api.node.node import Node
from plants.commands.replication.rebuild import rebuild as rebuild_tables
from plants.store.ledger.pruning import BodiesElsewhere
from plants.store.projection.rebuilding import table_digests


@app.command()
def rebuild(*, home: Homes, as_json: AsJson = False) -> None:
    """Make every table again from the ledgers, and say whether each is equal to what it was, byte for byte.

    Nothing is lost: the ledgers hold all of it, and readers see the old tables until the new ones are whole. Exit
    status 1 when a table differs, which is a finding: somebody changed it past the ledger, or the program changed.

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
            _say_rebuilt(shown[-1])
    if as_json:
        show_json(shown)
    if not all(one["equal"] for one in shown):
        raise typer.Exit(EXIT_REFUSED)


def _rebuild(node: Node, *, quiet: bool) -> int:
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task(pick("Applying entries", "正在重放记录"), total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            with node.store.transaction() as session:
                return rebuild_tables(session, progress=tell)
        except BodiesElsewhere as error:
            raise CannotDo(*str(error).split(" / ", 1)) from None


def _digest(tables: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _say_rebuilt(one: Mapping[str, Any]) -> None:
    counted = pick(
        f"{one['tables']} tables from {one['entries']} entries", f"由 {one['entries']} 个条目重建 {one['tables']} 张表"
    )
    if one["equal"]:
        said = pick("equal before and after", "前后一致")
        CONSOLE.print(f"[green]✓[/] {one['home']}: {counted}, {said}\n  [dim]{one['digestAfter']}[/]", soft_wrap=True)
    else:
        said = pick("not equal to what they were", "与之前不一致")
        CONSOLE.print(f"[bold red]✗[/] {one['home']}: {counted}, {said}: {', '.join(one['differing'])}", soft_wrap=True)

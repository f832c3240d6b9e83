"""`batchloom plant prune`: remove old entry bodies that hub and archive hold, and fetch them again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from api.cli.nodes import AsJson, Home, opened_plant, replicating
from api.cli.output import CONSOLE, show_json
from api.cli.plant import OPERATION, app
from api.cli.prompts import confirm, progress_bar
from api.language import _, marked
from api.node.node import Node
from infra.messages import Failure, message
from plants.store.ledger.pruning import Bounds
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.pruning import Busy, fetch_bodies, prunable, prune_bodies
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem


@app.command(rich_help_panel=OPERATION)
def prune(
    home: Home,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the space that would be freed, and change nothing.")
    ] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch all removed bodies from the hub instead.")] = False,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the bodies of old entries that the hub has cosigned and archived. Hashes and searched columns stay.

    Use it to make a plant's store smaller. Entries younger than `keep_bodies_days` (at least 31 days), open change
    requests, conflicting entries and all later ones keep their bodies. The hub is asked first; nothing is removed while
    it is away.

    Example:  batchloom plant prune --home sh1 --dry-run
    """
    if fetch and dry_run:
        raise typer.BadParameter(_("give --fetch or --dry-run"))
    with opened_plant(home) as node, _plain():
        plant = replicating(node)
        if fetch:
            _fetch(plant, as_json=as_json)
            return
        exchange(plant, forced=True)
        days = node.settings.keep_bodies_days
        found, count, size = prunable(plant, days)
        if dry_run or not count:
            _print_result(node, found, count, size, done=False, as_json=as_json)
            return
        asked = _(
            "Remove {count} bodies ({size} bytes) below entry {safe}? The hub and the archive keep them.",
            count=count,
            size=size,
            safe=found.safe,
        )
        confirm(asked, sure=sure)
        with _watched(quiet=as_json) as tell:
            pruned = prune_bodies(plant, days, progress=tell)
        after = prunable(plant, days)[0]
        _print_result(node, after, pruned.count, pruned.size, done=True, as_json=as_json)


def _fetch(plant: PlantNode, *, as_json: bool) -> None:
    with _watched(quiet=as_json) as tell:
        count = fetch_bodies(plant, progress=tell)
    if as_json:
        show_json({"fetched": count})
        return
    CONSOLE.print(marked("[green]✓[/] {count} bodies were fetched.", count=count))


def _print_result(node: Node, found: Bounds, count: int, size: int, *, done: bool, as_json: bool) -> None:
    shown: dict[str, Any] = {
        "done": done, "bodies": count, "bytes": size, "size": found.size, "pruned": found.pruned, "safe": found.safe,
        "cosigned": found.cosigned, "archived": found.archived, "oldEnough": found.old,
        "unreferenced": found.unreferenced, "state": found.state,
    }  # fmt: skip
    if as_json:
        show_json(shown)
        return
    verb = _("were removed") if done else _("can be removed")
    CONSOLE.print(
        marked(
            "{count} bodies ({size} bytes) {verb}. The bodies of the first {pruned} of {entries} entries are pruned.",
            count=count,
            size=size,
            verb=verb,
            pruned=found.pruned,
            entries=found.size,
        ),
        soft_wrap=True,
    )
    CONSOLE.print(
        marked(
            "  cosigned by the hub {cosigned}, archived {archived}, old enough {old}, before the "
            "first open request or conflicting entry {unreferenced}",
            cosigned=found.cosigned,
            archived=found.archived,
            old=found.old,
            unreferenced=found.unreferenced,
        ),
        soft_wrap=True,
    )
    if done and node.store.dialect == "sqlite":
        CONSOLE.print(
            marked(
                "  The file keeps its size and reuses the space. To shrink it, stop the plant and run: "
                "sqlite3 {database} VACUUM  (this needs as much free disk as the store has).",
                database=node.store.engine.url.database,
            ),
            soft_wrap=True,
        )


@contextmanager
def _watched(*, quiet: bool) -> Iterator[Any]:
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task(_("Entries"), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _plain() -> Iterator[None]:
    """Raise expected failures of pruning as Failure."""
    try:
        yield
    except Busy:
        raise Failure(
            message("EXCHANGE_RUNNING", "Another process exchanges with the hub now. Try again later.")
        ) from None
    except (HubUnreachable, Problem) as error:
        raise Failure(
            message(
                "PRUNING_STOPPED",
                "Pruning stopped, because the hub did not answer as needed: {reason}. Nothing is lost. Run it again "
                "when the hub answers.",
            ),
            reason=error,
        ) from None

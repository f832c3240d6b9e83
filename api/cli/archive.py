"""`batchloom archive`: show, write, verify and restore from the archive."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from api.cli.nodes import AsJson, Home, opened, replicating
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.cli.prompts import progress_bar
from api.language import _, language, marked
from api.node.node import Node
from infra.ids import new_id
from infra.messages import Failure, message, word_list
from infra.objects import check_exists
from infra.roles import Role
from plants.rules.values.instants import format_instant
from plants.store.ledger.archive import Archive, archived_rows
from plants.store.ledger.logs import logs_in
from plants.store.monitoring.alarms import AlarmKind, alarms
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.archive.checks import check_archive
from sync_jobs.archive.recover_hub import ArchiveProgress, recover_hub
from sync_jobs.archive.recover_plant import restore_from_archive
from sync_jobs.assembly import archive_of, hub_node
from sync_jobs.nodes import HubNode
from sync_jobs.projection.projecting import project_behind

app = typer.Typer(
    help=_("The archive, which holds every ledger of the group in storage that is written once."),
    no_args_is_help=True,
)

At = Annotated[
    str | None,
    typer.Option(
        "--archive", help="URL of the archive: file:///path or s3://bucket/prefix. Default: the one in the settings."
    ),
]


@app.command()
def status(home: Home, *, as_json: AsJson = False) -> None:
    """Show where the archive is, what its storage supports, and how much of each ledger it holds.

    The command tests the storage with small objects. Run it after a change of `archive_url`.

    Example:  batchloom archive status --home hub
    """
    with opened(home) as node:
        archive = _hub(node)[1]
        can = archive.objects.probe(node.clock.now())
        with node.store.reading() as reads:
            logs = {one.log_id: (one.origin, one.size) for one in logs_in(reads)}
            done = {row.log_id: row for row in archived_rows(reads)}
            failing = [row.said.word(language()) for row in alarms(reads) if row.kind == AlarmKind.ARCHIVE_FAILING]
    ledgers = [
        {
            "origin": origin,
            "size": size,
            "archived": done[log_id].size if log_id in done else 0,
            "archivedAt": format_instant(done[log_id].archived_at) if log_id in done else None,
        }
        for log_id, (origin, size) in sorted(logs.items(), key=lambda one: (abs(one[0]), one[0]))
    ]
    shown = {"where": archive.objects.describe(), "missing": list(can.missing), "failing": failing, "ledgers": ledgers}
    if as_json:
        show_json(shown)
        return
    missing = word_list(can.missing_worded, language())
    said = (
        _("The storage does not support: {missing}.", missing=missing)
        if missing
        else _("The storage locks what is written.")
    )
    CONSOLE.print(f"[bold]{escape(str(shown['where']))}[/]  {said}", soft_wrap=True)
    for one in ledgers:
        CONSOLE.print(f"  {one['origin']}  {one['archived']} / {one['size']}", soft_wrap=True)
    for text in failing:
        CONSOLE.print(f"[red]{escape(text)}[/]", soft_wrap=True)


@app.command()
def run(home: Home) -> None:
    """Archive every entry that is not archived yet, without waiting for the next job.

    Run it before maintenance of the hub. Exit status 1 when the archive fails.

    Example:  batchloom archive run --home hub
    """
    with opened(home) as node:
        hub, archive = _hub(node)
        holder = new_id()
        stopping = {AlarmKind.ARCHIVE_FAILING}
        if archive.lock_required:
            stopping.add(AlarmKind.ARCHIVE_UNLOCKED)
        while archive_behind(hub, holder, forced=True):
            pass
        with node.store.reading() as reads:
            failing = [row.said.word(language()) for row in alarms(reads) if row.kind in stopping]
            count = sum(row.size for row in archived_rows(reads))
    if failing:
        raise Failure(message("ARCHIVING_FAILED", "{reason}"), reason=failing[0])
    CONSOLE.print(marked("[green]✓[/] {count} entries are archived.", count=count))


@app.command()
def verify(home: Home, *, archive: At = None, as_json: AsJson = False) -> None:
    """Read the whole archive and check every bundle, every tile and the newest checkpoint of each ledger.

    Run it after a move of the archive, and from time to time. Exit status 1 when a file is missing or altered; it is
    named.

    Example:  batchloom archive verify --home hub
    """
    with opened(home) as node:
        hub, _ = _hub(node)
        place = archive_of(node.settings, archive)
        check_exists(place.objects)
        findings = check_archive(hub, place)
    shown = [{"origin": one.origin, "size": one.size, "files": one.files, "wrong": one.wrong} for one in findings]
    if as_json:
        show_json(shown)
    else:
        for one in findings:
            mark = "[green]✓[/]" if one.wrong is None else "[bold red]✗[/]"
            CONSOLE.print(f"{mark} {one.origin}  {one.size}  {escape(one.wrong or '')}", soft_wrap=True)
    if any(one.wrong is not None for one in findings):
        raise typer.Exit(EXIT_REFUSED)


@app.command()
def restore(home: Home, *, archive: At = None, as_json: AsJson = False) -> None:
    """Restore the entries that this node's store lacks from the archive.

    Use it for a hub that lost its database. Keep the home with its keys, give it an empty store, and run this first.
    Plants then send what was not archived. For a plant whose hub cannot be reached, give --archive.

    Example:  batchloom archive restore --home hub
    """
    with opened(home, serving=True) as node:
        place = archive_of(node.settings, archive)
        check_exists(place.objects)
        with progress_bar(quiet=as_json) as progress:
            task = progress.add_task("", total=None)

            def tell(origin: str, done: int, total: int) -> None:
                progress.update(task, description=origin, completed=done, total=total)

            if node.settings.role is Role.HUB:
                came = _restore_hub(node, place, tell)
            else:
                if archive is None and node.settings.archive_url is None:
                    raise Failure(
                        message(
                            "ARCHIVE_NOT_GIVEN", "No archive is set for this node. Give its address with --archive URL."
                        )
                    )
                done = restore_from_archive(replicating(node), place.objects, progress=tell)
                came = [{"origin": node.settings.origin, "before": done.before, "size": done.size}]
                came.append({"origin": "directives", "before": done.directives_before, "size": done.directives})
    if as_json:
        show_json(came)
        return
    for one in came:
        CONSOLE.print(f"[green]✓[/] {one['origin']}: {one['before']} → {one['size']}", soft_wrap=True)
    if not came:
        CONSOLE.print(_("The archive holds nothing that this store lacks."))


def _restore_hub(node: Node, archive: Archive, tell: ArchiveProgress) -> list[dict[str, Any]]:
    hub = hub_node(node.settings, node.store, node.clock)
    came = recover_hub(hub, archive, progress=tell)
    while project_behind(hub.store, hub.clock, new_id()):
        pass
    return [{"origin": one.origin, "before": one.before, "size": one.size} for one in came]


def _hub(node: Node) -> tuple[HubNode, Archive]:
    if node.settings.role is not Role.HUB:
        raise Failure(message("ARCHIVE_AT_HUB", "Only the hub archives ledgers. Run this command at the hub."))
    hub = hub_node(node.settings, node.store, node.clock)
    assert hub.archive is not None
    return hub, hub.archive

"""`batchloom archive`: how far the third copy reaches, writing it now, checking it, and ledgers back from it."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from api.cli.nodes import AsJson, Home, opened, replicating
from api.cli.output import CONSOLE, EXIT_REFUSED, CannotDo, language, pick, show_json
from api.cli.prompts import progress_bar
from api.node.node import Node
from infra.ids import new_id
from infra.roles import Role
from plants.rules.values.instants import format_instant, from_micros
from plants.store.ledger.archive import Archive, archived_rows
from plants.store.monitoring.alarms import AlarmKind, alarms
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.archive.checks import check_archive
from sync_jobs.archive.recover_hub import ArchiveProgress, recover_hub
from sync_jobs.archive.recover_plant import restore_from_archive
from sync_jobs.assembly import archive_of, hub_node
from sync_jobs.nodes import HubNode
from sync_jobs.projection.projecting import project_behind

app = typer.Typer(
    help="The archive: every ledger of the group a third time, in storage that is written once.\n\n"
    "归档：集团全部账本的第三份副本，只写一次。",
    no_args_is_help=True,
)

At = Annotated[
    str | None,
    typer.Option("--archive", help="The archive: file:///path or s3://bucket/prefix. Unset: as in the settings."),
]


@app.command()
def status(home: Home, *, as_json: AsJson = False) -> None:
    """Say where the archive is, what it can do (found out by trying), and how far each ledger is in it.

    Example:  batchloom archive status --home hub
    """
    with opened(home) as node:
        _, archive = _hub(node)
        can = archive.objects.probe(node.clock.now())
        with node.store.reading() as reads:
            logs = {
                log_id: (origin, size) for log_id, origin, size in reads.rows("SELECT log_id, origin, size FROM logs")
            }
            done = {row.log_id: row for row in archived_rows(reads)}
            failing = [row.said.word(language()) for row in alarms(reads) if row.kind == AlarmKind.ARCHIVE_FAILING]
    ledgers = [
        {
            "origin": origin,
            "size": size,
            "archived": done[log_id].size if log_id in done else 0,
            "archivedAt": format_instant(from_micros(done[log_id].archived_us)) if log_id in done else None,
        }
        for log_id, (origin, size) in sorted(logs.items(), key=lambda one: (abs(one[0]), one[0]))
    ]
    shown = {"where": archive.objects.describe(), "missing": list(can.missing), "failing": failing, "ledgers": ledgers}
    if as_json:
        show_json(shown)
        return
    said = pick("It cannot: ", "不支持：") + ", ".join(can.missing) if can.missing else pick("It locks.", "支持锁定。")
    CONSOLE.print(f"[bold]{escape(str(shown['where']))}[/]  {said}", soft_wrap=True)
    for one in ledgers:
        CONSOLE.print(f"  {one['origin']}  {one['archived']} / {one['size']}", soft_wrap=True)
    for text in failing:
        CONSOLE.print(f"[red]{escape(text)}[/]", soft_wrap=True)


@app.command()
def run(home: Home) -> None:
    """Archive now what is not archived yet, without waiting for the job; exit status 1 when the archive fails.

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
        raise CannotDo(failing[0], failing[0])
    CONSOLE.print(pick(f"[green]✓[/] {count} entries are archived.", f"[green]✓[/] 已归档 {count} 个条目。"))


@app.command()
def verify(home: Home, *, archive: At = None, as_json: AsJson = False) -> None:
    """Read the whole archive and check every bundle, every tile and the newest checkpoint of each ledger.

    Exit status 1 when a file is missing or is not what was signed for; it is named.

    Example:  batchloom archive verify --home hub
    """
    with opened(home) as node:
        hub, _ = _hub(node)
        findings = check_archive(hub, archive_of(node.settings, archive))
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
    """Bring back from the archive what this node's store does not hold: all of it, or what an old copy lacks.

    For a hub: keep or restore the home with its keys, give it an empty store, and run this before the hub is started.
    The plants then send what was not archived. For a plant: when the hub cannot be reached; give --archive.

    Example:  batchloom archive restore --home hub
    """
    with opened(home, serving=True) as node:
        place = archive_of(node.settings, archive)
        with progress_bar(quiet=as_json) as progress:
            task = progress.add_task("", total=None)

            def tell(origin: str, done: int, total: int) -> None:
                progress.update(task, description=origin, completed=done, total=total)

            if node.settings.role is Role.HUB:
                came = _restore_hub(node, place, tell)
            else:
                if archive is None and node.settings.archive_url is None:
                    raise CannotDo("Say where the archive is: --archive URL.", "请用 --archive 指定归档地址。")
                done = restore_from_archive(replicating(node), place.objects, progress=tell)
                came = [{"origin": node.settings.origin, "before": done.before, "size": done.size}]
                came.append({"origin": "directives", "before": done.directives_before, "size": done.directives})
    if as_json:
        show_json(came)
        return
    for one in came:
        CONSOLE.print(f"[green]✓[/] {one['origin']}: {one['before']} → {one['size']}", soft_wrap=True)
    if not came:
        CONSOLE.print(pick("The archive holds nothing beyond this store.", "归档中没有比本库更多的内容。"))


def _restore_hub(node: Node, archive: Archive, tell: ArchiveProgress) -> list[dict[str, Any]]:
    hub = hub_node(node.settings, node.store, node.clock)
    came = recover_hub(hub, archive, progress=tell)
    while project_behind(hub.store, hub.clock, new_id()):
        pass
    return [{"origin": one.origin, "before": one.before, "size": one.size} for one in came]


def _hub(node: Node) -> tuple[HubNode, Archive]:
    if node.settings.role is not Role.HUB:
        raise CannotDo("Plants do not archive; ask the hub.", "归档由总部负责，请在总部查看。")
    hub = hub_node(node.settings, node.store, node.clock)
    assert hub.archive is not None
    return hub, hub.archive

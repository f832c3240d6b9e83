"""`batchloom plant prune`: remove old entry bodies that hub and archive hold, and fetch them again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from api.cli.nodes import AsJson, Home, opened, replicating
from api.cli.output import CONSOLE, CannotDo, pick, show_json
from api.cli.plant import app
from api.cli.prompts import confirm, progress_bar
from api.node.node import Node
from plants.commands.replication.pruning import PruningUnsafe
from plants.store.ledger.pruning import BodyDamaged, Bounds
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.pruning import BodiesPruned, Busy, fetch_bodies, prunable, prune_bodies
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem


@app.command()
def prune(
    home: Home,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would free; nothing is changed.")
    ] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="The other way round: bring all bodies back.")] = False,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Empty the bodies of old entries that the hub has cosigned and archived. Hashes and searched columns stay.

    Entries younger than `keep_bodies_days` (and 31 days in any case), open change requests, disputed entries and all
    behind them stay whole. The hub is asked first, and nothing is emptied while it is away.

    Example:  batchloom plant prune --home sh1 --dry-run
    """
    if fetch and dry_run:
        raise typer.BadParameter(pick("give --fetch or --dry-run", "--fetch 与 --dry-run 只能选一个"))
    with opened(home) as node, _plain():
        plant = replicating(node)
        if fetch:
            _fetch(plant, as_json=as_json)
            return
        exchange(plant, forced=True)
        days = node.settings.keep_bodies_days
        found, count, size = prunable(plant, days)
        if dry_run or not count:
            _say(node, found, count, size, done=False, as_json=as_json)
            return
        asked = pick(
            f"Empty {count} bodies below entry {found.safe} ({size} bytes)? They stay at the hub and in the archive.",
            f"移出第 {found.safe} 条之前的 {count} 条记录内容（{size} 字节）？总部和归档中仍有保存。",
        )
        confirm(asked, sure=sure)
        with _watched(quiet=as_json) as tell:
            pruned = prune_bodies(plant, days, progress=tell)
        after, _, _ = prunable(plant, days)
        _say(node, after, pruned.count, pruned.size, done=True, as_json=as_json)


def _fetch(plant: PlantNode, *, as_json: bool) -> None:
    with _watched(quiet=as_json) as tell:
        count = fetch_bodies(plant, progress=tell)
    if as_json:
        show_json({"fetched": count})
        return
    CONSOLE.print(pick(f"[green]✓[/] {count} bodies came back.", f"[green]✓[/] 已取回 {count} 条记录内容。"))


def _say(node: Node, found: Bounds, count: int, size: int, *, done: bool, as_json: bool) -> None:
    shown: dict[str, Any] = {
        "done": done, "bodies": count, "bytes": size, "size": found.size, "pruned": found.pruned, "safe": found.safe,
        "cosigned": found.cosigned, "archived": found.archived, "oldEnough": found.old,
        "unreferenced": found.unreferenced, "state": found.state,
    }  # fmt: skip
    if as_json:
        show_json(shown)
        return
    verb = pick("were emptied", "已移出") if done else pick("can be emptied", "可移出")
    CONSOLE.print(
        pick(
            f"{count} bodies ({size} bytes) {verb}; below {found.pruned} of {found.size} entries they are pruned.",
            f"{count} 条内容（{size} 字节）{verb}；共 {found.size} 条记录，第 {found.pruned} 条之前已移出。",
        ),
        soft_wrap=True,
    )
    CONSOLE.print(
        pick(
            f"  cosigned by the hub {found.cosigned}, archived {found.archived}, old enough {found.old}, "
            f"before the first open request or dispute {found.unreferenced}",
            f"  总部已签收 {found.cosigned}，已归档 {found.archived}，已超过保留期 {found.old}，"
            f"首个未结申请或争议之前 {found.unreferenced}",
        ),
        soft_wrap=True,
    )
    if done and node.store.dialect == "sqlite":
        CONSOLE.print(
            pick(
                "  The file keeps its size; new entries use the room. To give it back to the disk, stop the plant and "
                f"run: sqlite3 {node.store.engine.url.database} VACUUM  (it needs as much free disk as the store has).",
                "  文件大小不变，腾出的空间会被新记录使用。如需归还磁盘，请停止节点后执行："
                f"sqlite3 {node.store.engine.url.database} VACUUM（需要与数据库同样大小的空闲磁盘）。",
            ),
            soft_wrap=True,
        )


@contextmanager
def _watched(*, quiet: bool) -> Iterator[Any]:
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task(pick("Entries", "记录"), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _plain() -> Iterator[None]:
    """Say in one sentence what stands in the way."""
    try:
        yield
    except Busy:
        _cannot("Another process exchanges with the hub just now: try again. / 另一进程正在与总部同步，请稍后重试。")
    except (PruningUnsafe, BodyDamaged, BodiesPruned, HubUnreachable, Problem) as error:
        _cannot(str(error))


def _cannot(text: str) -> NoReturn:
    en, _, zh = text.partition(" / ")
    raise CannotDo(en, zh or en) from None

"""`batchloom plant recover`: fetch a plant's ledger from the hub or the archive into an empty store."""

from typing import Annotated

import typer

from api.cli.nodes import Home, opened, replicating
from api.cli.output import CONSOLE, ERRORS, CannotDo, language, pick
from api.cli.plant import app
from api.cli.prompts import progress_bar
from api.node.node import Node
from infra.messages import word
from infra.objects import ArchiveFailed, ArchiveUnfit, NotArchived, open_objects
from plants.store.ledger.verification import verify
from sync_jobs.archive.recover_hub import ArchiveDamaged
from sync_jobs.archive.recover_plant import LedgerChanged, restore_from_archive
from sync_jobs.plant.exchange import NotRestored, restore_from_hub


@app.command()
def recover(
    home: Home,
    from_hub: Annotated[bool, typer.Option("--from-hub", help="From the hub, which has to be reached.")] = False,
    from_archive: Annotated[
        str | None, typer.Option(help="From the archive at this address: file:///path, or s3://bucket/prefix?…")
    ] = None,
) -> None:
    """Bring a plant's ledger and tables back into a home that has its settings and its keys and no store.

    Both come from where they were kept (the folder “keys” and batchloom.toml). Number series go on beyond what may have
    been printed; what had never left the old machine is lost. Every entry is verified at the end.

    Example:  batchloom plant recover --home sh1 --from-hub
    """
    if from_hub == (from_archive is not None):
        raise CannotDo("Say one of --from-hub and --from-archive.", "请选择 --from-hub 或 --from-archive 之一。")
    with opened(home) as node:
        if _size(node):
            raise CannotDo(
                "There is a store with entries in this home. Start the plant: it fetches what is missing by itself.",
                "此目录中已有包含记录的数据库。请直接启动工厂，缺失部分会自动取回。",
            )
        _bring(node, from_archive)
        broken = [one for one in verify(node.store) if not one.whole]
        size = _size(node)
    if broken:
        said = "; ".join(f"{one.origin}: {word(one.finding, language())}" for one in broken)
        raise CannotDo(f"What came back is damaged: {said}. Do not run it.", f"取回的账本损坏：{said}。请勿运行。")
    CONSOLE.print(
        pick(
            f"[green]✓[/] {size} entries are back, each verified. People are of this node alone: add them again.\n"
            f"  batchloom person add --home {home} ID --name NAME --role operator\n  batchloom plant run --home {home}",
            f"[green]✓[/] 已取回 {size} 条记录并逐条验证。人员仅属本节点，请重新添加。\n"
            f"  batchloom person add --home {home} 工号 --name 姓名 --role operator\n"
            f"  batchloom plant run --home {home}",
        ),
        soft_wrap=True,
    )


def _bring(node: Node, archive: str | None) -> None:
    with progress_bar(quiet=not ERRORS.is_terminal) as shown:
        task = shown.add_task(pick("Entries", "记录"), total=None)

        def watch(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        try:
            if archive is None:
                restore_from_hub(replicating(node), progress=watch)
            else:
                restore_from_archive(replicating(node), open_objects(archive))
        except (NotRestored, ArchiveFailed, ArchiveUnfit, ArchiveDamaged, NotArchived, LedgerChanged) as error:
            raise CannotDo(f"It could not be brought back: {error}", f"未能取回：{error}") from error


def _size(node: Node) -> int:
    with node.store.reading() as reads:
        rows = reads.rows("SELECT size FROM logs WHERE log_id = :log_id", {"log_id": node.settings.plant_number})
    return int(rows[0][0]) if rows else 0

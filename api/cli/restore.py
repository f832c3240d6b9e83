"""`batchloom restore`: make a home from a backup."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli import app
from api.cli.nodes import AsJson, Home, opened
from api.cli.output import CONSOLE, CannotDo, language, pick, show_json
from api.node.backups import restore_home, verify_restored
from infra.backup import Manifest, unpacked
from infra.messages import word
from infra.roles import Role


@app.command()
def restore(
    *,
    home: Home,
    source: Annotated[Path, typer.Option("--from", exists=True, help="The folder or .tar file of a backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Set a SQLite store that is there aside, under another name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a node from a backup: checks it, puts it in place, opens the node once and verifies every entry.

    Never while the node is served, and never over a store that is there. What was recorded after the backup comes back
    from the hub by itself, once the node runs.

    Example:  batchloom restore --home sh1 --from /mnt/backup/SH1-20260314T080000Z
    """
    with unpacked(source, home) as folder:
        manifest = restore_home(home, folder, replace=replace)
    with opened(home) as node:
        findings = verify_restored(node, manifest)
    broken = [one for one in findings if not one.whole]
    if as_json:
        show_json({"home": str(home), "madeAt": manifest.made_at, "ledgers": manifest.ledgers, "whole": not broken})
    if broken:
        said = "; ".join(f"{one.origin}: {word(one.finding, language())}" for one in broken)
        raise CannotDo(
            f"The store was restored, and its ledger is damaged: {said}. Do not run it; use another backup.",
            f"数据库已恢复，但账本损坏：{said}。请勿运行，改用其他备份。",
        )
    if not as_json:
        _say_next(home, manifest)


def _say_next(home: Path, manifest: Manifest) -> None:
    made, run = manifest.made_at, "hub" if manifest.role == Role.HUB.value else "plant"
    entries = sum(one["size"] for one in manifest.ledgers.values())
    CONSOLE.print(
        pick(
            f"[green]✓[/] {home} stands as of {made}: {entries} entries, each verified.",
            f"[green]✓[/] {home} 已恢复至 {made} 的状态：{entries} 条记录，均已验证。",
        ),
        soft_wrap=True,
    )
    if run == "plant":
        text = pick(
            "What the plant recorded since then comes back from the hub as soon as the plant runs and reaches it; "
            "number series go on beyond what may have been printed. What had never reached the hub is not in the "
            "backup: compare the last papers with the stock. Make sure that no other copy of this plant runs.",
            "工厂运行并连上中心后，备份之后的记录会自动取回，编号将跳过可能已打印的号码。"
            "从未到达中心的记录不在备份中，请核对最近的纸面单据与库存。请确认没有本厂的其他副本在运行。",
        )
    else:
        text = pick(
            "Every plant sends again what the hub lost, and hands back the directives that it has, at its next "
            "contact. People, roles and invitations made at the hub since then are lost: add them again.",
            "各工厂下次联系时会重新发送中心丢失的记录，并交还已收到的指令。"
            "此后在中心新增的人员、角色和邀请需重新添加。",
        )
    CONSOLE.print(text + f"\n  batchloom {run} run --home {home}", soft_wrap=True)

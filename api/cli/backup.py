"""`batchloom backup`: copy a node while it runs."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli import app
from api.cli.nodes import AsJson, Home, opened
from api.cli.output import CONSOLE, pick, show_json
from api.node.backups import make_backup


@app.command()
def backup(
    *,
    home: Home,
    to: Annotated[
        Path, typer.Option(help="A folder that is there (a new one is made in it), a new folder, or a new .tar file.")
    ],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Private keys too: whoever has the backup can then pass for the node.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a node, also while it runs: store, settings and, where wanted, keys, with a manifest of sizes and hashes.

    Example:  batchloom backup --home sh1 --to /mnt/backup
    """
    with opened(home) as node:
        settings = node.settings
        stamp = node.clock.now().strftime("%Y%m%dT%H%M%SZ")
        target = to / f"{settings.plant_code or 'HUB'}-{stamp}" if to.is_dir() else to
        manifest = make_backup(node, target, with_keys=with_keys)
    size = sum(one["bytes"] for one in manifest.files.values())
    entries = sum(one["size"] for one in manifest.ledgers.values())
    if as_json:
        show_json({"to": str(target), "bytes": size, "entries": entries, "ledgers": manifest.ledgers})
        return
    CONSOLE.print(
        pick(
            f"[green]✓[/] {target}: {entries} entries, {size / 1e6:.1f} MB.",
            f"[green]✓[/] {target}：{entries} 条记录，{size / 1e6:.1f} MB。",
        ),
        soft_wrap=True,
    )
    if not with_keys:
        CONSOLE.print(
            pick(
                f"[dim]The keys in {home / 'keys'} are not in it: keep a copy of them elsewhere, under lock.[/]",
                f"[dim]备份不含 {home / 'keys'} 中的密钥，请另行妥善保存。[/]",
            ),
            soft_wrap=True,
        )

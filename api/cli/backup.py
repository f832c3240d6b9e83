"""`batchloom backup`: copy a node while it runs."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli import app
from api.cli.nodes import AsJson, Home, opened
from api.cli.output import CONSOLE, show_json
from api.language import marked
from api.node.backups import make_backup


@app.command()
def backup(
    *,
    home: Home,
    to: Annotated[
        Path,
        typer.Option(help="Existing folder, in which a new one is made; or the name of a new folder or .tar file."),
    ],
    with_keys: Annotated[
        bool,
        typer.Option(
            "--with-keys", help="Copy the private keys too. A holder of the backup can then impersonate the node."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a node, also while it runs: the store, the settings, and a manifest of sizes and hashes.

    Run it every night. Keys are copied with --with-keys only.

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
        marked(
            "[green]✓[/] {target}: {entries} entries, {size:.1f} MB.",
            target=target,
            entries=entries,
            size=size / 1000000.0,
        ),
        soft_wrap=True,
    )
    if not with_keys:
        CONSOLE.print(
            marked(
                "[dim]The backup does not contain the keys in {keys}. Keep a copy of them in a safe place.[/]",
                keys=home / "keys",
            ),
            soft_wrap=True,
        )

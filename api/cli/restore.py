"""`batchloom restore`: make a home from a backup."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Home, opened
from api.cli.output import CONSOLE, show_json
from api.language import _, language, marked
from api.node.backups import restore_home, verify_restored
from infra.backup import Manifest, unpacked
from infra.messages import Failure, message, word
from infra.roles import Role


@app.command()
def restore(
    *,
    home: Home,
    source: Annotated[Path, typer.Option("--from", exists=True, help="Folder or .tar file of a backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Rename an existing SQLite store instead of refusing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a node from a backup, and verify every entry.

    Run it after the disk or the database of a node was lost. Stop the node first; an existing store is never
    overwritten. Entries recorded after the backup return from the hub when the node runs.

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
        raise Failure(
            message(
                "RESTORED_DAMAGED",
                "The store was restored, but its ledger is damaged: {findings}. Do not run it; use another backup.",
            ),
            findings=said,
        )
    if not as_json:
        _print_next_steps(home, manifest)


def _print_next_steps(home: Path, manifest: Manifest) -> None:
    made, run = manifest.made_at, "hub" if manifest.role == Role.HUB.value else "plant"
    entries = sum(one["size"] for one in manifest.ledgers.values())
    CONSOLE.print(
        marked(
            "[green]✓[/] {home} is restored as of {made}: {entries} entries, all verified.",
            home=quote(str(home)),
            made=made,
            entries=entries,
        ),
        soft_wrap=True,
    )
    if run == "plant":
        text = _(
            "Start the plant. It fetches from the hub what it recorded after the backup, and its "
            "number series skip what may have been printed. Entries that never reached the hub are "
            "lost: compare the last paper records with the stock. Make sure that no other copy of "
            "this plant runs."
        )
    else:
        text = _(
            "At its next contact each plant sends the entries that the hub lost, and returns its "
            "directives. People, roles and invitations made at the hub after the backup are lost: "
            "add them again."
        )
    CONSOLE.print(text + f"\n  batchloom {run} run --home {escape(quote(str(home)))}", soft_wrap=True)

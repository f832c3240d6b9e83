"""`batchloom plant recover`: fetch a plant's ledger from the hub or the archive into an empty store."""

from shlex import quote
from typing import Annotated

import typer

from api.cli.nodes import Home, opened_plant, replicating
from api.cli.output import CONSOLE, ERRORS
from api.cli.plant import REPAIR, app
from api.cli.prompts import progress_bar
from api.language import _, language, marked
from api.node.node import Node
from infra.messages import Failure, message, word
from infra.objects import ArchiveFailed, NotArchived, Objects, check_exists, open_objects
from plants.store.ledger.logs import log_size
from plants.store.ledger.verification import verify
from sync_jobs.archive.recover_hub import ArchiveDamaged
from sync_jobs.archive.recover_plant import LedgerChanged, restore_from_archive
from sync_jobs.plant.exchange import NotRestored, restore_from_hub


@app.command(rich_help_panel=REPAIR)
def recover(
    home: Home,
    from_hub: Annotated[
        bool, typer.Option("--from-hub", help="Fetch the ledger from the hub, which must be reachable.")
    ] = False,
    from_archive: Annotated[
        str | None,
        typer.Option(help="Fetch the ledger from the archive at this URL: file:///path, or s3://bucket/prefix?…"),
    ] = None,
) -> None:
    """Recover a plant's ledger and tables from the hub or the archive, into a home without a store.

    Use it for a plant on new hardware without a backup. Copy the folder “keys” and batchloom.toml into the home first.
    Number series skip what may have been printed. Entries that never left the old machine are lost. Every entry is
    verified.

    Example:  batchloom plant recover --home sh1 --from-hub
    """
    if from_hub == (from_archive is not None):
        raise Failure(message("SOURCE_NOT_CHOSEN", "Give one of --from-hub and --from-archive."))
    archive = None if from_archive is None else open_objects(from_archive)
    if archive is not None:
        check_exists(archive)
    with opened_plant(home) as node:
        if _size(node):
            raise Failure(
                message(
                    "STORE_NOT_EMPTY",
                    "The store in this home has entries. Start the plant: it fetches missing entries by itself.",
                )
            )
        _bring(node, archive)
        broken = [one for one in verify(node.store) if not one.whole]
        size = _size(node)
    if broken:
        said = "; ".join(f"{one.origin}: {word(one.finding, language())}" for one in broken)
        raise Failure(
            message("RECOVERED_DAMAGED", "The recovered ledger is damaged: {findings}. Do not run it."), findings=said
        )
    CONSOLE.print(
        marked(
            "[green]✓[/] {size} entries were recovered and verified. People belong to one node: add "
            "them again.\n"
            "  batchloom person add --home {home} ID --name NAME --role operator\n"
            "  batchloom plant run --home {home}",
            size=size,
            home=quote(str(home)),
        ),
        soft_wrap=True,
    )


def _bring(node: Node, archive: Objects | None) -> None:
    with progress_bar(quiet=not ERRORS.is_terminal) as shown:
        task = shown.add_task(_("Entries"), total=None)

        def watch(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        try:
            if archive is None:
                restore_from_hub(replicating(node), progress=watch)
            else:
                restore_from_archive(replicating(node), archive)
        except (NotRestored, ArchiveFailed, ArchiveDamaged, NotArchived, LedgerChanged) as error:
            raise Failure(
                message("NOT_RECOVERED", "The ledger could not be recovered: {error}"), error=error
            ) from error


def _size(node: Node) -> int:
    with node.store.reading() as reads:
        return log_size(reads, node.settings.plant_number)

"""`batchloom plant accept-hub-ledger`: accept another history of the hub's ledger."""

from rich.markup import escape

from api.cli.nodes import Home, opened_plant, replicating
from api.cli.output import CONSOLE
from api.cli.plant import KEYS, app
from api.cli.prompts import Sure, confirm
from api.language import _
from infra.messages import Failure, message
from plants.rules.ledger.notes import Checkpoint, Note
from plants.rules.values.instants import format_instant
from sync_jobs.plant.witnessing import accept_hub_ledger, awaiting_acceptance


@app.command("accept-hub-ledger", rich_help_panel=KEYS)
def accept_hub(home: Home, sure: Sure = False) -> None:
    """Accept another history of the hub's ledger, after headquarters has explained it.

    Use it while the alarm HUB_LEDGER_FORKED is active. Both signed notes are kept as evidence. The plant also works
    without it, under the alarm.

    Example:  batchloom plant accept-hub-ledger --home sh1
    """
    with opened_plant(home) as node:
        plant = replicating(node)
        with node.store.reading() as reads:
            found = awaiting_acceptance(reads)
        if found is None:
            raise Failure(
                message("NOTHING_TO_ACCEPT", "The hub shows one history of its ledger. There is nothing to accept.")
            )
        for what, note in ((_("seen before"), found.held), (_("shown now"), found.shown)):
            seen = Checkpoint.parse(Note.parse(bytes(note)).text)
            said = _("{size} entries, root", size=seen.size)
            CONSOLE.print(f"{what}: {said} {seen.root.hex()}", soft_wrap=True)
        when = format_instant(found.seen_at)
        CONSOLE.print(f"[dim]{escape(found.origin)}, {when}[/]", soft_wrap=True)
        asked = _("Has headquarters confirmed that the second one is valid?")
        confirm(asked, sure=sure)
        accepted = node.writer.write(lambda session: accept_hub_ledger(session, plant))
    if not accepted:
        raise Failure(message("HISTORY_CONSISTENT", "The hub shows one history again. Nothing was changed."))
    CONSOLE.print(_("[green]✓[/] The plant continues from the other history. The evidence is kept."))

"""`batchloom plant accept-hub-ledger`: accept another history of the hub's ledger."""

from rich.markup import escape

from api.cli.nodes import Home, opened, replicating
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.plant import app
from api.cli.prompts import Sure, confirm
from plants.rules.ledger.notes import Checkpoint, Note
from plants.rules.values.instants import format_instant, from_micros
from sync_jobs.plant.witnessing import accept_hub_ledger, awaiting_acceptance


@app.command("accept-hub-ledger")
def accept_hub(home: Home, sure: Sure = False) -> None:
    """Go on from the other history of its own ledger that the hub showed, once headquarters has said why there is one.

    Both signed notes are kept as evidence. Without this the plant goes on too, under the alarm HUB_LEDGER_FORKED.

    Example:  batchloom plant accept-hub-ledger --home sh1
    """
    with opened(home) as node:
        plant = replicating(node)
        with node.store.reading() as reads:
            found = awaiting_acceptance(reads)
        if found is None:
            raise CannotDo(
                "The hub shows one history of its ledger: there is nothing to accept.",
                "总部只出示了一份账本历史，没有需要接受的内容。",
            )
        for what, note in ((pick("seen before", "先前见到"), found.held), (pick("shown now", "现在出示"), found.shown)):
            seen = Checkpoint.parse(Note.parse(bytes(note)).text)
            said = pick(f"{seen.size} entries, root", f"{seen.size} 条，根")
            CONSOLE.print(f"{what}: {said} {seen.root.hex()}", soft_wrap=True)
        when = format_instant(from_micros(found.seen_us))
        CONSOLE.print(f"[dim]{escape(found.origin)}, {when}[/]", soft_wrap=True)
        asked = pick("Has headquarters confirmed that the second one counts?", "总部是否已确认以后者为准？")
        confirm(asked, sure=sure)
        accepted = node.writer.write(lambda session: accept_hub_ledger(session, plant))
    if not accepted:
        raise CannotDo("The hub shows one history again: nothing was changed.", "总部已恢复一致，未作任何更改。")
    CONSOLE.print(
        pick(
            "[green]✓[/] The plant goes on from the other history; the evidence is kept.",
            "[green]✓[/] 本厂以后者为准继续，证据已留存。",
        )
    )

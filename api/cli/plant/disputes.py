"""`batchloom plant disputes`: list and settle the entries that a repair could not apply."""

from typing import Annotated

import typer
from rich.markup import escape

from api.cli.nodes import AsJson, Home, console_actor, opened, opened_plant
from api.cli.output import CONSOLE, show_json
from api.language import _, marked
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from infra.database import Session
from plants.commands.execution import CommandContext
from plants.commands.replication.disputes import Settlement, settle_dispute
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant
from plants.store.materials.plants import known_plants
from plants.store.replication.disputes import DisputeRow, DisputesFilter, DisputeState, disputes_count, disputes_page

LISTED = 100
COLLISIONS_SHOWN = 5
app = typer.Typer(
    help=_("Conflicting entries, which a repair kept but could not apply."),
    no_args_is_help=True,
)


@app.command("list")
def show(
    home: Home,
    ended: Annotated[bool, typer.Option("--all", help="List settled entries too.")] = False,
    first: Annotated[int, typer.Option("--first", min=1, help="Maximum number of entries to list.")] = LISTED,
    as_json: AsJson = False,
) -> None:
    """List the conflicting entries, oldest first, with their conflicts. At the hub it lists those of all plants.

    Run it when `doctor` reports conflicting entries.

    Example:  batchloom plant disputes list --home sh1
    """
    filters = DisputesFilter(None if ended else True)
    with opened(home) as node, node.store.reading() as reads:
        scope = plants_for(console_actor(Role.MANAGER), Permission.LEDGER_READ, {HUB, *known_plants(reads)})
        seen = disputes_page(reads, scope, filters, None, first)
        more = disputes_count(reads, scope, filters) - len(seen)
    if as_json:
        show_json([_as_object(one) for one in seen])
        return
    for one in seen:
        for line in _lines(one):
            CONSOLE.print(line, soft_wrap=True)
    if more:
        CONSOLE.print(marked("{more} more: use --first.", more=more))
    if not seen:
        CONSOLE.print(_("[green]✓[/] There are none."))


@app.command()
def settle(
    home: Home,
    dispute: Annotated[
        int,
        typer.Argument(
            metavar="DISPUTE",
            min=0,
            help="Number of the conflicting entry, as `batchloom plant disputes list` shows it.",
        ),
    ],
    *,
    reason: Annotated[
        str, typer.Option(help="Action that was taken, or the reason why none is needed. It is recorded in the ledger.")
    ],
) -> None:
    """Remove a conflicting entry from the worklist. This changes no stock.

    Record first what is right, as a receipt, a count or a correction.

    Example:  batchloom plant disputes settle --home sh1 6 --reason "Relabelled as SH1-261122-0007K"
    """
    with opened_plant(home) as node:
        actor, number = console_actor(Role.MANAGER), node.settings.plant_number

        def write(session: Session) -> None:
            call = CommandContext(number, node.clock.now(), reason=reason)
            settle_dispute(session, Settlement(dispute, reason), actor=actor.author, call=call)

        node.writer.write(write)
    CONSOLE.print(marked("[green]✓[/] Conflicting entry {dispute} is settled.", dispute=dispute))


def _lines(row: DisputeRow) -> list[str]:
    when = format_instant(row.occurred_at)
    mark = "[bold red]✗[/]" if row.state is DisputeState.OPEN else "[green]✓[/]"
    lines = [
        f"{mark} [bold]{row.entry_idx}[/] {escape(row.type)} {escape(row.key)}  [dim]{escape(row.actor)}, {when}[/]"
    ]
    lines += [f"  {one['code']} {escape(one['what'])}" for one in row.collisions[:COLLISIONS_SHOWN]]
    if row.settlement is not None:
        lines.append(f"  [dim]{escape(row.settlement)} {escape(row.settled_by or '')}[/]")
    return lines


def _as_object(row: DisputeRow) -> dict[str, object]:
    return {
        "plant": row.plant_id,
        "dispute": row.entry_idx,
        "type": row.type,
        "about": row.key,
        "actor": row.actor,
        "occurredAt": format_instant(row.occurred_at),
        "collisions": row.collisions,
        "open": row.state is DisputeState.OPEN,
        "settlement": row.settlement,
        "settledBy": row.settled_by,
        "settledAt": None if row.settled_at is None else format_instant(row.settled_at),
    }

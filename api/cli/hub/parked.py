"""`batchloom hub parked`: list, retry and skip the entries that the hub could not apply."""

from typing import Annotated

import typer
from rich.markup import escape

from api.cli.nodes import AsJson, Home, console_actor, opened_hub
from api.cli.output import CONSOLE, show_json
from api.cli.prompts import confirm
from api.language import _, marked
from api.node.node import Node
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from infra.database import ReadSession, Session
from infra.messages import Failure, message
from plants.commands.execution import CommandContext
from plants.commands.replication.parked_entries import Decision, ParkedEntry, retry_entry, skip_entry
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import INDEX_MAX
from plants.store.materials.plants import known_plants, plants_in
from plants.store.replication.parked_entries import (
    ParkedEntriesFilter,
    ParkedSeen,
    ParkedState,
    SkippedEntryRow,
    parked_at,
    parked_count,
    parked_page,
    skipped_entries,
)

LISTED = 100
app = typer.Typer(
    help=_("Parked entries, which the hub has but could not apply to its tables."),
    no_args_is_help=True,
)
PlantCode = Annotated[str, typer.Argument(metavar="PLANT", help="Code of the plant whose ledger has the entry.")]
Index = Annotated[
    int,
    typer.Argument(
        metavar="ENTRY", min=0, max=INDEX_MAX - 1, help="Index of the entry, as `batchloom hub parked list` shows it."
    ),
]
Reason = Annotated[str, typer.Option(help="Reason, which is recorded in the hub's ledger.")]
First = Annotated[int, typer.Option("--first", min=1, help="Maximum number of entries to list.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@app.command("list")
def show(
    home: Home,
    skipped: Annotated[bool, typer.Option("--skipped", help="List the entries that were skipped.")] = False,
    first: First = LISTED,
    as_json: AsJson = False,
) -> None:
    """List the parked entries by plant and position, with the reason of each.

    Run it when the alarm PARKED is active.

    Example:  batchloom hub parked list --home hub
    """
    with opened_hub(home) as node, node.store.reading() as reads:
        scope = _scope(reads)
        codes = {one.number: one.code for one in plants_in(reads, scope)}
        if skipped:
            gone = skipped_entries(reads, scope, first=first)
            said = [(_skipped_object(one, codes), _skipped_lines(one, codes)) for one in gone]
            more = 0
        else:
            seen = parked_page(reads, scope, ParkedEntriesFilter(), None, first)
            said = [(_parked_object(one, codes), _parked_lines(one, codes)) for one in seen]
            more = parked_count(reads, scope, ParkedEntriesFilter()) - len(seen)
    if as_json:
        show_json([one for one, __ in said])
        return
    for __, lines in said:
        for line in lines:
            CONSOLE.print(line, soft_wrap=True)
    if more:
        CONSOLE.print(marked("{more} more: use --first.", more=more))
    if not said:
        CONSOLE.print(_("[green]✓[/] There are none."))


@app.command()
def retry(home: Home, plant: PlantCode, index: Index, *, reason: Reason) -> None:
    """Retry a parked entry, and the entries that wait for it, in the hub's next run.

    Use it after the cause was removed, for example after an upgrade of the hub.

    Example:  batchloom hub parked retry --home hub SH1 1042 --reason "Program was upgraded"
    """
    with opened_hub(home) as node:
        _decide(node, retry_entry, _found(node, plant, index), reason)
    CONSOLE.print(
        marked("[green]✓[/] The hub will retry entry {index} of {plant} in its next run.", index=index, plant=plant)
    )


@app.command()
def skip(home: Home, plant: PlantCode, index: Index, *, reason: Reason, sure: Sure = False) -> None:
    """Skip a parked entry for good: it stays in the plant's ledger and is never applied to the hub's tables.

    Use it when a retry cannot help. Correct at the plant what the hub then lacks.

    Example:  batchloom hub parked skip --home hub SH1 1042 --reason "Moved elsewhere; see correction 1050"
    """
    with opened_hub(home) as node:
        seen = _found(node, plant, index)
        for line in _parked_lines(seen, {seen.fault.log_id: plant}):
            CONSOLE.print(line, soft_wrap=True)
        asked = _("Never apply this entry to the hub's tables?")
        confirm(asked, sure=sure)
        _decide(node, skip_entry, seen, reason)
    CONSOLE.print(
        marked(
            "[green]✓[/] Entry {index} of {plant} is skipped. The entries that waited for it are applied next.",
            index=index,
            plant=plant,
        )
    )


def _decide(node: Node, decision: Decision, seen: ParkedSeen, reason: str) -> None:
    actor, order = console_actor(Role.ADMINISTRATOR), ParkedEntry(seen.fault.log_id, seen.fault.idx, seen.leaf or "")

    def write(session: Session) -> None:
        decision(session, order, actor=actor.author, call=CommandContext(HUB, node.clock.now(), reason=reason))

    node.writer.write(write)


def _found(node: Node, plant: str, index: int) -> ParkedSeen:
    with node.store.reading() as reads:
        scope = _scope(reads)
        number = next((one.number for one in plants_in(reads, scope) if one.code == plant), None)
        seen = None if number is None else parked_at(reads, scope, number, index)
    if seen is None:
        raise Failure(
            message(
                "ENTRY_IS_NOT_PARKED", "Entry {index} of plant {plant} is not parked. See: batchloom hub parked list"
            ),
            index=index,
            plant=plant,
        )
    return seen


def _scope(reads: ReadSession) -> PlantScope:
    return plants_for(console_actor(Role.ADMINISTRATOR), Permission.REPLICATION_READ, {HUB, *known_plants(reads)})


def _parked_lines(seen: ParkedSeen, codes: dict[int, str]) -> list[str]:
    fault = seen.fault
    why = {
        ParkedState.FAILED: _("failed"),
        ParkedState.NEEDS_UPGRADE: _("needs a newer program"),
        ParkedState.WAITS_BEHIND: _("waits for an earlier entry"),
        ParkedState.HALTED: _("all entries of this plant wait"),
    }[seen.state]
    mark = "[bold red]✗[/]" if fault.error is not None else "[yellow]…[/]"
    what = "" if seen.state is ParkedState.HALTED else f"{fault.type} {fault.key}"
    lines = [f"{mark} [bold]{codes.get(fault.log_id, '?')} {fault.idx}[/] {escape(what)}  [dim]{why}[/]"]
    if fault.error is not None:
        tries = _("tried {attempts} times", attempts=fault.attempts)
        lines.append(f"  {escape(fault.error)}  [dim]{tries}, {seen.leaf or ''}[/]")
    return lines


def _parked_object(seen: ParkedSeen, codes: dict[int, str]) -> dict[str, object]:
    fault, following = seen.fault, seen.fault.next_attempt_at
    return {
        "plant": codes.get(fault.log_id),
        "index": fault.idx,
        "state": seen.state.value,
        "type": fault.type,
        "about": fault.key,
        "error": fault.error,
        "attempts": fault.attempts,
        "parkedAt": format_instant(fault.parked_at),
        "nextAttemptAt": None if following is None else format_instant(following),
        "leafHash": seen.leaf,
    }


def _skipped_lines(row: SkippedEntryRow, codes: dict[int, str]) -> list[str]:
    when = format_instant(row.skipped_at)
    return [
        f"[bold]{codes.get(row.of_plant, '?')} {row.idx}[/] {escape(row.type)}  [dim]{escape(row.error)}[/]",
        f"  {escape(row.reason)}  [dim]{escape(row.printed_name)}, {when}[/]",
    ]


def _skipped_object(row: SkippedEntryRow, codes: dict[int, str]) -> dict[str, object]:
    return {
        "plant": codes.get(row.of_plant),
        "index": row.idx,
        "type": row.type,
        "error": row.error,
        "reason": row.reason,
        "skippedBy": row.skipped_by,
        "printedName": row.printed_name,
        "skippedAt": format_instant(row.skipped_at),
        "leafHash": row.leaf,
    }

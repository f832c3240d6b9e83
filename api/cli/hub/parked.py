"""`batchloom hub parked`: what the hub could not put into its tables, tried again or passed over for good."""

from typing import Annotated

import typer
from rich.markup import escape

from api.cli.nodes import AsJson, Home, console_actor, opened
from api.cli.output import CONSOLE, CannotDo, pick, show_json
from api.cli.prompts import confirm
from api.node.node import Node
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from infra import roles
from infra.database import ReadSession, Session
from plants.commands.execution import Call
from plants.commands.replication.parked_entries import Decision, ParkedEntry, retry_entry, skip_entry
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.scope import PlantScope
from plants.store.ledger.entries import INDEX_MAX
from plants.store.materials.plants import known_plants, plants_in
from plants.store.replication.parked_entries import (
    ParkedSeen,
    ParkedSought,
    ParkedState,
    SkippedEntryRow,
    parked_at,
    parked_count,
    parked_page,
    skipped_entries,
)

LISTED = 100
app = typer.Typer(
    help="Entries that the hub has and could not put into its tables.\n\n中心已收到但无法写入表中的条目。",
    no_args_is_help=True,
)
PlantCode = Annotated[str, typer.Argument(metavar="PLANT", help="Code of the plant whose ledger it stands in.")]
Index = Annotated[
    int, typer.Argument(metavar="ENTRY", min=0, max=INDEX_MAX - 1, help="Index of the entry, as it is listed.")
]
Reason = Annotated[str, typer.Option(help="Why; it stands in the hub's ledger for good.")]
First = Annotated[int, typer.Option("--first", min=1, help="How many at most.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def show(
    home: Home,
    skipped: Annotated[bool, typer.Option("--skipped", help="Those that were passed over for good.")] = False,
    first: First = LISTED,
    as_json: AsJson = False,
) -> None:
    """List the entries that wait, by plant and position, and why each does.

    Example:  batchloom hub parked list --home hub
    """
    with opened(home) as node, node.store.reading() as reads:
        scope = _scope(node, reads)
        codes = {one.number: one.code for one in plants_in(reads, scope)}
        if skipped:
            gone = skipped_entries(reads, scope, first=first)
            said = [(_skipped_object(one, codes), _skipped_lines(one, codes)) for one in gone]
            more = 0
        else:
            seen = parked_page(reads, scope, ParkedSought(), None, first)
            said = [(_parked_object(one, codes), _parked_lines(one, codes)) for one in seen]
            more = parked_count(reads, scope, ParkedSought()) - len(seen)
    if as_json:
        show_json([one for one, _ in said])
        return
    for _, lines in said:
        for line in lines:
            CONSOLE.print(line, soft_wrap=True)
    if more:
        CONSOLE.print(pick(f"{more} more: give --first.", f"另有 {more} 条，请使用 --first。"))
    if not said:
        CONSOLE.print(pick("[green]✓[/] There are none.", "[green]✓[/] 没有条目。"))


@app.command()
def retry(home: Home, plant: PlantCode, index: Index, *, reason: Reason) -> None:
    """Have a parked entry tried again at once, and what waits behind it: when what made it fail is mended.

    Example:  batchloom hub parked retry --home hub SH1 1042 --reason "Program was upgraded"
    """
    with opened(home) as node:
        _decide(node, retry_entry, _found(node, plant, index), reason)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Entry {index} of {plant} is tried again with the hub's next round.",
            f"[green]✓[/] 工厂 {plant} 的条目 {index} 将在中心下一轮处理时重试。",
        )
    )


@app.command()
def skip(home: Home, plant: PlantCode, index: Index, *, reason: Reason, sure: Sure = False) -> None:
    """Pass over a parked entry for good: it stays in the plant's ledger and never comes into the hub's tables.

    Correct at the plant what is missing at the hub then.

    Example:  batchloom hub parked skip --home hub SH1 1042 --reason "Moved elsewhere; see correction 1050"
    """
    with opened(home) as node:
        seen = _found(node, plant, index)
        for line in _parked_lines(seen, {seen.fault.log_id: plant}):
            CONSOLE.print(line, soft_wrap=True)
        asked = pick("Never put this entry into the hub's tables?", "确定永不将此条目写入中心的表？")
        confirm(asked, sure=sure)
        _decide(node, skip_entry, seen, reason)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Entry {index} of {plant} is passed over; what waited behind it goes on.",
            f"[green]✓[/] 已跳过工厂 {plant} 的条目 {index}，其后的条目继续处理。",
        )
    )


def _decide(node: Node, decision: Decision, seen: ParkedSeen, reason: str) -> None:
    actor, order = console_actor(Role.ADMINISTRATOR), ParkedEntry(seen.fault.log_id, seen.fault.idx, seen.leaf or "")

    def write(session: Session) -> None:
        decision(session, order, actor=actor.author, call=Call(HUB, node.clock.now(), reason=reason))

    node.writer.write(write)


def _found(node: Node, plant: str, index: int) -> ParkedSeen:
    with node.store.reading() as reads:
        scope = _scope(node, reads)
        number = next((one.number for one in plants_in(reads, scope) if one.code == plant), None)
        seen = None if number is None else parked_at(reads, scope, number, index)
    if seen is None:
        raise CannotDo(
            f"No entry {index} of a plant {plant} is parked: see `batchloom hub parked list`.",
            f"工厂 {plant} 没有等待的条目 {index}，请查看 batchloom hub parked list。",
        )
    return seen


def _scope(node: Node, reads: ReadSession) -> PlantScope:
    if node.settings.role is not roles.Role.HUB:
        raise CannotDo("Only a hub has parked entries.", "只有中心才有等待的条目。")
    return plants_for(console_actor(Role.ADMINISTRATOR), Permission.REPLICATION_READ, {HUB, *known_plants(reads)})


def _parked_lines(seen: ParkedSeen, codes: dict[int, str]) -> list[str]:
    fault = seen.fault
    why = {
        ParkedState.FAILED: pick("failed", "失败"),
        ParkedState.NEEDS_UPGRADE: pick("needs a newer program", "需要升级程序"),
        ParkedState.WAITS_BEHIND: pick("waits behind another one", "等待前面的条目"),
        ParkedState.HALTED: pick("all of this plant is halted here", "该工厂的处理已在此暂停"),
    }[seen.state]
    mark = "[bold red]✗[/]" if fault.error is not None else "[yellow]…[/]"
    what = "" if seen.state is ParkedState.HALTED else f"{fault.type} {fault.key}"
    lines = [f"{mark} [bold]{codes.get(fault.log_id, '?')} {fault.idx}[/] {escape(what)}  [dim]{why}[/]"]
    if fault.error is not None:
        tries = pick(f"tried {fault.attempts} times", f"已尝试 {fault.attempts} 次")
        lines.append(f"  {escape(fault.error)}  [dim]{tries}, {seen.leaf or ''}[/]")
    return lines


def _parked_object(seen: ParkedSeen, codes: dict[int, str]) -> dict[str, object]:
    fault, following = seen.fault, seen.fault.next_attempt_us
    return {
        "plant": codes.get(fault.log_id),
        "index": fault.idx,
        "state": seen.state.value,
        "type": fault.type,
        "about": fault.key,
        "error": fault.error,
        "attempts": fault.attempts,
        "parkedAt": format_instant(from_micros(fault.parked_us)),
        "nextAttemptAt": None if following is None else format_instant(from_micros(following)),
        "leafHash": seen.leaf,
    }


def _skipped_lines(row: SkippedEntryRow, codes: dict[int, str]) -> list[str]:
    when = format_instant(from_micros(row.skipped_us))
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
        "skippedAt": format_instant(from_micros(row.skipped_us)),
        "leafHash": row.leaf,
    }

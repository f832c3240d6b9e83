"""`batchloom trace`: where a batch came from and where it went, drawn as a tree, and how complete the answer is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from api.cli import app
from api.cli.nodes import AsJson, console_actor, opened
from api.cli.output import CONSOLE, CannotDo, language, pick, show_json
from api.node.node import Node
from api.trace.reader import GapShown, TraceReport, read_trace
from api.trace.tree import Side, draw
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import format_micro
from plants.store.materials.plants import known_plants

BATCHES_NAMED: Final = 3

GAPS: Final[Mapping[str, tuple[str, str]]] = {
    "NEVER_HEARD": ("{plant} was never heard from", "从未收到 {plant} 的账本"),
    "BEHIND": ("{plant} has entries that are not in this answer yet", "{plant} 有尚未纳入的记录"),
    "STALE": ("{plant} was not heard from for too long", "{plant} 过久没有消息"),
    "ALARM": ("replication of {plant} has stopped until somebody looks", "{plant} 的复制已停止，等待人工处理"),
    "IN_TRANSIT": ("on the road to {plant}: {batches}", "在途，前往 {plant}：{batches}"),
    "AWAITING_SOURCE": (
        "received from {plant}, whose dispatch was not seen: {batches}",
        "已从 {plant} 收货，未见其发货：{batches}",
    ),
    "LABEL_DIFFERS": (
        "received on a label that the ledger of {plant} does not bear out: {batches}",
        "收货标签与 {plant} 的账本不符：{batches}",
    ),
    "UNSEEN_BATCHES": ("{plant} has not stated: {batches}", "{plant} 尚未说明：{batches}"),
    "OTHER_PLANT": (
        "goes on at {plant}, which this answer does not cover: {batches}",
        "后续在 {plant}，不在本次范围内：{batches}",
    ),
}  # fmt: skip


@app.command()
def trace(
    *,
    code: Annotated[str, typer.Argument(help="Batch code, or an alias: supplier lot, EPC, job order.")],
    forward: Annotated[bool, typer.Option("--forward", help="Where it went.")] = False,
    backward: Annotated[bool, typer.Option("--backward", help="Where it came from.")] = False,
    both: Annotated[
        bool, typer.Option("--both", help="Both, one after the other; also when neither is asked.")
    ] = False,
    home: Annotated[
        Path | None, typer.Option("--home", help="Home of a node on this machine: the hub's knows all plants.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="A node elsewhere: https://hub.example")] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="Who signs in there; the password is asked for.")
    ] = None,
    password_file: Annotated[
        typer.FileText | None, typer.Option("--password-file", help="File with the password; - reads standard input.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw where a batch came from (--backward) and where it went (--forward), with the quantity on every edge.

    The last lines say whether the answer is complete, and what is missing if not. Times are in UTC.

    Examples:
      batchloom trace SZ3-261120-0001K --backward --home hub

      batchloom trace LOT-7781 --forward --url https://hub.example --person chen.jing
    """  # fmt: skip
    sides = _sides(forward=forward or both, backward=backward or both)
    if (home is None) == (url is None):
        raise typer.BadParameter(pick("give either --home or --url", "请给出 --home 或 --url 之一"))
    if home is not None:
        with opened(home) as node:
            reports = {side: _traced_at(node, code, side) for side in sides}
    else:
        from api.trace.client import ask_for_traces  # noqa: PLC0415 -- only a node elsewhere needs an HTTP client.

        assert url is not None
        reports = ask_for_traces(url, person, password_file, code, sides)
    if as_json:
        show_json({side.value.lower(): as_object(report) for side, report in reports.items()})
        return
    for report in reports.values():
        show_report(CONSOLE, report)


def _sides(*, forward: bool, backward: bool) -> list[TraceDirection]:
    chosen = {TraceDirection.BACKWARD: backward, TraceDirection.FORWARD: forward}
    return [side for side, wanted in chosen.items() if wanted or not (forward or backward)]


def _traced_at(node: Node, code: str, side: TraceDirection) -> TraceReport:
    actor = console_actor(Role.AUDITOR)
    with node.store.reading() as reads:
        scope = plants_for(actor, Permission.TRACE_READ, {HUB, *known_plants(reads)})
        own = node.settings.plant_number or None
        report = read_trace(reads, scope, code, side, now=node.clock.now(), own=own)
    if report is None:
        raise CannotDo(
            f"No batch {code} is known here, by its code or another name. Check it, or ask at the hub.",
            f"此处没有批次 {code}（批次号或别名）。请核对，或在中心查询。",
        )
    return report


def show_report(console: Console, report: TraceReport) -> None:
    """Print the trees of a trace, its figures and its statement of completeness."""
    side: Side = "BACKWARD" if report.direction == "BACKWARD" else "FORWARD"
    back = side == "BACKWARD"
    console.print()
    console.rule(
        pick("Where it came from", "逆向溯源") if back else pick("Where it went", "正向追踪"),
        align="left",
        style="cyan",
    )
    for tree in draw(report.shown, side, language()):
        console.print(tree)
    console.print(
        Panel(Group(*_statement(report)), border_style="green" if report.complete else "yellow", padding=(0, 1))
    )


def _statement(report: TraceReport) -> list[Text]:
    shown = report.shown
    plants = sorted({batch.plant for batch in shown.batches.values()} | {one.plant for one in shown.processes.values()})
    lines = [
        Text(
            pick(
                f"{len(shown.batches)} batches, {len(shown.processes)} process records, {len(shown.edges)} edges, "
                f"{report.depth} steps deep, at {', '.join(plants)}",
                f"{len(shown.batches)} 个批次，{len(shown.processes)} 条过程记录，{len(shown.edges)} 条边，"
                f"深度 {report.depth}，涉及 {', '.join(plants)}",
            )
        )
    ]
    if report.complete:
        lines.append(Text(pick("✓ Complete: no gap is known.", "✓ 完整：没有已知缺口。"), style="bold green"))
    else:
        lines.append(Text(pick("! Not complete:", "! 不完整："), style="bold yellow"))
        said = dict.fromkeys(gap_text(gap) for gap in report.gaps)
        lines += [Text(f"  · {text}", style="yellow") for text in said]
    heard = "; ".join(
        pick(f"{one.plant} {one.size} entries", f"{one.plant} {one.size} 个条目")
        + (pick(f", {one.lag_seconds} s ago", f"，{one.lag_seconds} 秒前") if one.lag_seconds is not None else "")
        for one in report.watermarks
    )
    lines.append(Text(pick(f"Heard from: {heard}. Times are in UTC.", f"数据截至：{heard}。时间为 UTC。"), style="dim"))
    return lines


def gap_text(gap: GapShown) -> str:
    """Return what may be missing, as a sentence part."""
    named = ", ".join(gap.batches[:BATCHES_NAMED])
    more = len(gap.batches) - BATCHES_NAMED
    batches = f"{named} +{more}" if more > 0 else named
    return pick(*GAPS.get(gap.kind, (gap.kind, gap.kind))).format(plant=gap.plant or "?", batches=batches)


def as_object(report: TraceReport) -> dict[str, Any]:
    """Return a trace as a program reads it: every batch, process record and edge; amounts are exact strings."""
    shown = report.shown
    return {
        "seeds": list(shown.seeds),
        "depth": report.depth,
        "batches": [
            {"id": one.key, "code": one.code, "material": one.material, "plant": one.plant, "unit": one.unit,
             "made": None if one.made is None else format_micro(one.made),
             "onHand": [{"plant": plant, "amount": format_micro(micro)} for plant, micro in one.on_hand]}
            for one in shown.batches.values()
        ],
        "processes": [
            {"id": one.key, "kind": one.kind, "plant": one.plant, "about": one.about,
             "at": None if one.at is None else format_instant(one.at),
             "source": one.source, "destination": one.destination}
            for one in shown.processes.values()
        ],
        "edges": [
            {"source": one.source, "target": one.target, "amount": format_micro(one.quantity), "unit": one.unit,
             "use": one.use, "at": None if one.at is None else format_instant(one.at)}
            for one in shown.edges
        ],
        "completeness": {
            "complete": report.complete,
            "asOf": [
                {"plant": one.plant, "size": one.size, "lagSeconds": one.lag_seconds} for one in report.watermarks
            ],
            "gaps": [
                {"kind": gap.kind, "plant": gap.plant, "transfer": gap.transfer, "batches": list(gap.batches),
                 "text": gap_text(gap)}
                for gap in report.gaps
            ],
        },
    }  # fmt: skip

"""`batchloom trace`: where a batch came from and where it went, drawn as a tree, and how complete the answer is."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from api.cli import app
from api.cli.nodes import AsJson, console_actor, opened
from api.cli.output import CONSOLE, show_json
from api.language import _, language
from api.node.node import Node
from api.trace.reader import GapShown, TraceReport, read_trace
from api.trace.tree import Side, draw
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from infra.messages import Failure, message, word
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import format_micro
from plants.store.materials.plants import known_plants

BATCHES_NAMED: Final = 3

GAPS: Final = {
    one.code: one
    for one in (
        message("GAP_NEVER_HEARD", "{plant} has never sent its ledger"),
        message("GAP_BEHIND", "{plant} has entries that are not in this answer yet"),
        message("GAP_STALE", "{plant} has not sent anything for too long"),
        message("GAP_ALARM", "replication of {plant} has stopped and needs somebody to act"),
        message("GAP_IN_TRANSIT", "in transit to {plant}: {batches}"),
        message("GAP_AWAITING_SOURCE", "received from {plant}, which has not reported the dispatch: {batches}"),
        message("GAP_LABEL_DIFFERS", "received on a label that differs from the ledger of {plant}: {batches}"),
        message("GAP_UNSEEN_BATCHES", "{plant} has not reported: {batches}"),
        message("GAP_OTHER_PLANT", "continues at {plant}, which this answer does not cover: {batches}"),
    )
}
"""How each kind of gap is worded."""


@app.command()
def trace(
    *,
    code: Annotated[str, typer.Argument(help="Batch code, or an alias: supplier lot, EPC, job order.")],
    forward: Annotated[bool, typer.Option("--forward", help="Trace forward, to the destinations.")] = False,
    backward: Annotated[bool, typer.Option("--backward", help="Trace backward, to the origin.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Trace both ways. This is the default.")] = False,
    home: Annotated[
        Path | None, typer.Option("--home", help="Home of a node on this machine. The hub knows all plants.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="URL of a node to ask: https://hub.example")] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="Person who signs in at --url. The password is asked for.")
    ] = None,
    password_file: Annotated[
        typer.FileText | None,
        typer.Option("--password-file", help="File that holds the password; - reads standard input."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the origin of a batch (--backward) and its destinations (--forward), with the quantity on every edge.

    Use it for a recall or a complaint. The last lines state whether the answer is complete, and list the gaps. Times
    are in UTC.

    Examples:
      batchloom trace SZ3-261120-0001K --backward --home hub

      batchloom trace LOT-7781 --forward --url https://hub.example --person chen.jing
    """  # fmt: skip
    sides = _sides(forward=forward or both, backward=backward or both)
    if (home is None) == (url is None):
        raise typer.BadParameter(_("give either --home or --url"))
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
        raise Failure(
            message(
                "BATCH_NOT_FOUND",
                "This node knows no batch {code}, by its code or an alias. Check it, or ask at the hub.",
            ),
            code=code,
        )
    return report


def show_report(console: Console, report: TraceReport) -> None:
    """Print the trees of a trace, its figures and its statement of completeness."""
    side: Side = "BACKWARD" if report.direction == "BACKWARD" else "FORWARD"
    back = side == "BACKWARD"
    console.print()
    console.rule(
        _("Where it came from") if back else _("Where it went"),
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
            _(
                "{batches} batches, {processes} process records, {edges} edges, {depth} steps deep, at {plants}",
                batches=len(shown.batches),
                processes=sum(one.kind != "TRANSFER" for one in shown.processes.values()),
                edges=len(shown.edges),
                depth=report.depth,
                plants=", ".join(plants),
            )
        )
    ]
    if report.complete:
        lines.append(Text(_("✓ Complete: no gap is known."), style="bold green"))
    else:
        lines.append(Text(_("! Not complete:"), style="bold yellow"))
        said = dict.fromkeys(gap_text(gap) for gap in report.gaps)
        lines += [Text(f"  · {text}", style="yellow") for text in said]
    positions = "; ".join(
        _("{plant} {size} entries", plant=one.plant, size=one.size)
        + (_(", {lag_seconds} s ago", lag_seconds=one.lag_seconds) if one.lag_seconds is not None else "")
        for one in report.watermarks
    )
    lines.append(Text(_("Data up to: {positions}. Times are in UTC.", positions=positions), style="dim"))
    return lines


def gap_text(gap: GapShown) -> str:
    """Return what may be missing, as a sentence part."""
    named = ", ".join(gap.batches[:BATCHES_NAMED])
    more = len(gap.batches) - BATCHES_NAMED
    batches = f"{named} +{more}" if more > 0 else named
    worded = GAPS.get(f"GAP_{gap.kind}")
    return gap.kind if worded is None else word(worded(plant=gap.plant or "?", batches=batches), language())


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

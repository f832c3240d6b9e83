"""`batchloom import epcis`: import EPCIS documents, with a report for each event."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from api.cli.import_ import app
from api.cli.nodes import AsJson, console_actor
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.language import _, language, marked
from api.node.node import Node
from auth.actors import Role
from infra.clock import SystemClock
from infra.messages import Failure, message, word
from infra.roles import Role as NodeRole
from infra.settings import load
from plants.commands.epcis.imports import ImportingPlant, StepOutcome, import_epcis
from plants.rules.epcis.documents import EPCIS_DOCUMENT_BYTES_MAX, EpcisDocument, read_epcis
from plants.rules.epcis.planning import plan_epcis
from plants.rules.epcis.sites import propose_plants
from plants.rules.epcis.steps import (
    AddAliases,
    DefineLocation,
    DefineMaterial,
    DefineParty,
    EndAliases,
    EpcisPlan,
    EventReport,
    Outcome,
)
from plants.rules.epcis.vocabulary import last_word
from plants.rules.epcis.wording import discrepancy_text, step_text, why_text
from plants.rules.logistics.events import TRANSFER_RECEIVED
from plants.rules.values.quantities import MICRO, format_micro
from plants.store.ledger.entries import Head

QUIET: Final = (AddAliases, DefineLocation, DefineMaterial, DefineParty, EndAliases)


class _Refused(Exception):
    """Rolls every plant's transaction back."""

    def __init__(self, outcomes: tuple[StepOutcome, ...]) -> None:
        super().__init__()
        self.outcomes = outcomes


@app.command()
def epcis(
    *,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="EPCIS 2.0 document in JSON-LD.")
    ],
    home: Annotated[
        list[Path] | None, typer.Option("--home", help="Home of a plant in the document; may be repeated.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="SITE=CODE", help="Plant of a site of the document; may be repeated."),
    ] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Propose a plant for each site, and write nothing.")
    ] = False,
    partly: Annotated[
        bool, typer.Option("--partly", help="Write the events that are accepted, even if others are refused.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import an EPCIS 2.0 document: sites become plants, events become entries, and identifiers become aliases.

    Run it with --propose first. The import is all or nothing: a refusal rolls back every plant, unless --partly is
    given. A repeated import changes nothing. Exit status 1 when an event was refused.

    Examples:
      batchloom import epcis chain.json --propose

      batchloom import epcis chain.json --home proc --home hatc --map urn:…:processor.plant1u=PROC
    """
    document = _read(file)
    given = dict(_mapping(one) for one in map_ or ())
    if propose:
        _show_proposal(document, propose_plants(document, given), as_json=as_json)
        return
    with ExitStack() as stack:
        nodes = _open_plants(home or [], stack)
        plants = propose_plants(document, given)
        _check_homes(plants, nodes)
        plan = plan_epcis(document, plants)
        taking_part = {code: nodes[code] for code in sorted(set(plants.values()))}
        outcomes, written = run_import(plan, taking_part, partly=partly)
    if as_json:
        show_json(as_object(plan, outcomes, written=written))
    else:
        _show(plan, outcomes, file, written=written)
    if not all(outcome.is_done for outcome in outcomes):
        raise typer.Exit(EXIT_REFUSED)


def run_import(
    plan: EpcisPlan, nodes: Mapping[str, Node], *, partly: bool = False
) -> tuple[tuple[StepOutcome, ...], bool]:
    """Execute a plan at the plants' nodes; return the outcome of each step, and whether all was written.

    One transaction at each plant stays open until the last step, so that refusals precede every commit. If the
    machine dies between two of the commits at the end, another import completes it.
    """
    actor = console_actor(Role.IMPORTER).author
    try:
        with ExitStack() as stack:
            plants = {}
            for code, node in nodes.items():
                session = stack.enter_context(node.store.transaction())
                number = node.settings.plant_number
                plants[code] = ImportingPlant(number, node.settings.origin, Head(session, number).size, session)
            now = SystemClock().now()
            outcomes = import_epcis(plan, plants, actor=actor, now=now)
            if not partly:
                _check_whole(outcomes)
    except _Refused as refused:
        return refused.outcomes, False
    return outcomes, True


def _check_whole(outcomes: tuple[StepOutcome, ...]) -> None:
    if not all(outcome.is_done for outcome in outcomes):
        raise _Refused(outcomes)


def as_object(plan: EpcisPlan, outcomes: Sequence[StepOutcome], *, written: bool) -> dict[str, Any]:
    """Return the report of an import for JSON."""
    return {
        "written": written,
        "sites": [
            {"site": site.id, "plant": site.plant, "location": site.location, "name": site.name} for site in plan.sites
        ],
        "events": [_event_object(plan, outcomes, event) for event in plan.report],
    }


def _event_object(plan: EpcisPlan, outcomes: Sequence[StepOutcome], event: EventReport) -> dict[str, Any]:
    return {
        "event": event.event,
        "eventId": event.event_id,
        "type": event.type_name,
        "bizStep": event.biz_step,
        "plant": event.plant,
        "outcome": _outcome(event, outcomes),
        "why": event.why,
        "steps": [_step_object(plan, outcomes[number], number) for number in event.steps],
        "discrepancies": [
            {
                "kind": found.kind,
                "subject": found.subject,
                "quantity": None if found.quantity is None else format_micro(int(found.quantity * MICRO)),
                "unit": found.unit,
                "otherEvent": found.other_event,
                "text": word(discrepancy_text(found), language()),
            }
            for found in event.discrepancies
        ],
    }


def _step_object(plan: EpcisPlan, outcome: StepOutcome, number: int) -> dict[str, Any]:
    step = plan.steps[number]
    shown: dict[str, Any] = {
        "plant": step.plant,
        "text": word(step_text(step), language()),
        "implied": step.implied,
        "entries": [entry.index for entry in outcome.entries],
        "new": outcome.new,
        "batches": _new_batches(outcome),
    }
    if outcome.refusal is not None:
        shown["refusal"] = {"code": outcome.refusal.code, "message": word(outcome.refusal, language())}
    if outcome.waits_for is not None:
        shown["waitsForEvent"] = outcome.waits_for
    return shown


def _outcome(event: EventReport, outcomes: Sequence[StepOutcome]) -> str:
    failed = [outcomes[number] for number in event.steps if not outcomes[number].is_done]
    if not failed:
        return event.outcome.value
    return "REFUSED" if any(outcome.refusal is not None for outcome in failed) else "NOT_POSSIBLE"


def _new_batches(outcome: StepOutcome) -> list[str]:
    return [
        batch["code"]
        for entry in outcome.entries
        if entry.type != TRANSFER_RECEIVED.name
        for batch in entry.payload.get("batches", ())
    ]


def _read(file: Path) -> EpcisDocument:
    with file.open("rb") as stream:
        content = stream.read(EPCIS_DOCUMENT_BYTES_MAX + 1)
    return read_epcis(content, now=SystemClock().now())


def _mapping(text: str) -> tuple[str, str]:
    site, equals, code = text.rpartition("=")
    if not (site and equals and code):
        raise typer.BadParameter("SITE=CODE", param_hint="--map")
    return site, code


def _open_plants(homes: Sequence[Path], stack: ExitStack) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for home in homes:
        settings = load(home)
        if settings.role is not NodeRole.PLANT:
            raise Failure(
                message(
                    "IMPORT_AT_HUB",
                    "{home} is a hub. Goods are recorded at plants, and the hub receives them by "
                    "replication. Give the homes of the plants.",
                ),
                home=home,
            )
        nodes[settings.plant_code] = stack.enter_context(Node(settings))
    return nodes


def _check_homes(plants: Mapping[str, str], nodes: Mapping[str, Node]) -> None:
    missing = {site: code for site, code in plants.items() if code not in nodes}
    if missing:
        shown = ", ".join(f"{site}={code}" for site, code in missing.items())
        raise Failure(
            message(
                "SITES_WITHOUT_HOME",
                "No --home is given for: {sites}. Give the homes of these plants, or map the sites to "
                "others with --map.",
            ),
            sites=shown,
        )


def _show_proposal(document: EpcisDocument, plants: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        show_json({"sites": [{"site": site, "plant": code} for site, code in plants.items()]})
        return
    table = Table(title=_("Proposed plant of each site"), title_justify="left", box=None)
    table.add_column(_("Plant"), style="bold cyan", no_wrap=True)
    table.add_column(_("Site"), overflow="fold")
    table.add_column(_("Name"), style="dim")
    for site, code in plants.items():
        record = document.master.get(site)
        table.add_row(code, escape(site), escape((record.name if record else None) or ""))
    CONSOLE.print(table)
    CONSOLE.print(_("To choose another plant: --map SITE=CODE. Several sites may be one plant."), style="dim")


COLOURS: Final = {
    Outcome.DONE.value: "green",
    Outcome.NOTED.value: "blue",
    Outcome.LEFT_OUT.value: "yellow",
    "REFUSED": "bold red",
    "NOT_POSSIBLE": "red",
}


def _show(plan: EpcisPlan, outcomes: Sequence[StepOutcome], file: Path, *, written: bool) -> None:
    table = Table(title=escape(file.name), title_justify="left", title_style="bold", show_lines=False, expand=False)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column(_("Event"), overflow="fold", max_width=18)
    table.add_column(_("Outcome"), no_wrap=True)
    table.add_column(_("Steps"), overflow="fold", ratio=1)
    for event in plan.report:
        outcome = _outcome(event, outcomes)
        name = last_word(event.biz_step or event.type_name)
        lines = Text("\n").join(_lines(plan, outcomes, event))
        table.add_row(str(event.event), escape(name), Text(_outcome_word(outcome), style=COLOURS[outcome]), lines)
    CONSOLE.print(table)
    new = sum(outcome.new for outcome in outcomes)
    there = sum(len(outcome.entries) for outcome in outcomes) - new
    ledgers = len({step.plant for step in plan.steps})
    refused = sum(not outcome.is_done for outcome in outcomes)
    if refused:
        said = _("{refused} steps were not done.", refused=refused)
        rest = _("The others were written.") if written else _("Nothing was written.")
        CONSOLE.print(f"[bold red]{said}[/] {rest}")
    if written:
        CONSOLE.print(
            marked(
                "[green]✓[/] {new} entries written in the ledgers of {ledgers} plants; {there} existed already.",
                new=new,
                ledgers=ledgers,
                there=there,
            )
        )


def _outcome_word(outcome: str) -> str:
    words = {
        Outcome.DONE.value: _("done"),
        Outcome.NOTED.value: _("noted"),
        Outcome.LEFT_OUT.value: _("left out"),
        "REFUSED": _("refused"),
        "NOT_POSSIBLE": _("not possible"),
    }
    return words[outcome]


def _lines(plan: EpcisPlan, outcomes: Sequence[StepOutcome], event: EventReport) -> list[Text]:
    """Return the lines of an event's row: its steps, quiet ones dimmed, then its discrepancies."""
    lines: list[Text] = []
    if event.why is not None:
        lines.append(Text(word(why_text(event.why), language()), style="dim"))
    for number in event.steps:
        outcome, step = outcomes[number], plan.steps[number]
        line = Text(word(step_text(step), language()), style="dim" if isinstance(step, QUIET) else "")
        codes = _new_batches(outcome)
        if codes:
            line.append(f" = {', '.join(codes)}", style="cyan")
        lines.append(line)
        if outcome.refusal is not None:
            lines.append(Text(f"✗ {word(outcome.refusal, language())}", style="red"))
        if outcome.waits_for is not None:
            said = _("depends on event {waits_for}, which was not done", waits_for=outcome.waits_for)
            lines.append(Text(f"✗ {said}", style="red"))
    lines += [Text(f"! {word(discrepancy_text(found), language())}", style="yellow") for found in event.discrepancies]
    return lines

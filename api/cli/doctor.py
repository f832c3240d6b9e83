"""`batchloom doctor`: what is wrong with a node, in plain words, and what to do."""

from typing import Annotated, Final

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Home
from api.cli.output import CONSOLE, EXIT_REFUSED, pick, show_json
from api.doctor.findings import Finding, Level
from api.doctor.visit import examine
from infra.clock import SystemClock

MARKS: Final = {
    Level.FINE: "[green]✓[/]",
    Level.NOTE: "[dim]·[/]",
    Level.PERSON: "[yellow]![/]",
    Level.BROKEN: "[bold red]✗[/]",
}


@app.command()
def doctor(
    home: Home,
    full: Annotated[bool, typer.Option("--full", help="Verify every entry, not the newest alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a node and what to do, the worst first. Changes nothing; the node may be running.

    Exit status 1 when something needs a person.

    Example:  batchloom doctor --home sh1
    """
    found = examine(home, SystemClock(), full=full)
    if as_json:
        show_json([_as_object(one) for one in found])
    for one in () if as_json else found:
        CONSOLE.print(f"{MARKS[one.level]} {escape(pick(one.en, one.zh))}", soft_wrap=True)
        todo = pick(one.do_en, one.do_zh)
        if todo:
            CONSOLE.print(f"  → {escape(todo)}", soft_wrap=True)
    if any(one.level >= Level.PERSON for one in found):
        raise typer.Exit(EXIT_REFUSED)


def _as_object(one: Finding) -> dict[str, str]:
    return {
        "check": one.check,
        "level": one.level.name,
        "message": pick(one.en, one.zh),
        "todo": pick(one.do_en, one.do_zh),
    }

"""`batchloom doctor`: the problems of a node, and what to do about each."""

from typing import Annotated, Final

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Home
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.doctor.examination import examine
from api.doctor.findings import Finding, Level
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
    full: Annotated[bool, typer.Option("--full", help="Verify every entry, not only the newest ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a node and say what to do about each problem, worst first.

    Run it when something does not work, and after a restore. It changes nothing, and the node may be running. Exit
    status 1 when a finding needs action.

    Example:  batchloom doctor --home sh1
    """
    found = examine(home, SystemClock(), full=full)
    if as_json:
        show_json([_as_object(one) for one in found])
    for one in () if as_json else found:
        CONSOLE.print(f"{MARKS[one.level]} {escape(one.text)}", soft_wrap=True)
        if one.todo:
            CONSOLE.print(f"  → {escape(one.todo)}", soft_wrap=True)
    if any(one.level >= Level.PERSON for one in found):
        raise typer.Exit(EXIT_REFUSED)


def _as_object(one: Finding) -> dict[str, str]:
    return {
        "check": one.check,
        "level": one.level.name,
        "message": one.text,
        "todo": one.todo,
    }

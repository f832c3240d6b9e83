"""`batchloom demo`: a hub and three plants play a year, and a pallet and a lot are traced."""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import Annotated, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from api.cli import app
from api.cli.output import CONSOLE
from api.cli.trace import show_report
from api.demo.floor import Floor, Headquarters, positions_at
from api.demo.homes import DIRECTORY, DemoNode, make_homes, write_directory
from api.demo.processes import Processes
from api.demo.scenario import DAYS, ROUNDS, Year, YearResult
from api.language import _, marked
from api.node.shutdown import SignalGuard
from api.trace.client import trace_over_http
from infra.clock import SystemClock
from infra.messages import Failure, message
from plants.rules.genealogy.walks import TraceDirection

REPLICATION_SECONDS_MAX: Final = 60
POLL_SECONDS: Final = 0.2
ROOT_SHOWN: Final = 16  # of the 64 hexadecimal digits
Positions = dict[str, tuple[int, int, str]]


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop when the year has been played.")] = False,
    home: Annotated[Path, typer.Option("--home", help="Directory of the nodes. It is made anew each time.")] = Path(
        ".demo"
    ),
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=0.01, help="Days to play per second. Default: as fast as possible."),
    ] = None,
) -> None:
    """Start a hub and three plants, play a year of a biscuit maker, and trace across all of them.

    Run it to see Batchloom work. The year is played in twelve rounds over the last 29 days. Plants reject records
    that are more than 31 days late. The nodes run until Ctrl-C; with --once they stop after the year.

    Examples:
      batchloom demo

      batchloom demo --once --home /tmp/batchloom-demo
    """
    with SignalGuard(128 + signal.SIGTERM) as signals:
        _show(home, once=once, speed=speed, signals=signals)


def _show(home: Path, *, once: bool, speed: float | None, signals: SignalGuard) -> None:
    CONSOLE.print()
    CONSOLE.print(_("[bold]Batchloom[/]  a hub and three plants on this machine"))
    CONSOLE.print()
    with _step(_("Making homes, keys and people")):
        nodes = make_homes(home)
    with Processes(nodes) as processes:
        with _step(_("Starting the hub and three plants")):
            processes.start(signals)
        write_directory(home, nodes)
        played = _play(nodes, speed, signals)
        _show_positions(*_wait_for_replication(nodes, signals))
        _show_events(played)
        _show_traces(nodes[0], played)
        if once:
            return
        _print_next_steps(processes, played, home)
        _wait_for_interrupt(processes, signals)


@contextmanager
def _step(what: str) -> Iterator[None]:
    began = time.monotonic()
    with CONSOLE.status(f"{what} …"):
        yield
    CONSOLE.print(f" [green]✓[/] {what}  [dim]{time.monotonic() - began:.1f} s[/]")


def _play(nodes: tuple[DemoNode, ...], speed: float | None, signals: SignalGuard) -> YearResult:
    hub, *plants = nodes
    columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"), TimeElapsedColumn())
    floors = {plant.code: Floor(plant) for plant in plants}
    headquarters = Headquarters(hub)
    began = time.monotonic()
    with Progress(*columns, console=CONSOLE, transient=True) as progress:
        task = progress.add_task("…", total=1)

        def tell(scene: str, number: int) -> None:
            progress.update(
                task,
                description=_("round {number} of {ROUNDS}: {scene}", number=number + 1, ROUNDS=ROUNDS, scene=scene),
            )

        year = Year(floors, headquarters, SystemClock().now(), tell)
        progress.update(task, total=year.scenes)
        for passed in year.play():
            signals.check()
            progress.advance(task)
            if speed is not None:
                time.sleep(passed / timedelta(days=1) / speed)
    for floor in floors.values():
        floor.close()
    headquarters.close()
    took = time.monotonic() - began
    CONSOLE.print(
        marked(
            " [green]✓[/] A year's flow in {ROUNDS} rounds, dated over the last {DAYS} days  [dim]{took:.1f} s[/]",
            ROUNDS=ROUNDS,
            DAYS=DAYS,
            took=took,
        )
    )
    return year.played


def _wait_for_replication(nodes: tuple[DemoNode, ...], signals: SignalGuard) -> tuple[Positions, Positions]:
    """Return the positions of the plants and of the hub once they agree; raises Failure when that takes too long."""
    hub, *plants = nodes
    headquarters = Headquarters(hub)
    deadline = time.monotonic() + REPLICATION_SECONDS_MAX
    with _step(_("Waiting until the hub has every entry")):
        while True:
            signals.check()
            here = {plant.code: positions_at(plant)[plant.code] for plant in plants}
            there = headquarters.positions()
            if all(there.get(code) == (size, size, root) for code, (size, __, root) in here.items()):
                headquarters.close()
                return here, there
            if time.monotonic() > deadline:
                raise Failure(
                    message(
                        "DEMO_NOT_REPLICATED",
                        "The hub did not receive every entry in time. At the hub: {there}; at the plants: {here}",
                    ),
                    there=there,
                    here=here,
                )
            time.sleep(POLL_SECONDS)


def _show_positions(here: Positions, there: Positions) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column(_("Plant"), style="bold")
    table.add_column(_("entries at the plant"), justify="right")
    table.add_column(_("at the hub"), justify="right")
    table.add_column(_("root of both trees"), style="dim")
    for code, (size, __, root) in here.items():
        table.add_row(code, str(size), str(there[code][0]), f"{root[:ROOT_SHOWN]}… [green]✓[/]")
    CONSOLE.print(table)


def _show_events(played: YearResult) -> None:
    lines = (
        _(
            "Wuhan put {held} on hold. It requested the release, and {released_by} approved it at the hub.",
            held=played.held,
            released_by=played.released_by,
        ),
        _(
            "Qingdao recorded a delivery that never came. Entry {correction} corrects it; both entries stay.",
            correction=played.correction,
        ),
        _("Shanghai received 3 kg less than Wuhan sent. It split, merged and shipped pallets."),
    )
    for line in lines:
        CONSOLE.print(Text(f" · {line}"))


def _show_traces(hub: DemoNode, played: YearResult) -> None:
    person = hub.people[0].id
    for name, direction in (
        (played.pallet, TraceDirection.BACKWARD),
        (played.suspect_lot, TraceDirection.FORWARD),
    ):
        report = trace_over_http(hub.url, person, hub.passwords[person], name, direction)
        CONSOLE.print()
        CONSOLE.print(
            Text(
                _("Pallet {name}, which was shipped", name=name)
                if direction is TraceDirection.BACKWARD
                else _("Supplier lot {name}, which is under suspicion", name=name),
                style="bold",
            )
        )
        show_report(CONSOLE, report)


def _print_next_steps(processes: Processes, played: YearResult, home: Path) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_lines=False)
    for heading in (_("Node"), _("Person"), _("Role"), _("Password")):
        table.add_column(heading, no_wrap=True)
    for node in processes.nodes:
        people = "\n".join(person.id for person in node.people)
        roles = "\n".join(role.value for person in node.people for role in person.roles)
        passwords = "\n".join(node.passwords[person.id] for person in node.people)
        table.add_row(f"[bold]{node.code or 'hub'}[/]\n{node.url}", people, roles, passwords, end_section=True)
    CONSOLE.print()
    CONSOLE.print(table)
    program = shutil.which("batchloom") or str(Path(sys.executable).with_name("batchloom"))
    hub, bakery = processes.nodes[0], processes.nodes[2]
    graphiql, person = f"{hub.url}/graphiql", hub.people[0].id
    trace = f"{program} trace {played.suspect} --both --home {quote(str(home / 'hub'))}"
    stop = f"kill {processes.number_of(bakery)}"
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, line in enumerate(
        (
            _("Open {graphiql}, sign in as {person}, and ask.", graphiql=graphiql, person=person),
            _("Trace for yourself:\n{trace}", trace=trace),
            _(
                "Stop Wuhan: {stop}\n"
                "The others go on. A trace ends with how long ago Wuhan sent its last entries; after 15 "
                "minutes the answer says that it is not complete.",
                stop=stop,
            ),
            _("Let a program sign in: {directory} has addresses and passwords.", directory=home / DIRECTORY),
        ),
        1,
    ):
        grid.add_row(str(number), Text(line))
    CONSOLE.print(Panel(grid, title=_("Four things to try"), border_style="cyan"))


def _wait_for_interrupt(processes: Processes, signals: SignalGuard) -> None:
    """Return on Ctrl-C. A node that stops meanwhile is reported."""
    CONSOLE.print(Text(_("All nodes are running. Press Ctrl-C to stop them."), style="bold"))
    reported: set[str] = set()
    try:
        while True:
            signals.check()
            time.sleep(1)
            for node in processes.ended():
                if node.url not in reported:
                    reported.add(node.url)
                    name = node.code or _("The hub")
                    CONSOLE.print(marked("{name} has stopped.", name=name))
    except KeyboardInterrupt:
        with _step(_("Stopping every node")):
            processes.stop()

"""`batchloom sim`: the whole group in one thread under seeded faults, as many times as wanted."""

import os
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli import app
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.cli.prompts import progress_bar
from api.language import _, marked
from infra.messages import Failure, message

if TYPE_CHECKING:  # the simulator is no small import, and every other command and node does without it.
    from simulation.run import Outcome

SHOWN_MAX = 5
LINES_SHOWN = 60


@app.command()
def sim(
    *,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Number of runs.")] = 100,
    first: Annotated[int, typer.Option("--from", min=0, help="First seed.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Run this seed alone, and print its log.")] = None,
    planted: Annotated[
        str | None, typer.Option("--planted", help="Name of a planted bug to run with; `all` searches for every one.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Number of processes. 0: one for each processor.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Simulate plants, hub and people under seeded faults, and check that no entry is lost, doubled or shown wrongly.

    Use it after a change of the program. The real code runs on virtual disks, clocks and networks; the same seed gives
    the same run on every machine. Exit status 1 when an invariant was violated, or a planted bug was not found.

    Example:  batchloom sim --seeds 1000    batchloom sim --seed 17    batchloom sim --planted all
    """
    from simulation import campaign  # noqa: PLC0415 -- other commands need none of it.
    from simulation.mutants import BUGS  # noqa: PLC0415 -- the same.

    if planted not in {None, "all", *BUGS}:
        raise Failure(
            message("BUG_UNKNOWN", "There is no planted bug of this name. The names are: {names}."),
            names=", ".join(BUGS),
        )
    processes = workers or len(os.sched_getaffinity(0))
    if planted == "all":
        _search(processes, as_json=as_json)
    elif seed is not None:
        _print_run(campaign.run_one(seed, planted), planted)
    else:
        _run_campaign(first, seeds, processes, planted, as_json=as_json)


def _run_campaign(first: int, seeds: int, workers: int, planted: str | None, *, as_json: bool) -> None:
    from simulation.campaign import campaign  # noqa: PLC0415 -- as above.

    began = time.monotonic()
    with progress_bar(quiet=as_json) as progress:
        task = progress.add_task(_("Simulating"), total=seeds)

        def tell(outcome: "Outcome") -> None:
            progress.advance(task)
            if outcome.invariant and not as_json:
                progress.console.print(f"[bold red]✗[/] {_replay(outcome.seed, planted)}  {escape(outcome.text)}")

        totals = campaign(first, seeds, workers, tell, planted=planted)
    seconds = max(time.monotonic() - began, 0.001)
    shown: dict[str, Any] = {
        "seeds": totals.seeds,
        "steps": totals.steps,
        "seedsPerSecond": f"{totals.seeds / seconds:.2f}",
        "stepsPerSecond": f"{totals.steps / seconds:.0f}",
        "faults": {name: totals.hits[name] for name in sorted(totals.hits, key=lambda name: int(name[1:]))},
        "marks": dict(totals.marks.most_common()),
        "violations": [
            {"seed": one.seed, "invariant": one.invariant, "text": one.text, "replay": _replay(one.seed, planted)}
            for one in totals.failed
        ],
    }
    if as_json:
        show_json(shown)
    else:
        _print_totals(shown)
    if totals.failed:
        raise typer.Exit(EXIT_REFUSED)


def _print_totals(shown: dict[str, Any]) -> None:
    faults = ", ".join(f"{name} {count}" for name, count in shown["faults"].items())
    speed = f"{shown['seedsPerSecond']} seeds/s, {shown['stepsPerSecond']} steps/s"
    CONSOLE.print(f"{shown['seeds']} seeds, {shown['steps']} steps ({speed})", soft_wrap=True)
    CONSOLE.print(marked("faults injected: {faults}", faults=faults), soft_wrap=True)
    violations = shown["violations"]
    if not violations:
        CONSOLE.print(_("[green]✓[/] no violation"))
    for one in violations[:SHOWN_MAX]:
        CONSOLE.print(f"[bold red]✗[/] {escape(one['text'])}\n  {one['replay']}", soft_wrap=True)
    if len(violations) > SHOWN_MAX:
        CONSOLE.print(f"[bold red]✗[/] … {len(violations) - SHOWN_MAX}")


def _print_run(outcome: "Outcome", planted: str | None) -> None:
    for line in outcome.lines[-LINES_SHOWN:] if outcome.invariant else outcome.lines:
        CONSOLE.print(escape(line), soft_wrap=True)
    if outcome.trace:
        CONSOLE.print(escape(outcome.trace), soft_wrap=True)
    CONSOLE.print(f"{_replay(outcome.seed, planted)}  {outcome.steps} steps  {outcome.digest}", soft_wrap=True)
    if outcome.invariant:
        CONSOLE.print(f"[bold red]✗[/] {escape(outcome.text)}", soft_wrap=True)
        raise typer.Exit(EXIT_REFUSED)
    CONSOLE.print(_("[green]✓[/] no violation"))


def _search(workers: int, *, as_json: bool) -> None:
    from simulation.campaign import STARTS, search_all  # noqa: PLC0415 -- as above.

    found = []
    for one in search_all(workers):
        found.append(one)
        if not as_json:
            median = "—" if one.median is None else str(one.median)
            seeds = ", ".join("—" if count is None else str(count) for count in one.seeds)
            CONSOLE.print(f"| `{one.bug}` | {', '.join(one.invariants)} | {median} | {seeds} |", soft_wrap=True)
    if as_json:
        show_json([{"bug": one.bug, "invariants": one.invariants, "seeds": one.seeds} for one in found])
    missed = [one.bug for one in found if not one.everywhere]
    if not as_json:
        counted = f"{len(found) - len(missed)}/{len(found)}"
        CONSOLE.print(marked("{counted} found from each of {STARTS} starts", counted=counted, STARTS=STARTS))
    if missed:
        raise typer.Exit(EXIT_REFUSED)


def _replay(seed: int, planted: str | None) -> str:
    return f"batchloom sim --seed {seed}" + ("" if planted is None else f" --planted {planted}")

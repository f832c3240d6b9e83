"""Comparison of two checkouts: the rounds of a benchmark alternate between both, then medians are compared.

Each checkout runs in its own process, which waits before each round for its turn. Only one of them works at a time.
Each round measures its own rival. So a change of the machine's load changes both sides of a ratio.
The processor time of ours is compared as well: on a busy machine it varies less than a ratio.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from benchmarks import measurements
from benchmarks.options import count, one_of
from benchmarks.programs import Program, running
from benchmarks.rounds import significant, spread

LOSS_MAX: Final = 0.10
SIZES: Final = {
    "plant_write": ("--feeds=300",),
    "hub_ingest": ("--ledger-edges=10000",),
    "trace": ("--edges=10000", "--traces=10"),
}
"""The benchmarks that are compared, at sizes at which a round takes some seconds."""
SIDES: Final = ("before", "after")


WAITING: Final = "waiting"
FINISHED: Final = "finished"
ROUND_SECONDS_MAX: Final = 900
"""For one round, or for the preparation before the first."""


class NoEnvironment(Exception):
    """A checkout has no virtual environment of its own."""


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of a claim in both checkouts, per round. `sign` is -1 where less is better."""

    benchmark: str
    claim: str
    measure: str
    before: list[float]
    after: list[float]
    sign: int = 1

    @property
    def change(self) -> float:
        """The relative change of the median; a loss is negative, whatever is better."""
        return self.sign * (median(self.after) / median(self.before) - 1)

    @property
    def within_spread(self) -> bool:
        """True when each median lies between the quartiles of the other side."""
        return _within(self.before, median(self.after)) and _within(self.after, median(self.before))

    @property
    def lost(self) -> bool:
        """True when the median lost more than LOSS_MAX."""
        return self.change < -LOSS_MAX

    def line(self) -> str:
        """Return one line for the terminal."""
        sides = "  ".join(
            f"{side} {median(values):.4g} [{low:.4g}-{high:.4g}] ({min(values):.4g}-{max(values):.4g})"
            for side, values in zip(SIDES, (self.before, self.after), strict=True)
            for low, high in [quartiles(values)]
        )
        verdict = "LOSS" if self.lost else "within spread" if self.within_spread else "changed"
        return f"{self.claim}, {self.measure}: {sides}  {self.change:+.1%} {verdict}"

    def as_json(self) -> dict[str, Any]:
        """Return the change for the file of results, with the ratio of every round."""
        sides = {
            side: spread(values)
            | {"quartiles": list(map(significant, quartiles(values))), "rounds": list(map(significant, values))}
            for side, values in zip(SIDES, (self.before, self.after), strict=True)
        }
        verdict = {"change": significant(self.change), "within_spread": self.within_spread, "lost": self.lost}
        return {"claim": self.claim, "measure": self.measure, **sides, **verdict}


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and the third quartile."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def wait_for_turn() -> None:
    """Say on standard output that a round can begin, and wait for a line on standard input."""
    print(WAITING, flush=True)
    if not sys.stdin.readline():
        raise EOFError("the comparison ended before its rounds")


@contextmanager
def started(checkout: Path, benchmark: Sequence[str], rounds: int, folder: Path) -> Iterator[Program]:
    """Start a benchmark in a checkout, with its own environment. Raises NoEnvironment when there is none."""
    python = checkout / ".venv" / "bin" / "python"
    if not python.exists():
        raise NoEnvironment(f"{checkout} has no .venv: run make .venv/.dev there")
    command = [str(python), "-m", "benchmarks", *benchmark, f"--rounds={rounds}", "--paced", f"--results={folder}"]
    folder.mkdir(parents=True, exist_ok=True)
    name, log = f"{benchmark[0]} in {checkout}", folder / f"{benchmark[0]}.log"
    with running(Program(name, command, log, folder=checkout, piped=True)) as program:
        yield program


def reached_round(program: Program) -> bool:
    """Wait until a benchmark waits for its turn; return False when it has finished instead."""
    while (line := program.read_line(ROUND_SECONDS_MAX)) != WAITING:
        if line == FINISHED:
            return False
    return True


def alternate(before: Path, after: Path, rounds: int, benchmark: Sequence[str]) -> list[Change]:
    """Run one benchmark in both checkouts, a round of each in turn, and return a change per claim."""
    name = benchmark[0]
    with tempfile.TemporaryDirectory(prefix="batchloom-bench-") as home, ExitStack() as opened:
        folders = [Path(home) / side for side in SIDES]
        programs = [
            opened.enter_context(started(checkout, benchmark, rounds, folder))
            for checkout, folder in zip((before, after), folders, strict=True)
        ]
        number, waiting = 0, [reached_round(program) for program in programs]
        while all(waiting):
            for place in (0, 1) if number % 2 == 0 else (1, 0):
                programs[place].write_line("")
                waiting[place] = reached_round(programs[place])
            number += 1
            print(f"{name}: round {number}", flush=True)
        if any(waiting):
            raise LookupError(f"{name} has more rounds in one of the checkouts")
        claims = [measurements.read(folder, name)["claims"] for folder in folders]
    return [change for old, new in zip(*claims, strict=True) for change in changes_of(name, old, new)]


def changes_of(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the changes of one claim: of the ratio, and of our processor time. Raises LookupError for two claims."""
    if (old["name"], old["rival"]) != (new["name"], new["rival"]):
        raise LookupError(f"{name} measures {old['name']} before, and {new['name']} after")
    for key, measure, sign in (("ratio", f"ratio to {old['rival']}", 1), ("ours_processor_us", "processor µs", -1)):
        before, after = ([each[key] for each in one["rounds"]] for one in (old, new))
        yield Change(name, old["name"], measure, before, after, sign)


def write(folder: Path, name: str, before: Path, after: Path, changes: Sequence[Change]) -> None:
    """Write the comparison of one benchmark to `<folder>/compare_<name>.json`."""
    content = {
        "benchmark": name,
        "before": measurements.commit(before),
        "after": measurements.commit(after),
        "machine": measurements.machine() | {"load_after": significant(os.getloadavg()[0])},
        "sizes": SIZES[name],
        "changes": [change.as_json() for change in changes],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"compare_{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _within(values: list[float], value: float) -> bool:
    low, high = quartiles(values)
    return low <= value <= high


def main(arguments: Sequence[str]) -> int:
    """Compare two checkouts, print a line per measure, and write a file per benchmark. Returns 1 on a loss."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("names", nargs="*", type=one_of(SIZES), metavar="benchmark", help=", ".join(SIZES))
    parser.add_argument("--before", type=Path, required=True, help="checkout with its own .venv")
    parser.add_argument("--after", type=Path, required=True, help="checkout with its own .venv")
    parser.add_argument("--rounds", type=count, default=10, help="rounds of each claim in each checkout")
    parser.add_argument("--results", type=Path, default=measurements.RESULTS, help="folder of the JSON files")
    options = parser.parse_args(arguments)
    before, after = options.before.resolve(), options.after.resolve()
    lost = False
    for name in options.names or SIZES:
        changes = alternate(before, after, options.rounds, [name, *SIZES[name]])
        for change in changes:
            print(change.line(), flush=True)
            lost |= change.lost
        write(options.results, name, before, after, changes)
    return int(lost)

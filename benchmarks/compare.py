"""Comparison of two checkouts: each benchmark runs in both, in alternation, and the medians of the ratios are compared.

Each run measures its own rival at the same time. So a change of the machine's load changes both sides of a ratio.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from benchmarks import measurements
from benchmarks.options import count, one_of
from benchmarks.rounds import significant, spread

LOSS_MAX: Final = 0.10
SIZES: Final = {
    "plant_write": ("--rounds=3", "--feeds=300"),
    "hub_ingest": ("--rounds=2", "--ledger-edges=10000"),
    "trace": ("--rounds=2", "--edges=10000", "--traces=10"),
}
"""The benchmarks that are compared, at sizes at which one run takes some ten seconds on a quiet machine."""
SIDES: Final = ("before", "after")


class RunFailed(Exception):
    """A benchmark failed in a checkout; the message has its last lines."""


@dataclass(frozen=True, slots=True)
class Change:
    """One claim in both checkouts: the ratio of each run, before and after."""

    benchmark: str
    claim: str
    rival: str
    before: list[float]
    after: list[float]

    @property
    def change(self) -> float:
        """The relative change of the median ratio; a loss is negative."""
        return median(self.after) / median(self.before) - 1

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
            f"{side} {median(values):.3f} [{low:.3f}-{high:.3f}] ({min(values):.3f}-{max(values):.3f})"
            for side, values in zip(SIDES, (self.before, self.after), strict=True)
            for low, high in [quartiles(values)]
        )
        verdict = "LOSS" if self.lost else "within spread" if self.within_spread else "changed"
        return f"{self.claim} / {self.rival}: {sides}  {self.change:+.1%} {verdict}"

    def as_json(self) -> dict[str, Any]:
        """Return the change for the file of results, with the ratio of every run."""
        sides = {
            side: spread(values)
            | {"quartiles": list(map(significant, quartiles(values))), "runs": list(map(significant, values))}
            for side, values in zip(SIDES, (self.before, self.after), strict=True)
        }
        verdict = {"change": significant(self.change), "within_spread": self.within_spread, "lost": self.lost}
        return {"benchmark": self.benchmark, "claim": self.claim, "rival": self.rival, **sides, **verdict}


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and the third quartile."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def run_once(checkout: Path, name: str, sizes: Sequence[str], results: Path) -> dict[str, Any]:
    """Run a benchmark in a checkout, with its own environment, and return its results. Raises RunFailed."""
    python = checkout / ".venv" / "bin" / "python"
    if not python.exists():
        raise RunFailed(f"{checkout} has no .venv: run make .venv/.dev there")
    command = [str(python), "-m", "benchmarks", name, *sizes, "--results", str(results)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise RunFailed(f"{name} ended with status {done.returncode} in {checkout}:\n{lines}")
    return measurements.read(results, name)


def run_rounds(before: Path, after: Path, rounds: int, sizes: Mapping[str, Sequence[str]]) -> list[Change]:
    """Run each benchmark in both checkouts, in alternation, and return a change per claim."""
    checkouts = dict(zip(SIDES, (before, after), strict=True))
    ratios: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="batchloom-bench-") as folder:
        for number in range(rounds):
            for name, options in sizes.items():
                for side in SIDES if number % 2 == 0 else reversed(SIDES):
                    result = run_once(checkouts[side], name, options, Path(folder) / side)
                    for claim in result["claims"]:
                        sides = ratios.setdefault((name, claim["name"], claim["rival"]), {each: [] for each in SIDES})
                        sides[side].append(claim["ratio"]["median"])
            print(f"round {number + 1} of {rounds}", flush=True)
    for key, sides in ratios.items():
        if len(sides["before"]) != len(sides["after"]):
            raise LookupError(f"only one of the checkouts measures {key}")
    return [Change(*key, sides["before"], sides["after"]) for key, sides in ratios.items()]


def write(folder: Path, before: Path, after: Path, rounds: int, changes: Sequence[Change]) -> None:
    """Write the comparison to `<folder>/compare.json`."""
    content = {
        "before": measurements.commit(before),
        "after": measurements.commit(after),
        "machine": measurements.machine(),
        "sizes": SIZES,
        "rounds": rounds,
        "changes": [change.as_json() for change in changes],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compare.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _within(values: list[float], value: float) -> bool:
    low, high = quartiles(values)
    return low <= value <= high


def main(arguments: Sequence[str]) -> int:
    """Compare two checkouts, print a line per claim, and write `compare.json`. Returns 1 when a claim lost too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("names", nargs="*", type=one_of(SIZES), metavar="benchmark", help=", ".join(SIZES))
    parser.add_argument("--before", type=Path, required=True, help="checkout with its own .venv")
    parser.add_argument("--after", type=Path, required=True, help="checkout with its own .venv")
    parser.add_argument("--rounds", type=count, default=10, help="runs of each benchmark in each checkout")
    parser.add_argument("--results", type=Path, default=measurements.RESULTS, help="folder of compare.json")
    options = parser.parse_args(arguments)
    sizes = {name: SIZES[name] for name in options.names or SIZES}
    before, after = options.before.resolve(), options.after.resolve()
    changes = run_rounds(before, after, options.rounds, sizes)
    for change in changes:
        print(change.line())
    write(options.results, before, after, options.rounds, changes)
    return int(any(change.lost for change in changes))

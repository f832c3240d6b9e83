"""Rounds of a benchmark: ours and its rivals in alternation, and the ratio that is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

Rates = tuple[list[float], list[float]]
"""The rates of ours and of the rival, one of each per round."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One published ratio: our rate over the rival's rate, per round. Above 1 we are faster."""

    name: str
    rival: str
    rates: Rates
    unit: str
    notes: str = ""
    aim: float | None = None

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round."""
        return [ours / rival for ours, rival in zip(*self.rates, strict=True)]

    def line(self) -> str:
        """Return one line for the terminal: median ratio, its range over the rounds, and both median rates."""
        aim = "" if self.aim is None else f" (aim {self.aim:.2f})"
        return (
            f"{self.name:<44} {median(self.ratios):6.2f} [{min(self.ratios):.2f}-{max(self.ratios):.2f}]{aim}"
            f"  {median(self.rates[0]):,.0f} against {median(self.rates[1]):,.0f} {self.unit} of {self.rival}"
            + (f"; {self.notes}" if self.notes else "")
        )

    def as_json(self) -> dict[str, Any]:
        """Return the claim for a file of results, with every round."""
        rounds = [
            {"ours": significant(ours), "rival": significant(rival), "ratio": significant(ours / rival)}
            for ours, rival in zip(*self.rates, strict=True)
        ]
        described = {"name": self.name, "rival": self.rival, "unit": self.unit, "notes": self.notes, "aim": self.aim}
        return described | {"ratio": spread(self.ratios), "rounds": rounds}


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement without a rival. It describes the machine as much as the program."""

    name: str
    values: list[float]
    unit: str

    def line(self) -> str:
        """Return one line for the terminal: the median, and the range of several values."""
        shown = f"{self.name:<44} {median(self.values):,.0f} {self.unit}"
        few = len(self.values) == 1
        return shown if few else f"{shown} [{min(self.values):,.0f}-{max(self.values):,.0f}]"

    def as_json(self) -> dict[str, Any]:
        """Return the figure for a file of results, with every value."""
        values = [significant(value) for value in self.values]
        return {"name": self.name, "unit": self.unit, "value": spread(self.values), "values": values}


Measurement = Claim | Figure


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the range, as a file of results states them."""
    return {"median": significant(median(values)), "least": significant(min(values)), "most": significant(max(values))}


def significant(value: float) -> float:
    """Return a value with four significant digits; a machine repeats no more of them."""
    return float(f"{value:.4g}")


def immediately() -> None:
    """Begin a round without waiting."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """The number of rounds, and a function that each round calls before it begins."""

    count: int = 5
    wait: Callable[[], None] = immediately

    def interleave(self, runs: Sequence[Callable[[], float]]) -> list[list[float]]:
        """Return the rates of each run, one per round. The run that goes first changes from round to round."""
        rates: list[list[float]] = [[] for _ in runs]
        for number in range(self.count):
            self.wait()
            for place in range(len(runs)):
                turn = (number + place) % len(runs)
                rates[turn].append(runs[turn]())
        return rates


ROUNDS: Final = Rounds()
"""The published number of rounds."""


def rate(count: int, run: Callable[[], object]) -> float:
    """Return how many per second, where one run does `count`."""
    start = time.perf_counter()
    run()
    return count / (time.perf_counter() - start)

"""Rounds of a benchmark: ours and its rivals in alternation, and the ratio that is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.processor_time import processor_seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, and the processor time of each unit in microseconds, over all processes involved."""

    per_second: float
    processor_us: float | None = None


Rates = tuple[list[Rate], list[Rate]]
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
        return [ours.per_second / rival.per_second for ours, rival in zip(*self.rates, strict=True)]

    def line(self) -> str:
        """Return one line for the terminal: median ratio, its range over the rounds, and both median rates."""
        aim = "" if self.aim is None else f" (aim {self.aim:.2f})"
        ours, theirs = (median(one.per_second for one in side) for side in self.rates)
        return (
            f"{self.name:<44} {median(self.ratios):6.2f} [{min(self.ratios):.2f}-{max(self.ratios):.2f}]{aim}"
            f"  {ours:,.0f} against {theirs:,.0f} {self.unit} of {self.rival}"
            + (f"; {self.notes}" if self.notes else "")
        )

    def as_json(self) -> dict[str, Any]:
        """Return the claim for a file of results, with every round."""
        rounds = [
            {
                "ratio": significant(ours.per_second / rival.per_second),
                "ours": significant(ours.per_second),
                "rival": significant(rival.per_second),
                "ours_processor_us": ours.processor_us and significant(ours.processor_us),
                "rival_processor_us": rival.processor_us and significant(rival.processor_us),
            }
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
    """Return a value with four significant digits; further digits are noise."""
    return float(f"{value:.4g}")


def immediately() -> None:
    """Begin a round without waiting."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """The number of rounds, and a function that each round calls before it begins."""

    count: int = 5
    wait: Callable[[], None] = immediately

    def interleave(self, runs: Sequence[Callable[[], Rate]]) -> list[list[Rate]]:
        """Return the rates of each run, one per round. The run that goes first changes from round to round."""
        rates: list[list[Rate]] = [[] for _ in runs]
        for number in range(self.count):
            self.wait()
            for place in range(len(runs)):
                turn = (number + place) % len(runs)
                rates[turn].append(runs[turn]())
        return rates


ROUNDS: Final = Rounds()
"""The published number of rounds."""


class Stopwatch:
    """Measures from its creation."""

    def __init__(self) -> None:
        self._processor_seconds = processor_seconds()
        self._start = time.perf_counter()

    def rate(self, count: int) -> Rate:
        """Return the rate of `count` until now."""
        seconds = time.perf_counter() - self._start
        used = processor_seconds() - self._processor_seconds
        return Rate(count / seconds, used / count * 1_000_000)


def rate(count: int, run: Callable[[], object]) -> Rate:
    """Return the rate of one run that does `count`."""
    watch = Stopwatch()
    run()
    return watch.rate(count)

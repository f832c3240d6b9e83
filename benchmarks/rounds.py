"""Rounds: ours and its rival in turns, and the ratio between them that is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Rates = tuple[list[float], list[float]]
"""The rates of ours and of the rival, round by round."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One published ratio: rate of ours over rate of the rival (above 1 we are faster), round by round."""

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
        """Return the claim as a line of the table: median ratio, least and most over the rounds, and both rates."""
        aim = "" if self.aim is None else f" (aim {self.aim:.2f})"
        return (
            f"{self.name:<44} {median(self.ratios):6.2f} [{min(self.ratios):.2f}-{max(self.ratios):.2f}]{aim}"
            f"  {median(self.rates[0]):,.0f} against {median(self.rates[1]):,.0f} {self.unit} of {self.rival}"
            + (f"; {self.notes}" if self.notes else "")
        )


def in_turns_of(rounds: int, runs: Sequence[Callable[[], float]]) -> list[list[float]]:
    """Return the rates that each of several gives in each round; the order turns by one from round to round."""
    rates: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        for place in range(len(runs)):
            turn = (number + place) % len(runs)
            rates[turn].append(runs[turn]())
    return rates


def in_turns(rounds: int, ours: Callable[[], float], rival: Callable[[], float]) -> Rates:
    """Return the rates that each gives in each round; who goes first changes from round to round."""
    mine: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        turns = [(mine, ours), (theirs, rival)]
        for rates, run in turns if number % 2 == 0 else reversed(turns):
            rates.append(run())
    return mine, theirs


def rate(count: int, run: Callable[[], object]) -> float:
    """Return how many per second, where one run does `count`."""
    start = time.perf_counter()
    run()
    return count / (time.perf_counter() - start)

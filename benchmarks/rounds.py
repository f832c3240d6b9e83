"""Rounds: ours and its rival in turns, and the ratio between them that is published."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Claim:
    """One published ratio: rate of ours over rate of the rival (above 1 we are faster), round by round."""

    name: str
    rival: str
    ours_rates: tuple[float, ...]
    rival_rates: tuple[float, ...]
    unit: str
    notes: str = ""
    aim: float | None = None
    ratios: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        pairs = zip(self.ours_rates, self.rival_rates, strict=True)
        object.__setattr__(self, "ratios", tuple(ours / rival for ours, rival in pairs))

    def line(self) -> str:
        """Return the claim as a line of the table: median ratio, least and most over the rounds, and both rates."""
        aim = "" if self.aim is None else f" (aim {self.aim:.2f})"
        return (
            f"{self.name:<44} {median(self.ratios):6.2f} [{min(self.ratios):.2f}-{max(self.ratios):.2f}]{aim}"
            f"  {median(self.ours_rates):,.0f} against {median(self.rival_rates):,.0f} {self.unit} of {self.rival}"
            + (f"; {self.notes}" if self.notes else "")
        )


def in_turns(rounds: int, ours: Callable[[], float], rival: Callable[[], float]) -> tuple[list[float], list[float]]:
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

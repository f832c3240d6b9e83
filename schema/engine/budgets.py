"""The budget of cost that each actor may spend in a minute, counted in the memory of one process."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Balance:
    """Cost that an actor has spent in the current window, the rest of the budget, and the end of the window."""

    spent: int
    left: int
    reset_at: datetime


class CostBudgets:
    """Counts the cost of operations by actor, in one window of a minute for all actors.

    Each process counts for itself: behind a load balancer over n processes, an actor can spend n budgets. The count
    is lost when the process ends. Its memory is bounded by the actors of one minute.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._began: datetime | None = None
        self._spent: Counter[str] = Counter()

    def spend(self, actor: str, cost: int, now: datetime) -> bool:
        """Count a cost. Returns False and counts nothing if the rest of the budget is smaller."""
        if cost > self.balance(actor, now).left:
            return False
        self._spent[actor] += cost
        return True

    def refund(self, actor: str, cost: int, now: datetime) -> None:
        """Take a cost that was counted back. A window that has ended since is not changed."""
        self._spent[actor] -= min(cost, self.balance(actor, now).spent)

    def balance(self, actor: str, now: datetime) -> Balance:
        """Return the balance of an actor."""
        began = self._began
        if began is None or not began <= now < began + WINDOW:
            # A clock that was set back also begins a new window.
            began = self._began = now
            self._spent.clear()
        spent = self._spent[actor]
        return Balance(spent, self.per_minute - spent, began + WINDOW)

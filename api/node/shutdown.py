"""Ending on a signal, also where Python loses the exception that the signal raises.

What is raised in a destructor, or in the callback of a weak reference (imports have some), is printed and forgotten.
So what was asked for is kept as well, and who goes round a loop looks.
"""

import signal
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Raises KeyboardInterrupt on SIGINT and SystemExit on SIGTERM while its block lasts; in the main thread alone."""

    def __init__(self, status: int = 0) -> None:
        self._status = status
        self._asked: BaseException | None = None
        self._before: dict[signal.Signals, object] = {}

    def check(self) -> None:
        """Raise what a signal asked for, if it was lost."""
        if self._asked is not None:
            raise self._asked

    def _hear(self, number: int, _frame: FrameType | None) -> NoReturn:
        self._asked = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(self._status)
        raise self._asked

    def __enter__(self) -> Self:
        """Hear the signals from now on."""
        self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave them to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave it takes.

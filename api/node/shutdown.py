"""Ending on a signal, also where Python discards the exception that the signal raises.

Python prints and discards exceptions in destructors and in callbacks of weak references, which imports have. So the
signal is stored too, and loops call `check`. `held` delays the exception past steps that must not be cut in two.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class SignalGuard:
    """Raises KeyboardInterrupt on SIGINT and SystemExit on SIGTERM while its block lasts; in the main thread alone."""

    def __init__(self, status: int = 0) -> None:
        self._status = status
        self._asked: BaseException | None = None
        self._held = False
        self._before: dict[signal.Signals, object] = {}

    def check(self) -> None:
        """Raise the exception of a signal, if Python discarded it."""
        if self._asked is not None:
            raise self._asked

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay the exception of a signal to the end of the block.

        A process that is started in the block is known to its starter in any case.
        """
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._asked = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(self._status)
        if not self._held:
            raise self._asked

    def __enter__(self) -> Self:
        """Install the signal handlers."""
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave it takes.

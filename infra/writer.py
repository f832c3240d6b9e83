"""The writer thread of a node: group commit of the queued commands.

A commit costs one disk synchronisation, whatever number of changes it holds. The ledger's head serialises writers.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any, Protocol, TypeVar

from infra.database import Session, Store
from infra.high_water_marks import REFRESHED_AFTER

GROUP_MAX = 64  # commands in one transaction
QUEUE_MAX = 10_000  # queued commands; above it callers block (backpressure)

Work = Callable[[Session], Any]
T = TypeVar("T")


class Writing(Protocol):
    """Runs functions in transactions and returns after the commit."""

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` and return its result once it is durable; an exception of `work` rolls it back."""
        ...


class WriterClosed(Exception):
    """The node is stopping. The command was not run and can be sent again."""


class Writer:
    """Runs functions in sequence, each in a savepoint, and commits them in groups.

    A function that raises is rolled back alone, and its caller gets the exception. A result is returned only after the
    commit that makes it durable. When the commit fails, every caller of the group gets that exception. The writer's
    thread calls `timed` with the seconds of each group.
    """

    timed: Callable[[float], None]

    def __init__(self, store: Store, *, committed: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._committed = committed
        self.timed = lambda _seconds: None
        self._waiting: queue.Queue[tuple[Work, Future[Any]] | None] = queue.Queue(QUEUE_MAX)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Session], T]) -> Future[T]:
        """Queue a function; the future resolves after the commit."""
        if self._closed:
            raise WriterClosed
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return future

    def write(self, work: Callable[[Session], T]) -> T:
        """Run a function and return its result once it is durable."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish the queued functions and stop."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._thread.join()

    def _serve(self) -> None:
        stopping = False
        while not stopping:
            group = [self._next()]
            while group[-1] is not None and len(group) < GROUP_MAX:
                try:
                    group.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            stopping = group[-1] is None
            jobs = [job for job in group if job is not None]
            if jobs:
                began = time.perf_counter()
                self._commit(jobs)
                self.timed(time.perf_counter() - began)

    def _next(self) -> tuple[Work, Future[Any]] | None:
        """Wait for a function; while idle, bring the high-water marks up to date."""
        while True:
            try:
                return self._waiting.get(timeout=REFRESHED_AFTER.total_seconds())
            except queue.Empty:
                if self._store.keeper is not None:
                    self._store.keeper.catch_up()

    def _commit(self, jobs: list[tuple[Work, Future[Any]]]) -> None:
        results: dict[Future[Any], Any] = {}
        failures: dict[Future[Any], BaseException] = {}
        try:
            with self._store.transaction() as session:
                for work, future in jobs:
                    try:
                        # A single function needs no savepoint: its failure may roll back the whole transaction.
                        with session.savepoint() if len(jobs) > 1 else nullcontext():
                            results[future] = work(session)
                    except Exception as error:
                        failures[future] = error
                        if len(jobs) == 1:
                            raise
        except Exception as error:  # noqa: BLE001 -- nothing was committed: every caller gets the error.
            for _, future in jobs:
                future.set_exception(error)
            return
        for future, failure in failures.items():
            future.set_exception(failure)
        for future, result in results.items():
            future.set_result(result)
        self._committed()

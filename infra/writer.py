"""The one thread through which a node writes: what is waiting is committed together.

Grouping pays because a commit costs a disk synchronisation however many changes it holds, and because the ledger's
head makes every writer wait for the one before it.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any, Protocol, TypeVar

from infra.database import Session, Store
from infra.marks import REFRESHED_AFTER

GROUP_MAX = 64  # commands in one transaction
QUEUE_MAX = 10_000  # commands waiting; above it a caller waits, which is the backpressure a person notices

Work = Callable[[Session], Any]
T = TypeVar("T")


class Writing(Protocol):
    """Whatever runs a piece of work in a transaction of its own and returns once that is durable."""

    def write(self, work: Callable[[Session], T]) -> T:
        """Run a piece of work and return its result once it is durable; what it raises has undone it."""
        ...


class WriterClosed(Exception):
    """The node is stopping; the command was not run and can be sent again."""


class Writer:
    """Runs pieces of work one after the other, each in a savepoint, and commits groups of them.

    A piece of work that raises is undone alone, and its caller gets the exception. A result is handed out only after
    the commit that made it durable. When the commit itself fails, every caller of the group gets that exception.
    `timed` hears how many seconds each group took, on the writer's thread.
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
        """Queue a piece of work; the future resolves after the commit."""
        if self._closed:
            raise WriterClosed
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return future

    def write(self, work: Callable[[Session], T]) -> T:
        """Run a piece of work and return its result once it is durable."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what is waiting and stop."""
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
        """Wait for a piece of work; whenever none comes for a while the second memory catches up."""
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
                        # A lone piece of work needs no savepoint: its failure may undo the whole transaction.
                        with session.savepoint() if len(jobs) > 1 else nullcontext():
                            results[future] = work(session)
                    except Exception as error:
                        failures[future] = error
                        if len(jobs) == 1:
                            raise
        except Exception as error:  # noqa: BLE001 -- nothing was committed: every caller must hear of it.
            for _, future in jobs:
                future.set_exception(error)
            return
        for future, failure in failures.items():
            future.set_exception(failure)
        for future, result in results.items():
            future.set_result(result)
        self._committed()

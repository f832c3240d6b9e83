"""Starts the embedded PostgreSQL again when it has ended by itself: its disk was full, or memory short."""

import logging
import threading
from typing import Final, Self

from infra.postgres import EmbeddedPostgres
from infra.postgres_programs import PostgresUnavailable

LOOK_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 30.0  # between two attempts to start it
LOG = logging.getLogger(__name__)


class PostgresKeeper:
    """Looks after a server that is ours, from entering to leaving; `failures` counts failed starts in a row."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="postgresql", daemon=True)
        self.failures = 0

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more; a start under way is waited for."""
        self._stopping.set()
        self._thread.join()

    def _serve(self) -> None:
        wait = LOOK_SECONDS
        while not self._stopping.wait(wait):
            try:
                if self._server.revive():
                    LOG.warning("PostgreSQL had ended by itself and runs again")
            except (PostgresUnavailable, OSError) as error:
                self.failures += 1
                wait = min(WAIT_SECONDS_MAX, 2 * wait)
                LOG.warning("PostgreSQL has ended by itself and does not start: %s", error)
            else:
                self.failures, wait = 0, LOOK_SECONDS

"""Restarts the embedded PostgreSQL after an unexpected end, such as a full disk or a lack of memory."""

import logging
import threading
from typing import Final, Self

from infra.postgres import EmbeddedPostgres
from infra.postgres_programs import PostgresUnavailable

LOOK_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 30.0  # between two attempts to start it
LOG = logging.getLogger(__name__)


class PostgresKeeper:
    """Restarts an owned server while the context is open. `failures` counts consecutive failed starts."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="postgresql", daemon=True)
        self.failures = 0

    def __enter__(self) -> Self:
        """Start watching the server."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching; wait for a start in progress."""
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

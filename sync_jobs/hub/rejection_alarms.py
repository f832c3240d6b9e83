"""Raises rate-limited alarms for rejected replication requests."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from infra.messages import message, term
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from sync_jobs.nodes import HubNode
from sync_jobs.protocol.wire import Problem

LATER: Final = frozenset({400, 408, 429, 503})
"""Statuses that only ask the client to retry, or that an interrupted connection causes."""

WRITTEN_EVERY: Final = timedelta(seconds=10)
STRANGER: Final = term("about", "not recognised")
"""The subject of the alarm about clients that are not recognised."""

ADVICE: Final = {
    "NOT_RECOGNISED": message(
        "ADVICE_NOT_RECOGNISED",
        "A request came as a plant with a key that is not enrolled, or with a wrong clock. Correct the clock, or enrol "
        "the plant. Then end this alarm with `batchloom end-alarm`.",
    ),
    "NOT_YET_APPROVED": message(
        "ADVICE_NOT_YET_APPROVED",
        "The plant waits: compare its fingerprint, then `batchloom hub approve CODE` or `reject`.",
    ),
    "SESSION_SUPERSEDED": message("ADVICE_SESSION_SUPERSEDED", "Two copies of the plant send. Stop one of them."),
    "INVITATION_REFUSED": message(
        "ADVICE_INVITATION_REFUSED",
        "A one-time code was refused. If nobody mistyped it, somebody is guessing codes. Ask who used it, then end "
        "this alarm with `batchloom end-alarm`.",
    ),
    "PROTOCOL_TOO_OLD": message("ADVICE_PROTOCOL_TOO_OLD", "The plant's program is too old: upgrade it."),
}
LOOK_AT_PLANT: Final = message("ADVICE_OTHERWISE", "Look at the plant's alarms.")
REJECTED: Final = message("REQUEST_REJECTED", "{status} {problem}: {advice}")


@dataclass(slots=True)
class RejectionCounter:
    since: int = 0
    written_at: datetime | None = None


class RejectionAlarms:
    """Raises REPLICATION_REFUSED about a plant at its first rejection, and ends it at its first accepted request.

    Further rejections are counted in memory and written every WRITTEN_EVERY, so that a flood of requests causes few
    writes. There is one alarm per plant, and one for all clients that are not recognised.
    """

    def __init__(self, hub: HubNode) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._counters: dict[str, RejectionCounter] = {}
        self._served: set[str] = set()

    def rejected(self, problem: Problem, origin: str | None) -> None:
        """Count a rejection of an enrolled plant, or of an unknown client."""
        if problem.status in LATER:
            return
        about, now = origin or STRANGER, self._hub.clock.now()
        with self._lock:
            self._served.discard(about)
            counter = self._counters.setdefault(about, RejectionCounter())
            counter.since += 1
            if counter.written_at is not None and now < counter.written_at + WRITTEN_EVERY:
                return
            times, counter.since, counter.written_at = counter.since, 0, now
        advice = ADVICE.get(problem.code, LOOK_AT_PLANT)()
        said = REJECTED(status=problem.status, problem=problem.code, advice=advice)
        with self._hub.store.transaction() as session:
            raise_alarm(session, Alarm(AlarmKind.REPLICATION_REFUSED, about, said), now, times=times)

    def accepted(self, origin: str) -> None:
        """End the alarm of a plant whose request was accepted."""
        with self._lock:
            if origin in self._served:
                return
            self._served.add(origin)
            self._counters.pop(origin, None)
        now = self._hub.clock.now()
        with self._hub.store.reading() as reads:
            is_open = origin in open_alarms(reads, AlarmKind.REPLICATION_REFUSED)
        if is_open:
            with self._hub.store.transaction() as session:
                end_alarm(session, AlarmKind.REPLICATION_REFUSED, origin, now)

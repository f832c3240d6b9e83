"""Raises rate-limited alarms for rejected replication requests."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from sync_jobs.nodes import HubNode
from sync_jobs.protocol.wire import Problem

LATER: Final = frozenset({400, 408, 429, 503})
"""Statuses that only ask the client to retry, or that an interrupted connection causes."""

WRITTEN_EVERY: Final = timedelta(seconds=10)
STRANGER: Final = "not recognised"
"""The subject of the alarm about clients that are not recognised."""

WORDS: Final = {
    "NOT_RECOGNISED": (
        "Somebody whose key is not enrolled, or whose clock is wrong, asked as a plant.",
        "有未登记密钥或时钟错误的节点以工厂身份请求。",
    ),
    "NOT_YET_APPROVED": (
        "The plant waits: compare its fingerprint, then `batchloom hub approve CODE` or `reject`.",
        "工厂等待批准：核对指纹后执行 batchloom hub approve 或 reject。",
    ),
    "SESSION_SUPERSEDED": (
        "Two copies of the plant send. Stop one of them.",
        "该工厂有两个副本同时发送，请停用其中之一。",
    ),
    "INVITATION_REFUSED": (
        "A one-time code was refused. If nobody mistyped it, somebody is guessing.",
        "一次性代码被拒绝；若无人输错，可能有人在猜测。",
    ),
    "PROTOCOL_TOO_OLD": ("The plant's program is too old: upgrade it.", "工厂的程序版本过旧，请升级。"),
}


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
        en, zh = WORDS.get(problem.code, ("Look into the plant's alarms.", "请查看该工厂的告警。"))
        text = f"{problem.status} {problem.code}: {en} / {zh}"
        with self._hub.store.transaction() as session:
            raise_alarm(session, Alarm(AlarmKind.REPLICATION_REFUSED, about, text), now, times=times)

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

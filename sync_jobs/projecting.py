"""The hub applies what it took in to its tables, plant by plant, and parks what cannot be applied.

An entry that fails parks its key and everything that it touches; later entries of the same ledger that touch any of it
queue behind it in order, and all others go on. So what is applied later, out of turn, meets the rows just as it would
have in turn, and the tables are those that a rebuild gives. When more than PARKED_MAX entries wait, the whole plant
waits. No failure here stops intake, nor another plant.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from infra.clock import Clock
from infra.database import Session, Store
from plants.rules.codes import NODE_NUMBER_BITS
from plants.rules.events import Entry
from plants.rules.instants import micros
from plants.store import projection
from plants.store.ledger import entries_between, entry_at
from plants.store.positions import HALTED
from sync_jobs import leases
from sync_jobs.leases import Held

SLICE_ENTRIES: Final = 4000  # of one transaction
PARKED_MAX: Final = 1000
TRIES_MAX: Final = 5  # then only a person or a newer program tries again
WAITS: Final = (5, 30, 300, 3600)  # seconds after each failed try
ERROR_LENGTH_MAX: Final = 500
NODE_ID_MIN: Final = 1 << NODE_NUMBER_BITS
NODE_IN_TEXT: Final = re.compile(r"(?:^|:)(\d{13,16})$")
TOO_MANY: Final = (
    f"more than {PARKED_MAX} entries wait: nothing more of this plant is applied / "
    f"等待的条目超过 {PARKED_MAX} 条，已暂停该工厂的投影"
)
LOG = logging.getLogger(__name__)

SELECT_POSITION = "SELECT size, projected FROM logs WHERE log_id = :log_id"
MOVE = "UPDATE logs SET projected = :projected WHERE log_id = :log_id"
SELECT_BEHIND = "SELECT log_id FROM logs WHERE log_id > 0 AND projected < size ORDER BY log_id"
SELECT_PARKED = "SELECT idx FROM projection_faults WHERE log_id = :log_id ORDER BY idx"
SELECT_HALT = "SELECT 1 FROM projection_faults WHERE log_id = :log_id AND key = :key"
SELECT_DUE = (
    "SELECT log_id FROM projection_faults WHERE error IS NOT NULL AND next_attempt_us <= :now_us"
    " GROUP BY log_id ORDER BY log_id"
)
SELECT_FAULTS = (
    "SELECT idx, key, error, attempts, next_attempt_us FROM projection_faults WHERE log_id = :log_id ORDER BY idx"
)
PARK = (
    "INSERT INTO projection_faults (log_id, idx, key, type, error, attempts, parked_us, next_attempt_us)"
    " VALUES (:log_id, :idx, :key, :type, :error, :attempts, :now_us, :next_attempt_us)"
    " ON CONFLICT (log_id, idx) DO UPDATE SET error = excluded.error, attempts = excluded.attempts,"
    " next_attempt_us = excluded.next_attempt_us"
)
UNPARK = "DELETE FROM projection_faults WHERE log_id = :log_id AND idx = :idx"
WAKE = (
    "UPDATE projection_faults SET attempts = 0, next_attempt_us = :now_us"
    " WHERE error IS NOT NULL AND (:log_id = 0 OR log_id = :log_id)"
)
UNHALT = "DELETE FROM projection_faults WHERE log_id = :log_id AND key = :key"
SELECT_BATCH_ID = "SELECT id FROM batches WHERE plant_id = :plant AND code = :code"
SELECT_BATCH_CODE = "SELECT code FROM batches WHERE plant_id = :plant AND id = :id"
SERIES = "SELECT next FROM series WHERE plant_id = :plant AND name = :name"
RAISE_SERIES = "UPDATE series SET next = :next WHERE plant_id = :plant AND name = :name AND next < :next"


def project_behind(store: Store, clock: Clock, holder: str) -> int:
    """Apply one slice of every plant that is behind, and retry what is due; returns how many entries were applied.

    Plants take turns, so that one with a long way to go does not keep the others waiting.
    """
    with store.transaction() as session:
        behind = {log_id for (log_id,) in session.rows(SELECT_BEHIND)}
        due = {log_id for (log_id,) in session.rows(SELECT_DUE, {"now_us": micros(clock.now())})}
    return sum(project_pending(store, log_id, clock=clock, holder=holder) for log_id in sorted(behind | due))


def project_pending(store: Store, log_id: int, *, clock: Clock, holder: str, limit: int = SLICE_ENTRIES) -> int:
    """Retry what is due and apply the next entries of one plant; returns how many were applied.

    Whatever goes wrong is written down as a fault and logged; nothing is raised but a failure of the database.
    """
    with store.transaction() as session:
        held = leases.take(session, f"project/{log_id}", holder, now=clock.now())
    if held is None:
        return 0
    try:
        return _retry_due(store, log_id, held, clock) + _project_slice(store, log_id, held, clock, limit)
    except leases.LeaseLost:
        LOG.warning("ledger %s: another process has taken its projection over", log_id)
        return 0
    except Exception as error:
        LOG.exception("ledger %s: its projection stops", log_id)
        with store.transaction() as session:
            held.renew(session, clock.now())
            _halt(session, log_id, f"{type(error).__name__}: {error}".replace("\0", ""), clock.now(), retry=True)
        return 0
    finally:
        with store.transaction() as session:
            held.end(session)


def _project_slice(store: Store, log_id: int, held: Held, clock: Clock, limit: int) -> int:
    with store.transaction() as session:
        held.renew(session, clock.now())
        if session.row(SELECT_HALT, {"log_id": log_id, "key": HALTED}) is not None:
            return 0
        return _Slice(session, log_id, clock.now()).run(limit)


def wake(session: Session, now: datetime, log_id: int = 0) -> int:
    """Have the faults of a plant, or of all, tried again at once: after an upgrade, or when a person asks."""
    return session.run(WAKE, {"log_id": log_id, "now_us": micros(now)})


def touched(entry: Entry) -> frozenset[str]:
    """Return what an entry may touch, also one of an unknown type: its key, and every node id anywhere in it."""
    key = entry.envelope["key"]
    return frozenset({f"key {key}", *map(str, _nodes([key, entry.payload]))})


def _held_up_by(session: Session, log_id: int, entry: Entry) -> frozenset[str]:
    """Return what an entry that waits holds up: what it touches, a batch both by its id and by its code."""
    found = touched(entry)
    named = {"plant": log_id, "code": entry.envelope["key"]}
    ids = {str(batch) for (batch,) in session.rows(SELECT_BATCH_ID, named)}
    codes = set()
    for node in found:
        if node.isdigit():
            codes |= {f"key {code}" for (code,) in session.rows(SELECT_BATCH_CODE, {"plant": log_id, "id": int(node)})}
    return found | ids | codes


def _nodes(payload: Any) -> Iterator[int]:
    """Yield the ids of batches and process records in a payload: as numbers, or at the end of texts and keys."""
    waiting = [payload]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str):
            found = NODE_IN_TEXT.search(value)
            if found is not None:
                waiting.append(int(found[1]))
        elif isinstance(value, int) and value >= NODE_ID_MIN:
            yield value


@dataclass(slots=True)
class _Slice:
    """One transaction's worth of one plant's entries."""

    session: Session
    log_id: int
    now: datetime
    parked: int = 0
    blocked: set[str] = field(default_factory=set)
    applied: int = 0

    def run(self, limit: int) -> int:
        """Apply the entries behind the watermark and move it; returns how many were applied."""
        row = self.session.row(SELECT_POSITION, {"log_id": self.log_id})
        assert row is not None
        size, projected = row
        high = min(size, projected + limit)
        for (index,) in self.session.rows(SELECT_PARKED, {"log_id": self.log_id}):
            waiting = entry_at(self.session, self.log_id, index)
            assert waiting is not None
            self.blocked |= _held_up_by(self.session, self.log_id, waiting)
            self.parked += 1
        self._apply(list(entries_between(self.session, self.log_id, projected, high)))
        if high > projected:
            self.session.run(MOVE, {"log_id": self.log_id, "projected": high})
        if self.parked > PARKED_MAX:
            _halt(self.session, self.log_id, TOO_MANY, self.now, retry=False)
        return self.applied

    def _apply(self, entries: list[Entry]) -> None:
        free = list(self._not_blocked(entries))
        if not free:
            return
        try:
            with self.session.savepoint():
                projection.apply(self.session, self.log_id, free)
            self.applied += len(free)
        except Exception as error:  # noqa: BLE001 -- whatever the content does, only its own key may wait for it.
            if len(free) > 1:
                # One of them fails: halves find it without giving up set-wise writes for the others.
                middle = len(free) // 2
                self._apply(free[:middle])
                self._apply(free[middle:])
                return
            LOG.warning("ledger %s: entry %s is parked: %r", self.log_id, free[0].index, error)
            self._park(free[0], error)

    def _not_blocked(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if self.blocked and not self.blocked.isdisjoint(touched(entry)):
                self._park(entry, None)
            else:
                yield entry

    def _park(self, entry: Entry, error: Exception | None) -> None:
        self.blocked |= _held_up_by(self.session, self.log_id, entry)
        self.parked += 1
        _park(self.session, self.log_id, entry, error, attempts=int(error is not None), now=self.now)


def _halt(session: Session, log_id: int, text: str, now: datetime, *, retry: bool) -> None:
    """Stop the projection of a plant at its watermark, and say why."""
    row = session.row(SELECT_POSITION, {"log_id": log_id})
    assert row is not None
    next_us = micros(now + timedelta(seconds=WAITS[1])) if retry else None
    halt = {"log_id": log_id, "idx": row[1], "key": HALTED, "type": "", "error": text[:ERROR_LENGTH_MAX]}
    session.run(PARK, {**halt, "attempts": 1, "now_us": micros(now), "next_attempt_us": next_us})


def _park(
    session: Session, log_id: int, entry: Entry, error: Exception | None, *, attempts: int, now: datetime
) -> None:
    wait = WAITS[min(attempts, len(WAITS)) - 1]
    next_us = None if error is None or attempts >= TRIES_MAX else micros(now + timedelta(seconds=wait))
    session.run(
        PARK,
        {
            "log_id": log_id,
            "idx": entry.index,
            "key": entry.envelope["key"],
            "type": entry.type,
            "error": None if error is None else f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX].replace("\0", ""),
            "attempts": attempts,
            "now_us": micros(now),
            "next_attempt_us": next_us,
        },
    )


def _retry_due(store: Store, log_id: int, held: Held, clock: Clock) -> int:
    """Try what is due once more, and what waits behind it, in order; each entry in its own transaction."""
    now = clock.now()
    with store.transaction() as session:
        faults = session.rows(SELECT_FAULTS, {"log_id": log_id})
    if not any(next_us is not None and next_us <= micros(now) for *_, next_us in faults):
        return 0
    with store.transaction() as session:
        held.renew(session, now)
        session.run(UNHALT, {"log_id": log_id, "key": HALTED})
    applied = 0
    blocked: set[str] = set()
    for idx, key, error, tries, next_us in faults:
        if key == HALTED:
            continue
        with store.transaction() as session:
            held.renew(session, clock.now())
            entry = entry_at(session, log_id, idx)
            assert entry is not None
            not_yet = error is not None and (next_us is None or next_us > micros(now))
            if not_yet or not blocked.isdisjoint(touched(entry)):
                blocked |= _held_up_by(session, log_id, entry)
                continue
            failure = _try_again(session, log_id, entry)
            if failure is None:
                session.run(UNPARK, {"log_id": log_id, "idx": idx})
                applied += 1
            else:
                blocked |= _held_up_by(session, log_id, entry)
                _park(session, log_id, entry, failure, attempts=tries + 1, now=now)
    return applied


def _try_again(session: Session, log_id: int, entry: Entry) -> Exception | None:
    payload = entry.payload
    names = payload.get("series", {}) if isinstance(payload, dict) else {}
    before = {
        name: row[0] for name in names if (row := session.row(SERIES, {"plant": log_id, "name": name})) is not None
    }
    try:
        with session.savepoint():
            projection.apply(session, log_id, (entry,))
    except Exception as error:  # noqa: BLE001 -- as above: the entry stays parked, with the reason.
        LOG.warning("ledger %s: entry %s stays parked: %r", log_id, entry.index, error)
        return error
    for name, following in before.items():
        # A series only goes up: applied out of turn, an old entry must not set it back.
        session.run(RAISE_SERIES, {"plant": log_id, "name": name, "next": following})
    return None

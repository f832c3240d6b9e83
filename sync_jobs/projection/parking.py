"""Parks entries that could not be applied, and the entries blocked behind them; only the projection writes here.

A failed entry blocks its key and every node that it touches. Later entries of the same ledger that touch any of these
queue behind it in order; all others are applied. An entry of a type or version that this program does not know is
parked without counting attempts, until a program that knows it runs.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from infra.database import Session
from infra.messages import Notice, message, term
from plants.rules.identification.codes import NODE_ID_MIN, NODE_IN_TEXT
from plants.rules.ledger.events import Entry
from plants.store.inventory.batches import codes_of_ids, ids_of_codes
from plants.store.ledger.entries import origin_of
from plants.store.ledger.logs import watermark
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.projection.applying import UnknownEvent
from plants.store.replication import projection_faults
from plants.store.replication.projection_faults import HALTED, ProjectionFault

PARKED_MAX: Final = 1000
TRIES_MAX: Final = 5  # after which only an operator or a newer program retries
WAITS: Final = (5, 30, 300, 3600)  # seconds after each failed attempt
ERROR_LENGTH_MAX: Final = 500
PARKED: Final = message(
    "ENTRIES_WAIT",
    "{count} entries of plant {plant} wait, the first is {index} ({type}): {why}. Retry or skip it.",
)
HALTED_AT: Final = message("PROJECTION_HALTED", "No more entries of plant {plant} are applied: {why}")
TOO_MANY: Final = message(
    "PARKED_TOO_MANY",
    "More than {limit} entries wait, so no more entries of this plant are applied. Retry or skip the first ones.",
)
PROGRAM_ENDED: Final = term("why", "the program ended while it applied this entry")
NEEDS_UPGRADE: Final = message("NEEDS_UPGRADE", "needs a newer program: {type} version {version}")


def touched_keys(entry: Entry) -> frozenset[str]:
    """Return what an entry may touch: its key, and every node id in it. Works for unknown types too."""
    key = entry.envelope["key"]
    return frozenset({f"key {key}", *map(str, _nodes([key, entry.payload]))})


def keys_blocked_by(session: Session, log_id: int, entries: Sequence[Entry]) -> set[str]:
    """Return what parked entries block: everything that they touch, with both the id and the code of a batch."""
    found: set[str] = set().union(*map(touched_keys, entries))
    codes = sorted({entry.envelope["key"] for entry in entries})
    ids = sorted(int(node) for node in found if node.isdigit())
    found |= {str(batch) for batch in ids_of_codes(session, log_id, codes)}
    found |= {f"key {code}" for code in codes_of_ids(session, log_id, ids)}
    return found


def park(
    session: Session, log_id: int, entry: Entry, error: Exception | str | None, *, tries: int, at: datetime
) -> None:
    """Park an entry that failed after `tries` attempts, or (without an error) one that another blocks."""
    wait = WAITS[min(max(tries, 1), len(WAITS)) - 1]
    following = None if error is None or tries >= TRIES_MAX else at + timedelta(seconds=wait)
    needs = entry.envelope["version"] if isinstance(error, UnknownEvent) else None
    if needs is not None:
        tries, following = 0, None
    fault = ProjectionFault(
        log_id=log_id,
        idx=entry.index,
        key=entry.envelope["key"],
        type=entry.type,
        error=None if error is None else error_text(error, entry),
        attempts=tries,
        parked_at=at,
        next_attempt_at=following,
        needs_version=needs,
    )
    projection_faults.put_fault(session, fault)


def error_text(error: Exception | str, entry: Entry) -> str:
    """Return the text that is stored for an error, without what a text column of PostgreSQL cannot hold."""
    if isinstance(error, UnknownEvent):
        return str(NEEDS_UPGRADE(type=entry.type, version=entry.envelope["version"]))[:ERROR_LENGTH_MAX]
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:ERROR_LENGTH_MAX]


def halt(session: Session, log_id: int, why: Notice | str, at: datetime, *, retry: bool) -> None:
    """Halt the projection of a plant at its watermark, store the reason, and raise the alarm."""
    _, projected = watermark(session, log_id)
    fault = ProjectionFault(
        log_id=log_id,
        idx=projected,
        key=HALTED,
        type="",
        error=str(why)[:ERROR_LENGTH_MAX],
        attempts=1,
        parked_at=at,
        next_attempt_at=at + timedelta(seconds=WAITS[1]) if retry else None,
    )
    projection_faults.put_fault(session, fault)
    origin = origin_of(session, log_id)
    raise_alarm(session, Alarm(AlarmKind.PROJECTION_HALTED, origin, HALTED_AT(plant=_code(origin), why=why)), at)


def unhalt(session: Session, log_id: int, at: datetime) -> None:
    """Let the projection of a plant continue from its watermark, and end the alarm."""
    projection_faults.delete_halt(session, log_id)
    end_alarm(session, AlarmKind.PROJECTION_HALTED, origin_of(session, log_id), at)


def update_alarm(session: Session, log_id: int, at: datetime) -> None:
    """Raise one alarm for all failed entries of a plant, or end it when there are none.

    The alarm is about the ledger's origin, as in `plants.store.monitoring.overview`, so that both are one alarm.
    """
    first = projection_faults.first_failed(session, log_id)
    about = origin_of(session, log_id)
    if first is None:
        end_alarm(session, AlarmKind.ENTRY_PARKED, about, at)
        return
    count = projection_faults.parked_count(session, log_id)
    said = PARKED(count=count, plant=_code(about), index=first.idx, type=first.type, why=first.error)
    raise_alarm(session, Alarm(AlarmKind.ENTRY_PARKED, about, said), at)


def _code(origin: str) -> str:
    """Return the plant's code in the origin of its ledger."""
    return origin.split("/")[-2]


def _nodes(payload: Any) -> Iterator[int]:
    """Yield the ids of batches and process records in a payload: numbers, and the ends of texts and keys."""
    pending: list[Iterable[Any]] = [[payload]]
    while pending:
        for value in pending.pop():
            if isinstance(value, dict):
                pending += [value.keys(), value.values()]
            elif isinstance(value, list):
                pending.append(value)
            elif isinstance(value, str):
                found = NODE_IN_TEXT.search(value)
                if found is not None and int(found[1]) >= NODE_ID_MIN:
                    yield int(found[1])
            elif isinstance(value, int) and NODE_ID_MIN <= value < 1 << 63:
                yield value

"""What waits at the hub because it could not be applied, and what waits behind it; written by the projection alone.

An entry that fails parks its key and everything that it touches; later entries of the same ledger that touch any of it
queue behind it in order, and all others go on. An entry of a type or version that this program does not know parks
without costing attempts, until a program that knows it runs.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from infra.database import Session
from plants.rules.identification.codes import NODE_ID_MIN, NODE_IN_TEXT
from plants.rules.ledger.events import Entry
from plants.rules.values.instants import micros
from plants.store.ledger.decoding import read_rows
from plants.store.ledger.entries import origin_of
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.projection.applying import UnknownEvent
from plants.store.replication.parked_entries import HALTED

PARKED_MAX: Final = 1000
TRIES_MAX: Final = 5  # then only a person or a newer program tries again
WAITS: Final = (5, 30, 300, 3600)  # seconds after each failed try
ERROR_LENGTH_MAX: Final = 500
IDS_AT_ONCE: Final = 5000  # looked up in one statement
TOO_MANY: Final = (
    "more than {limit} entries wait: nothing more of this plant is applied / "
    "等待的条目超过 {limit} 条，已暂停该工厂的投影"
)
PROGRAM_ENDED: Final = "the program ended while it applied this entry / 应用此条目时程序异常终止"
NEEDS_UPGRADE: Final = "needs a newer program: {type} version {version} / 需要升级程序：{type} 版本 {version}"

SELECT_WAITING = (
    "SELECT entries.body, entries.leaf FROM projection_faults JOIN entries"
    " ON entries.log_id = projection_faults.log_id AND entries.idx = projection_faults.idx"
    " WHERE projection_faults.log_id = :log_id AND projection_faults.key <> :halted ORDER BY entries.idx"
)
SELECT_HALT = "SELECT 1 FROM projection_faults WHERE log_id = :log_id AND key = :key"
SELECT_WATERMARK = "SELECT projected FROM logs WHERE log_id = :log_id"
SELECT_WORST = (
    "SELECT idx, type, error FROM projection_faults WHERE log_id = :log_id AND error IS NOT NULL AND key <> :halted"
    " ORDER BY idx LIMIT 1"
)
COUNT_WAITING = "SELECT count(*) FROM projection_faults WHERE log_id = :log_id AND key <> :halted"
PARK = (
    "INSERT INTO projection_faults"
    " (log_id, idx, key, type, error, attempts, parked_us, next_attempt_us, needs_version)"
    " VALUES (:log_id, :idx, :key, :type, :error, :attempts, :now_us, :next_attempt_us, :needs_version)"
    " ON CONFLICT (log_id, idx) DO UPDATE SET error = excluded.error, attempts = excluded.attempts,"
    " next_attempt_us = excluded.next_attempt_us, needs_version = excluded.needs_version"
)
UNHALT = "DELETE FROM projection_faults WHERE log_id = :log_id AND key = :key"
CODES = "SELECT id, code FROM batches WHERE plant_id = :plant AND id IN ({ids})"
IDS = "SELECT id, code FROM batches WHERE plant_id = :plant AND code IN ({codes})"


def touched_keys(entry: Entry) -> frozenset[str]:
    """Return what an entry may touch, also one of an unknown type: its key, and every node id anywhere in it."""
    key = entry.envelope["key"]
    return frozenset({f"key {key}", *map(str, _nodes([key, entry.payload]))})


def keys_blocked_by(session: Session, log_id: int, entries: Sequence[Entry]) -> set[str]:
    """Return what entries that wait hold up: what they touch, a batch both by its id and by its code."""
    found: set[str] = set().union(*map(touched_keys, entries))
    codes = sorted({entry.envelope["key"] for entry in entries})
    ids = sorted(int(node) for node in found if node.isdigit())
    for code_part in _parts(codes):
        names = {f"c{number}": code for number, code in enumerate(code_part)}
        sql = IDS.format(codes=", ".join(f":{name}" for name in names))
        found |= {str(batch) for batch, _ in session.rows(sql, {"plant": log_id, **names})}
    for id_part in _parts(ids):
        sql = CODES.format(ids=", ".join(map(str, id_part)))
        found |= {f"key {code}" for _, code in session.rows(sql, {"plant": log_id})}
    return found


def parked_entries(session: Session, log_id: int) -> list[Entry]:
    """Return the entries of a ledger that wait, in order."""
    return read_rows(session.rows(SELECT_WAITING, {"log_id": log_id, "halted": HALTED}))


def park(
    session: Session, log_id: int, entry: Entry, error: Exception | str | None, *, tries: int, at: datetime
) -> None:
    """Write down that an entry waits: because of an error after so many tries, or (None) behind another one."""
    wait = WAITS[min(max(tries, 1), len(WAITS)) - 1]
    next_us = None if error is None or tries >= TRIES_MAX else micros(at + timedelta(seconds=wait))
    needs = entry.envelope["version"] if isinstance(error, UnknownEvent) else None
    if needs is not None:
        tries, next_us = 0, None
    session.run(
        PARK,
        {
            "log_id": log_id,
            "idx": entry.index,
            "key": entry.envelope["key"],
            "type": entry.type,
            "error": None if error is None else error_text(error, entry),
            "attempts": tries,
            "now_us": micros(at),
            "next_attempt_us": next_us,
            "needs_version": needs,
        },
    )


def error_text(error: Exception | str, entry: Entry) -> str:
    """Return what is written down of an error: what any text column can hold."""
    if isinstance(error, UnknownEvent):
        return NEEDS_UPGRADE.format(type=entry.type, version=entry.envelope["version"])[:ERROR_LENGTH_MAX]
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:ERROR_LENGTH_MAX]


def is_halted(session: Session, log_id: int) -> bool:
    """Tell whether a ledger's projection was stopped at its watermark."""
    return session.row(SELECT_HALT, {"log_id": log_id, "key": HALTED}) is not None


def halt(session: Session, log_id: int, text: str, at: datetime, *, retry: bool) -> None:
    """Stop the projection of a plant at its watermark, say why, and raise the alarm."""
    row = session.row(SELECT_WATERMARK, {"log_id": log_id})
    assert row is not None
    session.run(
        PARK,
        {
            "log_id": log_id,
            "idx": row[0],
            "key": HALTED,
            "type": "",
            "error": text[:ERROR_LENGTH_MAX],
            "attempts": 1,
            "now_us": micros(at),
            "next_attempt_us": micros(at + timedelta(seconds=WAITS[1])) if retry else None,
            "needs_version": None,
        },
    )
    origin = origin_of(session, log_id)
    said_of = f"plant {_code(origin)}: {text[:ERROR_LENGTH_MAX]}"
    raise_alarm(session, Alarm(AlarmKind.PROJECTION_HALTED, origin, said_of), at)


def unhalt(session: Session, log_id: int, at: datetime) -> None:
    """Let the projection of a plant go on from its watermark."""
    session.run(UNHALT, {"log_id": log_id, "key": HALTED})
    end_alarm(session, AlarmKind.PROJECTION_HALTED, origin_of(session, log_id), at)


def update_alarm(session: Session, log_id: int, at: datetime) -> None:
    """Raise one alarm for all that waits of a plant because of itself, or end it when nothing does any more.

    It is about the ledger's origin, as `plants.store.monitoring.overview` names what it finds in the faults: one fact
    is one alarm.
    """
    worst = session.row(SELECT_WORST, {"log_id": log_id, "halted": HALTED})
    about = origin_of(session, log_id)
    if worst is None:
        end_alarm(session, AlarmKind.ENTRY_PARKED, about, at)
        return
    row = session.row(COUNT_WAITING, {"log_id": log_id, "halted": HALTED})
    assert row is not None
    index, kind, error = worst
    text = (
        f"{row[0]} entries of plant {_code(about)} wait, the first is {index} ({kind}): {error} "
        "Have it tried again or skip it. / "
        f"工厂 {_code(about)} 有 {row[0]} 条条目等待投影，首条为 {index}（{kind}），请重试或跳过。"
    )
    raise_alarm(session, Alarm(AlarmKind.ENTRY_PARKED, about, text), at)


def _code(origin: str) -> str:
    """Return the plant's code in the origin of its ledger."""
    return origin.split("/")[-2]


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), IDS_AT_ONCE):
        yield values[start : start + IDS_AT_ONCE]


def _nodes(payload: Any) -> Iterator[int]:
    """Yield the ids of batches and process records in a payload: as numbers, or at the end of texts and keys."""
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

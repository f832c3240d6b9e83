"""Entries of a ledger by type, by key and by time."""

from collections.abc import Sequence
from typing import Final

from infra.database import ReadSession, Session

SELECT_BODIES: Final = (
    "SELECT body FROM entries WHERE log_id = :log_id AND type = :type AND length(body) > 0 ORDER BY idx"
)
SELECT_BODIES_OF_KEY: Final = (
    "SELECT body FROM entries WHERE log_id = :log_id AND key = :key AND type = :type AND length(body) > 0 ORDER BY idx"
)
SELECT_BY_KEY: Final = "SELECT idx FROM entries WHERE log_id = :log_id AND key = :key ORDER BY idx"
SELECT_BY_TYPES: Final = (
    "SELECT idx FROM entries WHERE log_id = :log_id AND idx >= :low AND idx < :high AND type IN ({types}) ORDER BY idx"
)
SELECT_RECORDED: Final = "SELECT recorded_us FROM entries WHERE log_id = :log_id AND idx = :idx"
SELECT_NEWEST_RECORDED: Final = (
    "SELECT MAX(recorded_us) FROM entries WHERE log_id = :log_id AND idx >= :low AND idx < :high"
)


def bodies_of_type(reads: Session | ReadSession, log_id: int, kind: str, *, key: str | None = None) -> list[bytes]:
    """Return the bodies of the entries of a type, in order; pruned ones are left out.

    With a `key` the search uses the index, which matters in a long ledger with few such entries.
    """
    given = {"log_id": log_id, "type": kind}
    rows = reads.rows(SELECT_BODIES, given) if key is None else reads.rows(SELECT_BODIES_OF_KEY, given | {"key": key})
    return [bytes(body) for (body,) in rows]


def positions_of_key(session: Session | ReadSession, log_id: int, key: str) -> list[int]:
    """Return the positions of the entries with a key, in order."""
    return [index for (index,) in session.rows(SELECT_BY_KEY, {"log_id": log_id, "key": key})]


def positions_of_types(session: Session, log_id: int, low: int, high: int, kinds: Sequence[str]) -> list[int]:
    """Return the positions from low to high - 1 with an entry of one of these types, in order."""
    names = {f"type{number}": kind for number, kind in enumerate(kinds)}
    sql = SELECT_BY_TYPES.format(types=", ".join(f":{name}" for name in names))
    return [index for (index,) in session.rows(sql, {"log_id": log_id, "low": low, "high": high, **names})]


def recorded_us(reads: ReadSession, log_id: int, index: int) -> int | None:
    """Return when the entry at a position was recorded, in microseconds, or None where the ledger is shorter."""
    rows = reads.rows(SELECT_RECORDED, {"log_id": log_id, "idx": index})
    return int(rows[0][0]) if rows else None


def newest_recorded_us(reads: ReadSession, log_id: int, low: int, high: int) -> int:
    """Return when the newest of the entries from low to high - 1 was recorded, in microseconds; there must be one."""
    ((newest,),) = reads.rows(SELECT_NEWEST_RECORDED, {"log_id": log_id, "low": low, "high": high})
    return int(newest)

"""Verify every ledger of a store against its head and the checkpoints that were signed for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from infra.database import ReadSession, Store
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.verification import BreakKind, Broken, Head, SizedRoot, Verified, verify_ledger

ROWS_AT_ONCE = 1_000

SELECT_LOGS = text("SELECT log_id, origin, size, frontier, pruned FROM logs ORDER BY log_id")
SELECT_ROWS = text("SELECT idx, body, leaf FROM entries WHERE log_id = :log_id ORDER BY idx")


@dataclass(frozen=True, slots=True)
class LedgerFinding:
    """The result of one ledger; `origin` is the name in its checkpoints."""

    log_id: int
    origin: str
    finding: Verified | Broken

    @property
    def whole(self) -> bool:
        """Tell whether every obligation holds."""
        return isinstance(self.finding, Verified)


def verify(store: Store, checkpoints: Mapping[int, Iterable[SizedRoot]] | None = None) -> list[LedgerFinding]:
    """Return what was found of each ledger in the store, in the order of their ids, all from one snapshot.

    `checkpoints` gives, by ledger, those whose signatures the caller has checked. Without them a ledger that was
    rewritten whole, head included, passes. Memory does not grow with the ledgers.
    """
    signed = checkpoints or {}
    with store.reading() as reads:
        logs = reads.connection().execute(SELECT_LOGS).all()
        return [
            LedgerFinding(log_id, origin, _verify(reads, log_id, _head(size, bytes(frontier), pruned), signed))
            for log_id, origin, size, frontier, pruned in logs
        ]


def _head(size: int, frontier: bytes, pruned: int) -> Head:
    try:
        return Head(size, Frontier.from_bytes(size, frontier).root(), frontier, pruned)
    except ValueError:  # No tree of that size has such a frontier, so no root matches.
        return Head(size, b"", None, pruned)


def _verify(
    reads: ReadSession, log_id: int, head: Head, signed: Mapping[int, Iterable[SizedRoot]]
) -> Verified | Broken:
    stream = {"yield_per": ROWS_AT_ONCE}
    # Verification stops at the first break, so that the rows behind it are given up here.
    with reads.connection().execute(SELECT_ROWS, {"log_id": log_id}, execution_options=stream) as rows:
        stored = ((index, _octets(body), _octets(leaf)) for index, body, leaf in rows)
        finding = verify_ledger(stored, head, plant=log_id, checkpoints=signed.get(log_id, ()))
    if not head.root and isinstance(finding, Broken) and finding.kind is BreakKind.REWRITTEN:
        return Broken(BreakKind.HEAD_ALTERED, None, head.size, head.size, "frontier")
    return finding


def _octets(stored: Any) -> bytes:
    # SQLite accepts text in a column of bytes, so a tampered row may hold it.
    return stored.encode() if isinstance(stored, str) else bytes(stored)

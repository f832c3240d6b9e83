"""Projectors of holds: on a plant's goods, and waiting for an unknown batch."""

from collections.abc import Iterable
from typing import Final

from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import HoldStatement
from plants.rules.values.instants import instant_micros
from plants.store.quality.holds import DirectedHoldRow, HoldRow, WaitingHoldRow
from plants.store.sql.rows import Parts, RowWrites, TableSpec

HOLDS = TableSpec.of(HoldRow)
DIRECTED_HOLDS = TableSpec.of(DirectedHoldRow)
WAITING_HOLDS = TableSpec.of(WaitingHoldRow)


def place_holds(writes: RowWrites, log_id: int, entry: Entry, holds: list[HoldStatement]) -> None:
    """Upsert the holds; an entry places at most one hold on a batch, so batch and entry identify it."""
    for hold in holds:
        writes.upsert(
            HOLDS,
            {
                "plant_id": log_id,
                "batch_id": hold["batch"],
                "hold_id": entry.index,
                "kind": hold["kind"],
                "reason": hold["reason"],
                "placed_by": entry.envelope["actor"],
                "placed_us": instant_micros(entry.envelope["occurred_at"]),
                "lifted_idx": None,
                "lifted_us": None,
                "directed": hold.get("directed"),
            },
        )


def lift_holds(writes: RowWrites, log_id: int, entry: Entry, lifted: list[list[int]]) -> None:
    """Mark holds as lifted by the entry."""
    lifted_us = instant_micros(entry.envelope["occurred_at"])
    for batch_id, hold_id in lifted:
        writes.update(HOLDS, (log_id, batch_id, hold_id), lifted_idx=entry.index, lifted_us=lifted_us)


def end_waiting(writes: RowWrites, log_id: int, _entry: Entry, waited: Iterable[list[str]]) -> None:
    """Delete waiting holds that were placed or lifted."""
    for code, hold in waited:
        writes.drop(WAITING_HOLDS, (log_id, code, hold))


PARTS: Final[Parts] = (("holds", place_holds), ("lifted", lift_holds), ("waited", end_waiting))

"""Long valid ledgers of receipts, which the hub verifies, cosigns and applies.

Ids of events and requests, amounts and lots are drawn from a seed, so that they compress no better than real ones.
"""

import uuid
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any

from benchmarks.group import START_US, STEP_US
from infra.database import Store
from infra.settings import plant_origin
from plants.rules.identification.codes import node_id
from plants.rules.ledger import hlc
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.quantities import format_micro
from plants.store.ledger.entries import INSERT_ENTRY, entry_row
from plants.store.projection.registry import SUPPORTED

ENTRIES_AT_ONCE = 5000


def receipts(group: str, plant: tuple[int, str], count: int, first: int = 0) -> Iterator[Entry]:
    """Yield `count` entries from position `first` of the ledger of a plant, given by number and code.

    The entry at position 0 opens the plant; every other one receives a batch.
    """
    number, code = plant
    stamp, random = hlc.ZERO, Random(number << 40 | first)
    for index in range(first, first + count):
        at_us = START_US + index * STEP_US
        at, stamp = format_instant(from_micros(at_us)), hlc.tick(stamp, at_us // 1000)
        opened = {"number": number, "code": code, "name": code, "time_zone": "UTC"}
        event, key, payload = "PlantOpened", code, {**opened, "origin": plant_origin(group, code)}
        if index:
            event, key = "BatchReceived", f"{code}-{index:012d}"
            payload = _receipt(node_id(number, index + 1), key, at, random)
        envelope: Any = {
            "id": _drawn_id(random),
            "type": event,
            "version": SUPPORTED[event],
            "plant": number,
            "index": index,
            "hlc": stamp,
            "occurred_at": at,
            "recorded_at": at,
            "actor": f"person-{index % 12}",
            "request": _drawn_id(random),
            "key": key,
            "payload": payload,
        }
        body = canonical(envelope)
        yield Entry(envelope, body, leaf_hash(body))


def append(store: Store, plant: int, entries: Iterator[Entry], frontier: Frontier) -> Frontier:
    """Append entries to a plant's own ledger, whose tree has this frontier. Returns the frontier afterwards."""
    while part := list(islice(entries, ENTRIES_AT_ONCE)):
        frontier = frontier.extend(entry.leaf for entry in part)
        head = {"log_id": plant, "size": frontier.size, "frontier": frontier.to_bytes()}
        with store.transaction() as session:
            session.run_many(INSERT_ENTRY, [entry_row(plant, entry) for entry in part])
            session.run(
                "UPDATE logs SET size = :size, projected = :size, frontier = :frontier, hlc = :hlc"
                " WHERE log_id = :log_id",
                head | {"hlc": part[-1].envelope["hlc"]},
            )
    return frontier


def _drawn_id(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _receipt(batch: int, code: str, at: str, random: Random) -> dict[str, Any]:
    amount = format_micro(random.randrange(1, 10_000_000_000))
    moved = {"batch": batch, "unit": "KGM", "amount": amount, "taken_from": "supplier:S1", "put_in": "stock:A1"}
    statement: dict[str, Any] = {
        "id": batch,
        "code": code,
        "material": "MILK",
        "unit": "KGM",
        "made": amount,
        "attributes": {},
        "expires_on": "2027-03-01",
        "retest_on": None,
        "produced_at": at,
        "grade": None,
        "supplier": "S1",
        "disposition": "UNRESTRICTED",
    }
    return {
        "batches": [statement],
        "movements": [moved],
        "aliases": [{"batch": batch, "scheme": "SUPPLIER_LOT", "issuer": "S1", "value": f"L{random.getrandbits(32)}"}],
        "series": {"node": (batch & (1 << 40) - 1) + 1},
    }

"""Bring a plant's ledger back: entries given back by the hub or the archive, and number series beyond what was printed.

A code on a label cannot be taken back. So after a restore every series goes on beyond all that may have been used:
beyond the high-water marks where they exist, else as many numbers further as are reserved at a time.
"""

from collections.abc import Mapping
from datetime import datetime

from infra.database import Session
from plants.commands.replication.repairs import ENTRIES_AT_ONCE, beyond_printed, record_repair
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier
from plants.rules.replication.events import PLANT_RESTORED, Found, PlantRestored
from plants.store.ledger.entries import Head
from plants.store.ledger.staging import clear_staged, staged_between
from plants.store.materials.series import next_in_series
from plants.store.projection import applying


def adopt_next(session: Session, log_id: int, head: Frontier) -> int:
    """Move the next staged entries into the ledger and the tables, at most up to a proven head; return its size then.

    The caller has proven that the staged entries lead to that head. Returns the size unchanged where nothing more is
    staged behind it.
    """
    here = Head(session, log_id)
    entries = staged_between(session, log_id, here.size, min(head.size, here.size + ENTRIES_AT_ONCE))
    if entries:
        here.adopt(entries, here.frontier.extend(entry.leaf for entry in entries))
        applying.apply(session, log_id, entries)
        clear_staged(session, log_id, here.size)
    return here.size


def record_restored(
    session: Session,
    plant: int,
    found: Found,
    *,
    before: int,
    known: int,
    now: datetime,
    marks: Mapping[str, int],
) -> Entry:
    """Record that the plant was restored, with the numbers from which each series goes on.

    `before` is how long its ledger was found, `known` how long it is known to have been; `marks` are the high-water
    marks. They suffice only where they detected the restore themselves; otherwise they may be as old as the store.
    """
    drawn = dict(marks)
    if found != "MARKS":
        for name, following in beyond_printed(session, plant, now).items():
            drawn[name] = max(following, drawn.get(name, 0))
    ahead = ((name, following, next_in_series(session, plant, name)) for name, following in drawn.items())
    series = {name: following for name, following, present in ahead if following > present}
    payload: PlantRestored = {"found": found, "size_before": before, "size": known, "series": series}
    return record_repair(session, plant, PLANT_RESTORED, payload, now=now)

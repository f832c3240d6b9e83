"""Bring a plant's ledger back: entries given back by the hub or the archive, and number series beyond what was printed.

A code on a label cannot be taken back. So after a restore every series goes on beyond all that may have been used:
beyond the second memory's numbers where it is there, else as many numbers further as are reserved at a time.
"""

import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta

from infra.database import Session
from plants.commands.rebase import ENTRIES_AT_ONCE, record_repair
from plants.commands.recording import BACKDATING_DAYS_MAX, NODE_SERIES
from plants.rules.codes import batch_series, reserved_ahead
from plants.rules.events import Entry
from plants.rules.instants import parse_instant
from plants.rules.merkle import Frontier
from plants.rules.repairs import Found, PlantRestored
from plants.store import master, projection
from plants.store.ledger import Head, entry_at
from plants.store.staging import clear_staged, staged_between


def adopt_next(session: Session, log_id: int, head: Frontier) -> int:
    """Move the next staged entries into the ledger and the tables, at most up to a proven head; return its size then.

    Whoever calls has proven that the staged entries lead to that head. Returns the size unchanged where nothing more is
    staged behind it.
    """
    here = Head(session, log_id)
    entries = staged_between(session, log_id, here.size, min(head.size, here.size + ENTRIES_AT_ONCE))
    if entries:
        here.adopt(entries, here.frontier.extend(entry.leaf for entry in entries))
        projection.apply(session, log_id, entries)
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
    marks: Mapping[str, int] | None,
) -> Entry:
    """Record that the plant was restored, with the numbers from which each series goes on.

    `before` is how long its ledger was found, `known` how long it is known to have been; `marks` are the numbers of the
    second memory, or None where there is none.
    """
    drawn = _beyond(session, plant, now) if marks is None else marks
    series = {name: following for name, following in drawn.items() if following > _next(session, plant, name)}
    payload: PlantRestored = {"found": found, "size_before": before, "size": known, "series": series}
    return record_repair(session, plant, "PlantRestored", payload, now=now)


def _beyond(session: Session, plant: int, now: datetime) -> dict[str, int]:
    """Return where series go on when nobody remembers what was used after the last entry that came back."""
    facts = master.plant_facts(session, plant)
    last = entry_at(session, plant, Head(session, plant).size - 1)
    zone = zoneinfo.ZoneInfo(facts.time_zone)
    today = now.astimezone(zone).date()
    day = today if last is None else parse_instant(last.envelope["recorded_at"]).astimezone(zone).date()
    day = max(min(day, today), today - timedelta(days=BACKDATING_DAYS_MAX))
    names = [NODE_SERIES]
    while day <= today:
        names.append(batch_series(facts.code, day))
        day += timedelta(days=1)
    return {name: _next(session, plant, name) + reserved_ahead(name) for name in names}


def _next(session: Session, plant: int, name: str) -> int:
    return master.next_in_series(session, plant, name)

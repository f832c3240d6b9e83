"""Shared by repairs of a ledger: recording actions of the node, and skipping numbers that may have been printed."""

import zoneinfo
from datetime import datetime, timedelta
from typing import Final

from infra.database import Session
from infra.ids import new_id
from plants.commands.execution import BACKDATING_DAYS_MAX, NODE_SERIES
from plants.rules.identification.codes import batch_series, reserved_ahead
from plants.rules.ledger.events import Entry, Event, P, new_envelope
from plants.rules.values.actors import SYSTEM
from plants.rules.values.instants import parse_instant
from plants.store.ledger.entries import Head, entry_at
from plants.store.materials import plants, series
from plants.store.projection import applying

ENTRIES_AT_ONCE: Final = 1_000  # that are held in memory together


def record_repair(session: Session, log_id: int, event: Event[P], payload: P, *, now: datetime) -> Entry:
    """Append an event of the node itself and apply it to the tables; also to a fenced ledger."""
    head = Head(session, log_id)
    envelope = new_envelope(
        event, payload, entry_id=new_id(), log_id=log_id, at=now, actor=SYSTEM.person, key=head.origin
    )
    entry = head.append(envelope, now)
    applying.apply(session, log_id, (entry,))
    return entry


def beyond_printed(session: Session, plant: int, now: datetime) -> dict[str, int]:
    """Return where series go on when nobody remembers what was used after the ledger's last entry.

    As many numbers further as are reserved at a time, for ids and for every day from that entry's to today.
    """
    facts = plants.plant_facts(session, plant)
    last = entry_at(session, plant, Head(session, plant).size - 1)
    zone = zoneinfo.ZoneInfo(facts.time_zone)
    today = now.astimezone(zone).date()
    day = today if last is None else parse_instant(last.envelope["recorded_at"]).astimezone(zone).date()
    day = max(min(day, today), today - timedelta(days=BACKDATING_DAYS_MAX))
    names = [NODE_SERIES]
    while day <= today:
        names.append(batch_series(facts.code, day))
        day += timedelta(days=1)
    return {name: series.next_in_series(session, plant, name) + reserved_ahead(name) for name in names}

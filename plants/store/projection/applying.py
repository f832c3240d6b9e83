"""Applies entries to the tables: one at a plant, thousands at the hub."""

from collections.abc import Iterable

from infra.database import Session
from plants.rules.ledger import upcasting
from plants.rules.ledger.events import Entry
from plants.store.projection.registry import PROJECTORS, STEPS
from plants.store.sql.rows import RowWrites


class UnknownEvent(LookupError):
    """The entry's type or version is newer than this program; a newer program can apply it later."""


def understands(event: str, version: int) -> bool:
    """Tell whether this program can apply entries of this type and version, upcast where necessary."""
    return upcasting.reached((event, version), STEPS) in PROJECTORS


def project(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Add the row writes of one entry; raises UnknownEvent for a type or version unknown to this program."""
    envelope = entry.envelope
    projector = PROJECTORS.get((envelope["type"], envelope["version"]))
    if projector is None:
        entry = upcasting.upcast(entry, STEPS)
        kind = entry.envelope["type"], entry.envelope["version"]
        projector = PROJECTORS.get(kind)
        if projector is None:
            raise UnknownEvent(*kind)
    projector(writes, log_id, entry)


def apply(session: Session, log_id: int, entries: Iterable[Entry]) -> None:
    """Apply entries of one ledger, in order, in the session's transaction: set-wise when there are several."""
    writes = RowWrites()
    count = 0
    for count, entry in enumerate(entries, 1):  # noqa: B007 -- the count is used after the loop.
        project(writes, log_id, entry)
    if count > 1 and session.dialect == "postgresql":
        writes.write_sets(session)
    else:
        writes.write(session)

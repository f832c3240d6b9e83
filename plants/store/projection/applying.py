"""From events to row writes, written once: for one event at a plant and for thousands at the hub."""

from collections.abc import Iterable

from infra.database import Session
from plants.rules.ledger import upcasting
from plants.rules.ledger.events import Entry
from plants.store.projection.projectors import PROJECTORS
from plants.store.sql.rows import RowWrites


class UnknownEvent(LookupError):
    """The entry's type or version is newer than this program; its bytes are kept and can be applied later."""


def understands(event: str, version: int) -> bool:
    """Tell whether this program can apply entries of this type and version, older ones by way of their upcasters."""
    return upcasting.reached((event, version)) in PROJECTORS


def project(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Add the row writes of one entry; raises UnknownEvent for a type or version this program does not know."""
    envelope = entry.envelope
    projector = PROJECTORS.get((envelope["type"], envelope["version"]))
    if projector is None:
        entry = upcasting.upcast(entry)
        kind = entry.envelope["type"], entry.envelope["version"]
        projector = PROJECTORS.get(kind)
        if projector is None:
            raise UnknownEvent(*kind)
    projector(writes, log_id, entry)


def apply(session: Session, log_id: int, entries: Iterable[Entry]) -> None:
    """Apply entries of one ledger, in order, in the session's transaction: set-wise where there are many."""
    writes = RowWrites()
    count = 0
    for count, entry in enumerate(entries, 1):  # noqa: B007 -- the count is wanted after the loop.
        project(writes, log_id, entry)
    if count > 1 and session.dialect == "postgresql":
        writes.write_sets(session)
    else:
        writes.write(session)

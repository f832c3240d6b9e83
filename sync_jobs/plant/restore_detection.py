"""Detects a restored store: compares it with the node's high-water marks when the node opens."""

from typing import Final

from infra.clock import Clock
from infra.database import Session, Store
from infra.high_water_marks import FILE_NAME, FileMarks, HighWaterMarks, MarkKeeper, MarksFile, MarksUnreadable
from infra.messages import message
from infra.roles import Role
from infra.settings import Settings
from infra.sqlite_engine import StoreUnfit
from plants.commands.replication.restores import record_restored
from plants.rules.identification.codes import reserved_ahead
from plants.rules.ledger.merkle import EMPTY_ROOT, Frontier
from plants.store.ledger import mirrors
from plants.store.ledger.entries import HUB_LOG, Head
from plants.store.ledger.logs import foreign_origin
from plants.store.materials.series import next_numbers
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication.status import ledger_status
from sync_jobs.keys.ledger_key_files import switch_key

STORE_OF_ANOTHER: Final = message(
    "STORE_OF_ANOTHER", "The store belongs to {other}, not to {origin}. Put this node's own in its place."
)
MARKS_OF_ANOTHER: Final = message(
    "MARKS_OF_ANOTHER", "The file marks.json belongs to {other}, not to {origin}. Put this node's own in its place."
)
RESTORED: Final = message(
    "STORE_RESTORED",
    "The store has {size} entries and does not continue the {known} that this plant's ledger had: it was restored "
    "from an old backup. Number series continue beyond what may be printed; the rest comes back from the hub.",
)
DAMAGED: Final = message(
    "STORE_DAMAGED",
    "The store's own entries are damaged: {why}. Stop the node, run batchloom verify, and restore from a backup or "
    "the hub.",
)
LOST: Final = message(
    "MARKS_LOST",
    "The plant's high-water marks (marks.json) were missing and were made again. If the store was restored from a "
    "backup, tell the hub's operator before printing labels.",
)


def check_origin(store: Store, log_id: int, origin: str) -> None:
    """Raise StoreUnfit unless the store is empty or holds this node's ledger under its own origin."""
    with store.reading() as reads:
        own = mirrors.position_of(reads, log_id)
        other = foreign_origin(reads, log_id)
    # A hub also holds the plants' ledgers. Of other nodes' ledgers a plant holds only its directives.
    foreign = other if own is None or log_id != HUB_LOG else None
    found = foreign or (own[0] if own is not None else origin)
    if found != origin:
        raise StoreUnfit(STORE_OF_ANOTHER, other=found, origin=origin)


def check_restored(settings: Settings, store: Store, clock: Clock) -> None:
    """Check that the store is this node's, and compare a plant's store with its marks (`compare_with_marks`)."""
    if settings.role is Role.HUB:
        check_origin(store, HUB_LOG, settings.origin)
        with store.reading() as reads:
            switch_key(settings.keys, reads, HUB_LOG, settings.origin)
        return
    with store.reading() as reads:
        switch_key(settings.keys, reads, settings.plant_number, settings.origin)
    file = FileMarks(settings.home / FILE_NAME)
    compare_with_marks(store, file, plant=settings.plant_number, origin=settings.origin, clock=clock)


def compare_with_marks(store: Store, file: MarksFile, *, plant: int, origin: str, clock: Clock) -> MarkKeeper:
    """Compare a plant's store with its high-water marks before anything is written, and keep the marks from now on.

    A store that is behind its marks was restored: PlantRestored is recorded, and every number series skips the reserved
    numbers. Missing marks are recreated under an alarm, unless the store is empty. Raises StoreUnfit where store or
    marks belong to another plant, and OSError where the marks cannot be written.
    """
    check_origin(store, plant, origin)
    with file.alone():
        raw = file.read()
        marks = _read(raw)
        if marks is not None and marks.origin != origin:
            raise StoreUnfit(MARKS_OF_ANOTHER, other=marks.origin, origin=origin)
        if marks is None:
            marks = _recreate(store, plant, origin, clock)
            file.replace(marks.to_bytes())
    keeper = store.keeper = MarkKeeper(file, marks, clock, reserved_ahead)
    with store.transaction() as session:
        position = mirrors.position_of(session, plant)
        if position is None or not position[1].size:
            return keeper
        here = position[1]
        continues = _continues(session, plant, here, marks, clock)
        if not continues:
            # Another process may have repaired the ledger after the file was read.
            marks = _read(file.read()) or marks
            continues = _continues(session, plant, here, marks, clock)
        if not continues:
            here = _record_restored(session, plant, here, marks, clock)
    if continues:
        keeper.resume(here.size, here.root)
    else:
        # Only after the restore is recorded: a crash before this line makes the next start detect it again.
        keeper.rewind(here.size, here.root)
    return keeper


def _read(raw: bytes | None) -> HighWaterMarks | None:
    if raw is None:
        return None
    try:
        return HighWaterMarks.read(raw)
    except MarksUnreadable:
        return None


def _recreate(store: Store, plant: int, origin: str, clock: Clock) -> HighWaterMarks:
    with store.transaction() as session:
        position = mirrors.position_of(session, plant)
        if position is None or not position[1].size:
            return HighWaterMarks(origin)
        frontier = position[1]
        drawn = {name: following + reserved_ahead(name) for name, following in next_numbers(session, plant).items()}
        raise_alarm(session, Alarm(AlarmKind.MARKS_LOST, origin, LOST()), clock.now())
        return HighWaterMarks(origin, frontier.size, frontier.root().hex(), drawn)


def _continues(session: Session, plant: int, frontier: Frontier, marks: HighWaterMarks, clock: Clock) -> bool:
    """Tell whether the store's ledger equals or continues the one of the marks."""
    if marks.size > frontier.size:
        return False
    known = ledger_status(session, plant).frontier
    try:
        root = mirrors.frontier_at(session, plant, marks.size, known).root()
    except LookupError as error:
        # Rows are missing, which no restore causes. The node still opens, so that `verify` can name them.
        alarm = Alarm(AlarmKind.LEDGER_DAMAGED, marks.origin, DAMAGED(why=error))
        raise_alarm(session, alarm, clock.now())
        return True
    return root.hex() == (marks.root or EMPTY_ROOT.hex())


def _record_restored(session: Session, plant: int, frontier: Frontier, marks: HighWaterMarks, clock: Clock) -> Frontier:
    """Record PlantRestored and raise the alarm; returns the frontier after that entry."""
    now, origin = clock.now(), marks.origin
    record_restored(session, plant, "MARKS", before=frontier.size, known=marks.size, now=now, marks=marks.series)
    text = RESTORED(size=frontier.size, known=marks.size)
    raise_alarm(session, Alarm(AlarmKind.PLANT_RESTORED, origin, text), now)
    end_alarm(session, AlarmKind.MARKS_LOST, origin, now)
    return Head(session, plant).frontier

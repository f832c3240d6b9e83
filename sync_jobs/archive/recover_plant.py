"""Recovers a plant's ledger and directives from the archive: without the hub, and before any user writes.

It works as `sync_jobs.plant.restoring`: entries are staged, verified as a whole against a checkpoint that the plant
signed, and then moved into the ledger and the tables.
"""

from dataclasses import dataclass
from typing import Final

from infra.database import Session
from infra.messages import Failure, message
from infra.objects import Objects
from plants.commands.replication.restores import adopt_next, record_restored
from plants.rules.ledger.merkle import Frontier
from plants.store.ledger import staging
from plants.store.ledger.archive import FIRST_BRANCH, branches, folder
from plants.store.ledger.entries import Head, open_log
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from sync_jobs.archive.recover_hub import (
    ArchiveDamaged,
    ArchivedCheckpoint,
    ArchiveProgress,
    OtherRoot,
    Source,
    chunks,
    ignore_progress,
    newest_checkpoint,
    store_archived,
)
from sync_jobs.keys import hub_keys
from sync_jobs.keys.chains import chain
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.restoring import record_acknowledged
from sync_jobs.protocol import checkpoints

RESTORED: Final = message(
    "PLANT_RESTORED_FROM_ARCHIVE",
    "This plant had {before} entries and the archive {known}: the {back} missing ones were brought back from there.",
)


LEDGER_CHANGED: Final = message(
    "LEDGER_CHANGED",
    "Entry {at} was written to this plant meanwhile, so nothing more was brought back. Stop the node and try again.",
)


ARCHIVE_OTHER_DIRECTIVES: Final = message(
    "ARCHIVE_OTHER_DIRECTIVES",
    "{place} does not continue this plant's directives. Check that the archive is the right one.",
)
ARCHIVE_OTHER_LEDGER: Final = message(
    "ARCHIVE_OTHER_LEDGER",
    "{place} does not continue this plant's ledger of {size} entries. Check that the archive is the right one.",
)
ARCHIVE_HOLDS_NOTHING: Final = message(
    "ARCHIVE_HOLDS_NOTHING", "The archive at {where} holds nothing of {origin}. Check that it is the right one."
)
STAGED_ENTRIES_GONE: Final = message("STAGED_ENTRIES_GONE", "The staged entries from {at} on are gone. Try again.")


class LedgerChanged(Failure):
    """The ledger grew during the recovery, so that the verified entries no longer follow it."""


class NothingArchived(Failure):
    """The store is empty, and so is the archive for this plant."""


@dataclass(frozen=True, slots=True)
class PlantRecovered:
    """The numbers of entries of the plant's ledger and of its directives, before and after."""

    before: int
    size: int
    directives_before: int
    directives: int


def restore_from_archive(
    node: PlantNode, objects: Objects, *, progress: ArchiveProgress = ignore_progress
) -> PlantRecovered:
    """Recover what the archive holds of the plant beyond its store, which may be empty or old.

    Records PlantRestored in the plant's ledger when anything was recovered. Raises, with nothing changed:
    ArchiveFailed, NothingArchived for an empty store where the archive holds nothing of this plant, ArchiveDamaged
    where its content does not continue the store or does not lead to the signed root. Raises LedgerChanged when a user
    writes here at the same time. Entries recovered before that are kept, and the next handshake finds the divergence.
    """

    def begin(session: Session) -> tuple[Frontier, int]:
        open_log(session, node.number, node.origin)
        open_log(session, -node.number, node.directive_origin)
        return Head(session, node.number).frontier, Head(session, -node.number).size

    here, directed = node.writer.write(begin)
    newest = _newest(node, objects, node.number)
    if newest is None and not here.size:
        raise NothingArchived(ARCHIVE_HOLDS_NOTHING, where=objects.describe(), origin=node.origin)
    directives = _store_directives(node, objects, progress) or directed
    if newest is None or newest[1].size <= here.size:
        return PlantRecovered(here.size, here.size, directed, directives)
    place, covered = newest
    head = _stage(node, Source(objects, place, node.number, mirrored=False, progress=progress), here, covered)
    size = here.size
    while size < head.size:
        moved = node.writer.write(lambda session: _move(node, session, size, (here, head), covered))  # noqa: B023 -- runs at once.
        if moved is None:
            raise LedgerChanged(LEDGER_CHANGED, at=size)
        size = moved
    with node.store.transaction() as session:
        return PlantRecovered(here.size, Head(session, node.number).size, directed, directives)


def _newest(node: PlantNode, objects: Objects, log_id: int) -> tuple[str, ArchivedCheckpoint] | None:
    """Return folder and newest checkpoint of the plant's own ledger or of its directives, from the newest history."""
    own = log_id == node.number
    origin = node.origin if own else node.directive_origin
    with node.store.reading() as reads:
        ours = [key for one in chain(node.signer.key, node.statements).keys for key in checkpoints.keys_of(one)]
        keys = (*(ours if own else hub_keys.ever_at(reads, node, origin)), *hub_keys.ever_at(reads, node))
    place = folder(origin, max(branches(objects, origin), default=FIRST_BRANCH))
    covered = newest_checkpoint(objects, place, origin, lambda _: keys)
    return None if covered is None else (place, covered)


def _store_directives(node: PlantNode, objects: Objects, progress: ArchiveProgress) -> int | None:
    """Store the archived directives after ours; returns their number then, or None where nothing came."""
    newest = _newest(node, objects, -node.number)
    if newest is None:
        return None
    place, covered = newest

    def store(session: Session) -> int | None:
        if covered.size <= Head(session, -node.number).size:
            return None
        source = Source(objects, place, -node.number, mirrored=True, progress=progress)
        store_archived(session, source, covered, node.clock.now())
        return covered.size

    try:
        return node.writer.write(store)
    except OtherRoot as error:
        raise ArchiveDamaged(ARCHIVE_OTHER_DIRECTIVES, place=place) from error


def _stage(node: PlantNode, source: Source, here: Frontier, covered: ArchivedCheckpoint) -> Frontier:
    """Stage the archived entries after ours and return the frontier that they lead to, which is the signed one."""
    at = here.size
    for entries in chunks(source, here.size, covered.size):
        node.writer.write(lambda session: staging.stage(session, node.number, entries))  # noqa: B023 -- runs at once.
        at += len(entries)
        source.progress(node.origin, at, covered.size)

    def prove(session: Session) -> Frontier | None:
        head = staging.staged_frontier(session, node.number, here, covered.size)
        if head.root() == covered.signed.checkpoint.root:
            return head
        staging.clear_staged(session, node.number)
        return None

    head = node.writer.write(prove)
    if head is None:
        raise ArchiveDamaged(ARCHIVE_OTHER_LEDGER, place=source.place, size=here.size)
    return head


def _move(
    node: PlantNode, session: Session, at: int, frontiers: tuple[Frontier, Frontier], covered: ArchivedCheckpoint
) -> int | None:
    """Move the next entries into the ledger; returns their number then.

    Returns None where the ledger does not end at `at`.
    """
    (here, head), now = frontiers, node.clock.now()
    if Head(session, node.number).size != at:
        staging.clear_staged(
            session, node.number
        )  # the staged entries were verified to follow the ledger as it was before a user wrote.
        return None
    size = adopt_next(session, node.number, head)
    if size <= at:
        raise ArchiveDamaged(STAGED_ENTRIES_GONE, at=at)
    if size < head.size:
        return size
    keeper = node.store.keeper
    back = {"before": here.size, "known": head.size}
    record_restored(session, node.number, "ARCHIVE", **back, now=now, marks={} if keeper is None else keeper.reserved)
    text = RESTORED(**back, back=head.size - here.size)
    raise_alarm(session, Alarm(AlarmKind.PLANT_RESTORED, node.origin, text), now)
    record_acknowledged(session, node, head, covered.note.decode())
    return size

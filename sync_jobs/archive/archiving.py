"""Archives the hub's ledgers: bundles, tiles and checkpoints of every ledger that it holds, once each.

Archived entries are covered by a signed checkpoint. Files are written first, the checkpoint over them last, and only
then is the progress stored. An interrupted run starts again and finds the same bytes in place. Neither intake nor
commands wait for the archive. While it is unreachable this job counts its attempts, raises an alarm and retries later.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from infra.database import Session
from infra.messages import Failure, Worded, message, term
from infra.objects import ArchiveFailed, ArchiveUnfit, NameTaken, NotArchived
from plants.rules.ledger.notes import Checkpoint, Note
from plants.rules.ledger.retention import RecordClass, class_of
from plants.rules.ledger.tiles import BUNDLE_ENTRIES, Edge, Tile, bundle_name, pack_bundle
from plants.rules.values.instants import EPOCH, from_micros
from plants.store.ledger import mirrors
from plants.store.ledger.archive import (
    FIRST_BRANCH,
    UNLOCKED,
    Archive,
    Archived,
    Attempts,
    archived,
    archived_rows,
    attempts_made,
    branches,
    checkpoint_name,
    folder,
    keep_archived,
    keep_attempts,
)
from plants.store.ledger.entry_search import newest_recorded_us
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.replication import leases
from plants.store.replication.checkpoints import SignedLedger, note_up_to, signed_ledgers
from plants.store.replication.leases import Lease, LeaseLost
from sync_jobs.archive.recover_hub import ArchiveComparison, ArchiveDamaged, recover_hub, recover_ledger
from sync_jobs.backoff import is_due, next_wait_ms
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.nodes import HubNode

LEASE: Final = "archive"
SLICE_BUNDLES: Final = 64  # that one run writes, over all ledgers
SILENCE: Final = timedelta(days=1)  # after which a checkpoint of the same size is archived again
ABOUT: Final = term("about", "archive")
FAILING: Final = message(
    "ARCHIVE_FAILING", "{error} The archive is {where}. Nothing is lost; it is retried automatically."
)
OBJECT_MISSING: Final = message("ARCHIVE_OBJECT_MISSING", "The archive has no {name}.")
FORKED: Final = message(
    "ARCHIVE_FORKED",
    "From entry {fork} on, the archive holds another history of {origin} than this hub. Both are kept: this hub's "
    "goes into folder b{branch}. Find out which one is right.",
)
LOG = logging.getLogger(__name__)


ARCHIVE_EMPTIED: Final = message(
    "ARCHIVE_EMPTIED", "{name} was written to the archive and is gone. Check that the right disk is mounted."
)


@dataclass(slots=True)
class _Run:
    """One run of the job: the hub, its archive, the lease, and how many bundles may still be written."""

    hub: HubNode
    archive: Archive
    lease: Lease
    left: int


def archive_behind(hub: HubNode, holder: str, *, bundles: int = SLICE_BUNDLES, forced: bool = False) -> bool:
    """Archive new entries, as much as one slice allows; returns whether more is left to do at once.

    Does nothing without an archive, while another process archives, and during the wait after a failure (unless
    forced). A failure of the archive raises an alarm and no exception; a failure of the store is raised.
    """
    if hub.archive is None:
        return False
    with hub.store.transaction() as session:
        lease = _begin(session, hub, holder, forced=forced)
    if lease is None:
        return False
    run = _Run(hub, hub.archive, lease, bundles)
    try:
        _update_capability_alarm(run)
        more = _archive_all(run)
    except LeaseLost:
        LOG.warning("another process has taken over the archive")
        return False
    except ArchiveUnfit as error:
        _alarm(run, Alarm(AlarmKind.ARCHIVE_UNLOCKED, ABOUT, error))
        return False
    except (ArchiveDamaged, ArchiveFailed, NotArchived) as error:
        text = FAILING(where=run.archive.objects.describe(), error=_failure(error))
        _alarm(run, Alarm(AlarmKind.ARCHIVE_FAILING, ABOUT, text))
        return False
    else:
        _succeeded(run)
        return more
    finally:
        with hub.store.transaction() as session:
            lease.end(session)


def recover_at_start(hub: HubNode) -> int:
    """Recover what the archive holds beyond this store before new entries are accepted; returns how many entries.

    For a hub that was restored from an older backup, or whose store is new. An unreadable archive raises an alarm, and
    the hub starts without it.
    """
    if hub.archive is None:
        return 0
    try:
        return sum(one.size - one.before for one in recover_hub(hub, hub.archive))
    except (ArchiveDamaged, ArchiveFailed, NotArchived) as error:
        text = FAILING(where=hub.archive.objects.describe(), error=_failure(error))
        with hub.store.transaction() as session:
            raise_alarm(session, Alarm(AlarmKind.ARCHIVE_FAILING, ABOUT, text), hub.clock.now())
        return 0


def _failure(error: ArchiveDamaged | ArchiveFailed | NotArchived) -> Worded:
    return error if isinstance(error, Failure) else OBJECT_MISSING(name=error)


def _begin(session: Session, hub: HubNode, holder: str, *, forced: bool) -> Lease | None:
    """Take the lease and count the attempt, which counts as failed until it succeeds."""
    now = hub.clock.now()
    before = attempts_made(session)
    if not forced and not is_due(before.next_attempt_at, now):
        return None
    lease = leases.take(session, LEASE, holder, now=now)
    if lease is not None:
        wait_ms = next_wait_ms(before.backoff_ms)
        keep_attempts(session, Attempts(before.made + 1, wait_ms, now + timedelta(milliseconds=wait_ms)))
    return lease


def _alarm(run: _Run, alarm: Alarm) -> None:
    with run.hub.store.transaction() as session:
        raise_alarm(session, alarm, run.hub.clock.now())


def _update_capability_alarm(run: _Run) -> None:
    """Raise or end the alarm that a bucket lacks a capability; for a folder there is no such alarm."""
    now = run.hub.clock.now()
    can, where = run.archive.capabilities(now), run.archive.objects.describe()
    if can.missing and where.startswith("s3:"):
        text = UNLOCKED(where=where, missing=can.missing_worded)
        _alarm(run, Alarm(AlarmKind.ARCHIVE_UNLOCKED, ABOUT, text))
        return
    with run.hub.store.transaction() as session:
        end_alarm(session, AlarmKind.ARCHIVE_UNLOCKED, ABOUT, now)


def _succeeded(run: _Run) -> None:
    with run.hub.store.transaction() as session:
        run.lease.renew(session, run.hub.clock.now())
        keep_attempts(session, Attempts())
        end_alarm(session, AlarmKind.ARCHIVE_FAILING, ABOUT, run.hub.clock.now())


def _archive_all(run: _Run) -> bool:
    found = _ledgers(run.hub)
    _check_last_checkpoint(run)
    if any(one.log_id <= 0 and one.signed < one.size for one in found):
        sign_own_ledgers(run.hub)
        found = _ledgers(run.hub)
    for ledger in found:
        if run.left <= 0:
            return True
        _archive_one(run, ledger)
    return run.left <= 0


def _check_last_checkpoint(run: _Run) -> None:
    """Raise ArchiveFailed where the archive lacks the last checkpoint that was written to it.

    The folder of an unmounted disk exists and is empty: new files would silently go to the wrong disk.
    """
    with run.hub.store.reading() as reads:
        last = max(archived_rows(reads), key=lambda row: row.archived_at, default=None)
    if last is None or not last.checkpoint:
        return
    try:
        run.archive.objects.get(last.checkpoint)
    except NotArchived as error:
        raise ArchiveFailed(ARCHIVE_EMPTIED, name=last.checkpoint) from error


def _ledgers(hub: HubNode) -> list[SignedLedger]:
    with hub.store.reading() as reads:
        return signed_ledgers(reads)


def _archive_one(run: _Run, ledger: SignedLedger) -> None:
    with run.hub.store.transaction() as session:
        done = archived(session, ledger.log_id)
    silent = ledger.received_at - (done.checkpoint_at if done else EPOCH)
    if ledger.signed == 0 or (done and ledger.signed <= done.size and silent < SILENCE):
        return
    done = _compared(run, ledger, done)
    place = folder(ledger.origin, done.branch)
    try:
        done = _store_full(run, ledger, done, place)
        reached = _store_unfinished(run, ledger, done, place)
        _store_checkpoint(run, ledger, done, place, reached)
    except NameTaken as error:
        # Files without a checkpoint over them, from a history that was never completed.
        LOG.warning("%s: %s is taken", ledger.origin, error)
        _branch_off(run, ledger, done.edge.size)


def _compared(run: _Run, ledger: SignedLedger, done: Archived | None) -> Archived:
    """Return how far the ledger is archived, after comparing the archive's content beyond that with the store.

    Entries that only the archive has are recovered where they continue the ledger. Where they contradict it, another
    folder is started.
    """
    if done is None:
        done = Archived(branch=max(branches(run.archive.objects, ledger.origin), default=FIRST_BRANCH))
    beyond = recover_ledger(run.hub, run.archive, ledger.log_id, done)
    if beyond is ArchiveComparison.CONTRADICTS:
        return _branch_off(run, ledger, done.size)
    return done


def _branch_off(run: _Run, ledger: SignedLedger, fork: int) -> Archived:
    branch = max(branches(run.archive.objects, ledger.origin), default=0) + 1
    done, now = Archived(branch=branch), run.hub.clock.now()
    text = FORKED(origin=ledger.origin, fork=fork, branch=branch)
    with run.hub.store.transaction() as session:
        run.lease.renew(session, now)
        keep_archived(session, ledger.log_id, done, now)
        raise_alarm(session, Alarm(AlarmKind.ARCHIVE_FORKED, ledger.origin, text), now)
    return done


def _store_full(run: _Run, ledger: SignedLedger, done: Archived, place: str) -> Archived:
    """Write the full bundles up to the signed size, and the tiles that they fill, as many as the slice allows."""
    edge: Edge = done.edge
    while run.left > 0 and edge.size + BUNDLE_ENTRIES <= ledger.signed:
        rows, newest = _rows(run.hub, ledger.log_id, edge.size, edge.size + BUNDLE_ENTRIES)
        following, tiles = edge.extend([leaf for _, leaf in rows])
        bundle = Tile(bundle_name(edge.size // BUNDLE_ENTRIES), pack_bundle([body for body, _ in rows]))
        until = run.archive.retention.until(class_of(ledger.log_id), newest)
        _put(run, place, (bundle, *tiles), until)
        edge, run.left = following, run.left - 1
        done = replace(done, edge=edge)
        _keep(run, ledger, done)
    return done


def _store_unfinished(run: _Run, ledger: SignedLedger, done: Archived, place: str) -> int:
    """Write the last entries below the signed size as a partial bundle, and the partial tiles.

    Returns how many entries are archived then; while full bundles are pending, only those before them.
    """
    low, high = done.edge.size, ledger.signed
    if high - low >= BUNDLE_ENTRIES or run.left <= 0:
        return low
    tiles = []
    rows, newest = _rows(run.hub, ledger.log_id, low, high) if high > low else ([], run.hub.clock.now())
    if rows:
        name = bundle_name(low // BUNDLE_ENTRIES, len(rows))
        tiles.append(Tile(name, pack_bundle([body for body, _ in rows])))
    tiles += done.edge.unfinished([leaf for _, leaf in rows])
    _put(run, place, tiles, run.archive.retention.until(RecordClass.UNFINISHED, newest))
    run.left -= 1
    return high


def _store_checkpoint(run: _Run, ledger: SignedLedger, done: Archived, place: str, reached: int) -> None:
    """Write the newest checkpoint over the archived entries, and store how far the archive reaches.

    Checkpoints between two runs remain in the store alone: this one covers the same entries.
    """
    with run.hub.store.reading() as reads:
        found = note_up_to(reads, ledger.log_id, reached)
    if found is None or found.size < done.size:
        return
    size, note, received_at = found
    name = checkpoint_name(place, size, note)
    until = run.archive.retention.until(RecordClass.CHECKPOINTS, received_at)
    run.archive.objects.put_new(name, note, retain_until=until)
    root = Checkpoint.parse(Note.parse(note).text).root
    _keep(run, ledger, replace(done, size=size, root=root, checkpoint=name, checkpoint_at=received_at))


def _rows(hub: HubNode, log_id: int, low: int, high: int) -> tuple[list[tuple[bytes, bytes]], datetime]:
    """Return bodies and leaf hashes, and when the newest of the entries was recorded."""
    with hub.store.reading() as reads:
        rows = mirrors.rows_within(reads, log_id, low, high, BUNDLE_ENTRIES << 16)
        newest_us = newest_recorded_us(reads, log_id, low, high)
    assert len(rows) == high - low
    return rows, from_micros(newest_us)


def _put(run: _Run, place: str, tiles: Sequence[Tile], until: datetime) -> None:
    for tile in tiles:
        run.archive.objects.put_new(f"{place}/{tile.name}", tile.content, retain_until=until)


def _keep(run: _Run, ledger: SignedLedger, done: Archived) -> None:
    now = run.hub.clock.now()
    with run.hub.store.transaction() as session:
        run.lease.renew(session, now)
        keep_archived(session, ledger.log_id, done, now)

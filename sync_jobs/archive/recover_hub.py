"""Recovers ledgers from the archive: into a hub's store that lost them in whole or in part, and into a plant's.

Only signatures are trusted: a checkpoint of the ledger's own key gives size and root, and archived entries are stored
only when they lead to exactly that root. So an attacker who can write to the archive can withhold entries, which is
detected, but cannot change or add any. Keys come from the node's folder (the hub's own) and from the hub's ledger (the
plants'), which is therefore recovered first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from infra.database import Session
from infra.messages import Failure, message
from infra.objects import NotArchived, Objects
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.notes import NoteError, NoteKey, SignedCheckpoint
from plants.rules.ledger.tiles import BUNDLE_ENTRIES, BundleInvalid, Edge, bundle_name, spans, unpack_bundle
from plants.store.ledger import mirrors
from plants.store.ledger.archive import (
    FIRST_BRANCH,
    Archive,
    Archived,
    archived,
    branches,
    checkpoint_names,
    folder,
    keep_archived,
)
from plants.store.ledger.entries import HUB_LOG, Head, open_log
from plants.store.ledger.logs import plant_logs
from plants.store.projection import applying
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from sync_jobs.keys import plant_keys
from sync_jobs.keys.hub_keys import keys_of_hub
from sync_jobs.nodes import HubNode
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Problem, read_entries

BUNDLES_AT_ONCE: Final = 16  # that one statement stores: 268 MB of the largest entries, 2 MB of typical ones

KeysAt = Callable[[int], tuple[NoteKey, ...]]
"""The keys that may have signed a ledger at a given size."""

ArchiveProgress = Callable[[str, int, int], None]
"""Called with a ledger's origin, the number of its recovered entries, and their total."""


ARCHIVE_ROOT_DIFFERS: Final = message(
    "ARCHIVE_ROOT_DIFFERS", "{place}: the entries do not lead to the root in {name}. Run batchloom archive verify."
)
ARCHIVE_FILE_DAMAGED: Final = message(
    "ARCHIVE_FILE_DAMAGED", "{name} in the archive is damaged: {why}. Run batchloom archive verify."
)


class ArchiveDamaged(Failure):
    """The archive's content does not lead to the signed root; the text names the file."""


class OtherRoot(Exception):
    """The archived entries after ours do not lead to the signed root."""


def ignore_progress(_origin: str, _done: int, _of: int) -> None:
    """Do nothing: no caller shows the progress."""


class ArchiveComparison(StrEnum):
    """The archive's content beyond the known archived size, compared with the store."""

    NOTHING = "NOTHING"
    TAKEN_BACK = "TAKEN_BACK"
    CONTRADICTS = "CONTRADICTS"


@dataclass(frozen=True, slots=True)
class ArchivedCheckpoint:
    """A checkpoint in the archive with valid signatures: its name, and its bytes with the trusted lines alone."""

    name: str
    note: bytes
    signed: SignedCheckpoint

    @property
    def size(self) -> int:
        """The number of entries that it covers."""
        return self.signed.checkpoint.size


@dataclass(frozen=True, slots=True)
class Source:
    """The location of one ledger's archive, and the callback for progress.

    `mirrored` means that another node writes the ledger: then it is only stored, and applied to the tables elsewhere.
    """

    objects: Objects
    place: str
    log_id: int
    mirrored: bool
    progress: ArchiveProgress = ignore_progress


@dataclass(frozen=True, slots=True)
class Recovered:
    """A recovered ledger: its size before and after."""

    log_id: int
    origin: str
    before: int
    size: int


def recover_hub(hub: HubNode, archive: Archive, *, progress: ArchiveProgress = ignore_progress) -> list[Recovered]:
    """Recover everything that the archive holds beyond this hub's store; returns the recovered ledgers.

    The store may be empty or old. The hub's own ledger comes first and brings the plants, their keys and their ledgers.
    A ledger whose archive contradicts the store is left unchanged. The projection applies the plants' entries to the
    tables, as always. Raises ArchiveFailed, and ArchiveDamaged where a ledger cannot be proven; ledgers before it
    remain recovered.
    """
    with hub.store.transaction() as session:
        open_log(session, HUB_LOG, hub.origin)
    found = [_recover(hub, archive, HUB_LOG, progress)]
    with hub.store.transaction() as session:
        plants = plant_logs(session)
    for number in plants:
        found += (_recover(hub, archive, -number, progress), _recover(hub, archive, number, progress))
    return [one for one in found if one.size > one.before]


def recover_ledger(
    hub: HubNode, archive: Archive, log_id: int, done: Archived, progress: ArchiveProgress = ignore_progress
) -> ArchiveComparison:
    """Recover the archived entries of one ledger beyond `done`, where they continue the store.

    Raises ArchiveFailed, and ArchiveDamaged where the archived entries do not lead to their signed root.
    """
    with hub.store.transaction() as session:
        head = Head(session, log_id)
        origin, here, keys = head.origin, head.frontier, keys_of_ledger(session, hub, log_id)
    place = folder(origin, done.branch)
    newest = newest_checkpoint(archive.objects, place, origin, keys, after=done.checkpoint)
    if newest is None:
        return ArchiveComparison.NOTHING
    if newest.size <= here.size:
        with hub.store.reading() as reads:
            same = mirrors.frontier_at(reads, log_id, newest.size).root() == newest.signed.checkpoint.root
        return ArchiveComparison.NOTHING if same else ArchiveComparison.CONTRADICTS
    try:
        with hub.store.transaction() as session:
            source = Source(archive.objects, place, log_id, mirrored=log_id > HUB_LOG, progress=progress)
            now = hub.clock.now()
            edge = store_archived(session, source, newest, now)
            if log_id == HUB_LOG:
                plant_keys.apply_key_events(session, origin.partition("/")[0], here.size, newest.size)
            if edge is not None:
                # A ledger that was read completely need not be archived again.
                known = Archived(
                    branch=done.branch,
                    edge=edge,
                    size=newest.size,
                    root=newest.signed.checkpoint.root,
                    checkpoint=newest.name,
                    checkpoint_at=now,
                )
                keep_archived(session, log_id, known, now)
    except OtherRoot as error:
        if here.size:
            return ArchiveComparison.CONTRADICTS
        raise ArchiveDamaged(ARCHIVE_ROOT_DIFFERS, place=place, name=newest.name) from error
    return ArchiveComparison.TAKEN_BACK


def newest_checkpoint(
    objects: Objects, place: str, origin: str, keys: KeysAt, *, after: str = ""
) -> ArchivedCheckpoint | None:
    """Return the largest checkpoint after a name in a ledger's folder that its own key signed; None without one.

    Notes without a trusted signature are skipped: anyone with write access to the archive can add some.
    """
    for size, name in sorted(checkpoint_names(objects, place, after), reverse=True):
        note = objects.get(name)
        with suppress(NoteError):
            signed = checkpoints.read(note, origin, keys(size))
            if signed.checkpoint.size == size:
                return ArchivedCheckpoint(name, bytes(checkpoints.trimmed(note, keys(size))), signed)
    return None


def keys_of_ledger(session: Session, hub: HubNode, log_id: int) -> KeysAt:
    """Return the valid keys of a ledger at the hub: its own by its size, and the cosigning ones."""
    hub_keys = keys_of_hub(session, hub)
    if log_id <= HUB_LOG:
        hub_keys = (*keys_of_hub(session, hub, Head(session, log_id).origin), *hub_keys)
    plants = [] if log_id == HUB_LOG else plant_keys.ledger_keys(session, abs(log_id))
    return lambda size: (*plant_keys.note_keys(plants, size if log_id > HUB_LOG else 0), *hub_keys)


def bundles(objects: Objects, place: str, size: int, start: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the first position and the entries of each archived bundle of a ledger of this size, from one on.

    Raises NotArchived, and ArchiveDamaged for an unreadable bundle.
    """
    for index, width in spans(size, start):
        name, of = f"{place}/{bundle_name(index, width)}", width
        try:
            content = objects.get(name)
        except NotArchived:
            # The checkpoint lies within a bundle that was full when it was written.
            name, of = f"{place}/{bundle_name(index)}", BUNDLE_ENTRIES
            content = objects.get(name)
        try:
            yield index * BUNDLE_ENTRIES, unpack_bundle(content, of)[:width]
        except BundleInvalid as error:
            raise ArchiveDamaged(ARCHIVE_FILE_DAMAGED, name=name, why=error) from error


def _recover(hub: HubNode, archive: Archive, log_id: int, progress: ArchiveProgress) -> Recovered:
    with hub.store.transaction() as session:
        head, done = Head(session, log_id), archived(session, log_id)
    if done is None:
        done = Archived(branch=max(branches(archive.objects, head.origin), default=FIRST_BRANCH))
    recover_ledger(hub, archive, log_id, done, progress)
    with hub.store.transaction() as session:
        return Recovered(log_id, head.origin, head.size, Head(session, log_id).size)


def store_archived(session: Session, source: Source, newest: ArchivedCheckpoint, now: datetime) -> Edge | None:
    """Store the archived entries after the head, and the checkpoint over them, in the caller's transaction.

    Returns the edge of their tiles where they were read from the first one on. Raises OtherRoot where they do not lead
    to the signed root: the caller must then roll back.
    """
    head = Head(session, source.log_id)
    frontier, edge = head.frontier, Edge() if head.size == 0 else None
    for entries in chunks(source, frontier.size, newest.size):
        frontier = frontier.extend(entry.leaf for entry in entries)
        _store(session, source, entries, frontier)
        edge = None if edge is None else _grown(edge, entries)
        source.progress(head.origin, frontier.size, newest.size)
    if frontier.root() != newest.signed.checkpoint.root:
        raise OtherRoot
    _keep_position(session, source, newest, now)
    return edge


def chunks(source: Source, start: int, size: int) -> Iterator[list[Entry]]:
    """Yield the archived entries from a position on, several bundles at a time, with their envelopes checked."""
    waiting: list[bytes] = []
    for low, bodies in bundles(source.objects, source.place, size, start):
        waiting += bodies[max(0, start - low) :] if low <= start else bodies
        if len(waiting) >= BUNDLES_AT_ONCE * BUNDLE_ENTRIES or low + len(bodies) >= size:
            try:
                entries = read_entries(waiting, start, source.log_id)
            except Problem as problem:
                raise ArchiveDamaged(ARCHIVE_FILE_DAMAGED, name=source.place, why=problem) from problem
            yield entries
            start, waiting = start + len(entries), []


def _store(session: Session, source: Source, entries: Sequence[Entry], frontier: Frontier) -> None:
    head = Head(session, source.log_id)
    if source.mirrored:
        mirrors.extend(session, head, entries, frontier)
        return
    head.adopt(entries, frontier)
    applying.apply(session, source.log_id, entries)


def _grown(edge: Edge, entries: Sequence[Entry]) -> Edge:
    """Return the edge after these entries, which start at it, as far as they fill bundles."""
    leaves = [entry.leaf for entry in entries]
    for low in range(0, len(leaves) - BUNDLE_ENTRIES + 1, BUNDLE_ENTRIES):
        edge, _ = edge.extend(leaves[low : low + BUNDLE_ENTRIES])
    return edge


def _keep_position(session: Session, source: Source, newest: ArchivedCheckpoint, now: datetime) -> None:
    """Store the checkpoint; for a mirrored ledger also that its writer has a receipt for that size."""
    log_id, signed_at = source.log_id, checkpoints.signed_at(newest.signed)
    status.keep_checkpoint(session, log_id, newest.size, newest.note, signed_at=signed_at, received_at=now)
    known: dict[str, Any] = {"state": ReplicationState.IN_SYNC if source.mirrored else ReplicationState.NEVER_MET}
    status.amend(session, log_id, acknowledged=newest.size if source.mirrored else 0, **known)

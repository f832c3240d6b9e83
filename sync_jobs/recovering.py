"""Ledgers back from the archive: into a hub's store that lost them, whole or in part, and into a plant's.

Nothing is believed but signatures: a checkpoint of the ledger's own key says size and root, and the entries in the
archive are taken in only when they lead to exactly that root. So whoever can write to the archive can withhold, and
that shows, but cannot change or add. Keys come from the node's home (the hub's own) and from the hub's ledger (the
plants'), which is therefore the first to be read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from auth.actors import Role, system_actor
from auth.machines import enrol_machine
from infra.database import Session
from infra.objects import NotArchived, Objects
from infra.settings import directive_origin
from plants.rules.events import Entry
from plants.rules.instants import micros, parse_instant
from plants.rules.merkle import Frontier, leaf_hash
from plants.rules.notes import NoteError, NoteKey, SignedCheckpoint
from plants.rules.tiles import BUNDLE_ENTRIES, BundleInvalid, Edge, bundle_name, spans, unpack_bundle
from plants.store import mirrors, projection, replication
from plants.store.archive import (
    FIRST_BRANCH,
    Archive,
    Archived,
    archived,
    branches,
    checkpoint_names,
    folder,
    keep_archived,
)
from plants.store.ledger import HUB_LOG, Head, entries_between, open_log
from plants.store.positions import ReplicationState
from sync_jobs import checkpoints
from sync_jobs.nodes import HubNode
from sync_jobs.wire import Problem, read_entries

BUNDLES_AT_ONCE: Final = 16  # that are stored by one statement: of the largest entries 268 MB, of usual ones 2 MB
SELECT_ENROLLED = "SELECT idx FROM entries WHERE log_id = :log_id AND type = 'PlantEnrolled' ORDER BY idx"
SELECT_MACHINE = "SELECT 1 FROM machines WHERE origin = :origin"

Told = Callable[[str, int, int], None]
"""Hears of a ledger's origin, how many of its entries are there, and of how many."""


class ArchiveDamaged(Exception):
    """What the archive holds does not lead to the root that was signed; the text names the file."""


class Ahead(StrEnum):
    """What the archive holds beyond what is known to be archived."""

    NOTHING = "NOTHING"
    TAKEN_BACK = "TAKEN_BACK"
    CONTRADICTS = "CONTRADICTS"


@dataclass(frozen=True, slots=True)
class Covered:
    """A checkpoint in the archive whose signatures hold: its name, its bytes with the trusted lines alone."""

    name: str
    note: bytes
    signed: SignedCheckpoint

    @property
    def size(self) -> int:
        """How many entries it covers."""
        return self.signed.checkpoint.size


@dataclass(frozen=True, slots=True)
class _Way:
    """Where the archive of one ledger is, and who hears how far it is read."""

    objects: Objects
    place: str
    branch: int
    log_id: int
    told: Told


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came back of one ledger: from how many entries here to how many."""

    log_id: int
    origin: str
    before: int
    size: int


class _OtherRoot(Exception):
    """The archived entries behind ours do not lead to the root that was signed."""


def tell_nobody(_origin: str, _done: int, _of: int) -> None:
    """Keep progress to oneself."""


def recover_hub(hub: HubNode, archive: Archive, *, group: str, told: Told = tell_nobody) -> list[Recovered]:
    """Take back all that the archive holds beyond this hub's store, be it empty or an old copy; returns what came.

    The hub's own ledger comes first and brings the plants, their keys and their ledgers with it. A ledger whose archive
    contradicts the store is left as it is. Applying the plants' entries to the tables is the projection's, as ever.
    Raises ArchiveFailed, and ArchiveDamaged where a ledger cannot be proven; those before it stay taken back.
    """
    with hub.store.transaction() as session:
        open_log(session, HUB_LOG, hub.origin)
    found = [_recover(hub, archive, HUB_LOG, told)]
    for number in _enrol_again(hub, group):
        found += (_recover(hub, archive, -number, told), _recover(hub, archive, number, told))
    return [one for one in found if one.size > one.before]


def take_back(hub: HubNode, archive: Archive, log_id: int, done: Archived, told: Told = tell_nobody) -> Ahead:
    """Take back what the archive holds of one ledger beyond `done`, where it continues what is here.

    Raises ArchiveFailed, and ArchiveDamaged where the archive's entries do not lead to the root signed for them.
    """
    with hub.store.transaction() as session:
        head = Head(session, log_id)
        origin, here, keys = head.origin, head.frontier, keys_of_ledger(session, hub, log_id)
    place = folder(origin, done.branch)
    newest = newest_checkpoint(archive.objects, place, origin, keys, after=done.checkpoint)
    if newest is None:
        return Ahead.NOTHING
    if newest.size <= here.size:
        with hub.store.reading() as reads:
            same = mirrors.frontier_at(reads, log_id, newest.size).root() == newest.signed.checkpoint.root
        return Ahead.NOTHING if same else Ahead.CONTRADICTS
    try:
        with hub.store.transaction() as session:
            _take_in(session, hub, _Way(archive.objects, place, done.branch, log_id, told), newest)
    except _OtherRoot as error:
        if here.size:
            return Ahead.CONTRADICTS
        raise ArchiveDamaged(f"{place}: the entries do not lead to the root in {newest.name}") from error
    return Ahead.TAKEN_BACK


def newest_checkpoint(
    objects: Objects, place: str, origin: str, keys: Sequence[NoteKey], *, after: str = ""
) -> Covered | None:
    """Return the largest checkpoint in a ledger's folder that its own key signed, behind a name; None without one.

    Notes that nobody of ours signed are passed over: whoever may write to the archive can put some there.
    """
    for _, name in sorted(checkpoint_names(objects, place, after), reverse=True):
        note = objects.get(name)
        with suppress(NoteError):
            signed = checkpoints.read(note, origin, keys)
            return Covered(name, bytes(checkpoints.trimmed(note, keys)), signed)
    return None


def keys_of_ledger(session: Session, hub: HubNode, log_id: int) -> tuple[NoteKey, ...]:
    """Return the keys that count for a ledger at the hub: its own, and the cosigning ones."""
    hub_keys = checkpoints.keys_of(hub.signer.key)
    plant_keys = [key for vkey in _ledger_keys(session, abs(log_id)) for key in checkpoints.keys_of(NoteKey.parse(vkey))]
    if log_id > HUB_LOG:
        return (*plant_keys, *hub_keys)
    with_name = checkpoints.keys_of(hub.signer.key, Head(session, log_id).origin)
    return (*with_name, *hub_keys, *plant_keys)


def bundles(objects: Objects, place: str, size: int, start: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the first position and the entries of each archived bundle of a ledger of this size, from one on.

    Raises NotArchived, and ArchiveDamaged for a bundle that cannot be read.
    """
    for index, width in spans(size, start):
        name, of = f"{place}/{bundle_name(index, width)}", width
        try:
            content = objects.get(name)
        except NotArchived:
            # A checkpoint within a bundle that was full by the time it was written.
            name, of = f"{place}/{bundle_name(index)}", BUNDLE_ENTRIES
            content = objects.get(name)
        try:
            yield index * BUNDLE_ENTRIES, unpack_bundle(content, of)[:width]
        except BundleInvalid as error:
            raise ArchiveDamaged(f"{name}: {error}") from error


def _recover(hub: HubNode, archive: Archive, log_id: int, told: Told) -> Recovered:
    with hub.store.transaction() as session:
        head, done = Head(session, log_id), archived(session, log_id)
    if done is None:
        done = Archived(branch=max(branches(archive.objects, head.origin), default=FIRST_BRANCH))
    take_back(hub, archive, log_id, done, told)
    with hub.store.transaction() as session:
        return Recovered(log_id, head.origin, head.size, Head(session, log_id).size)


def _enrol_again(hub: HubNode, group: str) -> list[int]:
    """Take every plant that the hub's ledger names into the store, unless it is there; returns their numbers."""
    found: dict[int, None] = {}
    with hub.store.transaction() as session:
        for (index,) in session.rows(SELECT_ENROLLED, {"log_id": HUB_LOG}):
            (entry,) = entries_between(session, HUB_LOG, index, index + 1)
            told = entry.payload
            found[told["number"]] = None
            open_log(session, told["number"], told["origin"])
            open_log(session, -told["number"], directive_origin(group, told["code"]))
            if session.row(SELECT_MACHINE, {"origin": told["origin"]}) is None:
                enrol_machine(
                    session,
                    actor=system_actor("archive", Role.ADMINISTRATOR),
                    plant_number=told["number"],
                    code=told["code"],
                    origin=told["origin"],
                    assertion_key=told["assertion_key"],
                    ledger_vkey=told["ledger_key"],
                    at=parse_instant(entry.envelope["recorded_at"]),
                    replace=True,
                )
    return list(found)


def _ledger_keys(session: Session, number: int) -> list[str]:
    """Return the public keys that the hub's ledger ever named for a plant."""
    keys: dict[str, None] = {}
    for (index,) in session.rows(SELECT_ENROLLED, {"log_id": HUB_LOG}):
        (entry,) = entries_between(session, HUB_LOG, index, index + 1)
        if entry.payload["number"] == number:
            keys[entry.payload["ledger_key"]] = None
    return list(keys)


def _take_in(session: Session, hub: HubNode, way: _Way, newest: Covered) -> None:
    """Store the archived entries behind the head, all or none; raises _OtherRoot where they do not lead to the root."""
    head = Head(session, way.log_id)
    frontier, edge = head.frontier, Edge() if head.size == 0 else None
    for entries in _chunks(way.objects, way.place, way.log_id, frontier, newest):
        frontier = frontier.extend(entry.leaf for entry in entries)
        _store(session, way.log_id, entries, frontier)
        edge = None if edge is None else _grown(edge, entries)
        way.told(head.origin, frontier.size, newest.size)
    if frontier.root() != newest.signed.checkpoint.root:
        raise _OtherRoot
    now_us = micros(hub.clock.now())
    _keep_position(session, way.log_id, newest, now_us)
    if edge is not None:
        # What was read to the last entry need not be written again.
        known = {"size": newest.size, "root": frontier.root(), "checkpoint": newest.name, "checkpoint_us": now_us}
        keep_archived(session, way.log_id, Archived(branch=way.branch, edge=edge, **known), now_us)


def _chunks(objects: Objects, place: str, log_id: int, here: Frontier, newest: Covered) -> Iterator[list[Entry]]:
    """Yield the archived entries behind a frontier, several bundles at a time, with their envelopes checked."""
    waiting: list[bytes] = []
    start = here.size
    for low, bodies in bundles(objects, place, newest.size, here.size):
        waiting += bodies[max(0, here.size - low) :]
        if len(waiting) >= BUNDLES_AT_ONCE * BUNDLE_ENTRIES or low + len(bodies) >= newest.size:
            try:
                entries = read_entries(waiting, start, log_id)
            except Problem as problem:
                raise ArchiveDamaged(f"{place}: {problem}") from problem
            yield entries
            start, waiting = start + len(entries), []


def _store(session: Session, log_id: int, entries: Sequence[Entry], frontier: Frontier) -> None:
    head = Head(session, log_id)
    if log_id > HUB_LOG:
        mirrors.extend(session, head, entries, frontier)
        return
    head.adopt(entries, frontier)
    projection.apply(session, log_id, entries)


def _grown(edge: Edge, entries: Sequence[Entry]) -> Edge:
    """Return the edge behind these entries, which begin at it, as far as they fill bundles."""
    leaves = [entry.leaf for entry in entries]
    for low in range(0, len(leaves) - BUNDLE_ENTRIES + 1, BUNDLE_ENTRIES):
        edge, _ = edge.extend(leaves[low : low + BUNDLE_ENTRIES])
    return edge


def _keep_position(session: Session, log_id: int, newest: Covered, now_us: int) -> None:
    """Keep the checkpoint, and that a plant has been given its receipt up to there."""
    signed_us = checkpoints.signed_us(newest.signed)
    replication.keep_checkpoint(
        session, log_id, newest.size, newest.note, signed_us=signed_us, received_us=now_us
    )
    known: dict[str, Any] = {"state": ReplicationState.IN_SYNC if log_id > HUB_LOG else ReplicationState.NEVER_MET}
    replication.amend(session, log_id, acknowledged=newest.size if log_id > HUB_LOG else 0, **known)



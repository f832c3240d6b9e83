"""Verifies the whole archive: every bundle against the signed root, and every tile of hashes against the bundles."""

from dataclasses import dataclass
from typing import Final

from infra.messages import message
from infra.objects import NotArchived, Objects
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.tiles import BUNDLE_ENTRIES, Edge, Tile
from plants.store.ledger.archive import Archive, branches, folder
from plants.store.ledger.logs import origins_by_log
from sync_jobs.archive.recover_hub import ArchiveDamaged, ArchivedCheckpoint, bundles, keys_of_ledger, newest_checkpoint
from sync_jobs.nodes import HubNode

ARCHIVE_HASHES_DIFFER: Final = message(
    "ARCHIVE_HASHES_DIFFER",
    "{name} in the archive does not hold the hashes of the entries. Run batchloom archive verify.",
)


@dataclass(frozen=True, slots=True)
class ArchiveFinding:
    """The result for one history of one ledger; `wrong` names the first invalid file."""

    origin: str
    branch: int
    size: int
    files: int
    wrong: str | None


def check_archive(hub: HubNode, archive: Archive) -> list[ArchiveFinding]:
    """Return the result for every ledger that this hub holds, by id; raises ArchiveFailed.

    Reads the whole archive. A ledger that was never archived has no result.
    """
    with hub.store.transaction() as session:
        origins = origins_by_log(session)
        keys = {log_id: keys_of_ledger(session, hub, log_id) for log_id in origins}
    found = []
    for log_id, origin in origins.items():
        for branch in branches(archive.objects, origin):
            place = folder(origin, branch)
            newest = newest_checkpoint(archive.objects, place, origin, keys[log_id])
            if newest is None:
                found.append(ArchiveFinding(origin, branch, 0, 0, f"{place}: no signed checkpoint"))
                continue
            found.append(_check(archive.objects, origin, branch, newest))
    return found


def _check(objects: Objects, origin: str, branch: int, newest: ArchivedCheckpoint) -> ArchiveFinding:
    place, files = folder(origin, branch), 0
    frontier, edge = Frontier(), Edge()
    try:
        for _, bodies in bundles(objects, place, newest.size):
            leaves = [leaf_hash(body) for body in bodies]
            frontier = frontier.extend(leaves)
            if len(leaves) == BUNDLE_ENTRIES:
                edge, tiles = edge.extend(leaves)
            else:
                tiles = edge.unfinished(leaves)
            files += 1 + _compare(objects, place, tiles)
        if newest.size % BUNDLE_ENTRIES == 0:
            files += _compare(objects, place, edge.unfinished([]))
    except (ArchiveDamaged, NotArchived) as error:
        return ArchiveFinding(origin, branch, newest.size, files, str(error))
    same = frontier.root() == newest.signed.checkpoint.root
    wrong = None if same else f"{place}: the entries do not lead to the root in {newest.name}"
    return ArchiveFinding(origin, branch, newest.size, files, wrong)


def _compare(objects: Objects, place: str, tiles: list[Tile]) -> int:
    for name, content in tiles:
        if _read(objects, f"{place}/{name}")[: len(content)] != content:
            raise ArchiveDamaged(ARCHIVE_HASHES_DIFFER, name=f"{place}/{name}")
    return len(tiles)


def _read(objects: Objects, name: str) -> bytes:
    """Return the content of a tile, or of the full tile where the partial one was never written."""
    try:
        return objects.get(name)
    except NotArchived:
        return objects.get(name.partition(".p/")[0])

"""The virtual archive: names that keep their first bytes, an archive that is away now and then, and a reading of it.

It is the one thing in the simulated group that no restore puts back: what reached it is lost by nobody.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from infra.objects import ARCHIVE_FAILED, ArchiveFailed, Capabilities, NameTaken, NotArchived, check_name

SIZE_DIGITS: Final = 16  # of the size in a checkpoint's name
BUNDLE: Final = 256


@dataclass
class ObjectsInMemory:
    """A bucket with Object Lock. It answers nothing from the n-th call on while `fails_in` counts down to nothing."""

    kept: dict[str, bytes] = field(default_factory=dict)
    fails_in: int | None = None
    failed: bool = False

    def put_new(self, name: str, content: bytes, *, retain_until: datetime) -> None:
        """Keep bytes under a new name; raises NameTaken when others stand there."""
        del retain_until
        self._answer()
        if self.kept.setdefault(check_name(name), content) != content:
            raise NameTaken(name)

    def get(self, name: str) -> bytes:
        """Return the bytes under a name; raises NotArchived."""
        self._answer()
        try:
            return self.kept[name]
        except KeyError:
            raise NotArchived(name) from None

    def versions(self, name: str) -> list[str]:
        """Return the one version that there is, if any."""
        return [""] if name in self.kept else []

    def get_version(self, name: str, version: str) -> bytes:
        """Return the bytes of the one version; raises NotArchived."""
        if version:
            raise NotArchived(name)
        return self.get(name)

    def names(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Yield the names with a prefix, behind another, in byte order."""
        self._answer()
        yield from sorted(name for name in self.kept if name.startswith(prefix) and name > after)

    def children(self, folder: str) -> list[str]:
        """Return what stands in a folder, files and folders."""
        self._answer()
        place = f"{folder}/"
        return sorted({name.removeprefix(place).partition("/")[0] for name in self.kept if name.startswith(place)})

    def retained_until(self, name: str) -> datetime | None:
        """Return until when a name must stay: not known here."""
        self.get(name)
        return None

    def probe(self, now: datetime) -> Capabilities:
        """Say that it can do everything."""
        del now
        self._answer()
        return Capabilities(conditional=True, locked=True, versioned=True)

    def describe(self) -> str:
        """Return where the archive is."""
        return "memory:archive"

    def fail_from(self, call: int | None) -> None:
        """Answer nothing any more from so many calls on, or always again with None."""
        self.fails_in, self.failed = call, False

    def covers(self, place: str, size: int) -> bool:
        """Tell whether so many entries of a ledger are in its folder, and a checkpoint over just as many."""
        if not any(name.startswith(f"{place}/checkpoints/{size:0{SIZE_DIGITS}d}-") for name in self.kept):
            return False
        full, rest = divmod(size, BUNDLE)
        bundles = [f"{place}/tile/entries/{at:03d}" for at in range(full)]
        last = f"{place}/tile/entries/{full:03d}"
        there = not rest or last in self.kept or f"{last}.p/{rest}" in self.kept
        return there and all(name in self.kept for name in bundles)

    def _answer(self) -> None:
        if self.fails_in is None:
            return
        self.fails_in -= 1
        if self.fails_in <= 0:
            self.failed = True
            raise ArchiveFailed(ARCHIVE_FAILED, why="ReadTimeout: the archive is away")


def devices_kept(objects: ObjectsInMemory) -> set[str]:
    """Return the devices of all entries that a checkpoint in the archive covers, by a reading of its own."""
    covered: dict[str, int] = defaultdict(int)
    for name in objects.kept:
        place, checkpoint, last = name.rpartition("/checkpoints/")
        if checkpoint:
            covered[place] = max(covered[place], int(last.partition("-")[0]))
    found = set()
    for name, content in objects.kept.items():
        place, bundle, _ = name.partition("/tile/entries/")
        if bundle:
            found |= {_device(body) for body in _bodies(content) if json.loads(body)["index"] < covered[place]}
    return found


def _bodies(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 2])
        yield content[at + 2 : at + 2 + length]
        at += 2 + length


def _device(body: bytes) -> str:
    entry = json.loads(body)
    whole = entry["payload"]["entry"] if entry["type"] == "EntryDisputed" else entry
    return str(whole.get("device", ""))

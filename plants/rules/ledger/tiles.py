"""The files of a ledger for object storage, named and laid out as C2SP tlog-tiles (c2sp.org/tlog-tiles).

A bundle holds 256 entries, each after its length in 16 bits. A tile holds 256 hashes of 32 bytes: on level 0 leaf
hashes, on every further level the roots of the full tiles below. The name of a bundle or tile that is not full yet ends
with `.p/<width>`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from plants.rules.ledger.merkle import HASH_BYTES, Frontier

BUNDLE_ENTRIES: Final = 256
LENGTH_BYTES: Final = 2
LEVEL_BITS: Final = 8
LEVELS_MAX: Final = 8


class BundleInvalid(ValueError):
    """The bytes are no bundle of as many entries as the name says."""


class Tile(NamedTuple):
    """One file: its name below the ledger's folder, and its bytes."""

    name: str
    content: bytes


def bundle_name(index: int, width: int = BUNDLE_ENTRIES) -> str:
    """Return the name of a bundle; ValueError for a width that no bundle has."""
    return f"tile/entries/{_number(index)}{_width(width)}"


def tile_name(level: int, index: int, width: int = BUNDLE_ENTRIES) -> str:
    """Return the name of a tile of hashes; ValueError for a level or a width that no tile has."""
    if not 0 <= level < LEVELS_MAX:
        raise ValueError(f"{level} is no level of a tile")
    return f"tile/{level}/{_number(index)}{_width(width)}"


def pack_bundle(bodies: Sequence[bytes]) -> bytes:
    """Return entries as a bundle; OverflowError for an entry above 65,535 bytes."""
    return b"".join(len(body).to_bytes(LENGTH_BYTES) + body for body in bodies)


def unpack_bundle(content: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle of this width; raises BundleInvalid where it is another's or was cut."""
    bodies: list[bytes] = []
    at = 0
    while at < len(content) and len(bodies) < width:
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(content[at:start])
        if at > len(content):
            raise BundleInvalid(f"the bundle ends within entry {len(bodies)}")
        bodies.append(content[start:at])
    if len(bodies) != width or at != len(content):
        raise BundleInvalid(f"the bundle does not hold {width} entries")
    return bodies


@dataclass(frozen=True, slots=True)
class Edge:
    """The unfinished tiles over the full bundles so far: the state that the tiles of the next bundle need.

    `size` counts entries and is a multiple of 256; `rows` holds the hashes of the unfinished tile of each level from 1
    on. Raises ValueError where they do not fit together.
    """

    size: int = 0
    rows: tuple[tuple[bytes, ...], ...] = ()

    def __post_init__(self) -> None:
        if [len(row) for row in self.rows] != _widths(self.size):
            raise ValueError(f"after {self.size} entries the tiles are not like these")

    def extend(self, leaves: Sequence[bytes]) -> tuple["Edge", list[Tile]]:
        """Return the edge behind one more full bundle with these leaf hashes, and the tiles that it makes full."""
        if len(leaves) != BUNDLE_ENTRIES:
            raise ValueError(f"a full bundle has {BUNDLE_ENTRIES} entries, not {len(leaves)}")
        size = self.size + BUNDLE_ENTRIES
        rows = [list(row) for row in self.rows]
        full, level, tiles = list(leaves), 0, []
        while full:
            at = (size >> LEVEL_BITS * (level + 1)) - 1
            tiles.append(Tile(tile_name(level, at), b"".join(full)))
            if level == len(rows):
                rows.append([])
            rows[level].append(Frontier().extend(full).root())
            full = []
            if len(rows[level]) == BUNDLE_ENTRIES:
                full, rows[level] = rows[level], []
            level += 1
        return Edge(size, tuple(map(tuple, rows))), tiles

    def unfinished(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Return the tiles that are not full when these fewer than 256 leaf hashes come behind the edge."""
        size = self.size + len(leaves)
        tiles = []
        for level, row in enumerate((tuple(leaves), *self.rows)):
            if row:
                at = size >> LEVEL_BITS * (level + 1)
                tiles.append(Tile(tile_name(level, at, len(row)), b"".join(row)))
        return tiles

    def to_bytes(self) -> bytes:
        """Return the concatenated hashes, lowest level first. The caller stores the size."""
        return b"".join(b"".join(row) for row in self.rows)

    @classmethod
    def from_bytes(cls, size: int, content: bytes) -> Self:
        """Read what `to_bytes` wrote; ValueError where its length does not fit the size."""
        rows, at = [], 0
        for width in _widths(size):
            end = at + width * HASH_BYTES
            rows.append(tuple(content[low : low + HASH_BYTES] for low in range(at, end, HASH_BYTES)))
            at = end
        if at != len(content):
            raise ValueError(f"{len(content)} bytes are not the edge after {size} entries")
        return cls(size, tuple(rows))


def spans(size: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield index and width of each bundle of a ledger of this size, from the one that holds position `start` on."""
    for index in range(start // BUNDLE_ENTRIES, -(-size // BUNDLE_ENTRIES)):
        yield index, min(BUNDLE_ENTRIES, size - index * BUNDLE_ENTRIES)


def _widths(size: int) -> list[int]:
    """Return the number of hashes in the unfinished tile of each level from 1 on, at a number of entries."""
    if size % BUNDLE_ENTRIES:
        raise ValueError(f"{size} entries are no whole number of bundles")
    widths, count = [], size >> LEVEL_BITS
    while count:
        widths.append(count % BUNDLE_ENTRIES)
        count >>= LEVEL_BITS
    return widths


def _number(index: int) -> str:
    """Return an index in groups of three digits, all but the last with an x before them."""
    if index < 0:
        raise ValueError(f"{index} is no index of a tile")
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups)


def _width(width: int) -> str:
    if not 0 < width <= BUNDLE_ENTRIES:
        raise ValueError(f"{width} is no width of a tile")
    return "" if width == BUNDLE_ENTRIES else f".p/{width}"

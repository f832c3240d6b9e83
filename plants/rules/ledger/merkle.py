"""The Merkle tree of a ledger (RFC 6962 and RFC 9162, section 2.1): growth, roots, proofs and their checks.

A tree of `size` leaves is a row of perfect subtrees, largest first, one for each bit set in `size`. Their
roots are the frontier: all that appending needs, at most 63 hashes of 32 bytes.

A proof says that leaves and roots fit the sizes it is given; it does not prove those sizes. Take a size and
its root together from a signed checkpoint, or check them as such, before believing either.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
READ_LEAVES: Final = 8192  # Leaves asked of an accessor at a time: one batch of replication, 256 KiB of hashes.

LeafHashes = Sequence[bytes] | Callable[[int, int], Iterable[bytes]]
"""Where leaf hashes are read: a sequence, or a function that gives those of [start, stop) in order."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry's stored bytes as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over the hashes of its two halves."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of a tree's perfect subtrees, largest first: the whole state that appending needs.

    Raises ValueError where the number or length of the hashes does not fit the size.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves does not have {len(self.hashes)} frontier hashes")
        for part in self.hashes:
            _check_hash(part)

    def append(self, leaf: bytes) -> "Frontier":
        """Return the frontier with one more leaf hash: as many node hashes as the size ends in one bits."""
        _check_hash(leaf)
        hashes, size = list(self.hashes), self.size
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        return Frontier(self.size + 1, (*hashes, leaf))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """Return the frontier with all these leaf hashes appended in order: one node hash a leaf.

        The rows of the tree are hashed one after the other, because a comprehension over a row costs half of
        a call for each leaf.
        """
        row = list(leaves)
        for leaf in row:
            if len(leaf) != HASH_BYTES:
                _check_hash(leaf)
        size = self.size + len(row)
        hashes, row_size, grown = list(self.hashes), self.size, []
        digest_of = sha256
        while row:
            if row_size & 1:
                row.insert(0, hashes.pop())
            if len(row) & 1:
                grown.append(row.pop())
            halves = iter(row)
            row = [digest_of(b"\x01" + left + right).digest() for left, right in zip(halves, halves, strict=True)]
            row_size >>= 1
        return Frontier(size, (*hashes, *reversed(grown)))

    def root(self) -> bytes:
        """Return the root of the tree; of an empty tree, SHA-256 of nothing."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """Return the concatenated hashes, largest subtree first. The caller stores the size."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, hashes: bytes) -> Self:
        """Read what `to_bytes` wrote; ValueError where its length does not fit the size."""
        if len(hashes) % HASH_BYTES:
            raise ValueError(f"{len(hashes)} bytes of frontier are no whole number of hashes")
        return cls(size, tuple(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))


def root_at(leaves: LeafHashes, size: int) -> bytes:
    """Return the root the tree had at `size`: reads and hashes `size` leaves (about 0.6 s for 1,000,000)."""
    if size < 0:
        raise ValueError(f"a tree cannot have {size} leaves")
    return _subtree_root(leaves, 0, size)


def inclusion_proof(leaves: LeafHashes, index: int, size: int) -> tuple[bytes, ...]:
    """Return the sibling hashes from the leaf at `index` up to the root of `size` leaves (RFC 9162 2.1.3.1).

    Reads and hashes every leaf but the one proven: the cost of `root_at`. ValueError for an index outside.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    siblings = []
    low, high = 0, size
    while high - low > 1:
        split = _split(low, high)
        if index < split:
            siblings.append((split, high))
            high = split
        else:
            siblings.append((low, split))
            low = split
    return tuple(_subtree_root(leaves, *span) for span in reversed(siblings))


def consistency_proof(leaves: LeafHashes, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Return the nodes that prove the old tree to be a prefix of the new one (RFC 9162 2.1.4.1).

    From an empty tree, and between equal sizes, there is nothing to prove and the proof is empty. Reads and
    hashes every leaf up to `new_size`, except for a left part that is the whole old tree: the cost of
    `root_at` at most. ValueError where the sizes are not in order.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {old_size} leaves cannot come before one of {new_size}")
    if old_size == 0:
        return ()
    spans = []
    low, high = 0, new_size
    while high != old_size:
        split = _split(low, high)
        if old_size <= split:
            spans.append((split, high))
            high = split
        else:
            spans.append((low, split))
            low = split
    if low > 0:
        spans.append((low, high))
    return tuple(_subtree_root(leaves, *span) for span in reversed(spans))


def growth_proof(old: Frontier, leaves: LeafHashes, new_size: int) -> tuple[bytes, ...]:
    """Return the same proof as `consistency_proof`, of a tree whose frontier at the old size is known.

    Reads and hashes only the leaves from `old.size` on. ValueError where the sizes are not in order.
    """
    if not old.size <= new_size:
        raise ValueError(f"a tree of {old.size} leaves cannot come before one of {new_size}")
    if old.size == 0:
        return ()
    left, after = list(old.hashes), []
    shared: list[bytes] = []
    low, high = 0, new_size
    while high != old.size:
        split = _split(low, high)
        if old.size <= split:
            after.append((split, high))
            high = split
            shared.append(b"")
        else:
            # The part left of the split is a perfect subtree of the old tree too: the largest that remains.
            shared.append(left.pop(0))
            low = split
    last = (Frontier(old.size - low, tuple(left)).root(),) if low > 0 else ()
    spans = iter(reversed(after))
    return last + tuple(known or _subtree_root(leaves, *next(spans)) for known in reversed(shared))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the proof shows this leaf hash at `index` of this tree (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size or not _all_hashes(leaf, root, *proof):
        return False
    position, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and computed == root


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the proof shows the old tree to be a prefix of the new one (RFC 9162 2.1.4.2).

    An empty old tree, and equal sizes, take an empty proof and the empty tree's root, or equal roots.
    """
    if not 0 <= old_size <= new_size or not _all_hashes(old_root, new_root, *proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root and (old_size > 0 or old_root == EMPTY_ROOT)
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    path = iter(proof if old_size & (old_size - 1) else (old_root, *proof))
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = next(path, b"")
    for node in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        position >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root


def _split(low: int, high: int) -> int:
    """Return where [low, high) is halved: after the largest power of two smaller than its length."""
    return low + (1 << (high - low - 1).bit_length() - 1)


def _subtree_root(leaves: LeafHashes, low: int, high: int) -> bytes:
    """Return the hash of the subtree over the leaves [low, high); ValueError where the leaves end before."""
    frontier = Frontier()
    for start in range(low, high, READ_LEAVES):
        stop = min(start + READ_LEAVES, high)
        frontier = frontier.extend(leaves(start, stop) if callable(leaves) else leaves[start:stop])
        if frontier.size != stop - low:
            raise ValueError(f"leaves [{start}, {stop}) were asked for, {frontier.size - start + low} came")
    return frontier.root()


def _check_hash(value: bytes) -> None:
    if len(value) != HASH_BYTES:
        raise ValueError(f"a hash has {HASH_BYTES} bytes, not {len(value)}")


def _all_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)

"""The ledger's tree against published RFC 6962 values, an independent implementation and forged proofs."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer
from tlog_scales.tlog import ConsistencyProof, InclusionProof
from tlog_scales.writer import TilesWriter

from plants.rules.ledger.merkle import (
    EMPTY_ROOT,
    READ_LEAVES,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

# The reference inputs, roots and proofs of the certificate-transparency project.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]
NODES = {
    "leaf 1": "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "leaf 4": "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "leaf 6": "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    "2 to 4": "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "4 to 6": "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "6 to 8": "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "4 to 8": "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "root 1": ROOTS[1],
    "root 2": ROOTS[2],
    "root 4": ROOTS[4],
}

MANY = [leaf_hash(b"entry %d" % number) for number in range(600)]
# Sizes around the powers of two and around the tiles of 256.
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 100, 255, 256, 257, 511, 512, 513, 600]


@pytest.mark.parametrize("size", range(9))
def test_given_the_reference_entries_then_every_way_of_growing_gives_the_published_root(size: int) -> None:
    one_by_one = Frontier()
    for leaf in LEAVES[:size]:
        one_by_one = one_by_one.append(leaf)
    assert one_by_one.root().hex() == ROOTS[size]
    assert Frontier().extend(LEAVES[:size]) == one_by_one
    assert root_at(LEAVES, size).hex() == ROOTS[size]
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize(
    "index,size,nodes",
    [
        (0, 1, []),
        (0, 8, ["leaf 1", "2 to 4", "4 to 8"]),
        (5, 8, ["leaf 4", "6 to 8", "root 4"]),
        (2, 3, ["root 2"]),
        (1, 5, ["root 1", "2 to 4", "leaf 4"]),
    ],
)
def test_given_the_reference_entries_then_inclusion_proofs_are_the_published_ones(
    index: int, size: int, nodes: list[str]
) -> None:
    proof = inclusion_proof(LEAVES, index, size)
    assert [part.hex() for part in proof] == [NODES[node] for node in nodes]
    assert verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(
    "old,new,nodes",
    [
        (1, 1, []),
        (1, 8, ["leaf 1", "2 to 4", "4 to 8"]),
        (6, 8, ["4 to 6", "6 to 8", "root 4"]),
        (2, 5, ["2 to 4", "leaf 4"]),
        (6, 7, ["4 to 6", "leaf 6", "root 4"]),
    ],
)
def test_given_the_reference_entries_then_consistency_proofs_are_the_published_ones(
    old: int, new: int, nodes: list[str]
) -> None:
    proof = consistency_proof(LEAVES, old, new)
    assert [part.hex() for part in proof] == [NODES[node] for node in nodes]
    assert verify_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), proof)


@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_given_an_independent_implementation_then_roots_and_proofs_are_equal(size: int, tmp_path: Path) -> None:
    """The other one keeps tiles of 256 hashes in files and recurses, as RFC 6962 section 2.1 is written."""
    writer = TilesWriter.create(tmp_path / "log", "acme.example/plant/P01/i1")
    for number in range(size):
        writer.add_leaf(b"entry %d" % number)
    writer.commit([PlainEd25519Signer("acme.example/plant/P01/i1", Ed25519PrivateKey.generate())])
    reader = TilesReader(LocalBackend(tmp_path / "log"))
    root = reader.get_checkpoint().root_hash
    assert root_at(MANY, size) == Frontier().extend(MANY[:size]).root() == root
    for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
        proof = inclusion_proof(MANY, index, size)
        assert list(proof) == reader.get_inclusion_proof(index, size).node_hashes
        InclusionProof(index, size, list(proof)).check(MANY[index], root)
    for old in {1, 2, size // 3, size // 2, size - 1, size} & set(range(1, size + 1)):
        proof = consistency_proof(MANY, old, size)
        assert list(proof) == reader.get_consistency_proof(old, size).node_hashes
        ConsistencyProof(old, size, list(proof)).check(root_at(MANY, old), root)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_given_any_batches_then_extending_equals_appending_and_survives_its_bytes(lengths: list[int]) -> None:
    extended = appended = Frontier()
    for length in lengths:
        batch = MANY[extended.size : extended.size + length]
        extended = Frontier.from_bytes(extended.size, extended.to_bytes()).extend(iter(batch))
        for leaf in batch:
            appended = appended.append(leaf)
        assert extended == appended
    assert extended.root() == root_at(MANY, extended.size)
    assert len(extended.to_bytes()) == 32 * extended.size.bit_count()


@given(st.data())
def test_given_any_size_then_its_proofs_hold(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 600))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    root = root_at(MANY, size)
    assert verify_inclusion(MANY[index], index, size, inclusion_proof(MANY, index, size), root)
    assert verify_consistency(old, root_at(MANY, old), size, root, consistency_proof(MANY, old, size))


def test_given_all_small_trees_then_proofs_hold_for_their_own_position_only() -> None:
    roots = [root_at(MANY, size) for size in range(34)]
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(MANY, index, size)
            holds = [verify_inclusion(MANY[index], at, size, proof, roots[size]) for at in range(-1, size + 2)]
            assert holds == [at == index for at in range(-1, size + 2)]
        for old in range(1, size):
            proof = consistency_proof(MANY, old, size)
            holds = [verify_consistency(at, roots[old], size, roots[size], proof) for at in range(-1, size + 2)]
            assert holds == [at == old for at in range(-1, size + 2)]


def mutated(proof: Sequence[bytes], rng: random.Random) -> list[bytes]:
    """Return the proof with one fault: a bit, a hash left out, added, doubled, exchanged, cut or longer."""
    forged, at = list(proof), rng.randrange(len(proof))
    match rng.randrange(7):
        case 0:
            bit = rng.randrange(256)
            forged[at] = (int.from_bytes(forged[at]) ^ (1 << bit)).to_bytes(32)
        case 1:
            del forged[at]
        case 2:
            forged.insert(rng.randrange(len(proof) + 1), rng.randbytes(32))
        case 3:
            forged.insert(at, forged[at])
        case 4:
            forged[at], forged[at - 1] = forged[at - 1], forged[at]
        case 5:
            forged[at] = forged[at][: rng.randrange(32)]
        case _:
            forged[at] += rng.randbytes(1)
    return forged


def test_given_100_000_forged_proofs_then_none_is_accepted() -> None:
    rng = random.Random(6962)
    roots = [root_at(MANY, size) for size in range(601)]
    tried = 0
    while tried < 100_000:
        size = rng.randrange(2, 601)
        index, old = rng.randrange(size), rng.randrange(1, size)
        root, leaf = roots[size], MANY[index]
        shown, kept = inclusion_proof(MANY, index, size), consistency_proof(MANY, old, size)
        assert verify_inclusion(leaf, index, size, shown, root)
        assert verify_consistency(old, roots[old], size, root, kept)
        for _ in range(40):
            forged = mutated(shown, rng)
            if tuple(forged) != shown:
                assert not verify_inclusion(leaf, index, size, forged, root), (size, index, forged)
                tried += 1
            forged = mutated(kept, rng)
            if tuple(forged) != kept:
                assert not verify_consistency(old, roots[old], size, root, forged), (old, size, forged)
                tried += 1
        assert not verify_inclusion(MANY[index - 1], index, size, shown, root)
        assert not verify_inclusion(leaf, index, size, shown, roots[size - 1])
        assert not verify_consistency(old, roots[old - 1], size, root, kept)
        assert not verify_consistency(old, roots[old], size, roots[size - 1], kept)
        tried += 4


@pytest.mark.parametrize(
    "old,old_root,new,new_root,proof,holds",
    [
        (0, EMPTY_ROOT, 0, EMPTY_ROOT, [], True),
        (0, EMPTY_ROOT, 5, MANY[0], [], True),
        (0, MANY[0], 5, MANY[0], [], False),
        (0, MANY[0], 0, MANY[0], [], False),
        (0, EMPTY_ROOT, 5, MANY[0], [MANY[1]], False),
        (3, MANY[0], 3, MANY[0], [], True),
        (3, MANY[0], 3, MANY[0], [MANY[1]], False),
        (3, MANY[0], 3, MANY[1], [], False),
        (3, MANY[0], 2, MANY[1], [], False),
        (1, MANY[0], 2, MANY[1], [], False),
        (3, MANY[0], 4, MANY[1], [], False),
        (-1, EMPTY_ROOT, 2, MANY[1], [], False),
        (1, b"", 1, b"", [], False),
    ],
)
def test_given_the_edges_of_consistency_then_only_true_statements_hold(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes], *, holds: bool
) -> None:
    assert verify_consistency(old, old_root, new, new_root, proof) is holds


def test_given_a_tree_of_one_then_the_leaf_is_the_root_and_needs_no_proof() -> None:
    assert verify_inclusion(MANY[0], 0, 1, [], MANY[0])
    assert not verify_inclusion(MANY[0], 0, 1, [MANY[0]], MANY[0])
    assert not verify_inclusion(b"", 0, 1, [], b"")
    assert not verify_inclusion(MANY[0], 0, 0, [], MANY[0])


def test_given_a_proof_that_goes_on_above_the_root_then_it_is_refused_though_the_hashes_fit() -> None:
    above = node_hash(MANY[9], MANY[0])
    assert not verify_inclusion(MANY[0], 0, 1, [MANY[9]], above)
    root = root_at(MANY, 3)
    proof = [*consistency_proof(MANY, 2, 3), MANY[9]]
    for new_root in (node_hash(MANY[9], root), node_hash(root, MANY[9])):
        assert not verify_consistency(2, node_hash(MANY[9], root_at(MANY, 2)), 3, new_root, proof)
        assert not verify_consistency(2, root_at(MANY, 2), 3, new_root, proof)


def test_given_a_node_passed_off_as_an_entry_then_its_leaf_hash_differs() -> None:
    assert leaf_hash(MANY[0] + MANY[1]) != node_hash(MANY[0], MANY[1])


def test_given_a_reader_function_then_it_is_asked_in_order_and_for_a_batch_at_most() -> None:
    asked: list[tuple[int, int]] = []
    size = 2 * READ_LEAVES + 700

    def read(start: int, stop: int) -> list[bytes]:
        asked.append((start, stop))
        return [leaf_hash(b"%d" % number) for number in range(start, stop)]

    root = root_at(read, size)
    assert asked == [(0, READ_LEAVES), (READ_LEAVES, 2 * READ_LEAVES), (2 * READ_LEAVES, size)]
    proof = inclusion_proof(read, READ_LEAVES + 3, size)
    assert verify_inclusion(leaf_hash(b"%d" % (READ_LEAVES + 3)), READ_LEAVES + 3, size, proof, root)
    assert verify_consistency(700, root_at(read, 700), size, root, consistency_proof(read, 700, size))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: root_at(MANY, 601),
        lambda: root_at(lambda start, stop: MANY[start : stop - 1], 5),
        lambda: root_at(MANY, -1),
        lambda: inclusion_proof(MANY, 5, 5),
        lambda: inclusion_proof(MANY, -1, 5),
        lambda: consistency_proof(MANY, 6, 5),
        lambda: consistency_proof(MANY, -1, 5),
        lambda: Frontier(-1, ()),
        lambda: Frontier(3, (MANY[0],)),
        lambda: Frontier(1, (b"short",)),
        lambda: Frontier().append(b"short"),
        lambda: Frontier().extend([MANY[0], b"short"]),
        lambda: Frontier.from_bytes(3, b"x" * 63),
        lambda: Frontier.from_bytes(3, b"x" * 96),
    ],
)
def test_given_what_no_tree_can_be_then_it_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"leaves|leaf|hash"):
        wrong()

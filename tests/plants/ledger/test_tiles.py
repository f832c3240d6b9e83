"""Tiles and bundles: names as the C2SP text gives them, and what another's program writes and reads."""

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer
from tlog_scales.writer import TilesWriter

from plants.rules.ledger.merkle import Frontier, inclusion_proof, leaf_hash
from plants.rules.ledger.tiles import (
    BUNDLE_ENTRIES,
    BundleInvalid,
    Edge,
    Tile,
    bundle_name,
    pack_bundle,
    spans,
    tile_name,
    unpack_bundle,
)


def tiles_of(bodies: list[bytes]) -> list[Tile]:
    """Return every file of a ledger, as they come to be when it is archived once at its end."""
    edge, made = Edge(), []
    for index, width in spans(len(bodies)):
        part = bodies[index * BUNDLE_ENTRIES :][:width]
        leaves = [leaf_hash(body) for body in part]
        made.append(Tile(bundle_name(index, width), pack_bundle(part)))
        if width == BUNDLE_ENTRIES:
            edge, full = edge.extend(leaves)
            made += full
        else:
            made += edge.unfinished(leaves)
    if len(bodies) % BUNDLE_ENTRIES == 0:
        made += edge.unfinished([])
    return made


def some(count: int) -> list[bytes]:
    return [f'{{"index":{index}}}'.encode() * (1 + index % 3) for index in range(count)]


def written(folder: Path, bodies: list[bytes]) -> Path:
    for name, content in tiles_of(bodies):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists()
        path.write_bytes(content)
    return folder


def test_names_then_as_in_the_text_of_the_format() -> None:
    assert tile_name(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_name(1, 0, 1) == "tile/1/000.p/1"
    assert bundle_name(1234067) == "tile/entries/x001/x234/067"
    assert bundle_name(999, 255) == "tile/entries/999.p/255"
    assert bundle_name(1000) == "tile/entries/x001/000"


@pytest.mark.parametrize("wrong", [0, 257, -1])
def test_width_that_no_tile_has_then_it_has_no_name(wrong: int) -> None:
    with pytest.raises(ValueError, match="no width"):
        bundle_name(0, wrong)


def test_level_or_index_that_no_tile_has_then_it_has_no_name() -> None:
    for level, index in ((8, 0), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="is no"):
            tile_name(level, index)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundle_then_it_reads_back_and_nothing_else_does(bodies: list[bytes]) -> None:
    packed = pack_bundle(bodies)

    assert unpack_bundle(packed, len(bodies)) == bodies
    with pytest.raises(BundleInvalid):
        unpack_bundle(packed, len(bodies) + 1)
    with pytest.raises(BundleInvalid):
        unpack_bundle(packed + b"\0", len(bodies))
    if packed:
        with pytest.raises(BundleInvalid):
            unpack_bundle(packed[:-1], len(bodies))


def test_largest_entry_then_it_fits_and_a_larger_one_does_not() -> None:
    assert unpack_bundle(pack_bundle([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(OverflowError):
        pack_bundle([b"x" * 65_536])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 3000, 65_536, 65_537, 66_000])
def test_another_program_reads_ours(tmp_path: Path, size: int) -> None:
    bodies = some(size)
    reader = TilesReader(LocalBackend(written(tmp_path, bodies)))
    reader.set_size(size)
    leaves = [leaf_hash(body) for body in bodies]

    if size:
        assert reader.calculate_root_hash() == Frontier().extend(leaves).root()
    for index in {0, size // 2, size - 1} & set(range(size)):
        assert reader.get_entry(index) == bodies[index]
        proof = reader.get_inclusion_proof(index, size)
        proof.check(leaves[index], Frontier().extend(leaves).root())
        assert tuple(proof.node_hashes) == inclusion_proof(leaves, index, size)


@pytest.mark.parametrize("size", [1, 300, 700])
def test_another_program_writes_the_same_files(tmp_path: Path, size: int) -> None:
    writer = TilesWriter.create(tmp_path / "theirs", "acme.example/plant/SH1/i1")
    for body in some(size):
        writer.add_leaf(body)
    writer.commit([PlainEd25519Signer("acme.example/plant/SH1/i1", Ed25519PrivateKey.generate())])
    theirs = {
        str(path.relative_to(tmp_path / "theirs")): path.read_bytes()
        for path in (tmp_path / "theirs" / "tile").rglob("*")
        if path.is_file()
    }
    ours = dict(tiles_of(some(size)))
    assert {name: content for name, content in theirs.items() if ours.get(name) != content} == {}
    assert sorted(ours) == sorted(theirs)


def test_edge_then_it_is_kept_as_bytes_and_read_back() -> None:
    edge = Edge()
    for number in range(300):
        edge, tiles = edge.extend([sha256(f"{number} {leaf}".encode()).digest() for leaf in range(BUNDLE_ENTRIES)])
        assert Edge.from_bytes(edge.size, edge.to_bytes()) == edge
        assert tiles[0].name == tile_name(0, number)
    assert [len(row) for row in edge.rows] == [300 % 256, 1]
    with pytest.raises(ValueError, match="are not the edge"):
        Edge.from_bytes(edge.size, edge.to_bytes() + bytes(32))
    with pytest.raises(ValueError, match="no whole number"):
        Edge.from_bytes(edge.size + 1, edge.to_bytes())
    with pytest.raises(ValueError, match="not like these"):
        Edge(edge.size, ())
    with pytest.raises(ValueError, match="full bundle"):
        edge.extend([bytes(32)])

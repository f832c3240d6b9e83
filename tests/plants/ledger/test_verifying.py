"""A store whose entries were changed behind the program's back is found out, and the position is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.database import Session
from plants.commands.group.enrolment import Enrolment, enrol_plant
from plants.rules.ledger.events import Entry
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.rules.ledger.verification import BreakKind, Broken, SizedRoot, Verified
from plants.store.ledger.entries import Head, entry_row
from plants.store.ledger.verification import verify
from tests.factories import Plant, plant_store, postgres_plant
from tests.plants.replicas import DIRECTOR, hub_beside


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    """A plant on each database in turn, with thirty entries in its ledger."""
    if request.param == "sqlite":
        plant = plant_store(tmp_path)
    else:
        plant = postgres_plant(request.getfixturevalue("postgres_18"))
    while len(plant.entries()) < 30:
        plant.receive()
    yield plant
    plant.close()


def finding(plant: Plant, *checkpoints: SizedRoot) -> Verified | Broken:
    (found,) = verify(plant.store, {1: checkpoints})
    assert (found.log_id, found.origin) == (1, plant.origin)
    assert found.whole is isinstance(found.finding, Verified)
    return found.finding


def root(plant: Plant) -> bytes:
    with plant.store.transaction() as session:
        return Head(session, 1).frontier.root()


def replace(session: Session, index: int, entry: Entry) -> None:
    row = {name: entry_row(1, entry)[name] for name in ("body", "leaf")}
    session.run("UPDATE entries SET body = :body, leaf = :leaf WHERE idx = :idx", {**row, "idx": index})


def test_untouched_then_whole_with_its_root(plant: Plant) -> None:
    assert finding(plant) == Verified(30, root(plant))
    assert finding(plant, SizedRoot(30, root(plant))) == Verified(30, root(plant))


@pytest.mark.parametrize("index", [0, 17, 29])
def test_one_byte_flipped_then_named(plant: Plant, index: int) -> None:
    body = bytearray(plant.entry(index).body)
    body[len(body) // 2] ^= 1
    with plant.store.transaction() as session:
        session.run("UPDATE entries SET body = :body WHERE idx = :idx", {"body": bytes(body), "idx": index})
    assert finding(plant) == Broken(BreakKind.ALTERED, index, index, index + 1)


@pytest.mark.parametrize("index", [0, 17])
def test_one_row_dropped_then_named(plant: Plant, index: int) -> None:
    with plant.store.transaction() as session:
        session.run("DELETE FROM entries WHERE idx = :idx", {"idx": index})
    assert finding(plant) == Broken(BreakKind.MISSING, index, index, index + 1)


def test_last_row_dropped_then_named(plant: Plant) -> None:
    with plant.store.transaction() as session:
        session.run("DELETE FROM entries WHERE idx = 29")
    assert finding(plant) == Broken(BreakKind.MISSING, 29, 29, 30)


@pytest.mark.parametrize("first, second", [(4, 5), (0, 29)])
def test_two_rows_swapped_then_named(plant: Plant, first: int, second: int) -> None:
    with plant.store.transaction() as session:
        for idx, to in ((first, -1), (second, first), (-1, second)):
            session.run("UPDATE entries SET idx = :to WHERE idx = :idx", {"idx": idx, "to": to})
    assert finding(plant) == Broken(BreakKind.MISPLACED, first, first, first + 1, str(second))


def test_row_of_another_ledger_put_in_then_named(plant: Plant) -> None:
    with plant.store.transaction() as session:
        session.run("UPDATE entries SET log_id = 2 WHERE idx = 12")
        session.run(
            "INSERT INTO logs (log_id, origin, size, frontier, hlc, projected)"
            " SELECT 2, 'acme.example/plant/NB1/i1', 13, frontier, hlc, 0 FROM logs"
        )
    one, two = verify(plant.store)
    assert one.finding == Broken(BreakKind.MISSING, 12, 12, 13)
    assert two.finding == Broken(BreakKind.MISSING, 0, 0, 12)


def test_entry_rewritten_with_its_leaf_then_the_head_tells(plant: Plant) -> None:
    whole = root(plant)
    entry = plant.entry(20)
    body = entry.body.replace(b'"RM-MILK"', b'"RM-SUGAR"')
    assert body != entry.body
    with plant.store.transaction() as session:
        replace(session, 20, Entry(entry.envelope, body, leaf_hash(body)))
    # Thirty entries are in trees of 16, 8, 4 and 2.
    assert finding(plant) == Broken(BreakKind.REWRITTEN, None, 16, 24)
    signed = SizedRoot(30, whole)
    assert finding(plant, signed) == Broken(BreakKind.REWRITTEN, None, 0, 30)


def test_head_rewritten_too_then_a_signed_checkpoint_tells(plant: Plant) -> None:
    whole = root(plant)
    entry = plant.entry(29)
    body = entry.body.replace(b'"RM-MILK"', b'"RM-SUGAR"')
    with plant.store.transaction() as session:
        replace(session, 29, Entry(entry.envelope, body, leaf_hash(body)))
        leaves = [bytes(one) for (one,) in session.rows("SELECT leaf FROM entries ORDER BY idx")]
        frontier = Frontier().extend(leaves).to_bytes()
        session.run("UPDATE logs SET frontier = :frontier", {"frontier": frontier})
    assert isinstance(finding(plant), Verified)
    assert finding(plant, SizedRoot(30, whole)) == Broken(BreakKind.REWRITTEN, None, 0, 30)


def test_ledger_cut_off_then_a_signed_checkpoint_tells(plant: Plant) -> None:
    whole = root(plant)
    with plant.store.transaction() as session:
        session.run("DELETE FROM entries WHERE idx >= 16")
        leaves = [bytes(one) for (one,) in session.rows("SELECT leaf FROM entries ORDER BY idx")]
        session.run(
            "UPDATE logs SET size = 16, frontier = :frontier", {"frontier": Frontier().extend(leaves).to_bytes()}
        )
    assert isinstance(finding(plant), Verified)
    assert finding(plant, SizedRoot(30, whole)) == Broken(BreakKind.TRUNCATED, 16, 16, 30)


@pytest.mark.parametrize("spoilt", [b"", b"\x00" * 32, b"\x00" * 33, b"\x00" * 128])
def test_frontier_spoilt_then_the_head_is_named(plant: Plant, spoilt: bytes) -> None:
    with plant.store.transaction() as session:
        session.run("UPDATE logs SET frontier = :frontier", {"frontier": spoilt})
    found = finding(plant)
    assert isinstance(found, Broken)
    assert found.index is None
    if len(spoilt) == 128:  # As many hashes as there should be: the head then agrees with itself.
        assert found == Broken(BreakKind.REWRITTEN, None, 0, 16)
    else:
        assert found == Broken(BreakKind.HEAD_ALTERED, None, 30, 30, "frontier")


def test_size_changed_then_named(plant: Plant) -> None:
    with plant.store.transaction() as session:
        session.run("UPDATE logs SET size = 29")
    assert finding(plant) == Broken(BreakKind.EXTRA, 29, 29, 30)


def test_hub_then_each_of_its_ledgers_is_verified(tmp_path: Path, plant: Plant) -> None:
    with hub_beside(tmp_path, plant) as hub:
        with hub.store.transaction() as session:
            origins = ("acme.example/plant/NB1/i1", "acme.example/hub/to/NB1/i1")
            order = Enrolment(2, "NB1", "Ningbo 1", *origins, "ledger key", "assertion key")
            enrol_plant(session, order, actor=DIRECTOR, now=plant.clock.now())
        hub.directs(plant, "ChangeDecided", {})
        sizes = {one.log_id: one.finding.size for one in verify(hub.store) if isinstance(one.finding, Verified)}
        assert sizes == {-2: 0, -1: 1, 0: 2, 1: 30, 2: 0}
        with hub.store.transaction() as session:
            session.run("UPDATE entries SET body = body || :more WHERE log_id = 0 AND idx = 1", {"more": b" "})
        assert {one.log_id: one.whole for one in verify(hub.store)} == {
            -2: True, -1: True, 0: False, 1: True, 2: True,
        }  # fmt: skip

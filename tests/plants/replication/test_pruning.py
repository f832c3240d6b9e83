"""A plant gives up old bodies only where every condition holds, and what is gone is treated honestly everywhere."""

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.database import Session
from infra.messages import word
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.replication.pruning import EMPTIED_AT_ONCE, Pruning, PruningUnsafe, Receipt, empty_next, prune
from plants.commands.replication.rebuild import rebuild
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Entry
from plants.rules.ledger.refusals import ENTRY_PRUNED, REQUEST_PRUNED
from plants.rules.ledger.verification import BreakKind, Broken, SizedRoot, Verified
from plants.rules.values.instants import EPOCH
from plants.store.ledger import mirrors, pruning
from plants.store.ledger.entries import entries_between, fence
from plants.store.ledger.verification import verify
from plants.store.projection.rebuilding import table_digests
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from tests.factories import Plant, plant_store, postgres_plant
from tests.plants.inventory.test_conservation import CODES, Floor

REQUEST = "0199aaaa-0000-7000-8000-000000000001"
MILK = Delivery("RM-MILK", "5", "KGM", "A1")
NOTE = b"a note whose signatures were checked"


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    """A plant on each database in turn, with thirty entries, the last ten of them forty days younger."""
    if request.param == "sqlite":
        plant = plant_store(tmp_path)
    else:
        plant = postgres_plant(request.getfixturevalue("postgres_18"))
    plant.do(receive_batch, MILK, request=REQUEST)
    while len(plant.entries()) < 20:
        plant.receive()
    plant.clock.advance(days=40)
    while len(plant.entries()) < 30:
        plant.receive()
    yield plant
    plant.close()


def heard(plant: Plant, cosigned: int = 30, said: Mapping[str, object] | None = None) -> Pruning:
    """Store the hub's receipt for `cosigned` entries, and its status; return the order to prune by it."""
    columns = {"acknowledged": cosigned, "archived": cosigned, "peer_size": cosigned, "skew_ms": 0}
    with plant.store.transaction() as session:
        root = mirrors.frontier_at(session, plant.number, cosigned).root()
        status.keep_checkpoint(session, plant.number, cosigned, NOTE, signed_at=None, received_at=EPOCH)
        status.amend(session, plant.number, **{"state": ReplicationState.IN_SYNC, **columns, **(said or {})})
    return Pruning(plant.number, Receipt(cosigned, root, NOTE), keep_days=1)


def pruned(plant: Plant, order: Pruning) -> Entry | None:
    """Prune, and empty every body that may be."""
    with plant.store.transaction() as session:
        entry = prune(session, order, now=plant.clock.now())
    low: int | None = 0
    while low is not None:
        with plant.store.transaction() as session:
            _, _, low = empty_next(session, order, low, now=plant.clock.now())
    return entry


def without_body(plant: Plant) -> list[int]:
    return [index for (index,) in plant.rows("SELECT idx FROM entries WHERE length(body) = 0 ORDER BY idx")]


def finding(plant: Plant, *checkpoints: SizedRoot) -> Verified | Broken:
    (found,) = verify(plant.store, {plant.number: checkpoints})
    return found.finding


def bring_back(plant: Plant, kept: list[Entry]) -> int:
    with plant.store.transaction() as session:
        count = pruning.fill(session, plant.number, kept)
        pruning.mark(session, plant.number, 0)
    return count


def test_old_cosigned_and_archived_then_the_bodies_go_and_the_rest_stays(plant: Plant) -> None:
    kept = plant.entries()
    columns = "SELECT idx, leaf, event_id, type, key, actor, occurred_us, recorded_us, request FROM entries"
    before, tables = plant.rows(f"{columns} ORDER BY idx"), table_digests(plant.store)
    entry = pruned(plant, heard(plant))
    assert entry is not None
    assert (entry.index, entry.type, entry.payload) == (
        30,
        "BodiesPruned",
        {"below": 20, "archived": 30, "cosigned": 30},
    )
    assert without_body(plant) == list(range(20))
    assert plant.rows("SELECT pruned FROM logs") == [(20,)]
    assert plant.rows(f"{columns} WHERE idx < 30 ORDER BY idx") == before
    assert table_digests(plant.store) == tables
    assert bring_back(plant, kept) == 20
    assert plant.entries() == [*kept, entry]


def test_again_then_nothing_more_is_written(plant: Plant) -> None:
    order = heard(plant)
    pruned(plant, order)
    before = plant.everything()
    assert pruned(plant, order) is None
    assert plant.everything() == before


@pytest.mark.parametrize(
    "said, below",
    [
        ({"archived": 12}, 12),
        ({"acknowledged": 11}, 11),
        ({"peer_size": 7}, 7),
        ({"skew_ms": -20 * 86_400_000}, None),  # our clock is twenty days ahead of the hub's: nothing is old.
        ({"skew_ms": 20 * 86_400_000}, 20),
        ({"archived": None}, None),
        ({"archived": 0}, None),
    ],
)
def test_one_condition_is_narrower_then_it_is_the_mark(
    plant: Plant, said: dict[str, int | None], below: int | None
) -> None:
    order = heard(plant, 30, said)
    before = plant.everything()
    entry = pruned(plant, order)
    if below is None:
        assert (entry, plant.everything()) == (None, before)
    else:
        assert entry is not None
        assert (entry.payload["below"], without_body(plant)) == (below, list(range(below)))


def test_receipt_covers_less_then_it_is_the_mark(plant: Plant) -> None:
    entry = pruned(plant, heard(plant, 9, {"archived": 30, "acknowledged": 30, "peer_size": 30}))
    assert entry is not None
    assert entry.payload == {"below": 9, "archived": 30, "cosigned": 9}


def test_directive_not_understood_then_its_answer_and_all_behind_it_stay(plant: Plant) -> None:
    with plant.store.transaction() as session:
        session.run(
            "INSERT INTO directive_outcomes (plant_id, directive_idx, entry_idx, applied, refusal)"
            " VALUES (1, 0, 4, 0, 'STALE'), (1, 1, 9, 0, 'UNSUPPORTED'), (1, 2, 6, 1, NULL)"
        )
    entry = pruned(plant, heard(plant))
    assert entry is not None
    assert entry.payload["below"] == 9


def test_open_request_or_dispute_then_it_and_all_behind_it_stay(plant: Plant) -> None:
    with plant.store.transaction() as session:
        _put_rows(session)
    entry = pruned(plant, heard(plant))
    assert entry is not None
    assert entry.payload["below"] == 8
    with plant.store.transaction() as session:
        session.run("DELETE FROM disputes")
    entry = pruned(plant, heard(plant))
    assert entry is not None
    assert entry.payload["below"] == 13


def _put_rows(session: Session) -> None:
    session.run(
        "INSERT INTO disputes (plant_id, entry_idx, event_id, type, key, actor, occurred_us, collisions, state)"
        " VALUES (1, 8, 'x', 'x', 'x', 'x', 0, '[]', 'OPEN'), (1, 3, 'y', 'y', 'y', 'y', 0, '[]', 'SETTLED')"
    )
    session.run(
        "INSERT INTO change_requests (plant_id, change_id, kind, batch_id, version, differences, detail, levels,"
        " reason, proposal, requested_by, requested_us, expires_us, state)"
        " VALUES (1, 13, 'x', 1, 1, '', '', '', '', '', '', 0, 0, 'REQUESTED'),"
        " (1, 2, 'x', 1, 1, '', '', '', '', '', '', 0, 0, 'APPLIED')"
    )


@pytest.mark.parametrize("state", sorted(set(ReplicationState) - {"IN_SYNC", "BEHIND"}))
def test_not_level_with_the_hub_then_nothing_changes(plant: Plant, state: str) -> None:
    order = heard(plant, 30, {"state": state})
    before = plant.everything()
    with pytest.raises(PruningUnsafe, match=state):
        pruned(plant, order)
    assert plant.everything() == before


def test_fenced_or_no_receipt_or_another_root_then_nothing_changes(plant: Plant) -> None:
    order = heard(plant)
    other = Pruning(1, Receipt(30, order.receipt.root, b"another note"), 1)
    wrong = Pruning(1, Receipt(30, bytes(32), NOTE), 1)
    before = plant.everything()
    for one in (other, wrong):
        with pytest.raises(PruningUnsafe):
            pruned(plant, one)
    assert plant.everything() == before
    with plant.store.transaction() as session:
        fence(session, 1, fenced=True)
    before = plant.everything()
    with pytest.raises(PruningUnsafe, match="not in sync"):
        pruned(plant, order)
    assert plant.everything() == before


def test_condition_fails_between_two_pieces_then_no_more_is_emptied(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plants.commands.replication.pruning.EMPTIED_AT_ONCE", 6)
    order = heard(plant)
    with plant.store.transaction() as session:
        prune(session, order, now=plant.clock.now())
        count, size, low = empty_next(session, order, 0, now=plant.clock.now())
    assert (count, low) == (6, 6)
    assert size > 6 * 200
    heard(plant, 30, {"archived": 15})
    with pytest.raises(PruningUnsafe, match="no longer safe"):
        pruned(plant, order)
    assert without_body(plant) == list(range(6))
    assert finding(plant) == Verified(31, _root(plant), elsewhere=6)
    heard(plant)
    assert pruned(plant, order) is None
    assert without_body(plant) == list(range(20))
    assert EMPTIED_AT_ONCE == 2_000


def test_body_does_not_fit_its_hash_then_it_is_kept_as_evidence(plant: Plant) -> None:
    order = heard(plant)
    with plant.store.transaction() as session:
        session.run("UPDATE entries SET body = :body WHERE idx = 4", {"body": b"{}"})
    with pytest.raises(pruning.BodyDamaged, match="entry 4"):
        pruned(plant, order)
    assert without_body(plant) == []
    assert finding(plant) == Broken(BreakKind.ALTERED, 4, 4, 5)


def test_clock_was_put_back_once_then_the_younger_entry_in_between_stays(plant: Plant) -> None:
    ((young,),) = plant.rows("SELECT recorded_us FROM entries WHERE idx = 29")
    with plant.store.transaction() as session:
        session.run("UPDATE entries SET recorded_us = :us WHERE idx = 10", {"us": young})
    entry = pruned(plant, heard(plant))
    assert entry is not None
    assert entry.payload["below"] == 10


def test_commands_meet_what_is_gone_then_they_say_so_and_change_nothing(plant: Plant) -> None:
    (at,) = (entry.index for entry in plant.entries() if entry.envelope.get("request") == REQUEST)
    pruned(plant, heard(plant))
    said = plant.refuses(receive_batch, MILK, REQUEST_PRUNED, request=REQUEST)
    assert said == {"request": REQUEST, "entry": str(at)}
    plant.refuses(correct_entry, Correction(at, CorrectionReason.DID_NOT_OCCUR, "?"), ENTRY_PRUNED)
    before = plant.everything()
    with pytest.raises(pruning.BodiesElsewhere, match="plant prune --fetch"), plant.store.transaction() as session:
        rebuild(session)
    assert plant.everything() == before
    plant.receive()


def test_pruned_then_whole_and_what_is_wrong_is_still_found(plant: Plant) -> None:
    order = heard(plant)
    pruned(plant, order)
    signed = SizedRoot(30, order.receipt.root)
    assert finding(plant, signed) == Verified(31, _root(plant), elsewhere=20)
    assert "20 of them are at the hub" in word(finding(plant), "en")
    with plant.store.transaction() as session:
        ((leaf,),) = session.rows("SELECT leaf FROM entries WHERE idx = 5")
        session.run("UPDATE entries SET leaf = :leaf WHERE idx = 5", {"leaf": bytes([bytes(leaf)[0] ^ 1, *leaf[1:]])})
    found = finding(plant, signed)
    assert isinstance(found, Broken)
    assert (found.kind, found.low <= 5 < found.high) == (BreakKind.REWRITTEN, True)
    with plant.store.transaction() as session:
        session.run("UPDATE entries SET leaf = :leaf WHERE idx = 5", {"leaf": leaf})
        session.run("UPDATE entries SET body = :nothing WHERE idx = 22", {"nothing": b""})
    assert finding(plant) == Broken(BreakKind.ALTERED, 22, 22, 23)
    with plant.store.transaction() as session:
        session.run("UPDATE logs SET pruned = 25")
    assert finding(plant) == Broken(BreakKind.EMPTIED, 22, 22, 23)


def test_another_body_is_given_back_then_it_is_not_taken(plant: Plant) -> None:
    kept = plant.entries()
    pruned(plant, heard(plant))
    before = plant.everything()
    wrong = [*kept[:7], Entry(kept[7].envelope, kept[8].body, kept[7].leaf), *kept[8:]]
    with pytest.raises(pruning.BodyDamaged, match="entry 7"):
        bring_back(plant, wrong)
    assert plant.everything() == before


def _root(plant: Plant) -> bytes:
    with plant.store.transaction() as session:
        position = mirrors.position_of(session, plant.number)
    assert position is not None
    return position[1].root()


@pytest.fixture
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], dict[str, Plant]]]:
    opened: list[Plant] = []

    def fresh() -> dict[str, Plant]:
        folder = tmp_path_factory.mktemp("floor")
        pair = {code: plant_store(folder, number, code) for number, code in enumerate(CODES, 1)}
        opened.extend(pair.values())
        return pair

    yield fresh
    for plant in opened:
        plant.close()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_pruned_at_any_moments_of_any_life_then_fetched_the_tables_follow(
    pairs: Callable[[], dict[str, Plant]], seed: int
) -> None:
    plants = pairs()
    chance = random.Random(seed)
    floor = Floor(chance, plants)
    plant = plants[CODES[0]]
    mirror: list[Entry] = []
    unsafe: list[str] = []
    for _ in range(40):
        floor.step()
        plant.clock.advance(days=chance.choice((0, 1, 9)))
        if chance.random() < 0.2:
            with plant.store.transaction() as session:
                mirror.extend(entries_between(session, plant.number, len(mirror), 10**6))
            cosigned = chance.randint(1, len(mirror))
            order = heard(plant, cosigned, {"archived": chance.randint(0, len(mirror))})
            try:
                pruned(plant, order)
            except PruningUnsafe as error:
                unsafe.append(str(error))
    assert all("no longer safe" in one for one in unsafe), "only receipts that reach less far than the last one"
    digests = table_digests(plant.store)
    ((mark,),) = plant.rows("SELECT pruned FROM logs WHERE log_id = :n", n=plant.number)
    gone = [index for (index,) in plant.rows("SELECT idx FROM entries WHERE log_id = 1 AND length(body) = 0")]
    assert all(index < mark for index in gone)
    found = finding(plant)
    assert isinstance(found, Verified)
    assert found.elsewhere == len(gone)
    if mark:
        assert bring_back(plant, mirror) == len(gone)
    with plant.store.transaction() as session:
        rebuild(session)
    assert table_digests(plant.store) == digests
    assert finding(plant) == Verified(found.size, found.root)

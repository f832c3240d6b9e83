"""Tables are dropped and made again from the ledgers: equal to the byte, on both databases and at the hub."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.commands.approvals.change_requests import AdjustmentRequest, ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication import rebuild as rebuilding
from plants.commands.replication.rebuild import rebuild
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Entry
from plants.rules.logistics.transfers import transfer_manifest
from plants.store.ledger.entries import Head
from plants.store.projection.applying import UnknownEvent
from plants.store.projection.rebuilding import projection_tables, table_digests
from tests.factories import MANAGER, Plant, plant_store, postgres_plant
from tests.plants.replicas import answer_next, carry, hub_beside


def line(batch: str, amount: str, location: str = "A1") -> StockLine:
    return StockLine(batch, amount, "KGM", location)


def decided(asked: Entry, verdict: ChangeVerdict = ChangeVerdict.APPROVED) -> Decision:
    return Decision(asked.index, asked.leaf.hex(), verdict, "Looked at")


def work(plant: Plant) -> str:
    """Do something of every kind, and return a batch of which some is left."""
    milk = str(plant.do(receive_batch, Delivery("RM-MILK", "100", "KGM", "A1", "S1", "L-1", "PO-1")).envelope["key"])
    sugar = plant.receive("RM-SUGAR", "50")
    process = plant.do(open_process, ProcessOrder(equipment="MIX1")).payload["process"]["id"]
    wrong = plant.do(feed_process, Feed(process, (line(milk, "30"), line(sugar, "1"))))
    plant.do(correct_entry, Correction(wrong.index, CorrectionReason.INCORRECT_DATA, "Wrong scale"))
    plant.do(feed_process, Feed(process, (line(milk, "31"), line(sugar, "1"))))
    first = plant.do(yield_process, Yield(process, (Output("FP-YOG", "20", "KGM", "B1"),)))
    yoghurt = str(first.payload["batches"][0]["code"])
    plant.do(yield_process, Yield(process, (), (Addition(yoghurt, "10", "KGM", "B1"),), (line(milk, "1"),)))
    plant.do(close_process, Closing(process))
    split = plant.do(split_batch, Split(yoghurt, "B1", (SplitPart("10", "A1"), SplitPart("5", "A1"))))
    parts = [str(batch["code"]) for batch in split.payload["batches"]]
    plant.do(merge_batches, Merge(tuple(MergeSource(part, "A1") for part in parts), "A1"))
    plant.do(move_batch, Move(yoghurt, "B1", "A1", "5", "KGM"))
    plant.do(alias_batch, Naming(yoghurt, (AliasOrder("LOT", "Y-1"), AliasOrder("LOT", "Y-2"))))
    plant.do(end_alias, Naming(yoghurt, (AliasOrder("LOT", "Y-2"),)))
    plant.do(ship_batch, Shipment("C1", (line(yoghurt, "2"),)))
    plant.do(adjust_stock, Count(sugar, "A1", "48.9"), reason="Counted")
    plant.do(quarantine_batch, Quarantine(sugar, "Damp"))
    for order, verdict in (
        (ReleaseRequest(sugar, "Dried"), ChangeVerdict.APPROVED),
        (AdjustmentRequest(sugar, "Counted", "A1", "40", "KGM"), ChangeVerdict.APPROVED),
        (AdjustmentRequest(sugar, "Counted", "A1", "0", "KGM"), ChangeVerdict.REJECTED),
    ):
        plant.do(decide_change, decided(plant.do(request_change, order), verdict), actor=MANAGER)
    return yoghurt


def rebuilt(store: Store) -> int:
    with store.transaction() as session:
        return rebuild(session)


def test_everything_done_then_rebuilt_equal(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    work(plant)
    before, digests = plant.everything(), table_digests(plant.store)
    size = len(plant.entries())
    assert {name for name, rows in plant.projection().items() if not rows} == {
        "transfer_lines", "directive_outcomes", "directed_holds", "waiting_holds", "skipped_entries", "disputes",
        "witnessed",
    }  # fmt: skip
    assert rebuilt(plant.store) == size
    assert plant.everything() == before
    assert table_digests(plant.store) == digests
    monkeypatch.setattr(rebuilding, "ENTRIES_AT_ONCE", 3)
    said: list[tuple[int, int]] = []
    with plant.store.transaction() as session:
        rebuild(session, progress=lambda done, total: said.append((done, total)))
    assert said == [(done, size) for done in (*range(0, size, 3), size)]
    assert plant.everything() == before


def test_tables_spoilt_then_rebuilt_as_the_ledger_says(plant: Plant) -> None:
    work(plant)
    before, digests = plant.everything(), table_digests(plant.store)
    with plant.store.transaction() as session:
        session.run("UPDATE stock SET quantity = quantity + 1")
        session.run("DELETE FROM edges WHERE line = 0")
        session.run("UPDATE holds SET reason = 'Nothing'")
    spoilt = table_digests(plant.store)
    assert {name for name in digests if spoilt[name] != digests[name]} == {"stock", "edges", "holds"}
    rebuilt(plant.store)
    assert plant.everything() == before
    assert table_digests(plant.store) == digests


def test_rebuilding_then_readers_see_the_old_tables_and_a_failure_leaves_them(plant: Plant) -> None:
    work(plant)
    before, digests = plant.everything(), table_digests(plant.store)
    with pytest.raises(KeyboardInterrupt), plant.store.transaction() as session:
        rebuild(session)
        session.run("UPDATE stock SET quantity = quantity + 1")
        assert table_digests(plant.store) == digests
        raise KeyboardInterrupt
    assert plant.everything() == before


def test_written_while_rebuilding_then_it_waits_and_nothing_is_lost(plant: Plant) -> None:
    first = plant.receive()
    with ThreadPoolExecutor(1) as pool:
        with plant.store.transaction() as session:
            rebuild(session)
            second = pool.submit(plant.receive)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
        both = {(first, "A1"): "100", (second.result(), "A1"): "100"}
    assert plant.stock() == both
    before = plant.everything()
    rebuilt(plant.store)
    assert plant.everything() == before


def test_parked_and_unapplied_entries_then_left_out_as_before(plant: Plant) -> None:
    code = plant.receive()
    parked = plant.do(quarantine_batch, Quarantine(code, "Parked"))
    waiting = plant.do(quarantine_batch, Quarantine(code, "Waiting"))
    with plant.store.transaction() as session:
        session.run(
            "INSERT INTO projection_faults (log_id, idx, key, type, attempts, parked_us)"
            " VALUES (1, :idx, :key, 'BatchQuarantined', 1, 0)",
            {"idx": parked.index, "key": code},
        )
        session.run("UPDATE logs SET projected = :idx", {"idx": waiting.index})
    assert rebuilt(plant.store) == waiting.index - 1
    assert plant.rows("SELECT reason FROM holds") == []
    assert plant.rows("SELECT projected FROM logs") == [(waiting.index,)]


def test_entry_of_a_newer_program_then_refused_and_nothing_lost(plant: Plant) -> None:
    code = plant.receive()
    newer = plant.entry().envelope
    newer["type"], newer["payload"] = "RecallOpened", {}
    with plant.store.transaction() as session:
        Head(session, 1).append(newer, plant.clock.now())
    before = plant.everything()
    with pytest.raises(UnknownEvent):
        rebuilt(plant.store)
    assert plant.everything() == before
    assert plant.stock() == {(code, "A1"): "100"}


def test_hub_over_two_plants_then_equal_and_each_plant_as_it_states_itself(
    tmp_path: Path, postgres_18: EmbeddedPostgres
) -> None:
    one, two = plant_store(tmp_path), postgres_plant(postgres_18, 2, "NB1")
    with hub_beside(tmp_path, one, two) as hub:
        yoghurt = work(one)
        work(two)
        sent = one.do(dispatch_transfer, Dispatch("NB1", (line(yoghurt, "1"),)))
        receipt = TransferReceipt(transfer_manifest(sent, one.origin), "A1")
        wrong = two.do(receive_transfer, receipt)
        two.do(correct_entry, Correction(wrong.index, CorrectionReason.DID_NOT_OCCUR, "Next truck"))
        two.do(receive_transfer, receipt)
        process = two.do(open_process, ProcessOrder()).payload["process"]["id"]
        closing = two.do(close_process, Closing(process))
        two.do(correct_entry, Correction(closing.index, CorrectionReason.DID_NOT_OCCUR, "Not yet"))
        two.do(quarantine_batch, Quarantine(yoghurt, "Warm truck"))
        asked = two.do(request_change, ReleaseRequest(yoghurt, "Still cold"))
        hub.hears(two)
        hub.desk(two).do(decide_change_at_hub, decided(asked))
        hub.tells(two)
        answer_next(two)
        hub.hears(two)
        hub.hears(one)  # the receipt arrives before the dispatch
        digests = table_digests(hub.store)
        for plant in (one, two):
            at_the_plant = table_digests(plant.store, plant=plant.number)
            at_the_hub = table_digests(hub.store, plant=plant.number)
            # The hub's own decisions are not in the plant's tables; its answers to them are.
            del at_the_plant["change_decisions"], at_the_hub["change_decisions"]
            assert at_the_hub == at_the_plant
        assert len(hub.desk(two).rows("SELECT log_id FROM change_decisions WHERE log_id = -2")) == 1
        assert len(hub.desk(two).rows("SELECT line FROM transfer_lines WHERE plant_id = 2")) == 1
        rebuilt(hub.store)
        assert table_digests(hub.store) == digests
        # The same ledgers at a hub on another database give the same tables.
        other = postgres_plant(postgres_18, 3, "XX1")
        with other.store.transaction() as session:
            for name in ("entries", "logs", *(table.name for table in projection_tables())):
                session.run(f"DELETE FROM {name}")
        for log_id in (-2, -1, 0, 1, 2):
            carry(hub.store, other.store, log_id, apply=True)
        assert table_digests(other.store) == digests
        rebuilt(other.store)
        assert table_digests(other.store) == digests
        other.close()
    one.close()
    two.close()

"""Goods are put on hold: holds are a set, apart from the disposition."""

import pytest

from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.inventory.refusals import BATCH_UNKNOWN
from plants.rules.quality.holds import HoldKind
from plants.rules.quality.refusals import BATCH_ON_HOLD
from plants.rules.values.instants import micros
from plants.rules.values.refusals import TEXT_INVALID
from tests.factories import Plant

REQUEST = "0190b0a0-0000-7000-8000-000000000001"


def holds(plant: Plant) -> list[tuple[object, ...]]:
    return plant.rows("SELECT hold_id, kind, reason, placed_by, lifted_idx FROM holds ORDER BY hold_id")


def test_quarantined_then_held_and_disposition_stays(plant: Plant) -> None:
    code = plant.receive()
    entry = plant.do(quarantine_batch, Quarantine(code, "Seal broken 封条破损"))
    assert entry.type == "BatchQuarantined"
    assert entry.envelope["key"] == code
    assert entry.envelope["reason"] == "Seal broken 封条破损"
    assert entry.payload == {
        "holds": [{"batch": plant.batch_id(code), "kind": "QUALITY", "reason": "Seal broken 封条破损"}]
    }
    assert plant.rows("SELECT * FROM holds") == [
        (
            1,
            plant.batch_id(code),
            entry.index,
            "QUALITY",
            "Seal broken 封条破损",
            "person-1",
            micros(plant.clock.now()),
            None,
            None,
            None,
        )
    ]
    assert plant.batch(code)["disposition"] == "UNRESTRICTED"
    assert plant.batch(code)["version"] == entry.index
    assert plant.stock() == {(code, "A1"): "100"}


def test_held_then_refused_at_shipment_with_the_hold(plant: Plant) -> None:
    code = plant.receive()
    entry = plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    shipment = Shipment("C1", (StockLine(code, "1", "KGM", "A1"),))
    data = plant.refuses(ship_batch, shipment, BATCH_ON_HOLD)
    assert data == {
        "batch": code, "hold": str(entry.index), "kind": "QUALITY", "reason": "Seal broken", "lifter": "quality",
    }  # fmt: skip


def test_held_again_then_both_holds_stand(plant: Plant) -> None:
    code = plant.receive()
    first = plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    second = plant.do(quarantine_batch, Quarantine(code, "Supplier recall", HoldKind.RECALL))
    assert holds(plant) == [
        (first.index, "QUALITY", "Seal broken", "person-1", None),
        (second.index, "RECALL", "Supplier recall", "person-1", None),
    ]


def test_expired_goods_then_held_all_the_same(here: Plant) -> None:
    code = here.receive()
    here.clock.advance(days=365)
    here.do(quarantine_batch, Quarantine(code, "Old"))
    assert len(holds(here)) == 1


def test_same_request_twice_then_one_hold(plant: Plant) -> None:
    code = plant.receive()
    first = plant.do(quarantine_batch, Quarantine(code, "Seal broken"), request=REQUEST)
    before = plant.everything()
    again = plant.do(quarantine_batch, Quarantine(code, "Seal broken"), request=REQUEST)
    assert again.body == first.body
    assert plant.everything() == before


def test_unknown_batch_then_refused(here: Plant) -> None:
    data = here.refuses(quarantine_batch, Quarantine("SH1-NOPE", "Seal broken"), BATCH_UNKNOWN)
    assert data == {"batch": "SH1-NOPE"}


@pytest.mark.parametrize("reason", ["", "   ", "a\nb", "x" * 501])
def test_reason_missing_or_absurd_then_refused(here: Plant, reason: str) -> None:
    code = here.receive()
    data = here.refuses(quarantine_batch, Quarantine(code, reason), TEXT_INVALID)
    assert data["field"] == "reason"

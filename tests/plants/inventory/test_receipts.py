"""Goods come in: a batch, its code, its dates, its aliases; a second scan is refused."""

from datetime import UTC, date, datetime, timedelta

import pytest

from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.rules.identification.codes import node_id
from plants.rules.inventory.refusals import ALIAS_TAKEN
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    TEXT_INVALID,
    TIME_IN_FUTURE,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
)
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import Plant

FULL = Delivery(
    "RM-MILK",
    "1000.5",
    "KGM",
    "A1",
    supplier="S1",
    supplier_lot="L-77",
    order="PO-1",
    produced_at=datetime(2026, 3, 13, 22, 0, tzinfo=UTC),
    grade="A",
    attributes={"fat": "3.8 %"},
    aliases=(AliasOrder("SSCC", "000123", "GS1"),),
)


def test_received_then_batch_stock_and_aliases_are_exact(plant: Plant) -> None:
    entry = plant.do(receive_batch, FULL)
    code = "SH1-260314-0001P"
    batch = node_id(1, 1)
    assert entry.envelope["key"] == code
    assert plant.batch(code) == {
        "id": batch,
        "plant_id": 1,
        "code": code,
        "material": "RM-MILK",
        "unit": "KGM",
        "made": 1_000_500_000,
        "produced_us": 1_773_439_200_000_000,
        "expires_on": "2026-04-13",  # thirty days after the fourteenth in Shanghai
        "retest_on": None,
        "grade": "A",
        "supplier": "S1",
        "attributes": '{"fat":"3.8 %"}',
        "disposition": "UNRESTRICTED",
        "version": entry.index,
        "stated_idx": entry.index,
    }
    assert plant.stock() == {(code, "A1"): "1000.5"}
    assert plant.movements(entry) == [(batch, "1000.5", "supplier:S1", "stock:A1")]
    assert plant.edges(entry) == []
    assert plant.rows("SELECT scheme, issuer, value, batch_id FROM aliases ORDER BY scheme") == [
        ("DELIVERY", "S1", "PO-1 L-77", batch),
        ("SSCC", "GS1", "000123", batch),
        ("SUPPLIER_LOT", "S1", "L-77", batch),
    ]
    assert plant.rows("SELECT name, next FROM series ORDER BY name") == [("batch/SH1/260314", 2), ("node", 2)]


def test_quarantined_at_once_then_held(plant: Plant) -> None:
    code = plant.receive(quarantine="Broken seal 封签破损")
    sql = "SELECT batch_id, hold_id, kind, reason, placed_by, lifted_idx FROM holds"
    entry = plant.entry()
    assert plant.rows(sql) == [(plant.batch_id(code), entry.index, "QUALITY", "Broken seal 封签破损", "person-1", None)]


def test_own_expiry_then_it_goes_before_the_materials(here: Plant) -> None:
    code = here.receive(expires_on=date(2026, 3, 20))
    assert here.batch(code)["expires_on"] == "2026-03-20"


def test_converted_then_what_was_written_is_kept(plant: Plant) -> None:
    entry = plant.do(receive_batch, Delivery("RM-SUGAR", "4", "BG", "A1"))
    assert plant.movements(entry) == [(node_id(1, 1), "100", "source", "stock:A1")]
    assert entry.payload["movements"][0]["entered"] == "4 BG"
    plant.do(receive_batch, Delivery("RM-SUGAR", "1", "LBR", "A1"))
    assert plant.stock()["SH1-260314-0002N", "A1"] == "0.453592"


def test_second_scan_then_refused_and_a_later_order_taken(plant: Plant) -> None:
    lot = Delivery("RM-MILK", "10", "KGM", "A1", "S1", "L-1")
    plant.do(receive_batch, lot)
    data = plant.refuses(receive_batch, lot, ALIAS_TAKEN)
    assert data == {"alias": "L-1", "batch": "SH1-260314-0001P"}
    first = Delivery("RM-MILK", "10", "KGM", "A1", "S1", "L-1", "PO-1")
    plant.do(receive_batch, first)
    plant.refuses(receive_batch, first, ALIAS_TAKEN)
    plant.do(receive_batch, Delivery("RM-MILK", "10", "KGM", "A1", "S1", "L-1", "PO-2"))
    found = plant.rows("SELECT COUNT(*) FROM aliases WHERE scheme = 'SUPPLIER_LOT' AND value = 'L-1'")
    assert found == [(3,)]


@pytest.mark.parametrize(
    "order,code",
    [
        (Delivery("RM-NONE", "1", "KGM", "A1"), NOT_DEFINED),
        (Delivery("RM-MILK", "1", "KGM", "Z9"), NOT_DEFINED),
        (Delivery("RM-MILK", "1", "KGM", "A1", "S9"), NOT_DEFINED),
        (Delivery("RM-MILK", "-1", "KGM", "A1"), AMOUNT_NOT_POSITIVE),
        (Delivery("RM-MILK", "0", "KGM", "A1"), AMOUNT_NOT_POSITIVE),
        (Delivery("RM-MILK", "a lot", "KGM", "A1"), AMOUNT_NOT_A_NUMBER),
        (Delivery("RM-MILK", "1e5", "KGM", "A1"), AMOUNT_NOT_A_NUMBER),
        (Delivery("RM-MILK", "0.0000001", "KGM", "A1"), AMOUNT_TOO_PRECISE),
        (Delivery("RM-MILK", "1000000000000.000001", "KGM", "A1"), AMOUNT_TOO_LARGE),
        (Delivery("RM-MILK", "1000000001", "TNE", "A1"), AMOUNT_TOO_LARGE),
        (Delivery("RM-MILK", "1", "LTR", "A1"), UNIT_NOT_CONVERTIBLE),
        (Delivery("RM-MILK", "1", "STONE", "A1"), UNIT_UNKNOWN),
        (Delivery("RM-MILK", "1", "KGM", "A1", grade="\x00"), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", order="\n"), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", supplier_lot=""), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", quarantine=""), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", attributes={"x": "y" * 2001}), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", attributes={"🐄": "y"}), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", attributes={"fat": "y", "脂𠀀": "y"}), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", attributes={str(n): "" for n in range(51)}), TEXT_INVALID),
        (Delivery("RM-MILK", "1", "KGM", "A1", attributes={str(n): "汉" * 2000 for n in range(20)}), ENTRY_TOO_LARGE),
    ],
)
def test_wrong_then_refused(here: Plant, order: Delivery, code: R) -> None:
    here.refuses(receive_batch, order, code)


def test_reason_of_a_hold_wrong_then_refused_at_the_field_of_the_input(here: Plant) -> None:
    refusal = here.refusal(receive_batch, Delivery("RM-MILK", "1", "KGM", "A1", quarantine=""))
    assert (refusal.code, refusal.path) == (TEXT_INVALID, ("holdReason",))


def test_produced_in_the_future_then_refused(here: Plant) -> None:
    produced_at = here.clock.now() + timedelta(minutes=6)
    order = Delivery("RM-MILK", "1", "KGM", "A1", produced_at=produced_at)
    here.refuses(receive_batch, order, TIME_IN_FUTURE)

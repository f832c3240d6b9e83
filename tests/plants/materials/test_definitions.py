"""Master data is stated whole, and what cannot be is refused."""

import pytest

from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.materials.definitions import (
    MasterDefinition,
    MaterialDefinition,
    UnitDefinition,
    define_master,
    define_material,
    define_unit,
)
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, TEXT_INVALID, UNIT_UNKNOWN
from tests.factories import Plant


def test_material_defined_again_then_the_later_one_holds(plant: Plant) -> None:
    plant.do(define_material, MaterialDefinition("RM-NEW", "New", "GRM", 10, 5, {"BG": "25000", "C62": "1/3"}))
    assert plant.entry().payload["conversions"] == {"BG": "25000", "C62": "1/3"}
    plant.do(define_material, MaterialDefinition("RM-NEW", "Newer 更新", "KGM", None, None))
    sql = "SELECT name, unit, shelf_life_days, retest_days, conversions FROM materials WHERE code = 'RM-NEW'"
    assert plant.rows(sql) == [("Newer 更新", "KGM", None, None, "{}")]


def test_unit_defined_then_goods_can_be_written_in_it(plant: Plant) -> None:
    plant.do(define_unit, UnitDefinition("BAG25", "Bag 袋", "KGM", "25"))
    entry = plant.do(receive_batch, Delivery("RM-MILK", "1.5", "BAG25", "A1"))
    assert plant.stock() == {(entry.envelope["key"], "A1"): "37.5"}
    assert entry.payload["movements"][0]["entered"] == "1.5 BAG25"


def test_unit_wrong_then_refused(here: Plant) -> None:
    here.refuses(define_unit, UnitDefinition("KGM", "Own kilogram", "GRM", "999"), CODE_TAKEN)
    here.refuses(define_unit, UnitDefinition("BAG", "Bag", "SACK", "2"), UNIT_UNKNOWN)


@pytest.mark.parametrize("factor", ["0", "0.0", "0/5", "1/0"])
def test_factor_nothing_then_refused(here: Plant, factor: str) -> None:
    here.refuses(define_unit, UnitDefinition("BAG", "Bag", "KGM", factor), AMOUNT_NOT_POSITIVE)


@pytest.mark.parametrize("factor", ["", "-2", "1e999999999", "NaN", "1/2/3", "٣", "9" * 30, " 25"])
def test_factor_no_number_then_refused(here: Plant, factor: str) -> None:
    here.refuses(define_unit, UnitDefinition("BAG", "Bag", "KGM", factor), AMOUNT_NOT_A_NUMBER)
    material = MaterialDefinition("RM-X", "X", "KGM", conversions={"BG": factor})
    here.refuses(define_material, material, AMOUNT_NOT_A_NUMBER)


def test_material_wrong_then_refused(here: Plant) -> None:
    here.refuses(define_material, MaterialDefinition("rm x", "X", "KGM"), CODE_INVALID)
    here.refuses(define_material, MaterialDefinition("R" * 21, "X", "KGM"), CODE_INVALID)
    here.refuses(define_material, MaterialDefinition("RM-X", "", "KGM"), TEXT_INVALID)
    here.refuses(define_material, MaterialDefinition("RM-X", "X", "STONE"), UNIT_UNKNOWN)
    here.refuses(define_material, MaterialDefinition("RM-X", "X", "KGM", 0), TEXT_INVALID)
    here.refuses(define_material, MaterialDefinition("RM-X", "X", "KGM", 1, 36_501), TEXT_INVALID)
    many = {f"U{n}": "1" for n in range(21)}
    here.refuses(define_material, MaterialDefinition("RM-X", "X", "KGM", conversions=many), TEXT_INVALID)
    here.refuses(define_material, MaterialDefinition("RM-X", "X", "KGM", conversions={"b g": "1"}), CODE_INVALID)


def test_master_defined_then_it_is_there_by_kind(plant: Plant) -> None:
    plant.do(define_master, MasterDefinition(MasterKind.LOCATION, "S1", "Silo 1"))
    rows = plant.rows("SELECT kind, code, name, detail FROM master_records WHERE code = 'S1' ORDER BY kind")
    assert rows == [("LOCATION", "S1", "Silo 1", "{}"), ("SUPPLIER", "S1", "Green farm 绿地牧场", "{}")]


def test_master_wrong_then_refused(here: Plant) -> None:
    here.refuses(define_master, MasterDefinition(MasterKind.CUSTOMER, "", "X"), CODE_INVALID)
    here.refuses(define_master, MasterDefinition(MasterKind.CUSTOMER, "C2", "x" * 201), TEXT_INVALID)

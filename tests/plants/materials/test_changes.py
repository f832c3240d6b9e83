"""A change of master data gives some fields; the others stay, and the ledger states the whole definition."""

from dataclasses import replace
from typing import Any

import pytest

from plants.commands.execution import Command
from plants.commands.materials.changes import MasterChange, MaterialChange, UnitChange
from plants.commands.materials.definitions import (
    MaterialDefinition,
    define_master,
    define_material,
    define_unit,
)
from plants.commands.replication.rebuild import rebuild
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import (
    CONVERSION_IMPOSSIBLE,
    CONVERSIONS_OUTDATED,
    FIELD_REQUIRED,
    NOT_DEFINED,
    STALE_VERSION,
)
from plants.rules.values.refusals import AMOUNT_NOT_POSITIVE, NOTHING_CHANGES, TEXT_INVALID, UNIT_UNKNOWN, RefusalCode
from tests.factories import Plant

WHOLE: dict[str, Any] = {
    "code": "RM-X",
    "name": "Cream 奶油",
    "unit": "KGM",
    "shelf_life_days": 10,
    "retest_days": 5,
    "conversions": {"LTR": "51/50"},
}


def defined(plant: Plant) -> int:
    """Define RM-X with every field; return the index of the entry."""
    return plant.do(define_material, MaterialDefinition(**WHOLE)).index


def paths(plant: Plant, order: MaterialChange) -> list[tuple[RefusalCode, tuple[str, ...]]]:
    refusal = plant.refusal(define_material, order)
    return [(one.code, one.path) for one in (refusal, *refusal.further)]


@pytest.mark.parametrize(
    "given, then",
    [
        ({"name": "Double cream"}, {"name": "Double cream"}),
        ({"unit": "LTR", "conversions": (("KGM", "1"),)}, {"unit": "LTR", "conversions": {"KGM": "1"}}),
        ({"unit": "LTR", "cleared": frozenset({"conversions"})}, {"unit": "LTR", "conversions": {}}),
        ({"shelf_life_days": 12, "retest_days": 6}, {"shelf_life_days": 12, "retest_days": 6}),
        ({"cleared": frozenset({"shelf_life_days"})}, {"shelf_life_days": None}),
        ({"cleared": frozenset({"conversions", "retest_days"})}, {"conversions": {}, "retest_days": None}),
        ({"conversions": (("BG", "25"),)}, {"conversions": {"BG": "25"}}),
        ({"conversions": ()}, {"conversions": {}}),
    ],
)
def test_fields_given_then_the_others_stay(plant: Plant, given: dict[str, Any], then: dict[str, Any]) -> None:
    first = defined(plant)

    entry = plant.do(define_material, MaterialChange("RM-X", expected_version=first, **given))

    assert entry.payload == WHOLE | then
    ((version,),) = plant.rows("SELECT version FROM materials WHERE code = 'RM-X'")
    assert version == entry.index > first


def test_new_material_then_what_is_not_given_is_empty(plant: Plant) -> None:
    entry = plant.do(define_material, MaterialChange("RM-Y", "Whey", "KGM"))

    nothing: dict[str, object] = {"shelf_life_days": None, "retest_days": None, "conversions": {}}
    assert entry.payload == {"code": "RM-Y", "name": "Whey", "unit": "KGM", **nothing}


def test_unit_and_named_things_then_they_change_field_by_field(plant: Plant) -> None:
    plant.do(define_unit, UnitChange("BAG", "Bag", "KGM", "25"))
    assert plant.do(define_unit, UnitChange("BAG", factor="20")).payload == {
        "code": "BAG", "name": "Bag", "of": "KGM", "factor": "20",
    }  # fmt: skip
    entry = plant.do(define_master, MasterChange(MasterKind.LOCATION, "A1", "Cold store 2"))
    sql = "SELECT name, version FROM master_records WHERE kind = 'LOCATION' AND code = 'A1'"
    assert plant.rows(sql) == [("Cold store 2", entry.index)]


def test_rebuilt_then_versions_are_the_same(plant: Plant) -> None:
    defined(plant)
    plant.do(define_material, MaterialChange("RM-X", "Double cream"))
    plant.do(define_master, MasterChange(MasterKind.SUPPLIER, "S9", "Farm"))
    before = plant.projection()

    with plant.store.transaction() as session:
        rebuild(session)

    assert plant.projection() == before


def test_version_another_then_stale_and_nothing_changes(plant: Plant) -> None:
    first = defined(plant)
    later = plant.do(define_material, MaterialChange("RM-X", "Double cream")).index

    data = plant.refuses(
        define_material, MaterialChange("RM-X", shelf_life_days=3, expected_version=first), STALE_VERSION
    )

    assert data == {"thing": "material", "code": "RM-X", "expected": str(first), "current": str(later)}
    ahead = MaterialChange("RM-X", shelf_life_days=3, expected_version=later + 1)
    assert plant.refuses(define_material, ahead, STALE_VERSION)["current"] == str(later)
    unknown = MaterialChange("RM-NONE", "Nothing", "KGM", expected_version=first)
    plant.refuses(define_material, unknown, NOT_DEFINED)


def test_nothing_new_given_then_refused(here: Plant) -> None:
    defined(here)
    here.refuses(define_material, MaterialChange("RM-X"), NOTHING_CHANGES)
    here.refuses(define_material, MaterialChange("RM-X", conversions=(("LTR", "1.02"),)), NOTHING_CHANGES)
    here.refuses(define_master, MasterChange(MasterKind.LOCATION, "A1"), NOTHING_CHANGES)


def test_unit_changes_and_conversions_do_not_then_refused(plant: Plant) -> None:
    defined(plant)

    assert paths(plant, MaterialChange("RM-X", unit="LTR")) == [(CONVERSIONS_OUTDATED, ("conversions",))]

    plant.do(define_material, MaterialChange("RM-X", cleared=frozenset({"conversions"})))
    assert plant.do(define_material, MaterialChange("RM-X", unit="LTR")).payload["unit"] == "LTR"


@pytest.mark.parametrize(
    "unit, conversion, exact",
    [
        ("KGM", ("KGM", "2"), "1"),
        ("KGM", ("TNE", "5"), "1000"),
        ("KGM", ("LBR", "0.4536"), "45359237/100000000"),
        ("C62", ("DZN", "10"), "12"),
        ("STK", ("STK", "3"), "1"),
    ],
)
def test_conversion_contradicts_an_exact_one_then_refused(
    here: Plant, unit: str, conversion: tuple[str, str], exact: str
) -> None:
    here.do(define_unit, UnitChange("STK", "Stick", "KGM", "1/4"))

    wrong = MaterialChange("RM-Y", "Butter", unit, conversions=(("HLT", "90"), conversion))
    refusal = here.refusal(define_material, wrong)
    assert (refusal.code, refusal.path) == (CONVERSION_IMPOSSIBLE, ("conversions", "1", "factor"))
    assert (refusal.data["exact"], refusal.further) == (exact, ())
    whole = MaterialDefinition("RM-Y", "Butter", unit, conversions=dict([conversion]))
    here.refuses(define_material, whole, CONVERSION_IMPOSSIBLE)

    given = (conversion[0], exact)
    assert here.do(define_material, replace(wrong, conversions=(given,))).payload["conversions"] == dict([given])


def test_impossible_conversion_of_earlier_days_then_other_fields_can_be_saved(here: Plant) -> None:
    defined(here)
    with here.store.transaction() as session:
        session.run("UPDATE materials SET conversions = :c WHERE code = 'RM-X'", {"c": '{"TNE":"5"}'})

    assert here.do(define_material, MaterialChange("RM-X", "Butter")).payload["conversions"] == {"TNE": "5"}
    here.refuses(define_material, MaterialChange("RM-X", conversions=(("TNE", "6"),)), CONVERSION_IMPOSSIBLE)


def test_same_request_again_then_the_first_entry_also_after_later_changes(plant: Plant) -> None:
    request = "0190d6a1-0000-7000-8000-000000000009"
    order = MaterialChange("RM-Y", "Whey", "KGM")
    first = plant.do(define_material, order, request=request)
    plant.do(define_material, MaterialChange("RM-Y", "Sweet whey"))

    assert plant.do(define_material, order, request=request) == first


def test_what_a_definition_must_have_missing_then_each_field_is_named(here: Plant) -> None:
    assert paths(here, MaterialChange("RM-Y")) == [(FIELD_REQUIRED, ("name",)), (FIELD_REQUIRED, ("unitCode",))]
    defined(here)
    assert paths(here, MaterialChange("RM-X", cleared=frozenset({"name"}))) == [(FIELD_REQUIRED, ("name",))]
    here.refuses(define_unit, UnitChange("BAG", "Bag"), FIELD_REQUIRED)
    here.refuses(define_master, MasterChange(MasterKind.CUSTOMER, "C9"), FIELD_REQUIRED)


def test_several_wrong_then_each_is_refused_at_its_place(here: Plant) -> None:
    wrong = MaterialChange(
        "RM-Y", " ", "KGM", 0, 36_501, (("b g", "1"), ("BG", "0"), ("BG", "2")),
    )  # fmt: skip
    assert paths(here, wrong) == [(CODE_TAKEN, ("conversions", "2", "unitCode"))]
    wrong = MaterialChange("RM-Y", " ", "KGM", 0, 36_501, (("b g", "1"), ("BG", "0")))
    assert paths(here, wrong) == [
        (TEXT_INVALID, ("name",)),
        (TEXT_INVALID, ("shelfLifeDays",)),
        (TEXT_INVALID, ("retestDays",)),
        (CODE_INVALID, ("conversions", "0", "unitCode")),
        (AMOUNT_NOT_POSITIVE, ("conversions", "1", "factor")),
    ]
    assert paths(here, MaterialChange("rm y", "Whey", "KGM")) == [(CODE_INVALID, ("code",))]
    assert paths(here, MaterialChange("RM-Y", "Whey", "STONE")) == [(UNIT_UNKNOWN, ("unitCode",))]
    here.refuses(define_unit, UnitChange("KGM", "Kilo", "GRM", "1"), CODE_TAKEN)


@pytest.mark.parametrize(
    "recorder, order, digest",
    [
        (define_material, MaterialChange("RM-MILK", "Milk"), "2:727c719ce5b15e89f00800777e66e8a9"),
        (
            define_material,
            MaterialChange(
                "RM-MILK",
                unit="KGM",
                conversions=(("BG", "25"),),
                cleared=frozenset({"retest_days"}),
                expected_version=7,
            ),
            "2:6b88806657df5cc2e44d0a503fcef77e",
        ),
        (define_unit, UnitChange("BAG", factor="1/3"), "2:e8999c654305e097d287db8acd764a67"),
        (
            define_master,
            MasterChange(MasterKind.LOCATION, "A1", "Cold store 冷库"),
            "2:c3ce00e31dc9934573ba3a563d925f41",
        ),
    ],
)
def test_recorded_digests_then_the_same_request_is_recognised(recorder: Command[Any], order: Any, digest: str) -> None:
    assert recorder.digests.digest(order) == digest

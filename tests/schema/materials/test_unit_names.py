"""Units: built-in ones are named in the language of the caller, and listed with those of plants in one order."""

from typing import Final

import pytest

from infra.messages import Language
from plants.rules.values.quantities import UNITS as UNITS_BUILT_IN
from tests.schema.asking import JSON, MANAGER, Served

RECEIVED: Final = "... on BatchReceived { batch { quantityMade { amount unit unitName } material { unit { name } } } }"


@pytest.mark.parametrize("language, name", [("en", "kilogram"), ("zh", "千克")])
async def test_quantity_in_a_built_in_unit_then_its_name_in_the_callers_language(
    node: Served, language: Language, name: str
) -> None:
    milk = {"materialCode": "RM-MILK", "quantity": {"amount": "10", "unit": "KGM"}, "locationCode": "A1"}
    batch = (await node.do(MANAGER, "receiveBatch", RECEIVED, language, **milk))["batch"]
    assert batch == {
        "quantityMade": {"amount": "10", "unit": "KGM", "unitName": name},
        "material": {"unit": {"name": name}},
    }


async def test_quantity_in_a_unit_of_the_plant_then_no_name_and_the_unit_has_it(node: Served) -> None:
    bag = {"code": "BAG25", "name": "Bag 袋", "baseUnitCode": "KGM", "factor": "25"}
    await node.do(MANAGER, "saveUnit", "... on UnitSaved { unit { code } }", **bag)
    await node.do(
        MANAGER,
        "saveMaterial",
        "... on MaterialSaved { material { code } }",
        code="RM-SALT",
        name="Salt",
        unitCode="BAG25",
    )
    salt = {"materialCode": "RM-SALT", "quantity": {"amount": "2", "unit": "BAG25"}, "locationCode": "A1"}
    batch = (await node.do(MANAGER, "receiveBatch", RECEIVED, "zh", **salt))["batch"]
    assert batch == {
        "quantityMade": {"amount": "2", "unit": "BAG25", "unitName": None},
        "material": {"unit": {"name": "Bag 袋"}},
    }


UNITS: Final = """query($orderBy: DefinitionOrder, $after: String) { units(orderBy: $orderBy, first: 7, after: $after) {
  totalCount pageInfo { hasNextPage endCursor } nodes { code name plant { code } } } }"""


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_units_in_an_order_then_built_in_and_own_ones_in_pages_and_in_its_reverse(
    node: Served, language: Language
) -> None:
    for code, name in (("AAA", "zzz"), ("ZZZ", "aaa")):
        row = {"code": code, "name": name, "baseUnitCode": "KGM", "factor": "2"}
        await node.do(MANAGER, "saveUnit", "... on UnitSaved { unit { code } }", **row)
    for field, shown in (("CODE", "code"), ("NAME", "name")):
        for direction in ("ASCENDING", "DESCENDING"):
            found: list[JSON] = []
            after, more = None, True
            page: JSON = {}
            while more:
                order = {"field": field, "direction": direction}
                answer = await node.answer(MANAGER, UNITS, language, orderBy=order, after=after)
                page = answer["data"]["units"]
                found += page["nodes"]
                after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            assert page["totalCount"] == len(found) == len({one["code"] for one in found}) == len(UNITS_BUILT_IN) + 2
            keys = [(one[shown], one["code"]) for one in found]
            assert keys == sorted(keys, reverse=direction == "DESCENDING")
            assert [one["code"] for one in found if one["plant"] is not None] == (
                ["AAA", "ZZZ"] if (field == "CODE") is (direction == "ASCENDING") else ["ZZZ", "AAA"]
            )

"""Names of units: built-in ones in the caller's language, those of a plant as it defined them."""

from typing import Final

import pytest

from infra.messages import Language
from tests.schema.asking import MANAGER, Served

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

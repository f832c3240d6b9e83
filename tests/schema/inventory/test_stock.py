"""Stock over GraphQL: every order pages in both directions, and goods that do not expire come last."""

import pytest

from plants.commands.inventory.movements import Move, move_batch
from tests.factories import Plant
from tests.schema.asking import MANAGER, Served

LISTED = """query($orderBy: StockOrder, $after: String) { stock(orderBy: $orderBy, first: 2, after: $after) {
  totalCount pageInfo { hasNextPage endCursor } nodes { batch { code } location { code } } } }"""


@pytest.fixture
def goods(here: Plant) -> dict[str, str]:
    """Three batches by a short name. Milk lies at two locations, and cups do not expire."""
    made = {
        "milk": here.receive("RM-MILK", "9", location="B1"),
        "cups": here.receive("PK-CUP", "9"),
        "yoghurt": here.receive("FP-YOG", "7", location="B1"),
    }
    here.do(move_batch, Move(made["milk"], "B1", "A1", "4", "KGM"))
    return made


async def listed(node: Served, field: str | None, direction: str) -> list[tuple[str, str]]:
    """Return batch and location of all pages, and check that they are as many as counted."""
    found: list[tuple[str, str]] = []
    after = None
    while True:
        order = None if field is None else {"field": field, "direction": direction}
        page = (await node.ask(MANAGER, LISTED, orderBy=order, after=after))["stock"]
        found += [(one["batch"]["code"], one["location"]["code"]) for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found


BY_BATCH = ["milk A1", "milk B1", "cups A1", "yoghurt B1"]


@pytest.mark.parametrize(
    "field, ascending, descending",
    [
        (None, BY_BATCH, BY_BATCH),
        ("PLANT", BY_BATCH, BY_BATCH[::-1]),
        ("BATCH_CODE", BY_BATCH, BY_BATCH[::-1]),
        (
            "LOCATION",
            ["milk A1", "cups A1", "milk B1", "yoghurt B1"],
            ["yoghurt B1", "milk B1", "cups A1", "milk A1"],
        ),
        (
            "EXPIRES_ON",
            ["yoghurt B1", "milk A1", "milk B1", "cups A1"],
            ["milk B1", "milk A1", "yoghurt B1", "cups A1"],
        ),
    ],
)
async def test_order_then_pages_in_it_and_in_its_reverse(
    goods: dict[str, str], node: Served, field: str | None, ascending: list[str], descending: list[str]
) -> None:
    names = {code: name for name, code in goods.items()}
    for direction, wanted in (("ASCENDING", ascending), ("DESCENDING", descending)):
        found = await listed(node, field, direction)
        assert [f"{names[code]} {location}" for code, location in found] == wanted

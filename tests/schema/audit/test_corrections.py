"""Corrections over GraphQL: an entry is reversed once, and what builds on it comes first."""

import re

from infra.ids import new_id
from plants.commands.inventory.movements import Move, move_batch
from plants.store.projection.registry import EVENTS
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.house.sources import ROOT
from tests.schema.asking import MANAGER, OPERATOR, QUALITY, Served

WANTED = """... on EntryCorrected { entry { index type }
  corrected { index type correction { correctionReason reason entry { index } } } }"""


async def test_corrected_then_the_goods_are_back_where_they_were(here: Plant, node: Served) -> None:
    code = here.receive()
    moved = here.do(move_batch, Move(code, "A1", "B1", "40", "KGM"))
    given = {
        "requestId": new_id(), "entryId": node_id("entry", 1, moved.index), "correctionReason": "INCORRECT_DATA",
        "reason": "30, not 40",
    }  # fmt: skip
    answer = await node.do(QUALITY, "correctEntry", WANTED, **given)
    index = moved.index + 1
    assert answer == {
        "__typename": "EntryCorrected",
        "entry": {"index": index, "type": "EntryCorrected"},
        "corrected": {
            "index": moved.index,
            "type": "BatchMoved",
            "correction": {
                "correctionReason": "INCORRECT_DATA",
                "reason": "30, not 40",
                "entry": {"index": index},
            },
        },
    }
    assert here.stock() == {(code, "A1"): "100"}
    before = here.everything()
    assert await node.do(QUALITY, "correctEntry", WANTED, **given) == answer
    assert here.everything() == before


async def test_refused_then_nothing_changed(here: Plant, node: Served) -> None:
    code = here.receive()
    received = here.entry().index
    here.do(move_batch, Move(code, "A1", "B1", "40", "KGM"))
    given = {"correctionReason": "DID_NOT_OCCUR", "reason": "Twice"}
    await node.do(QUALITY, "correctEntry", "", entryId=node_id("entry", 1, received + 1), **given)
    here.do(move_batch, Move(code, "A1", "B1", "60", "KGM"))
    before = here.everything()
    wanted = (
        "... on StockShort { available { amount unit } requested { amount } locationCode batchCode }"
        " ... on EntryAlreadyCorrected { entryIndex correctingEntryIndex } ... on EntryUnknown { entryIndex }"
    )
    for actor, entry, expected in (
        (QUALITY, 9999, {"code": "ENTRY_UNKNOWN", "entryIndex": 9999}),
        (QUALITY, -1, {"code": "ENTRY_UNKNOWN"}),
        (QUALITY, 0, {"code": "CORRECTION_IMPOSSIBLE"}),
        (
            QUALITY,
            received + 1,
            {"code": "ENTRY_ALREADY_CORRECTED", "entryIndex": received + 1, "correctingEntryIndex": received + 2},
        ),
        (
            MANAGER,
            received,
            {
                "code": "STOCK_SHORT",
                "available": {"amount": "40", "unit": "KGM"},
                "requested": {"amount": "100"},
                "locationCode": "A1",
                "batchCode": code,
            },
        ),
        (OPERATOR, received, {"code": "NOT_PERMITTED"}),
    ):
        answer = await node.do(actor, "correctEntry", wanted, entryId=node_id("entry", 1, entry), **given)
        assert {name: answer[name] for name in expected} == expected
    for other in (node_id("entry", 2, received), node_id("entry", -1, 0), node_id("change", 1, received), "nothing"):
        for actor, code in ((QUALITY, "ENTRY_UNKNOWN"), (OPERATOR, "NOT_PERMITTED")):
            assert (await node.do(actor, "correctEntry", "", entryId=other, **given))["code"] == code
    assert here.everything() == before


def test_description_of_corrections_then_each_correctable_type_and_no_other() -> None:
    sdl = (ROOT / "schema/plant.graphql").read_text(encoding="utf-8")
    (listed,) = re.findall(r"Entries of these types can be corrected: ([\w, ]+)\.", sdl)
    assert set(listed.split(", ")) == {name for name, event in EVENTS.items() if event.correctable}
    assert "A dispatch cannot be corrected" in sdl

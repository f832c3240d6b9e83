"""Corrections over GraphQL: an entry is reversed once, and what builds on it comes first."""

from infra.ids import new_id
from plants.commands.inventory.movements import Move, move_batch
from tests.factories import Plant
from tests.schema.asking import MANAGER, OPERATOR, QUALITY, Served

WANTED = """... on EntryCorrected { entry { index type }
  corrected { index type corrected { wrong reason by { index } } } }"""


async def test_corrected_then_the_goods_are_back_where_they_were(here: Plant, node: Served) -> None:
    code = here.receive()
    moved = here.do(move_batch, Move(code, "A1", "B1", "40", "KGM"))
    given = {"requestId": new_id(), "entry": moved.index, "wrong": "INCORRECT_DATA", "reason": "30, not 40"}
    answer = await node.do(QUALITY, "correctEntry", WANTED, **given)
    index = moved.index + 1
    assert answer == {
        "__typename": "EntryCorrected",
        "entry": {"index": index, "type": "EntryCorrected"},
        "corrected": {
            "index": moved.index,
            "type": "BatchMoved",
            "corrected": {"wrong": "INCORRECT_DATA", "reason": "30, not 40", "by": {"index": index}},
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
    await node.do(QUALITY, "correctEntry", "", entry=received + 1, wrong="DID_NOT_OCCUR", reason="Twice")
    here.do(move_batch, Move(code, "A1", "B1", "60", "KGM"))
    before = here.everything()
    given = {"wrong": "DID_NOT_OCCUR", "reason": "Twice"}
    wanted = (
        "... on StockShort { available { amount unit } requested { amount } locationCode batchCode }"
        " ... on EntryAlreadyCorrected { entryIndex correctingEntryIndex }"
    )
    for actor, entry, expected in (
        (QUALITY, 9999, {"code": "ENTRY_UNKNOWN"}),
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
        answer = await node.do(actor, "correctEntry", wanted, entry=entry, **given)
        assert {name: answer[name] for name in expected} == expected
    assert here.everything() == before

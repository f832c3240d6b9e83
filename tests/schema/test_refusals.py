"""Refusals: one type for each code, and each mutation lists exactly those that its commands can raise."""

from typing import Any

import pytest

from plants.commands import (
    adjust,
    alias,
    correct,
    decide_change,
    define,
    direct,
    dispatch,
    merge,
    move,
    quarantine,
    receive,
    receive_transfer,
    record_production,
    request_change,
    run_process,
    settle_dispute,
    ship,
    skip_entry,
    split,
    yield_output,
)
from plants.commands.direct import GroupCommand
from plants.commands.recording import Command
from plants.rules.refusals import WORDINGS, Refusal, RefusalCode
from schema import hub, plant
from schema.refusals import COMMON, LISTED, REFUSALS, data_names, query_error, refused
from tests.schema.call_graph import codes_of

C = RefusalCode
COMMANDS: dict[str, tuple[Command[Any] | GroupCommand[Any], ...]] = {
    "adjust_stock": (adjust.adjust_stock,),
    "alias_batch": (alias.alias_batch,),
    "close_process": (run_process.close_process,),
    "correct_entry": (correct.correct_entry,),
    "decide_change": (decide_change.decide_change, decide_change.decide_change_at_hub),
    "define_customer": (define.define_master,),
    "define_equipment": (define.define_master,),
    "define_location": (define.define_master,),
    "define_material": (define.define_material,),
    "define_supplier": (define.define_master,),
    "define_unit": (define.define_unit,),
    "direct_customer": (direct.direct_master,),
    "direct_equipment": (direct.direct_master,),
    "direct_hold": (direct.direct_hold,),
    "direct_location": (direct.direct_master,),
    "direct_material": (direct.direct_master,),
    "direct_recall": (direct.direct_recall,),
    "direct_release": (direct.direct_release,),
    "direct_supplier": (direct.direct_master,),
    "direct_unit": (direct.direct_master,),
    "dispatch_transfer": (dispatch.dispatch_transfer,),
    "end_alias": (alias.end_alias,),
    "feed_process": (run_process.feed_process,),
    "merge_batches": (merge.merge_batches,),
    "move_batch": (move.move_batch,),
    "open_process": (run_process.open_process,),
    "quarantine_batch": (quarantine.quarantine_batch,),
    "receive_batch": (receive.receive_batch,),
    "receive_transfer": (receive_transfer.receive_transfer,),
    "record_production": (record_production.record_production,),
    "request_expiry_extension": (request_change.request_change,),
    "request_release": (request_change.request_change,),
    "request_stock_adjustment": (request_change.request_change,),
    "retry_parked_entry": (skip_entry.retry_entry,),
    "settle_dispute": (settle_dispute.settle_dispute,),
    "ship_batch": (ship.ship_batch,),
    "skip_parked_entry": (skip_entry.skip_entry,),
    "split_batch": (split.split_batch,),
    "yield_process": (yield_output.yield_process,),
}
# One command asks for all kinds of change, and one directs all master data; which refusals can come depends on the kind
# that the mutation asks for.
OF_UNITS = frozenset({C.CODE_TAKEN, C.UNIT_UNKNOWN})
NOT_OF_THIS_KIND = {
    **dict.fromkeys(
        ("direct_customer", "direct_equipment", "direct_location", "direct_supplier"),
        frozenset({C.AMOUNT_NOT_A_NUMBER, C.AMOUNT_NOT_POSITIVE, *OF_UNITS}),
    ),
    "direct_material": OF_UNITS,
    "request_expiry_extension": {
        C.AMOUNT_NOT_A_NUMBER, C.AMOUNT_NOT_POSITIVE, C.AMOUNT_TOO_LARGE, C.AMOUNT_TOO_PRECISE, C.HOLD_DIRECTED,
        C.HOLD_UNKNOWN, C.NOTHING_CHANGES, C.NOT_DEFINED, C.UNIT_NOT_CONVERTIBLE, C.UNIT_UNKNOWN,
    },
    "request_release": {
        C.AMOUNT_NOT_A_NUMBER, C.AMOUNT_NOT_POSITIVE, C.AMOUNT_TOO_LARGE, C.AMOUNT_TOO_PRECISE, C.EXPIRY_NOT_LATER,
        C.NOTHING_CHANGES, C.NOT_DEFINED, C.UNIT_NOT_CONVERTIBLE, C.UNIT_UNKNOWN,
    },
    "request_stock_adjustment": {C.EXPIRY_NOT_LATER, C.HOLD_DIRECTED, C.HOLD_UNKNOWN},
}  # fmt: skip


def test_mutations_then_each_is_compared_with_its_commands() -> None:
    assert len({*plant.MUTATIONS, *hub.MUTATIONS}) == len(COMMANDS)
    assert sorted(LISTED) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_mutation_then_it_lists_exactly_what_its_command_can_raise(name: str) -> None:
    raised = set().union(*(codes_of(command) for command in COMMANDS[name])) - NOT_OF_THIS_KIND.get(name, set())

    listed = set(LISTED[name])

    assert sorted(raised - listed) == [], "a caller would get a masked error"
    assert sorted(listed - raised - COMMON) == [], "cannot happen"


@pytest.mark.parametrize("code", RefusalCode)
def test_refusal_then_its_type_carries_every_datum_of_its_texts(code: RefusalCode) -> None:
    data = {name: f"<{name}>" for name in data_names(code)}
    refusal = Refusal(code, **data)

    english, chinese = refused(refusal, "en"), refused(refusal, "zh")

    assert type(english) is REFUSALS[code]
    assert (english.code, english.message) == (code, WORDINGS[code].en.format_map(data))
    assert chinese.message == WORDINGS[code].zh.format_map(data)
    assert {getattr(english, "value" if name == "code" else name) for name in data} == set(data.values())


def test_refused_query_then_the_error_names_the_code_and_not_what_was_sent_as_code() -> None:
    error = query_error(Refusal(C.BATCH_CODE_INVALID, code="漢", why="GS1 character set 82"), "zh")

    assert error.message == "“漢”不是有效的批次号（GS1 character set 82），请重新扫描标签。"
    assert error.extensions == {"code": "BATCH_CODE_INVALID", "value": "漢", "why": "GS1 character set 82"}

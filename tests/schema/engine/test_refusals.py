"""Refusals: one type for each code, and each mutation lists exactly those that its commands can raise."""

from typing import Any

import pytest

from infra.messages import word
from plants.commands.approvals import change_requests, decisions
from plants.commands.audit import corrections
from plants.commands.directives import directives
from plants.commands.directives.directives import GroupCommand
from plants.commands.execution import Command
from plants.commands.inventory import aliases, movements, receipts, stock
from plants.commands.logistics import dispatches, shipments, transfers
from plants.commands.materials import definitions
from plants.commands.production import merges, process_records, runs, splits, yields
from plants.commands.quality import holds
from plants.commands.replication import disputes, parked_entries
from plants.rules.identification.refusals import BATCH_CODE_INVALID, CODE_TAKEN
from plants.rules.inventory.refusals import EXPIRY_NOT_LATER
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.refusals import HOLD_DIRECTED, HOLD_UNKNOWN
from plants.rules.refusals import declared_refusals
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    NOTHING_CHANGES,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
    Refusal,
    RefusalCode,
)
from schema import hub, plant
from schema.engine.refusals import COMMON, LISTED, REFUSALS, query_error, refused
from tests.schema.engine.call_graph import codes_of

COMMANDS: dict[str, tuple[Command[Any] | GroupCommand[Any], ...]] = {
    "adjust_stock": (stock.adjust_stock,),
    "alias_batch": (aliases.alias_batch,),
    "close_process": (process_records.close_process,),
    "correct_entry": (corrections.correct_entry,),
    "decide_change": (decisions.decide_change, decisions.decide_change_at_hub),
    "define_customer": (definitions.define_master,),
    "define_equipment": (definitions.define_master,),
    "define_location": (definitions.define_master,),
    "define_material": (definitions.define_material,),
    "define_supplier": (definitions.define_master,),
    "define_unit": (definitions.define_unit,),
    "direct_customer": (directives.direct_master,),
    "direct_equipment": (directives.direct_master,),
    "direct_hold": (directives.direct_hold,),
    "direct_location": (directives.direct_master,),
    "direct_material": (directives.direct_master,),
    "direct_recall": (directives.direct_recall,),
    "direct_release": (directives.direct_release,),
    "direct_supplier": (directives.direct_master,),
    "direct_unit": (directives.direct_master,),
    "dispatch_transfer": (dispatches.dispatch_transfer,),
    "end_alias": (aliases.end_alias,),
    "feed_process": (process_records.feed_process,),
    "merge_batches": (merges.merge_batches,),
    "move_batch": (movements.move_batch,),
    "open_process": (process_records.open_process,),
    "quarantine_batch": (holds.quarantine_batch,),
    "receive_batch": (receipts.receive_batch,),
    "receive_transfer": (transfers.receive_transfer,),
    "record_production": (runs.record_production,),
    "request_expiry_extension": (change_requests.request_change,),
    "request_release": (change_requests.request_change,),
    "request_stock_adjustment": (change_requests.request_change,),
    "retry_parked_entry": (parked_entries.retry_entry,),
    "settle_dispute": (disputes.settle_dispute,),
    "ship_batch": (shipments.ship_batch,),
    "skip_parked_entry": (parked_entries.skip_entry,),
    "split_batch": (splits.split_batch,),
    "yield_process": (yields.yield_process,),
}
# One command asks for all kinds of change, and one directs all master data; which refusals can come depends on the kind
# that the mutation asks for.
OF_UNITS = frozenset({CODE_TAKEN, UNIT_UNKNOWN})
NOT_OF_THIS_KIND = {
    **dict.fromkeys(
        ("direct_customer", "direct_equipment", "direct_location", "direct_supplier"),
        frozenset({AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, *OF_UNITS}),
    ),
    "direct_material": OF_UNITS,
    "request_expiry_extension": {
        AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, AMOUNT_TOO_LARGE, AMOUNT_TOO_PRECISE, HOLD_DIRECTED,
        HOLD_UNKNOWN, NOTHING_CHANGES, NOT_DEFINED, UNIT_NOT_CONVERTIBLE, UNIT_UNKNOWN,
    },
    "request_release": {
        AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, AMOUNT_TOO_LARGE, AMOUNT_TOO_PRECISE, EXPIRY_NOT_LATER,
        NOTHING_CHANGES, NOT_DEFINED, UNIT_NOT_CONVERTIBLE, UNIT_UNKNOWN,
    },
    "request_stock_adjustment": {EXPIRY_NOT_LATER, HOLD_DIRECTED, HOLD_UNKNOWN},
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


@pytest.mark.parametrize("code", declared_refusals().values(), ids=str)
def test_refusal_then_its_type_carries_every_datum_of_its_texts(code: RefusalCode) -> None:
    data = {name: f"<{name}>" for name in code.descriptions}
    refusal = Refusal(code, **data)

    english, chinese = refused(refusal, "en"), refused(refusal, "zh")

    assert type(english) is REFUSALS[code]
    assert (str(english.code), english.message) == (code, code.text.format_map(data))
    assert chinese.message == word(refusal, "zh")
    assert chinese.message != english.message
    assert {getattr(english, "value" if name == "code" else name) for name in data} == set(data.values())


def test_refused_query_then_the_error_names_the_code_and_not_what_was_sent_as_code() -> None:
    error = query_error(Refusal(BATCH_CODE_INVALID, code="漢", why="GS1 character set 82"), "zh")

    assert error.message == "“漢”不是有效的批次号（GS1 character set 82），请重新扫描标签。"
    assert error.extensions == {"code": "BATCH_CODE_INVALID", "value": "漢", "why": "GS1 character set 82"}

"""Refusals: one type for each code, and each mutation declares exactly those that its commands can raise."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

import pytest
from graphql import assert_interface_type, build_schema

from infra.messages import word
from infra.roles import Role
from plants.rules.approvals.change_requests import ChangeLevel, ChangeState
from plants.rules.approvals.refusals import CHANGE_STALE
from plants.rules.identification.refusals import BATCH_CODE_CHARACTERS, BATCH_CODE_INVALID
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.dispositions import Disposition
from plants.rules.quality.holds import HoldKind
from plants.rules.values.refusal_data import DatumKind
from plants.rules.values.refusals import LINES_INVALID, RULE_PRINTABLE, Refusal, RefusalCode
from plants.store.projection.registry import EVENTS
from plants.store.refusals import declared_refusals
from schema.engine.node_ids import node_id
from schema.engine.operations import Operation, OperationKind, operations
from schema.engine.quantities import Quantity
from schema.engine.refusals import COMMON, REFUSALS, NewerRefusal, kept_refusal, query_error, refused, shown
from schema.engine.scalars import ExactDecimal
from schema.engine.sdl import sdl
from tests.schema.engine.call_graph import Orders, codes_of

MUTATIONS = [one for one in operations() if one.kind is OperationKind.MUTATION and one.name != "submit"]
"""The mutations of one command. `submit` runs those of the others."""


def orders_of(mutation: Operation) -> Orders:
    """Return the types of order that mutations send to the same commands."""
    alike = [one.order for one in MUTATIONS if one.access.commands == mutation.access.commands]
    return Orders.of(mutation.order, {one for one in alike if one is not None})


def test_mutations_of_one_command_then_they_send_different_types_of_order() -> None:
    for one in MUTATIONS:
        alike = {other.order for other in MUTATIONS if other.access.commands == one.access.commands}
        assert alike == {None} or None not in alike, one.name


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_mutation_then_it_declares_exactly_what_its_commands_can_raise(mutation: Operation) -> None:
    orders = orders_of(mutation)
    raised = set().union(*(codes_of(command, orders) for command in mutation.access.commands))
    if mutation.bulk:  # the rows keep the refusals of the command
        raised = {LINES_INVALID, *(() if Role.PLANT in mutation.roles else (NOT_DEFINED,))}

    declared = set(mutation.refusals)

    assert mutation.access.commands
    assert sorted(raised - declared) == [], "a caller would get a masked error"
    assert sorted(declared - raised - COMMON) == [], "cannot happen"


PHRASE: Final = RULE_PRINTABLE(length_max=9)
SAMPLES: Final[Mapping[DatumKind, tuple[str, object]]] = {
    DatumKind.TEXT: ("text 漢", "text 漢"),
    DatumKind.PHRASE: (PHRASE, str(PHRASE)),
    DatumKind.WORD: ("word", "word"),
    DatumKind.INTEGER: ("17", 17),
    DatumKind.DECIMAL: ("0.50", "0.50"),
    DatumKind.DAY: ("2026-03-14", date(2026, 3, 14)),
    DatumKind.INSTANT: ("2026-03-14T08:00:00.000000Z", datetime(2026, 3, 14, 8, tzinfo=UTC)),
    DatumKind.UUID: ("0190d6a1-0000-7000-8000-000000000001", "0190d6a1-0000-7000-8000-000000000001"),
    DatumKind.BATCH_CODE: ("SH1-261122-0001P", "SH1-261122-0001P"),
    DatumKind.PLANT_CODE: ("SH1", "SH1"),
    DatumKind.PROCESS: ("42", node_id("process", 42)),
    DatumKind.TRANSFER: ("43", node_id("transfer", 43)),
    DatumKind.HOLD_KIND: ("RECALL", HoldKind.RECALL),
    DatumKind.DISPOSITION: ("RESTRICTED", Disposition.RESTRICTED),
    DatumKind.CHANGE_LEVELS: ("HUB, PLANT", [ChangeLevel.HUB, ChangeLevel.PLANT]),
    DatumKind.CHANGE_STATE: ("APPLIED", ChangeState.APPLIED),
    DatumKind.QUANTITY: ("12.5", Quantity(amount=ExactDecimal("12.5"), unit="KGM")),
}
"""A stored text of each kind of datum, and its value in an answer."""
TEXTS: Final = {
    DatumKind.TEXT, DatumKind.UUID, DatumKind.BATCH_CODE, DatumKind.PLANT_CODE, DatumKind.PROCESS, DatumKind.TRANSFER,
    DatumKind.PHRASE
}  # fmt: skip


@pytest.mark.parametrize("code", declared_refusals().values(), ids=str)
def test_refusal_then_its_type_carries_every_datum_of_its_texts(code: RefusalCode) -> None:
    data = {key: "KGM" if one.kind is DatumKind.UNIT else SAMPLES[one.kind][0] for key, one in code.data.items()}
    refusal = Refusal(code, **data)

    english, chinese = refused(refusal, "en"), refused(refusal, "zh")

    assert type(english) is REFUSALS[code]
    assert (str(english.code), english.message) == (code, code.text.format_map(data))
    assert chinese.message == word(refusal, "zh")
    assert chinese.message != english.message
    for name, one in shown(code).values():
        assert getattr(english, name) == SAMPLES[one.kind][1]


@pytest.mark.parametrize("code", declared_refusals().values(), ids=str)
def test_refusal_kept_with_data_of_another_kind_then_they_are_null(code: RefusalCode) -> None:
    kept = refused(Refusal.kept(code, dict.fromkeys(code.data, "?")), "en")

    for name, one in shown(code).values():
        assert getattr(kept, name) == ("?" if one.kind in TEXTS else None)


def test_refused_query_then_the_error_names_the_code_and_not_what_was_sent_as_code() -> None:
    error = query_error(Refusal(BATCH_CODE_INVALID, code="漢", why=BATCH_CODE_CHARACTERS()), "zh")

    assert error.message == "“漢”不是有效的批次号（含有 GS1 不允许的字符），请重新扫描标签。"
    assert error.extensions == {"code": "BATCH_CODE_INVALID", "givenCode": "漢", "rule": "含有 GS1 不允许的字符"}


@pytest.mark.parametrize("code", declared_refusals().values(), ids=str)
def test_refusal_kept_without_data_then_they_are_null_and_the_message_has_gaps(code: RefusalCode) -> None:
    kept = kept_refusal(code, {}, "zh")

    assert type(kept) is REFUSALS[code]
    assert [getattr(kept, name) for name, one in shown(code).values() if one.default is None] == [
        None for one in code.data.values() if one.default is None and one.kind not in {DatumKind.UNIT, DatumKind.WORD}
    ]
    assert "{" not in kept.message


def test_refusal_kept_with_its_data_then_as_refused_at_once() -> None:
    data = {"batch": "SH1-1", "proposed": "3", "current": "5"}
    assert kept_refusal("CHANGE_STALE", data, "zh") == refused(Refusal(CHANGE_STALE, **data), "zh")


def test_refusal_of_a_newer_program_then_its_code_alone() -> None:
    kept = kept_refusal("MOON_WRONG", {"phase": "full"}, "zh")
    assert (type(kept), kept.code) == (NewerRefusal, "MOON_WRONG")
    assert kept.message == "较新的程序以代码 MOON_WRONG 拒绝了它。请更新本节点以查看原因。"


@pytest.mark.parametrize("role", Role)
def test_type_of_a_refusal_then_its_name_says_its_code_and_is_no_event(role: Role) -> None:
    built = build_schema(sdl(role), assume_valid=True)
    interface = assert_interface_type(built.type_map["Refusal"])
    types = built.get_implementations(interface).objects
    named = {one.name for one in types} - {NewerRefusal.__name__}
    codes = {name: re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Refusal")).upper() for name in named}
    assert {*codes.values()} <= REFUSALS.keys()
    assert len(codes) == len({*codes.values()}) > 50
    assert not named & EVENTS.keys()

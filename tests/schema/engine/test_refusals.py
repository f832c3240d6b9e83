"""Refusals: one type for each code, and each mutation declares exactly those that its commands can raise."""

import pytest

from infra.messages import word
from plants.rules.identification.refusals import BATCH_CODE_INVALID
from plants.rules.values.refusals import Refusal, RefusalCode
from plants.store.refusals import declared_refusals
from schema.engine.operations import Operation, OperationKind, operations
from schema.engine.refusals import COMMON, REFUSALS, query_error, refused
from tests.schema.engine.call_graph import Orders, codes_of

MUTATIONS = [one for one in operations() if one.kind is OperationKind.MUTATION]


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

    declared = set(mutation.refusals)

    assert mutation.access.commands
    assert sorted(raised - declared) == [], "a caller would get a masked error"
    assert sorted(declared - raised - COMMON) == [], "cannot happen"


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

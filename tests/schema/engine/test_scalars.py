"""Scalars of open sets: every declared name is well-formed, unknown names are accepted and malformed texts refused."""

from collections.abc import Callable

import pytest
from graphql import GraphQLError

from plants.rules.values.refusals import RefusalCode
from plants.store.monitoring import alarms
from plants.store.projection.registry import EVENTS
from plants.store.refusals import declared_refusals
from schema.engine.scalars import (
    NAME_LENGTH_MAX,
    SCALARS,
    AlarmKind,
    EventType,
    Rational,
    rational_text,
    read_decimal,
    read_rational,
)
from tests.factories import Plant
from tests.schema.asking import MANAGER, Served

LEDGER = "query($type: String) { ledger(filter: { type: { eq: $type } }) { edges { node { type } } } }"
LONG = "A" * (NAME_LENGTH_MAX + 1)


def parse(scalar: object, value: object) -> object:
    read = SCALARS[scalar].parse_value
    assert read is not None
    return read(value)


def test_declared_name_then_it_is_accepted() -> None:
    sets = {EventType: set(EVENTS), AlarmKind: {*alarms.AlarmKind}, RefusalCode: set(declared_refusals())}
    for scalar, names in sets.items():
        assert names
        assert {parse(scalar, name) for name in names} == names


def test_name_of_a_newer_program_then_it_is_accepted() -> None:
    assert parse(EventType, "GoodsWeighed2") == "GoodsWeighed2"
    assert parse(AlarmKind, "SCALE_2_MISSING") == "SCALE_2_MISSING"
    assert parse(RefusalCode, "WEIGHT_UNKNOWN") == "WEIGHT_UNKNOWN"


@pytest.mark.parametrize(
    "text", ["", "batchReceived", "Batch Received", "Batch_Received", "Bätch", "B\n", LONG, 7, None]
)
def test_malformed_event_type_then_refused_with_the_rule(text: object) -> None:
    with pytest.raises(GraphQLError, match="EventType cannot be"):
        parse(EventType, text)


@pytest.mark.parametrize("text", ["", "Hub", "HUB_", "_HUB", "HUB__LOST", "HUB LOST", "1HUB", LONG, True])
def test_malformed_code_then_refused_with_the_rule(text: object) -> None:
    with pytest.raises(GraphQLError, match="AlarmKind cannot be"):
        parse(AlarmKind, text)
    with pytest.raises(GraphQLError, match="RefusalCode cannot be"):
        parse(RefusalCode, text)


@pytest.mark.parametrize(
    "given, shown",
    [
        ("1.03", "1.03"), ("103/100", "1.03"), ("25", "25"), ("1000", "1000"), ("1/3", "1/3"), ("2/6", "1/3"),
        ("0.000001", "0.000001"), ("1/1024", "0.0009765625"), ("-1/8", "-0.125"), ("0.50", "0.5"), ("0", "0"),
        (f"1/{2**70}", f"1/{2**70}"),
    ],
)  # fmt: skip
def test_rational_then_shown_as_its_exact_decimal_where_there_is_one(given: str, shown: str) -> None:
    assert rational_text(given) == shown
    assert rational_text(parse(Rational, shown)) == shown, "what is shown can be given back"


async def test_ledger_filtered_by_type_then_unknown_types_find_nothing(here: Plant, node: Served) -> None:
    here.receive()

    async def found(wanted: str) -> list[str]:
        data = await node.ask(MANAGER, LEDGER, type=wanted)
        return [edge["node"]["type"] for edge in data["ledger"]["edges"]]

    assert await found("BatchReceived") == ["BatchReceived"]
    assert await found("GoodsWeighed") == []
    assert await found("batch received") == []


@pytest.mark.parametrize("read", [read_decimal, read_rational])
@pytest.mark.parametrize("number", [10**18, -(10**18), 10**5000], ids=["1e18", "-1e18", "1e5000"])
def test_whole_number_that_clients_may_round_then_a_string_is_asked_for(
    read: Callable[[object], str], number: int
) -> None:
    assert read(10**18 - 1) == "9" * 18
    with pytest.raises(GraphQLError, match="write it as a string"):
        read(number)

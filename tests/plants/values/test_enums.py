"""Described enums: the description travels with the member and changes nothing else about it."""

import copy
import json
import pickle
from enum import StrEnum
from types import new_class

import pytest

from plants.rules.ledger.events import canonical
from plants.rules.ledger.request_forms import canonical_form
from plants.rules.values.enums import DescribedEnum


class Plain(StrEnum):
    """An enum without descriptions, to compare with."""

    OPEN = "open"


class Described(DescribedEnum):
    """The same enum with descriptions."""

    OPEN = "open", "May still be fed."
    CLOSED = "closed", "Takes nothing any more."


def test_member_then_it_has_its_description() -> None:
    assert [one.description for one in Described] == ["May still be fed.", "Takes nothing any more."]


def test_member_then_value_text_hash_and_json_are_those_of_a_plain_enum() -> None:
    for one in (Plain.OPEN, Described.OPEN):
        assert one == "open"
        assert (one.name, one.value, type(one.value), str(one), f"{one:>6}") == ("OPEN", "open", str, "open", "  open")
        assert {one.value: 1}[one] == 1
        assert hash(one) == hash("open")
        assert json.dumps({one: one}) == '{"open": "open"}'
        assert canonical([one]) == b'["open"]'
        assert canonical_form(one) == b'"open"'


def test_value_then_it_finds_the_member() -> None:
    assert Described("open") is Described.OPEN
    assert Described["OPEN"] is Described.OPEN
    with pytest.raises(ValueError, match="'shut' is not a valid Described"):
        Described("shut")


def test_member_pickled_or_copied_then_it_is_the_same_member() -> None:
    assert pickle.loads(pickle.dumps(Described.OPEN)) is Described.OPEN  # noqa: S301 -- bytes of our own.
    assert copy.deepcopy(Described.OPEN) is Described.OPEN


def test_member_without_a_description_then_the_class_is_refused() -> None:
    def bare(body: dict[str, object]) -> None:
        body["OPEN"] = "open"

    with pytest.raises(TypeError, match=r"Bare\.open has no description"):
        new_class("Bare", (DescribedEnum,), {}, bare)

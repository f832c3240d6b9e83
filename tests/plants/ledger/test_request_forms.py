"""The canonical form of orders: one form for equal orders, another for any other, and none for undeclared classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.request_forms import canonical_form, check_declared, json_form, stable_name

AT = datetime(2026, 3, 14, 8, tzinfo=UTC)
BEYOND_BASIC = "\U0001f95b"  # sorts before "\ufb33" by UTF-16 units and after it by code points


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@stable_name("Part")
@dataclass(frozen=True, slots=True)
class Part:
    name: str
    count: int = 1


@stable_name("Crate")
@dataclass(frozen=True, slots=True)
class Crate:
    content: "Part | Crate"


@stable_name("Sample", taken="taken_at")
@dataclass(frozen=True, slots=True)
class Sample:
    """A field of every kind that an order may have."""

    text: str
    number: int = 0
    urgent: bool = False
    colour: Colour = Colour.RED
    shape: Literal["ROUND", "FLAT"] = "ROUND"
    amount: Decimal = Decimal("1.50")
    factor: Fraction = Fraction(1, 3)
    due: date | None = None
    taken: datetime | None = None
    id: UUID | None = None
    inside: Part | Crate | None = None
    parts: tuple[Part, ...] = ()
    limits: list[int] = field(default_factory=list)
    marks: frozenset[str] = frozenset()
    notes: Mapping[str, str] = field(default_factory=dict)


def test_given_a_value_then_its_form_is_the_declared_one() -> None:
    assert json_form(Sample("x")) == {"Sample": {"text": "x"}}
    full = Sample(
        "生乳",
        1 << 60,
        urgent=True,
        colour=Colour.BLUE,
        shape="FLAT",
        amount=Decimal("-1.0E+3"),
        factor=Fraction(-2, 4),
        due=date(2026, 4, 30),
        taken=datetime(2026, 3, 14, 16, tzinfo=timezone(timedelta(hours=8))),
        id=UUID(int=7),
        inside=Crate(Part("a", 2)),
        parts=(Part("b"),),
        limits=[2, 1],
        marks=frozenset({"z", "y"}),
        notes={"z": "1", "y": "2"},
    )
    assert json_form(full) == {
        "Sample": {
            "text": "生乳",
            "number": "1152921504606846976",
            "urgent": True,
            "colour": "blue",
            "shape": "FLAT",
            "amount": "-1E3",
            "factor": "-1/2",
            "due": "2026-04-30",
            "taken_at": "2026-03-14T08:00:00.000000Z",
            "id": "00000000-0000-0000-0000-000000000007",
            "inside": {"Crate": {"content": {"Part": {"name": "a", "count": "2"}}}},
            "parts": [{"Part": {"name": "b"}}],
            "limits": ["2", "1"],
            "marks": ["y", "z"],
            "notes": [["y", "2"], ["z", "1"]],
        }
    }


@pytest.mark.parametrize(
    "text,form",
    [("0", "0"), ("-0.00", "0"), ("0E+9", "0"), ("1.50", "15E-1"), ("150", "15E1"), ("1E+999999", "1E999999")],
)
def test_given_a_decimal_then_written_exactly_whatever_its_zeros(text: str, form: str) -> None:
    assert json_form(Decimal(text)) == form


def test_given_names_beyond_the_basic_plane_then_bytes_are_still_rfc_8785() -> None:
    notes = {BEYOND_BASIC: "milk", "\ufb33": "letter", "a\u0000\u2028": '"\\/'}
    assert canonical_form(notes) == rfc8785.dumps(json_form(notes))


def test_given_a_lone_surrogate_then_it_has_a_form_of_its_own() -> None:
    assert len({canonical_form(text) for text in ("\ud800", "\ud801", "?", "\ufffd", "\\ud800")}) == 5
    assert len({canonical_form({text: "x"}) for text in ("\ud800", "\ud801")}) == 2


@dataclass(frozen=True)
class Undeclared:
    name: str = "x"


class Derived(Part):
    """A subclass is another class: it declares a name of its own or none."""


@pytest.mark.parametrize(
    "value",
    [
        1.5, b"x", object(), Undeclared(), Derived("x"), timedelta(1), AT.time(), AT.replace(tzinfo=None),
        Decimal("NaN"), Decimal("Infinity"), (1.5,), {"x": b"x"}, {1.5: "x"}, Crate(Undeclared()),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_given_anything_else_then_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_form(value)


@stable_name("Holder")
@dataclass(frozen=True)
class Holder:
    one: tuple[Undeclared, ...] = ()


@stable_name("Part")
@dataclass(frozen=True)
class OtherPart:
    name: str


@pytest.mark.parametrize(
    "kind",
    [
        Undeclared, Derived, Holder, list[Holder], float, bytes, Any, object, timedelta, int | float, tuple,
        str | date, date | datetime, int | str, Part | OtherPart, tuple[str, ...] | list[str], Colour | str,
        Mapping[str, str] | tuple[str, ...], dict[str, float], Literal[b"x"], dict[Undeclared, str],
    ],
)  # fmt: skip
def test_given_a_type_without_a_form_of_its_own_then_type_error(kind: Any) -> None:
    with pytest.raises(TypeError):
        check_declared(kind)


@pytest.mark.parametrize("kind", [Sample, Sample | Part | None, bool | int, tuple[int, Part], set[Colour], Literal[1]])
def test_given_declared_types_then_accepted(kind: Any) -> None:
    check_declared(kind)


def test_given_a_wrong_declaration_then_type_error() -> None:
    with pytest.raises(TypeError, match="no dataclass"):
        stable_name("Colour")(Colour)
    for name, renamed in {"Teil 部件": {}, "two words": {}, "P": {"nome": "name"}, "Q": {"count": "name"}}.items():
        with pytest.raises(TypeError):
            stable_name(name, **renamed)(Part)
    assert json_form(Part("x")) == {"Part": {"name": "x"}}, "the first declaration stays"


TEXT = st.text(st.sampled_from("ab0'\"\\\n酸🥛\ufb33"), max_size=3)
INSTANTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]), min_value=datetime(1900, 1, 1))  # noqa: DTZ001 -- the strategy adds the zone.
PARTS = st.builds(Part, TEXT, st.integers(0, 3))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "number": st.integers(),
    "urgent": st.booleans(),
    "colour": st.sampled_from(Colour),
    "shape": st.sampled_from(["ROUND", "FLAT"]),
    "amount": st.decimals(allow_nan=False, allow_infinity=False),
    "factor": st.fractions(),
    "due": st.none() | st.dates(),
    "taken": st.none() | INSTANTS,
    "id": st.none() | st.uuids(),
    "inside": st.none() | st.recursive(PARTS, lambda inner: st.builds(Crate, inner), max_leaves=3),
    "parts": st.lists(PARTS, max_size=3).map(tuple),
    "limits": st.lists(st.integers(0, 3), max_size=3),
    "marks": st.frozensets(TEXT, max_size=3),
    "notes": st.dictionaries(TEXT, TEXT, max_size=3),
}
SAMPLES = st.builds(Sample, **FIELDS)


@given(SAMPLES, SAMPLES)
def test_given_two_orders_then_equal_forms_exactly_when_equal(one: Sample, other: Sample) -> None:
    assert (canonical_form(one) == canonical_form(other)) == (one == other)
    same = replace(
        one,
        notes=dict(reversed([*one.notes.items()])),
        amount=Decimal(f"{one.amount:f}0" if "." in f"{one.amount:f}" else f"{one.amount:f}.0"),
        taken=one.taken and one.taken.astimezone(timezone(timedelta(hours=-3))),
    )
    assert same == one
    assert canonical_form(same) == canonical_form(one) == rfc8785.dumps(json_form(one))


@given(SAMPLES, st.data())
def test_given_one_field_that_differs_then_another_form(one: Sample, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FIELDS)))
    other = replace(one, **{name: data.draw(FIELDS[name])})
    assert (canonical_form(other) == canonical_form(one)) == (getattr(other, name) == getattr(one, name))

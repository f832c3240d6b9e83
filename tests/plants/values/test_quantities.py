"""Quantities: exact in, exact out, and every unfit amount refused by name."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.values.quantities import (
    AMOUNT_MAX,
    MICRO,
    UNITS,
    Quantity,
    convert,
    format_micro,
    parse_micro,
    read_amount,
)
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
    Refusal,
    RefusalCode,
)


@given(st.integers(-(10**18), 10**18))
def test_millionths_are_written_and_read_back(micro: int) -> None:
    text = format_micro(micro)

    assert parse_micro(text) == micro
    assert Decimal(text) * MICRO == micro
    assert not text.endswith(".")


@pytest.mark.parametrize(
    "amount,micro",
    [("1", 1_000_000), ("12.5", 12_500_000), ("0.000001", 1), ("1.50000000", 1_500_000), (" 3 ", 3_000_000)],
)
def test_plain_decimals_are_read(amount: str, micro: int) -> None:
    assert read_amount(amount) == micro
    assert read_amount(Decimal(amount.strip())) == micro


@pytest.mark.parametrize(
    "amount,code",
    [
        ("", AMOUNT_NOT_A_NUMBER),
        ("abc", AMOUNT_NOT_A_NUMBER),
        ("1,5", AMOUNT_NOT_A_NUMBER),
        ("1e3", AMOUNT_NOT_A_NUMBER),
        ("NaN", AMOUNT_NOT_A_NUMBER),
        ("Infinity", AMOUNT_NOT_A_NUMBER),
        ("１２", AMOUNT_NOT_A_NUMBER),
        ("1\x00", AMOUNT_NOT_A_NUMBER),
        ("9" * 400, AMOUNT_TOO_LARGE),
        ("1" + "0" * 30, AMOUNT_TOO_LARGE),
        ("1" + "0" * 30 + "x", AMOUNT_NOT_A_NUMBER),
        (Decimal("NaN"), AMOUNT_NOT_A_NUMBER),
        ("0", AMOUNT_NOT_POSITIVE),
        ("-1", AMOUNT_NOT_POSITIVE),
        ("-0.5", AMOUNT_NOT_POSITIVE),
        ("0.0000001", AMOUNT_TOO_PRECISE),
        ("1000000000001", AMOUNT_TOO_LARGE),
        (Decimal("1e400"), AMOUNT_NOT_A_NUMBER),
        (Decimal("1e999999999"), AMOUNT_NOT_A_NUMBER),
        (Decimal("1e-999999999"), AMOUNT_NOT_A_NUMBER),
    ],
)
def test_unfit_amounts_are_refused_by_name(amount: str | Decimal, code: RefusalCode) -> None:
    with pytest.raises(Refusal) as refused:
        read_amount(amount)
    assert refused.value.code is code


@pytest.mark.parametrize(
    "amount,unit,target,expected",
    [
        ("1", "TNE", "KGM", "1000"),
        ("1", "LBR", "KGM", "0.453592"),
        ("3", "DZN", "C62", "36"),
        ("1", "GLL", "LTR", "3.785412"),
        ("2.5", "KGM", "KGM", "2.5"),
    ],
)
def test_units_convert_by_their_exact_sizes(amount: str, unit: str, target: str, expected: str) -> None:
    given_amount = Quantity(read_amount(amount), unit)

    assert convert(given_amount, target, units=UNITS, factors={}) == Quantity(read_amount(expected), target)


def test_a_conversion_of_the_material_goes_first() -> None:
    bags = Quantity(read_amount("4"), "BG")

    assert convert(bags, "KGM", units=UNITS, factors={"BG": Fraction("12.5")}).amount == "50"


@pytest.mark.parametrize(
    "unit,target,code",
    [
        ("LTR", "KGM", UNIT_NOT_CONVERTIBLE),
        ("XYZ", "KGM", UNIT_UNKNOWN),
        ("KGM", "XYZ", UNIT_UNKNOWN),
    ],
)
def test_what_does_not_convert_is_refused_by_name(unit: str, target: str, code: RefusalCode) -> None:
    with pytest.raises(Refusal) as refused:
        convert(Quantity(MICRO, unit), target, units=UNITS, factors={})
    assert refused.value.code is code


def test_a_conversion_to_nothing_or_beyond_the_limit_is_refused() -> None:
    with pytest.raises(Refusal) as small:
        convert(Quantity(1, "MGM"), "TNE", units=UNITS, factors={})
    with pytest.raises(Refusal) as large:
        convert(Quantity(AMOUNT_MAX * MICRO, "TNE"), "MGM", units=UNITS, factors={})
    assert (small.value.code, large.value.code) == (AMOUNT_TOO_PRECISE, AMOUNT_TOO_LARGE)

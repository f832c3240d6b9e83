"""Exact quantities: decimal amounts kept as whole millionths, in UN/ECE Recommendation 20 units."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    FORM_DECIMAL,
    KNOWN_UNITS,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
    Refusal,
    within,
)

DECIMALS = 6
MICRO = 1_000_000  # 10**DECIMALS
AMOUNT_MAX = 10**12  # in units; with six decimals a sum of nine such amounts still fits 64 bits.

DIGITS_MAX = 30  # before or after the decimal point of what is read
AMOUNT_PATTERN = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
LARGE_PATTERN = re.compile(r"0*[1-9]\d{30,}(\.\d+)?", re.ASCII)
SHOWN_MAX = 40  # characters of an amount in a refusal
ZERO_PATTERN = re.compile(r"0{1,30}(\.0{1,30})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure: its UN/ECE Rec 20 code, what it measures, and its size in that dimension's base unit."""

    code: str
    dimension: str
    factor: Fraction


def _units(dimension: str, **factors: str) -> dict[str, Unit]:
    return {code: Unit(code, dimension, Fraction(factor)) for code, factor in factors.items()}


# Sizes are exact by definition: the international pound, ounce, inch, foot and US gallon (NIST SP 811, appendix B).
UNITS: Mapping[str, Unit] = {
    **_units("mass", KGM="1", GRM="1/1000", MGM="1/1000000", TNE="1000", LBR="0.45359237", ONZ="0.028349523125"),
    **_units("volume", LTR="1", MLT="1/1000", CLT="1/100", DLT="1/10", HLT="100", MTQ="1000", GLL="3.785411784"),
    **_units("length", MTR="1", CMT="1/100", MMT="1/1000", KMT="1000", INH="0.0254", FOT="0.3048"),
    **_units("area", MTK="1", CMK="1/10000"),
    **_units("count", C62="1", H87="1", EA="1", DZN="12"),
}


BASE_UNITS: Mapping[str, str] = {unit.dimension: unit.code for unit in reversed([*UNITS.values()]) if unit.factor == 1}
"""The base unit of each dimension: of several that are as large, the first."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount of something in a unit; `micro` counts millionths of the unit."""

    micro: int
    unit: str

    @property
    def amount(self) -> str:
        """The amount as a plain decimal string, as in ledger entries."""
        return format_micro(self.micro)


def exact_size(unit: str, target: str) -> Fraction | None:
    """Return how many target units a unit is, or None unless both are built in and measure the same."""
    source, goal = UNITS.get(unit), UNITS.get(target)
    if source is None or goal is None or source.dimension != goal.dimension:
        return None
    return source.factor / goal.factor


def format_micro(micro: int) -> str:
    """Return millionths as the shortest plain decimal string: 1500000 is "1.5"."""
    sign = "-" if micro < 0 else ""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{sign}{whole}.{rest:06d}".rstrip("0") if rest else f"{sign}{whole}"


def parse_micro(amount: str) -> int:
    """Return a ledger entry's decimal string as millionths; the string is one that `format_micro` wrote."""
    whole, _, rest = amount.partition(".")
    micro = int(whole) * MICRO
    if rest:
        part = int(rest.ljust(DECIMALS, "0"))
        micro = micro - part if whole.startswith("-") else micro + part
    return micro


def read_amount(amount: str | Decimal) -> int:
    """Return an amount of a user or a document as millionths, above zero.

    Raises Refusal when it is no plain decimal, has more than six decimals, is zero, negative or above AMOUNT_MAX.
    """
    if isinstance(amount, Decimal) and amount.is_finite() and abs(amount.adjusted()) <= DIGITS_MAX:
        amount = format(amount, "f")  # only now: written out, 1e999999999 would fill the memory.
    text = str(amount).strip()
    if LARGE_PATTERN.fullmatch(text):
        raise Refusal(AMOUNT_TOO_LARGE, amount=text[:SHOWN_MAX] + "…", limit=AMOUNT_MAX)
    if not AMOUNT_PATTERN.fullmatch(text):
        raise Refusal(AMOUNT_NOT_A_NUMBER, amount=text[:40], form=FORM_DECIMAL)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text.partition(".")[2]) > DECIMALS:
        raise Refusal(AMOUNT_TOO_PRECISE, amount=text, decimals=DECIMALS)
    micro = parse_micro(text)
    if micro <= 0:
        raise Refusal(AMOUNT_NOT_POSITIVE, amount=text)
    if micro > AMOUNT_MAX * MICRO:
        raise Refusal(AMOUNT_TOO_LARGE, amount=text, limit=AMOUNT_MAX)
    return micro


def read_count(amount: str | Decimal) -> int:
    """Return a counted amount as millionths, zero or more; raises Refusal as `read_amount` does."""
    return 0 if is_zero(amount) else read_amount(amount)


def is_zero(amount: str | Decimal) -> bool:
    """Return True for a notation of zero."""
    return ZERO_PATTERN.fullmatch(str(amount).strip()) is not None


def convert(quantity: Quantity, target: str, *, units: Mapping[str, Unit], factors: Mapping[str, Fraction]) -> Quantity:
    """Return the quantity in the target unit, rounded half to even at a millionth of it.

    `factors` gives, for one material, how many target units one unit of another code is; it goes before the
    general sizes. Raises Refusal when a unit is unknown, no conversion exists, or the result rounds to nothing. The
    path of the refusal is `unit` or `amount`.
    """
    if quantity.unit == target:
        return quantity
    with within("unit"):
        factor = unit_factor(quantity.unit, target, units=units, factors=factors)
    micro = round(quantity.micro * factor)
    with within("amount"):
        if micro == 0:
            raise Refusal(AMOUNT_TOO_PRECISE, amount=quantity.amount, decimals=DECIMALS)
        if micro > AMOUNT_MAX * MICRO:
            raise Refusal(AMOUNT_TOO_LARGE, amount=format_micro(micro), limit=AMOUNT_MAX)
    return Quantity(micro, target)


def check_unit(unit: str, units: Mapping[str, Unit]) -> None:
    """Raise Refusal UNIT_UNKNOWN for a unit that is none of these."""
    if unit not in units:
        raise Refusal(UNIT_UNKNOWN, unit=unit[:20], known=KNOWN_UNITS)


def unit_factor(unit: str, target: str, *, units: Mapping[str, Unit], factors: Mapping[str, Fraction]) -> Fraction:
    """Return how many target units one unit is, or raise Refusal. `factors` goes before the general sizes."""
    if unit in factors:
        return factors[unit]
    check_unit(unit, units)
    check_unit(target, units)
    source, goal = units[unit], units[target]
    if source.dimension != goal.dimension:
        raise Refusal(UNIT_NOT_CONVERTIBLE, unit=source.code, target=goal.code)
    return source.factor / goal.factor

"""Exact amounts: numbers, units with kind and step, conversions, and the factors frozen in each batch (rule 9).

Choices where domain.md is silent:
- A number is ASCII digits with an optional minus, and optionally a point between digits. All else is no number.
- Zeros at the end of the decimals do not count as decimals.
- A converted amount is rounded to millionths, a half away from zero. One that rounds to nothing is not positive.
- A unit of the same kind converts by its definition. A conversion of the material serves its unit and all of that kind.
- H87, C62 and EA are whole. Packages (BG, BX, ...) are units of their own kind, not whole: half a bag is fed every day.
- A fraction of a whole unit is refused as AMOUNT_TOO_PRECISE, unless it is exactly everything there is.
- A conversion added later to a material also serves batches made before. One that was redefined does not.
- The lines of "one millionth a line" are those by which the goods came to the location. A merge counts its sources.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from simulation.reference_model.calls import Call
from simulation.reference_model.rows import Batch, Factors, Material, Stock, Tables, Unit
from simulation.reference_model.verdicts import RefusalFound

MILLION: Final = 10**6
DECIMALS_MAX: Final = 6
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
RATIONAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?|-?[0-9]+/[0-9]*[1-9][0-9]*")
NOTHING: Final = Stock()

BUILT_IN: Final = {
    code: Unit(code, kind, Fraction(factor), kind in ("H87", "C62", "EA"))
    for code, kind, factor in (
        ("KGM", "mass", "1"), ("GRM", "mass", "1/1000"), ("MGM", "mass", "1/1000000"), ("TNE", "mass", "1000"),
        ("LBR", "mass", "0.45359237"), ("ONZ", "mass", "0.028349523125"),
        ("LTR", "volume", "1"), ("MLT", "volume", "1/1000"), ("HLT", "volume", "100"), ("MTQ", "volume", "1000"),
        ("MTR", "length", "1"), ("CMT", "length", "1/100"), ("MMT", "length", "1/1000"), ("MTK", "area", "1"),
        *((code, code, "1") for code in ("H87", "C62", "EA", "BG", "BX", "CT", "CS", "PK", "PF", "PX")),
    )
}  # fmt: skip


def unit_of(tables: Tables, code: object, *path: str) -> Unit:
    """Return a built-in unit, or one that the plant defined."""
    found = BUILT_IN.get(str(code)) or tables.units.get(str(code))
    if found is None:
        raise RefusalFound("UNIT_UNKNOWN", *path)
    return found


def read_rational(value: object, *path: str) -> Fraction:
    """Return a factor: a positive decimal number or fraction."""
    if not RATIONAL.fullmatch(str(value)):
        raise RefusalFound("AMOUNT_NOT_A_NUMBER", *path)
    factor = Fraction(str(value))
    if factor <= 0:
        raise RefusalFound("AMOUNT_NOT_POSITIVE", *path)
    return factor


def read_number(call: Call, value: object, *path: str, zero: bool = False) -> Fraction:
    """Return the number of a quantity, within the limits of amounts."""
    text = str(value)
    if not NUMBER.fullmatch(text):
        raise RefusalFound("AMOUNT_NOT_A_NUMBER", *path)
    number = Fraction(text)
    if number < 0 or (number == 0 and not zero):
        raise RefusalFound("AMOUNT_NOT_POSITIVE", *path)
    if len(text.partition(".")[2].rstrip("0")) > DECIMALS_MAX:
        raise RefusalFound("AMOUNT_TOO_PRECISE", *path)
    if number > call.settings.amount_max:
        raise RefusalFound("AMOUNT_TOO_LARGE", *path)
    return number


def to_millionths(amount: Fraction) -> int:
    """Round a positive amount to millionths; a half rounds up."""
    return int(amount * MILLION + Fraction(1, 2))


def current_factors(tables: Tables, material: Material) -> Factors:
    """Return the size of each convertible unit in the material's unit, as defined now."""
    own = unit_of(tables, material.unit)
    known = {**BUILT_IN, **tables.units}
    found = {code: unit.factor / own.factor for code, unit in known.items() if unit.kind == own.kind}
    for code, size in material.conversions:
        bridge = known[code]
        for other in known.values():
            if other.kind == bridge.kind:
                found.setdefault(other.code, other.factor / bridge.factor * size)
    found |= {code: size for code, size in material.conversions if known[code].kind != own.kind}
    return tuple(sorted(found.items()))


def factor(call: Call, batch: Batch, unit: str, *path: str) -> Fraction:
    """Return the size of a unit in the batch's own: as frozen, else as defined now."""
    unit_of(call.tables, unit, *path)
    frozen = dict(batch.factors)
    material = call.tables.materials.get(batch.material)
    now = dict(current_factors(call.tables, material)) if material and material.unit == batch.unit else {}
    for known in (frozen, now) if call.settings.factors_frozen else (now,):
        if unit in known:
            return known[unit]
    if unit == batch.unit:
        return Fraction(1)
    raise RefusalFound("UNIT_NOT_CONVERTIBLE", *path)


def read_quantity(
    call: Call, batch: Batch, quantity: Mapping[str, Any], *path: str, there: Stock = NOTHING, zero: bool = False
) -> int:
    """Return a quantity in millionths of the batch's unit.

    `there` is the stock that it is taken from or compared with: a converted amount within one millionth a line of it
    is all of it, and a fraction of a whole unit may be all of it. Without stock, the amount is a new one.
    """
    number = read_number(call, quantity["amount"], *path, "amount", zero=zero)
    unit = str(quantity["unit"])
    exact = number * factor(call, batch, unit, *path, "unit")
    amount = to_millionths(exact)
    if amount == 0 and number > 0:
        raise RefusalFound("AMOUNT_NOT_POSITIVE", *path, "amount")
    if amount > call.settings.amount_max * MILLION:
        raise RefusalFound("AMOUNT_TOO_LARGE", *path, "amount")
    if unit != batch.unit and there.amount and abs(amount - there.amount) <= there.lines:
        return there.amount
    if amount == there.amount:
        return amount
    fraction_of_whole = unit_of(call.tables, unit).whole and number.denominator != 1
    own_fraction = unit_of(call.tables, batch.unit).whole and amount % MILLION
    if fraction_of_whole or own_fraction:
        raise RefusalFound("AMOUNT_TOO_PRECISE", *path, "amount")
    return amount


def in_base(tables: Tables, batch: Batch, amount: int, kind: str) -> Fraction | None:
    """Return an amount of a batch in the base unit of a kind (kg for mass), or None without a conversion."""
    known = {**tables.units, **BUILT_IN}
    for code, size in batch.factors:
        if code in known and known[code].kind == kind:
            return Fraction(amount, MILLION) / size * known[code].factor
    return None

"""Single values of an EPCIS document: instants, dates, amounts, and any JSON value as text."""

import json
import re
from datetime import date, datetime
from decimal import Decimal

from plants.rules.values.quantities import AMOUNT_MAX, DECIMALS

INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
YEAR_MIN = 1900
QUANTITY_DIGITS_MAX = 40


def read_instant(value: object) -> datetime | None:
    """Return an xsd:dateTimeStamp as an aware instant, cut to the microsecond, or None when it is none."""
    match = INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    moment, fraction, offset = match.groups()
    try:
        instant = datetime.fromisoformat(f"{moment}{(fraction or '.0')[:7].ljust(7, '0')}{offset}")
    except ValueError:
        return None
    return instant if instant.year >= YEAR_MIN else None


def plain_text(value: object) -> str:
    """Return any JSON value as text: strings as they are, numbers as written, the rest as compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def is_date(value: object) -> bool:
    """Tell whether a JSON value is a date or an instant, also in JSON-LD's long form."""
    text = value.get("@value") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return read_instant(text) is not None
    return True


def read_json_amount(value: object) -> Decimal | None:
    """Return a JSON number as an exact amount within our limits; its size is looked at before its digits."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    amount = Decimal(value)
    if amount <= 0 or amount.adjusted() > QUANTITY_DIGITS_MAX or amount > AMOUNT_MAX:
        return None
    if amount.adjusted() < -DECIMALS or len(amount.as_tuple().digits) > QUANTITY_DIGITS_MAX:
        return None
    decimals = format(amount, "f").partition(".")[2].rstrip("0")
    return amount if len(decimals) <= DECIMALS else None

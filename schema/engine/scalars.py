"""The scalars of the contract: instants, days, exact amounts, codes and request ids, each read strictly."""

import re
from datetime import date, datetime
from typing import Any, Final, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from plants.rules.identification.codes import BATCH_CODE_LENGTH_MAX, GS1_SET_82, PLANT_CODE_PATTERN
from plants.rules.identification.refusals import BATCH_CODE_INVALID, CODE_INVALID
from plants.rules.values.instants import format_instant
from plants.rules.values.refusals import Refusal

BatchCode = NewType("BatchCode", str)
PlantCode = NewType("PlantCode", str)
ExactDecimal = NewType("ExactDecimal", str)
RequestId = NewType("RequestId", str)

DECIMAL_LENGTH_MAX: Final = 64
SHOWN_MAX: Final = 60  # characters of what was sent that an error repeats

INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339, section 5.6
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
REQUEST: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def _wrong(kind: str, value: object, rule: str) -> GraphQLError:
    """Return the error for a value of the wrong form; it repeats no more than the beginning of what was sent."""
    return GraphQLError(f"{kind} cannot be {str(value)[:SHOWN_MAX]!r}: {rule}")


def _text(kind: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(kind, value, "write it as a string.")
    return value


def read_instant(value: object) -> datetime:
    """Return the instant that an RFC 3339 text with an offset names."""
    text = _text("DateTime", value)
    rule = "use RFC 3339 with an offset, like 2026-03-14T08:00:00Z."
    if not INSTANT.fullmatch(text):
        raise _wrong("DateTime", text, rule)
    try:
        at = datetime.fromisoformat(text.upper())
        format_instant(at)
    except (ValueError, OverflowError) as error:
        raise _wrong("DateTime", text, rule) from error
    return at


def read_day(value: object) -> date:
    """Return the day that an ISO 8601 text names."""
    text = _text("Date", value)
    rule = "use ISO 8601, like 2026-03-14."
    if not DAY.fullmatch(text):
        raise _wrong("Date", text, rule)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _wrong("Date", text, rule) from error


def read_decimal(value: object) -> str:
    """Return an amount as the text that was sent; numbers of JSON are refused because they may have been rounded."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if -(10**18) < value < 10**18 else "a number of more than 18 digits"
    text = _text("Decimal", value)
    if len(text) > DECIMAL_LENGTH_MAX:
        raise _wrong("Decimal", text, f"at most {DECIMAL_LENGTH_MAX} characters.")
    return text


def read_batch_code(value: object) -> str:
    """Return a text that has the form of a batch code; whether one exists is another question."""
    text = _text("BatchCode", value)
    why = ""
    if not 1 <= len(text) <= BATCH_CODE_LENGTH_MAX:
        why = f"1-{BATCH_CODE_LENGTH_MAX}"
    elif not GS1_SET_82.issuperset(text):
        why = "GS1 character set 82"
    if why:
        raise Refusal(BATCH_CODE_INVALID, code=text[:SHOWN_MAX], why=why)
    return text


def read_plant_code(value: object) -> str:
    """Return a text that has the form of a plant code."""
    text = _text("PlantCode", value)
    if not PLANT_CODE_PATTERN.fullmatch(text):
        raise Refusal(CODE_INVALID, code=text[:SHOWN_MAX], thing="plant", rule="2-4 x A-Z 0-9")
    return text


def read_request(value: object) -> str:
    """Return a UUID in its canonical form."""
    text = _text("UUID", value)
    if not REQUEST.fullmatch(text):
        raise _wrong("UUID", text, "write it in the canonical form of RFC 9562.")
    return text.lower()


def _scalar(name: str, description: str, read: Any, write: Any = str, url: str | None = None) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, parse_value=read, serialize=write, specified_by_url=url
    )


SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: _scalar(
        "DateTime",
        "An instant: RFC 3339 with an offset when sent, always in UTC with six decimals when answered.",
        read_instant,
        format_instant,
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    date: _scalar("Date", "A calendar day of the plant, as ISO 8601 writes it: 2026-03-14.", read_day),
    ExactDecimal: _scalar(
        "Decimal", 'An exact decimal number as a string, like "12.5"; never a binary fraction.', read_decimal
    ),
    BatchCode: _scalar(
        "BatchCode",
        "The code on a batch's label: at most 20 characters of GS1 character set 82, beginning with its plant's code.",
        read_batch_code,
    ),
    PlantCode: _scalar("PlantCode", "The code of a plant: 2 to 4 of A-Z and 0-9.", read_plant_code),
    RequestId: _scalar(
        "UUID",
        "A UUID made by the client, in canonical form.",
        read_request,
        url="https://www.rfc-editor.org/rfc/rfc9562",
    ),
}

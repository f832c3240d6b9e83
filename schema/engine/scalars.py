"""Scalars: instants, days, exact amounts, codes, request ids and names of open sets, with strict parsing."""

import re
from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from infra.messages import Notice, message
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.refusals import RefusalCode
from schema.engine.error_codes import BAD_USER_INPUT
from schema.engine.errors import WordedError

BatchCode = NewType("BatchCode", str)
PlantCode = NewType("PlantCode", str)
ExactDecimal = NewType("ExactDecimal", str)
Rational = NewType("Rational", str)
Sha256 = NewType("Sha256", str)
RequestId = NewType("RequestId", str)
EventType = NewType("EventType", str)
AlarmKind = NewType("AlarmKind", str)
ConflictKind = NewType("ConflictKind", str)
PermissionName = NewType("PermissionName", str)
Representation = NewType("Representation", dict[str, Any])
Url = NewType("Url", str)
if TYPE_CHECKING:
    Code = str  # it is any text: a code that is malformed or unknown is refused where it is used
else:
    Code = NewType("Code", str)

DECIMAL_LENGTH_MAX: Final = 64
WHOLE_MAX: Final = 10**18  # for a JSON integer in place of a decimal
NAME_LENGTH_MAX: Final = 100
SHOWN_MAX: Final = 60  # characters of the value that an error quotes

VALUE_WRONG: Final = message("SCALAR_INVALID", "{scalar} cannot be {value}: {rule}")
RULE_DAY: Final = message("RULE_DAY", "use ISO 8601, like 2026-03-14.")
RULE_DECIMAL: Final = message("RULE_DECIMAL", "at most {most} characters.")
RULE_INSTANT: Final = message("RULE_INSTANT", "use RFC 3339 with an offset, like 2026-03-14T08:00:00Z.")
RULE_STRING: Final = message("RULE_STRING", "write it as a string.")
RULE_SHA256: Final = message("RULE_SHA256", "write 64 hexadecimal digits.")
RULE_EVENT_TYPE: Final = message("RULE_EVENT_TYPE", "use letters and digits, a capital first, like {example}.")
RULE_CONSTANT: Final = message("RULE_CONSTANT", "use capitals, digits and underscores, like {example}.")
RULE_PERMISSION: Final = message("RULE_PERMISSION", "use two words with a colon, like {example}.")
RULE_UUID: Final = message("RULE_UUID", "use the form 0190d6a1-0000-7000-8000-000000000001 of RFC 9562.")

INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339, section 5.6
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)
REQUEST: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
EVENT_TYPE: Final = re.compile(r"[A-Z][A-Za-z0-9]*", re.ASCII)
PERMISSION: Final = re.compile(r"[a-z]+:[a-z]+", re.ASCII)
CONSTANT: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", re.ASCII)


def _wrong(kind: str, value: object, rule: Notice) -> WordedError:
    """Return the error for a malformed value. It quotes only the beginning of the value."""
    return WordedError(BAD_USER_INPUT, VALUE_WRONG(scalar=kind, value=repr(str(value)[:SHOWN_MAX]), rule=rule))


def _text(kind: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(kind, value, RULE_STRING())
    return value


def read_instant(value: object) -> datetime:
    """Parse an RFC 3339 timestamp with an offset."""
    text = _text("DateTime", value)
    rule = RULE_INSTANT()
    if not INSTANT.fullmatch(text):
        raise _wrong("DateTime", text, rule)
    try:
        at = datetime.fromisoformat(text.upper())
        format_instant(at)
    except (ValueError, OverflowError) as error:
        raise _wrong("DateTime", text, rule) from error
    return at


def read_day(value: object) -> date:
    """Parse an ISO 8601 date."""
    text = _text("Date", value)
    rule = RULE_DAY()
    if not DAY.fullmatch(text):
        raise _wrong("Date", text, rule)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _wrong("Date", text, rule) from error


def _number_reader(kind: str) -> Callable[[object], str]:
    """Return a parser of exact numbers. It refuses JSON numbers that clients may have rounded."""

    def read(value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            if not -WHOLE_MAX < value < WHOLE_MAX:
                raise _wrong(kind, "…", RULE_STRING())  # Python does not write integers of thousands of digits.
            value = str(value)
        text = _text(kind, value)
        if len(text) > DECIMAL_LENGTH_MAX:
            raise _wrong(kind, text, RULE_DECIMAL(most=DECIMAL_LENGTH_MAX))
        return text

    return read


read_decimal: Final = _number_reader("Decimal")
read_rational: Final = _number_reader("Rational")


def rational_text(value: object) -> str:
    """Return an exact number as its decimal, or as a fraction where it has none that could be given back."""
    number = Fraction(str(value))
    # A denominator of d bits divides 10**d if it has no prime factor but 2 and 5.
    places = number.denominator.bit_length()
    if 10**places % number.denominator:
        return str(number)
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    text = f"{'-' * (number < 0)}{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    return text if len(text) <= DECIMAL_LENGTH_MAX else str(number)


def read_sha256(value: object) -> str:
    """Return a SHA-256 hash in lower-case hexadecimal."""
    text = _text("Sha256", value)
    if not SHA256.fullmatch(text):
        raise _wrong("Sha256", text, RULE_SHA256())
    return text.lower()


def read_url(value: object) -> str:
    """Return a URL as it is."""
    return _text("URL", value)


def read_batch_code(value: object) -> str:
    """Return a batch code as it was scanned or typed. A malformed code names no batch: each lookup answers so."""
    return _text("BatchCode", value)


def read_plant_code(value: object) -> str:
    """Return a plant code as it was typed. A malformed code names no plant: each lookup answers so."""
    return _text("PlantCode", value)


def read_request(value: object) -> str:
    """Return a UUID in its canonical form."""
    text = _text("UUID", value)
    if not REQUEST.fullmatch(text):
        raise _wrong("UUID", text, RULE_UUID())
    return text.lower()


def read_representation(value: object) -> object:
    """Return the type and the key of an entity as another subgraph states them. Its resolver checks the key."""
    return value


def _name_reader(kind: str, pattern: re.Pattern[str], rule: Notice) -> Callable[[object], str]:
    """Return a parser of the names of an open set. It accepts every well-formed name: newer programs have more."""

    def read(value: object) -> str:
        text = _text(kind, value)
        if len(text) > NAME_LENGTH_MAX or not pattern.fullmatch(text):
            raise _wrong(kind, text, rule)
        return text

    return read


def _scalar(name: str, description: str, read: Any, write: Any = str, url: str | None = None) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, parse_value=read, serialize=write, specified_by_url=url
    )


SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: _scalar(
        "DateTime",
        "An instant. Input: RFC 3339 with an offset. Output: UTC with six decimals.",
        read_instant,
        format_instant,
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    date: _scalar("Date", "A calendar day of the plant in ISO 8601, like 2026-03-14.", read_day),
    ExactDecimal: _scalar(
        "Decimal", 'An exact decimal number as a string, like "12.5". It is never a binary fraction.', read_decimal
    ),
    Rational: _scalar(
        "Rational",
        'An exact rational number as a string: a decimal like "0.45", or a fraction of whole numbers like "1/3". '
        "Output is the exact decimal, and a fraction only for a number that has none of at most "
        f"{DECIMAL_LENGTH_MAX} characters.",
        read_rational,
        rational_text,
    ),
    Sha256: _scalar("Sha256", "A SHA-256 hash: 64 hexadecimal digits.", read_sha256),
    Code: _scalar(
        "Code",
        "The code of a material, supplier, customer, location, piece of equipment, unit or actor. "
        "A malformed code is refused like an unknown one, and not as an error.",
        partial(_text, "Code"),
    ),
    Url: _scalar(
        "URL",
        "A URL, absolute or relative to this server. It is only in answers.",
        read_url,
        url="https://www.rfc-editor.org/rfc/rfc3986",
    ),
    BatchCode: _scalar(
        "BatchCode",
        "The code on a batch label: its plant code first, at most 20 characters of GS1 character set 82. "
        "Any other text is a code that no batch has. A hold or recall from the hub refuses it as BATCH_CODE_INVALID.",
        read_batch_code,
    ),
    PlantCode: _scalar(
        "PlantCode", "A plant code: 2 to 4 of A-Z and 0-9. Any other text is a code that no plant has.", read_plant_code
    ),
    RequestId: _scalar(
        "UUID",
        "A UUID in canonical form, made by the client.",
        read_request,
        url="https://www.rfc-editor.org/rfc/rfc9562",
    ),
    EventType: _scalar(
        "EventType",
        "Type of a ledger entry's event, in the past tense, such as BatchReceived. A type is never renamed; new types "
        "may be added. The page docs/reference/events.md lists them.",
        _name_reader("EventType", EVENT_TYPE, RULE_EVENT_TYPE(example="BatchReceived")),
    ),
    AlarmKind: _scalar(
        "AlarmKind",
        "Kind of an alarm, such as ARCHIVE_FAILING. A kind is never renamed; new kinds may be added. "
        "The page docs/reference/alarms.md lists them.",
        _name_reader("AlarmKind", CONSTANT, RULE_CONSTANT(example="ARCHIVE_FAILING")),
    ),
    ConflictKind: _scalar(
        "ConflictKind",
        "Kind of a conflict after a repair, such as CODE_TAKEN. A kind is never renamed; new kinds may be added. "
        "The page docs/reference/conflicts.md lists them.",
        _name_reader("ConflictKind", CONSTANT, RULE_CONSTANT(example="CODE_TAKEN")),
    ),
    PermissionName: _scalar(
        "PermissionName",
        "Name of a permission, such as batch:read. A name is never reused; new ones may be added. "
        "The page docs/reference/permissions.md lists them.",
        _name_reader("PermissionName", PERMISSION, RULE_PERMISSION(example="batch:read")),
    ),
    Representation: _scalar(
        "_Any",
        "An entity as another subgraph refers to it: an object of `__typename` and the key fields, "
        'like {"__typename": "Plant", "code": "SH1"}.',
        read_representation,
        url="https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec",
    ),
    RefusalCode: _scalar(
        "RefusalCode",
        "Code of a refusal, such as BATCH_ON_HOLD. A code is never renamed or reused; new codes may be added. "
        "The page docs/reference/refusals.md lists them.",
        _name_reader("RefusalCode", CONSTANT, RULE_CONSTANT(example="BATCH_ON_HOLD")),
    ),
}


def instant(us: int | None) -> datetime | None:
    """Return microseconds since the epoch as an instant."""
    return None if us is None else from_micros(us)

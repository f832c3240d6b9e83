"""Refusals: the expected ways in which an action is not done. Each area declares its own.

A refusal holds a code and data. `infra.messages.word` makes a text of it in the reader's language.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, ParamSpec, Protocol, Self, TypeVar

from plants.rules.values.refusal_data import Datum, DatumKind

P = ParamSpec("P")
T = TypeVar("T")


class RefusalCode(str):
    """A declared refusal: its code as a string, its English text, and its data by key.

    A code or a key is never renamed or reused, because ledgers keep both. `{key}` in the text is replaced by the datum.
    """

    __slots__ = ("data", "text")

    text: str
    data: Mapping[str, Datum]

    @classmethod
    def declare(cls, code: str, text: str, data: Mapping[str, Datum]) -> Self:
        """Return a new code."""
        made = cls(code)
        made.text, made.data = text, MappingProxyType(dict(data))
        return made


def refusal(code: str, text: str, /, **data: Datum | str) -> RefusalCode:
    """Declare a refusal with its data, in the order of its type's fields. A description alone declares a text.

    `make messages` finds the calls, so code and text are literals.
    """
    declared = {key: Datum(one) if isinstance(one, str) else one for key, one in data.items()}
    return RefusalCode.declare(code, text, declared)


def term(kind: str, text: str) -> str:
    """Declare a word or phrase that data of the name `kind` may hold, so that it is translated. Returns the text."""
    del kind
    return text


class Phrase(str):
    """An English text made of a template and data, which can be worded in another language."""

    __slots__ = ("code", "data", "text")

    code: str
    text: str
    data: Mapping[str, object]


class Message:
    """A declared text: called with its data, it returns a phrase."""

    __slots__ = ("code", "text")

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.text = text

    def __call__(self, **data: object) -> Phrase:
        """Return the text with its placeholders filled. The items of a list are joined."""
        shown = {name: "; ".join(map(str, value)) if isinstance(value, list) else value for name, value in data.items()}
        made = Phrase(self.text.format_map(shown))
        made.code, made.text, made.data = self.code, self.text, data
        return made


def message(code: str, text: str) -> Message:
    """Declare a text. `make messages` finds the calls, so both arguments are literals."""
    return Message(code, text)


def phrase(said: "Worded") -> Phrase:
    """Return a declared message with its data as a phrase of a refusal."""
    made = Phrase(said.text)
    made.code, made.text, made.data = said.code, said.text, said.data
    return made


class Worded(Protocol):
    """A declared message with its data."""

    @property
    def code(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def data(self) -> Mapping[str, object]: ...


RULE_COUNT_MAX: Final = message("RULE_COUNT_MAX", "at most {limit}")
RULE_FIELD_KNOWN: Final = message("RULE_FIELD_KNOWN", "a field of {type}")
RULE_FIELD_REQUIRED: Final = message("RULE_FIELD_REQUIRED", "a value, because the field is required")
RULE_LENGTH_MAX: Final = message("RULE_LENGTH_MAX", "at most {limit} characters")
RULE_NOT_AFTER: Final = message("RULE_NOT_AFTER", "at or before {at}")
RULE_ONE_COMMAND: Final = message("RULE_ONE_COMMAND", "an object with the input of exactly one mutation")
RULE_ONE_OF: Final = message("RULE_ONE_OF", "one of {values}")
RULE_PRINTABLE: Final = message("RULE_PRINTABLE", "1-{length_max} characters, printable")
RULE_RANGE: Final = message("RULE_RANGE", "a whole number from {least} to {most}")

RULE_TYPE: Final = message("RULE_TYPE", "a value of the type {type}")


class Refusal(Exception):
    """An action that was refused, with the data that its caller needs to go on.

    `path` names the refused value in the input, as the GraphQL contract spells it; it is empty where the whole request
    is refused. `further` holds the refusals of other values of the same request. Stores keep neither.

    Raises TypeError for a datum of kind PHRASE that is no phrase, because its text could not be translated.
    """

    path: tuple[str, ...] = ()
    further: tuple["Refusal", ...] = ()

    def __init__(self, code: RefusalCode, /, **data: object) -> None:
        for name, datum in code.data.items():
            if datum.kind is DatumKind.PHRASE and not isinstance(data.get(name), Phrase):
                raise TypeError(f"{code}: {name} is not a phrase of a declared message")
        self._fill(code, {name: value if isinstance(value, Phrase) else str(value) for name, value in data.items()})

    @classmethod
    def kept(cls, code: RefusalCode, data: Mapping[str, str]) -> Self:
        """Return a refusal that a ledger holds, with the data of the program that recorded it."""
        made = cls.__new__(cls)
        absent = {name: one.default for name, one in code.data.items() if one.default is not None}
        cls._fill(made, code, absent | dict(data))
        return made

    def _fill(self, code: RefusalCode, data: dict[str, str]) -> None:
        self.code, self.text, self.data = code, code.text, data
        super().__init__(self.text.format_map(data))


class _Within:
    """The block of `within`. It keeps no state, so blocks of one path share it: commands enter many."""

    __slots__ = ("_path",)

    def __init__(self, path: tuple[str | int, ...]) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Complete the path of a refusal."""
        if isinstance(error, Refusal):
            _begin_paths(error, self._path)


@lru_cache(256)
def within(*path: str | int) -> _Within:
    """Put these fields and indexes of the input before the path of a refusal that the block raises."""
    return _Within(path)


def _begin_paths(refusal: Refusal, path: tuple[str | int, ...]) -> None:
    begins = tuple(map(str, path))
    for one in (refusal, *refusal.further):
        one.path = (*begins, *one.path)


FURTHER_MAX: Final = 99
"""The limit of the further refusals of one request: with the first, one for each line of the longest command."""


class Refusals:
    """Collects the refusals of a request: `with Refusals() as refusals:` raises all of them at the end of the block."""

    def __init__(self) -> None:
        self._found: list[Refusal] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Raise what was collected, unless the block raised another refusal or error."""
        if kind is None:
            self.raise_any()

    def at(self, *path: str | int) -> "_Kept":
        """Keep the refusals that the block raises, at this place in the input, and go on after the block."""
        return _Kept(self._found, path)

    def value(self, read: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T | None:
        """Return what `read` returns, or keep its refusals and return None."""
        with self.at():
            return read(*given, **named)
        return None

    @property
    def full(self) -> bool:
        """True if no answer lists more refusals than were collected."""
        return len(self._found) > FURTHER_MAX

    def __bool__(self) -> bool:
        """Return True if any refusal was collected."""
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise the first refusal with the others as `further`, at most FURTHER_MAX. Does nothing without any."""
        if self._found:
            first, *others = self._found
            first.further = tuple(others[:FURTHER_MAX])
            raise first


class _Kept:
    """The block of `Refusals.at`."""

    __slots__ = ("_found", "_path")

    def __init__(self, found: list[Refusal], path: tuple[str | int, ...]) -> None:
        self._found, self._path = found, path

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Keep a refusal, and end the block with any other error."""
        if not isinstance(error, Refusal):
            return False
        _begin_paths(error, self._path)
        self._found += (error, *error.further)
        error.further = ()
        return True


NOT_STATED: Final = "—"
"""Stands in a text for a datum that the refusal cannot know. In an answer such a datum is null."""

CODE_SHOWN_MAX: Final = 40
"""Characters of a value of the request that a refusal quotes. An ellipsis replaces the rest."""


def shortened(text: str) -> str:
    """Return the beginning of a text, with an ellipsis where more follows."""
    return text if len(text) <= CODE_SHOWN_MAX else f"{text[:CODE_SHOWN_MAX]}…"


AMOUNT: Final = Datum("Amount in the request.", DatumKind.DECIMAL)
BATCH: Final = Datum("Batch code.", DatumKind.BATCH_CODE, "batch_code")
CODE: Final = Datum("Code in the request.", name="given_code")
ENTRY: Final = Datum("Index of the entry.", DatumKind.INTEGER, "entry_index")
LOCATION: Final = Datum("Location code.", name="location_code")
OCCURRED_AT: Final = Datum("Time in the request.", DatumKind.INSTANT, "occurred_at")
REQUEST: Final = Datum("Request id.", DatumKind.UUID, "request_id")
UNIT: Final = Datum("Unit of the quantities.", DatumKind.UNIT)

FORM_DECIMAL: Final = term("form", "a decimal number such as 12.5")
FORM_FRACTION: Final = term("form", "a decimal number such as 12.5, or two whole numbers as a fraction such as 25/23")
KNOWN_BUILT_IN: Final = term("known", "a built-in unit such as KGM; a unit that was defined here cannot define another")
KNOWN_UNITS: Final = term("known", "a UN/ECE Rec 20 code such as KGM, or define the unit first")

AMOUNT_NOT_A_NUMBER: Final = refusal(
    "AMOUNT_NOT_A_NUMBER",
    "“{amount}” is not a number that is accepted here. Write {form}.",
    amount=Datum("Amount in the request.", name="text"),
    form=Datum("Accepted notation.", DatumKind.WORD, default=FORM_DECIMAL),
)
AMOUNT_NOT_POSITIVE: Final = refusal(
    "AMOUNT_NOT_POSITIVE",
    "The quantity must be more than zero, not {amount}. Enter what was counted or weighed.",
    amount=AMOUNT,
)
AMOUNT_TOO_LARGE: Final = refusal(
    "AMOUNT_TOO_LARGE",
    "The quantity {amount} is above the limit of {limit}. Check the unit.",
    amount=AMOUNT,
    limit=Datum("Largest amount.", DatumKind.DECIMAL, "amount_max"),
)
AMOUNT_TOO_PRECISE: Final = refusal(
    "AMOUNT_TOO_PRECISE",
    "The quantity {amount} has more than {decimals} decimals. Round it or use a smaller unit.",
    amount=AMOUNT,
    decimals=Datum("Largest number of decimals.", DatumKind.INTEGER, "decimals_max"),
)
DATE_INVALID: Final = refusal(
    "DATE_INVALID",
    "“{date}” is not a date or time. Write it like 2026-03-14.",
    date=Datum("Date in the request.", name="text"),
)
LINES_INVALID: Final = refusal(
    "LINES_INVALID",
    "A list of 1 to {limit} items is needed, and this one has {count}. Name at least one. Send more than {limit} in "
    "several requests.",
    limit=Datum("Largest number of lines.", DatumKind.INTEGER, "lines_max"),
    count=Datum("Number of lines in the request.", DatumKind.INTEGER, "line_count"),
)
NOTHING_CHANGES: Final = refusal(
    "NOTHING_CHANGES",
    "This would change nothing: {why}.",
    why=Datum("Current state.", DatumKind.PHRASE),
)
TEXT_INVALID: Final = refusal(
    "TEXT_INVALID",
    "The {field} must be {rule}.",
    field="Field of the input.",
    rule=Datum("Accepted values.", DatumKind.PHRASE),
)
TIME_IN_FUTURE: Final = refusal(
    "TIME_IN_FUTURE",
    "{at} lies in the future. Check the clock of the device.",
    at=OCCURRED_AT,
)
TIME_TOO_OLD: Final = refusal(
    "TIME_TOO_OLD",
    "{at} is more than {days} days ago. Import history with “batchloom import” instead.",
    at=OCCURRED_AT,
    days=Datum("Largest age in days.", DatumKind.INTEGER, "days_max"),
)
UNIT_NOT_CONVERTIBLE: Final = refusal(
    "UNIT_NOT_CONVERTIBLE",
    "{unit} cannot be converted to {target} for this material. Define a conversion or use another unit.",
    unit=Datum("Unit in the request.", name="unit_code"),
    target=Datum("Target unit.", name="target_unit_code"),
)
UNIT_UNKNOWN: Final = refusal(
    "UNIT_UNKNOWN",
    "{unit} is not a known unit here. Use {known}.",
    unit=Datum("Unit in the request.", name="unit_code"),
    known=Datum("Units that are accepted here.", DatumKind.WORD, default=KNOWN_UNITS),
)
VALUE_INVALID: Final = refusal(
    "VALUE_INVALID",
    "“{value}” is not accepted here. Expected: {rule}",
    value=Datum("Value in the request, or the name of an unknown field. It is shortened.", name="text"),
    rule=Datum("Accepted values.", DatumKind.PHRASE),
)

TERMS: Final = (
    term("field", "alias"),
    term("field", "assertion key"),
    term("field", "attribute"),
    term("field", "attributes"),
    term("field", "comment"),
    term("field", "conversions"),
    term("field", "days"),
    term("field", "fingerprint"),
    term("field", "grade"),
    term("field", "hold reason"),
    term("field", "job order"),
    term("field", "ledger key"),
    term("field", "name"),
    term("field", "order"),
    term("field", "origin"),
    term("field", "password"),
    term("field", "person"),
    term("field", "plant"),
    term("field", "plant number"),
    term("field", "reason"),
    term("field", "role"),
    term("field", "segment"),
    term("field", "supplier lot"),
    term("field", "time zone"),
    term("thing", "customer"),
    term("thing", "equipment"),
    term("thing", "key"),
    term("thing", "location"),
    term("thing", "material"),
    term("thing", "person"),
    term("thing", "plant"),
    term("thing", "revoked plant"),
    term("thing", "supplier"),
    term("thing", "unit"),
)
"""The words for fields of the input and for kinds of things."""

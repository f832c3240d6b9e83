"""Refusals: the expected ways in which an action is not done. Each area declares its own.

A refusal holds a code and data. `infra.messages.word` makes a text of it in the reader's language.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Self


class RefusalCode(str):
    """A declared refusal: its code as a string, its English text, and a description of each of its data.

    A code is never renamed or reused. `{name}` in the text is replaced by the datum of that name.
    """

    __slots__ = ("descriptions", "text", "type_name")

    text: str
    descriptions: Mapping[str, str]
    type_name: str

    @classmethod
    def declare(cls, code: str, text: str, type_name: str, descriptions: Mapping[str, str]) -> Self:
        """Return a new code."""
        made = cls(code)
        made.text, made.type_name, made.descriptions = text, type_name, MappingProxyType(dict(descriptions))
        return made


def refusal(code: str, text: str, /, *, type_name: str | None = None, **descriptions: str) -> RefusalCode:
    """Declare a refusal with its data, in the order of its type's fields.

    `make messages` finds the calls, so code and text are literals. The type of BATCH_ON_HOLD is BatchOnHold;
    `type_name` is for one whose type would have the name of an event.
    """
    named = type_name or "".join(word.capitalize() for word in code.split("_"))
    return RefusalCode.declare(code, text, named, descriptions)


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


RULE_PRINTABLE: Final = message("RULE_PRINTABLE", "1-{length_max} characters, printable")


class Refusal(Exception):
    """An action that was refused, with the data that its caller needs to go on."""

    def __init__(self, code: RefusalCode, /, **data: object) -> None:
        self.code = code
        self.text = code.text
        self.data: dict[str, str] = {
            name: value if isinstance(value, Phrase) else str(value) for name, value in data.items()
        }
        super().__init__(self.text.format_map(self.data))


AMOUNT_NOT_A_NUMBER: Final = refusal(
    "AMOUNT_NOT_A_NUMBER",
    "“{amount}” is not a decimal number. Write it like 12.5.",
    amount="Amount in the request.",
)
AMOUNT_NOT_POSITIVE: Final = refusal(
    "AMOUNT_NOT_POSITIVE",
    "The quantity must be more than zero, not {amount}. Enter what was counted or weighed.",
    amount="Amount in the request.",
)
AMOUNT_TOO_LARGE: Final = refusal(
    "AMOUNT_TOO_LARGE",
    "The quantity {amount} is above the limit of {limit}. Check the unit.",
    amount="Amount in the request.",
    limit="Largest amount.",
)
AMOUNT_TOO_PRECISE: Final = refusal(
    "AMOUNT_TOO_PRECISE",
    "The quantity {amount} has more than {decimals} decimals. Round it or use a smaller unit.",
    amount="Amount in the request.",
    decimals="Largest number of decimals.",
)
DATE_INVALID: Final = refusal(
    "DATE_INVALID",
    "“{date}” is not a date or time. Write it like 2026-03-14.",
    date="Date in the request.",
)
LINES_INVALID: Final = refusal(
    "LINES_INVALID",
    "Between 1 and {limit} lines are needed, not {count}. Send them in several requests.",
    limit="Largest number of lines.",
    count="Number of lines in the request.",
)
NOTHING_CHANGES: Final = refusal(
    "NOTHING_CHANGES",
    "This would change nothing: {why}.",
    why="The state that is there already.",
)
TEXT_INVALID: Final = refusal(
    "TEXT_INVALID",
    "The {field} must be {rule}.",
    field="Field of the input.",
    rule="Accepted values.",
)
TIME_IN_FUTURE: Final = refusal(
    "TIME_IN_FUTURE",
    "{at} lies in the future. Check the clock of the device.",
    at="Time in the request.",
)
TIME_TOO_OLD: Final = refusal(
    "TIME_TOO_OLD",
    "{at} is more than {days} days ago. Import history with “batchloom import” instead.",
    at="Time in the request.",
    days="Largest age in days.",
)
UNIT_NOT_CONVERTIBLE: Final = refusal(
    "UNIT_NOT_CONVERTIBLE",
    "{unit} cannot be converted to {target} for this material. Define a conversion or use another unit.",
    unit="Unit in the request.",
    target="Target unit.",
)
UNIT_UNKNOWN: Final = refusal(
    "UNIT_UNKNOWN",
    "{unit} is not a known unit. Use a UN/ECE Rec 20 code such as KGM, or define it.",
    unit="Unit in the request.",
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
    term("field", "job order"),
    term("field", "ledger key"),
    term("field", "name"),
    term("field", "order"),
    term("field", "origin"),
    term("field", "password"),
    term("field", "person"),
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

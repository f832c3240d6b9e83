"""The problems of an EPCIS document and the refusal that names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plants.rules.epcis.refusals import DOCUMENT_INVALID
from plants.rules.values.refusals import Message, Phrase, Refusal, message

PROBLEMS_SHOWN_MAX = 20


class ProblemCode(StrEnum):
    """Every way in which a document fails the standard or our limits. A code is never renamed or reused."""

    ACTION_INVALID = "ACTION_INVALID"
    CONTEXT_MISSING = "CONTEXT_MISSING"
    DATE_INVALID = "DATE_INVALID"
    EVENT_TYPE_UNKNOWN = "EVENT_TYPE_UNKNOWN"
    FIELD_INVALID = "FIELD_INVALID"
    FIELD_MISSING = "FIELD_MISSING"
    FIELD_NOT_ALLOWED = "FIELD_NOT_ALLOWED"
    IDENTIFIERS_MISSING = "IDENTIFIERS_MISSING"
    KEY_REPEATED = "KEY_REPEATED"
    NAMESPACE_MISSING = "NAMESPACE_MISSING"
    NOT_JSON = "NOT_JSON"
    NOT_TEXT = "NOT_TEXT"
    NUMBER_INVALID = "NUMBER_INVALID"
    OTHER_DOCUMENT = "OTHER_DOCUMENT"
    QUANTITY_INVALID = "QUANTITY_INVALID"
    SITE_UNASSIGNED = "SITE_UNASSIGNED"
    TIME_INVALID = "TIME_INVALID"
    TIME_IN_FUTURE = "TIME_IN_FUTURE"
    TOO_DEEP = "TOO_DEEP"
    TOO_LARGE = "TOO_LARGE"
    TRUNCATED = "TRUNCATED"
    WORD_NOT_STANDARD = "WORD_NOT_STANDARD"
    XML_DOCUMENT = "XML_DOCUMENT"


P = ProblemCode
MESSAGES: Final[Mapping[ProblemCode, Message]] = {
    P.ACTION_INVALID: message("EPCIS_ACTION_INVALID", "“{value}” is not an action; use ADD, OBSERVE or DELETE"),
    P.CONTEXT_MISSING: message("EPCIS_CONTEXT_MISSING", "the JSON-LD @context is missing"),
    P.DATE_INVALID: message("EPCIS_DATE_INVALID", "“{value}” is not a date; write it like 2026-03-14"),
    P.EVENT_TYPE_UNKNOWN: message("EPCIS_EVENT_TYPE_UNKNOWN", "“{value}” is not an EPCIS event type"),
    P.FIELD_INVALID: message("EPCIS_FIELD_INVALID", "“{value}” is not allowed here"),
    P.FIELD_MISSING: message("EPCIS_FIELD_MISSING", "this field is mandatory and missing"),
    P.FIELD_NOT_ALLOWED: message("EPCIS_FIELD_NOT_ALLOWED", "this field does not belong here"),
    P.IDENTIFIERS_MISSING: message("EPCIS_IDENTIFIERS_MISSING", "no goods are named"),
    P.KEY_REPEATED: message("EPCIS_KEY_REPEATED", "the key “{value}” occurs twice in one object"),
    P.NAMESPACE_MISSING: message(
        "EPCIS_NAMESPACE_MISSING", "“{value}” is not part of the standard and has no namespace (prefix:name)"
    ),
    P.NOT_JSON: message("EPCIS_NOT_JSON", "this is not JSON ({value})"),
    P.NOT_TEXT: message("EPCIS_NOT_TEXT", "this is not UTF-8 text ({value})"),
    P.NUMBER_INVALID: message("EPCIS_NUMBER_INVALID", "“{value}” is not a number that JSON allows"),
    P.OTHER_DOCUMENT: message("EPCIS_OTHER_DOCUMENT", "this is not an EPCIS 2.0 document but {value}"),
    P.QUANTITY_INVALID: message(
        "EPCIS_QUANTITY_INVALID",
        "“{value}” is not a quantity: a number above zero, up to 10^12, with at most six decimals is needed",
    ),
    P.SITE_UNASSIGNED: message("EPCIS_SITE_UNASSIGNED", "no plant is assigned to site {value}"),
    P.TIME_INVALID: message(
        "EPCIS_TIME_INVALID", "“{value}” is not a time with its offset; write it like 2026-03-14T08:00:00+08:00"
    ),
    P.TIME_IN_FUTURE: message("EPCIS_TIME_IN_FUTURE", "{value} lies in the future"),
    P.TOO_DEEP: message("EPCIS_TOO_DEEP", "brackets are nested deeper than {value}"),
    P.TOO_LARGE: message("EPCIS_TOO_LARGE", "the file is larger than {value} bytes"),
    P.TRUNCATED: message("EPCIS_TRUNCATED", "the document ends in the middle ({value})"),
    P.WORD_NOT_STANDARD: message(
        "EPCIS_WORD_NOT_STANDARD",
        "“{value}” is not a word of the Core Business Vocabulary; a word of one's own needs a namespace",
    ),
    P.XML_DOCUMENT: message("EPCIS_XML_DOCUMENT", "this is XML; EPCIS 2.0 in its JSON form is needed"),
}

EVENT: Final = message("EPCIS_EVENT", "event {event}")
AT_BYTE: Final = message("EPCIS_AT_BYTE", "byte {position}")
JSON_TYPE: Final = message("EPCIS_JSON_TYPE", "a JSON {type}")
NUL_AT: Final = message("EPCIS_NUL_AT", "NUL, byte {position}")
EVENT_FIELD: Final = message("EPCIS_EVENT_FIELD", "event {event}, {field}")
WHOLE_DOCUMENT: Final = message("EPCIS_WHOLE_DOCUMENT", "document")
PROBLEM: Final = message("EPCIS_PROBLEM", "{where}: {what}")
PROBLEMS: Final = message("EPCIS_PROBLEMS", "{problems}")
MORE_PROBLEMS: Final = message("EPCIS_MORE_PROBLEMS", "and {count} more")


@dataclass(frozen=True, slots=True)
class EpcisProblem:
    """A problem in an event (from 1; None for the document), with the field and the value there."""

    code: ProblemCode
    event: int | None = None
    field: str = ""
    value: str = ""

    @property
    def where(self) -> str:
        """The position in the document."""
        if self.event is None:
            return self.field or WHOLE_DOCUMENT()
        return EVENT_FIELD(event=self.event, field=self.field) if self.field else EVENT(event=self.event)

    @property
    def what(self) -> Phrase:
        """The problem, without its position."""
        value = self.value if isinstance(self.value, Phrase) else self.value[:80]
        return MESSAGES[self.code](value=value)


class EpcisRefusal(Refusal):
    """The document cannot be imported. Up to PROBLEMS_SHOWN_MAX problems are named, in document order."""

    def __init__(self, problems: Sequence[EpcisProblem]) -> None:
        self.problems = tuple(problems)
        first, *others = self.problems[:PROBLEMS_SHOWN_MAX]
        shown = [first.what, *(PROBLEM(where=one.where, what=one.what) for one in others)]
        if more := len(self.problems) - len(shown):
            shown.append(MORE_PROBLEMS(count=more))
        super().__init__(DOCUMENT_INVALID, where=first.where, why=PROBLEMS(problems=shown))

"""Reads an EPCIS 2.0 document in its JSON form: bytes in, checked events and master data out, or a refusal.

Sources: GS1 EPCIS 2.0 sections 7 and 10, CBV 2.0, and the JSON schema of gs1/EPCIS.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NoReturn

from plants.rules.epcis.event_forms import EVENT_TYPES, EpcisEvent, local_terms, read_event
from plants.rules.epcis.fields import read_instant
from plants.rules.epcis.problems import AT_BYTE, JSON_TYPE, NUL_AT, EpcisProblem, EpcisRefusal, ProblemCode

EPCIS_DOCUMENT_BYTES_MAX = 20_000_000
EPCIS_NESTING_MAX = 64

# An unclosed string runs to the end of the text, so that one pass is enough whatever the text is.
STRINGS = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
NOT_BRACKETS = re.compile(r"[^\[\]{}]++")


@dataclass(frozen=True, slots=True)
class MasterRecord:
    """The master data of a product class, location or party in a document's header."""

    id: str
    kind: str  # the last word of the vocabulary type: epcclass, location, party, ...
    attributes: Mapping[str, str]

    @property
    def name(self) -> str | None:
        """The usual name, if the header has one."""
        wanted = ("name", "descriptionShort")
        return next((self.attributes[word] for word in wanted if self.attributes.get(word)), None)


@dataclass(frozen=True, slots=True)
class EpcisDocument:
    """A document that keeps to the standard, with its events in document order."""

    type: str
    created_at: datetime | None
    events: tuple[EpcisEvent, ...]
    master: Mapping[str, MasterRecord]


def read_epcis(content: bytes, *, now: datetime) -> EpcisDocument:
    """Return the document in the bytes; `now` is the instant that no event may lie after.

    Takes EPCISDocument, EPCISQueryDocument and a single event with its own @context.
    Raises EpcisRefusal, which names every problem with its event number; nothing else, whatever the bytes are.
    """
    value = _parse(_text(content))
    if not isinstance(value, dict):
        raise _refused(ProblemCode.OTHER_DOCUMENT, value=JSON_TYPE(type=type(value).__name__))
    kind = value.get("type")
    if kind not in ("EPCISDocument", "EPCISQueryDocument", *EVENT_TYPES):
        keys = ", ".join(list(value)[:4])
        raise _refused(ProblemCode.OTHER_DOCUMENT, field="type", value=f"“{str(kind)[:40]}” ({keys[:80]})")
    problems: list[EpcisProblem] = []
    if not value.get("@context"):
        problems.append(EpcisProblem(ProblemCode.CONTEXT_MISSING, field="@context"))
    terms = local_terms(value.get("@context"))
    created_at = None
    if kind in EVENT_TYPES:
        raw_events: object = [value]
    else:
        created_at = _check_frame(value, problems)
        raw_events = _event_list(value, problems)
    events: list[EpcisEvent] = []
    for number, raw in enumerate(raw_events if isinstance(raw_events, list) else [], 1):
        event = read_event(raw, number, now=now, terms=terms, problems=problems)
        if event is not None:
            events.append(event)
    if problems:
        raise EpcisRefusal(problems)
    return EpcisDocument(str(kind), created_at, tuple(events), _master(value.get("epcisHeader")))


def _refused(code: ProblemCode, *, field: str = "", value: str = "") -> EpcisRefusal:
    return EpcisRefusal([EpcisProblem(code, field=field, value=value)])


def _text(content: bytes) -> str:
    """Return the bytes as text after every check that must come before a JSON parser sees them."""
    if len(content) > EPCIS_DOCUMENT_BYTES_MAX:
        raise _refused(ProblemCode.TOO_LARGE, value=str(EPCIS_DOCUMENT_BYTES_MAX))
    if b"\x00" in content:
        raise _refused(ProblemCode.NOT_TEXT, value=NUL_AT(position=content.index(0)))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(ProblemCode.NOT_TEXT, value=AT_BYTE(position=error.start)) from None
    if text.lstrip()[:1] == "<":
        raise _refused(ProblemCode.XML_DOCUMENT)
    return text


def _depths(text: str) -> tuple[int, int]:
    """Return how deep brackets nest (counted no further than one above the limit) and how many stay open."""
    depth = deepest = 0
    for bracket in NOT_BRACKETS.sub("", STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > EPCIS_NESTING_MAX:
            break
    return deepest, depth


def _parse(text: str) -> object:
    deepest, still_open = _depths(text)
    if deepest > EPCIS_NESTING_MAX:
        raise _refused(ProblemCode.TOO_DEEP, value=str(EPCIS_NESTING_MAX))
    try:
        value: object = json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats
        )
    except json.JSONDecodeError as error:
        place = f"{error.lineno}:{error.colno} {error.msg}"
        code = ProblemCode.TRUNCATED if still_open > 0 and text.strip() else ProblemCode.NOT_JSON
        raise _refused(code, value=place) from None
    except (ValueError, ArithmeticError):
        # Python reads no integer of more than 4,300 digits, and decimal no exponent beyond 18 digits.
        raise _refused(ProblemCode.NUMBER_INVALID, value="…") from None
    _check_strings(value)
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise _refused(ProblemCode.NUMBER_INVALID, value=word)


def _refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _refused(ProblemCode.KEY_REPEATED, value=repeated)
    return value


def _check_strings(value: object) -> None:
    """Refuse escaped NULs and half surrogates: neither ledgers nor databases can keep them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str) and UNSTORABLE.search(item):
            raise _refused(ProblemCode.NOT_TEXT, value="NUL / U+D800-DFFF")


def _check_frame(value: dict[str, object], problems: list[EpcisProblem]) -> datetime | None:
    """Check what surrounds the events and return when the document was made."""
    version = value.get("schemaVersion")
    if version is None:
        problems.append(EpcisProblem(ProblemCode.FIELD_MISSING, field="schemaVersion"))
    elif not (isinstance(version, str | Decimal | int) and re.fullmatch(r"2(\.\d+){0,2}", str(version))):
        problems.append(EpcisProblem(ProblemCode.FIELD_INVALID, field="schemaVersion", value=str(version)[:40]))
    created = value.get("creationDate")
    if created is None:
        problems.append(EpcisProblem(ProblemCode.FIELD_MISSING, field="creationDate"))
        return None
    instant = read_instant(created)
    if instant is None:
        problems.append(EpcisProblem(ProblemCode.TIME_INVALID, field="creationDate", value=str(created)[:40]))
    return instant


def _event_list(value: dict[str, object], problems: list[EpcisProblem]) -> object:
    """Return the raw events, wherever this kind of document keeps them."""
    path = ("epcisBody", "queryResults", "resultsBody") if value["type"] == "EPCISQueryDocument" else ("epcisBody",)
    at: object = value
    for key in path:
        at = at.get(key) if isinstance(at, dict) else None
    if isinstance(at, dict) and "event" in at and "eventList" not in at:
        return [at["event"]]
    events = at.get("eventList") if isinstance(at, dict) else None
    if not isinstance(events, list):
        code = ProblemCode.FIELD_MISSING if events is None else ProblemCode.FIELD_INVALID
        problems.append(EpcisProblem(code, field=".".join((*path, "eventList")), value=str(events)[:40]))
    return events


def _master(header: object) -> dict[str, MasterRecord]:
    """Return the header's master data by id. Ignores elements that do not have the standard's form."""
    data = header.get("epcisMasterData") if isinstance(header, dict) else None
    vocabularies = data.get("vocabularyList") if isinstance(data, dict) else None
    records: dict[str, MasterRecord] = {}
    for vocabulary in vocabularies if isinstance(vocabularies, list) else []:
        elements = vocabulary.get("vocabularyElementList") if isinstance(vocabulary, dict) else None
        kind = _last_word(vocabulary.get("type")) if isinstance(vocabulary, dict) else ""
        for element in elements if isinstance(elements, list) else []:
            if isinstance(element, dict) and isinstance(element.get("id"), str):
                record = MasterRecord(element["id"], kind, _master_attributes(element.get("attributes")))
                records.setdefault(record.id, record)
    return records


def _master_attributes(raw: object) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for item in raw if isinstance(raw, list) else []:
        if isinstance(item, dict) and isinstance(item.get("id"), str) and isinstance(item.get("attribute"), str):
            attributes.setdefault(_last_word(item["id"]), item["attribute"])
    return attributes


def _last_word(text: object) -> str:
    return re.split(r"[:#/]", text)[-1] if isinstance(text, str) else ""

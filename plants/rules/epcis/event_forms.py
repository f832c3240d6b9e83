"""One EPCIS 2.0 event: its checked form, and the reader that says field by field what is wrong with it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, cast

from plants.rules.epcis.fields import is_date, plain_text, read_instant, read_json_amount
from plants.rules.epcis.problems import EpcisProblem, ProblemCode
from plants.rules.epcis.vocabulary import (
    BIZ_STEPS,
    BUSINESS_DOCUMENTS,
    DISPOSITIONS,
    ERROR_REASONS,
    PARTY_ROLES,
    bare_word,
)

EventType = Literal[
    "ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent", "other"
]
Action = Literal["ADD", "OBSERVE", "DELETE"]

# The fields of each type besides the common ones: lists of instances, lists of classes, the rest.
EVENT_TYPES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ObjectEvent": (("epcList",), ("quantityList",), ("action", "ilmd")),
    "AggregationEvent": (("childEPCs",), ("childQuantityList",), ("action", "parentID")),
    "AssociationEvent": (("childEPCs",), ("childQuantityList",), ("action", "parentID")),
    "TransactionEvent": (("epcList",), ("quantityList",), ("action", "parentID")),
    "TransformationEvent": (
        ("inputEPCList", "outputEPCList"),
        ("inputQuantityList", "outputQuantityList"),
        ("transformationID", "ilmd"),
    ),
}
EVERY_EVENT = frozenset(
    (
        *("type", "eventTime", "recordTime", "eventTimeZoneOffset", "eventID", "errorDeclaration"),
        *("certificationInfo", "bizStep", "disposition", "persistentDisposition", "readPoint", "bizLocation"),
        *("bizTransactionList", "sourceList", "destinationList", "sensorElementList"),
    )
)
OF_THE_RECORD = ("eventID", "recordTime", "errorDeclaration")  # not of what happened (CBV 2.0, 8.9.2)
CONTAINING_TYPES = ("AggregationEvent", "AssociationEvent")
KEPT_WHOLE = ("certificationInfo", "persistentDisposition", "sensorElementList", "bizTransactionList")
OFFSET = re.compile(r"[+-]((0\d|1[0-3]):[0-5]\d|14:00)", re.ASCII)
UNIT = re.compile(r"[A-Z0-9]{2,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EpcisQuantity:
    """Goods by class, in a UN/ECE Rec 20 unit; without a unit pieces count, without a quantity it is open."""

    epc_class: str
    quantity: Decimal | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class EpcisParty:
    """A source or destination of goods, with its role in the standard."""

    role: str
    id: str


@dataclass(frozen=True, slots=True)
class ErrorDeclaration:
    """The statement that this event, and any with the same eventID, was wrong."""

    declared_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpcisEvent:
    """An event that keeps to the standard; words of the CBV are bare words whatever form the document has."""

    number: int  # position in the document, from 1
    key: str  # the eventID, or the SHA-256 of the event where it has none
    event_id: str | None
    type: EventType
    type_name: str
    occurred_at: datetime  # with the offset it was written with; to the microsecond
    zone_offset: str
    action: Action | None
    biz_step: str | None
    disposition: str | None
    read_point: str | None
    biz_location: str | None
    parent: str | None
    epcs: tuple[str, ...]
    quantities: tuple[EpcisQuantity, ...]
    output_epcs: tuple[str, ...]
    output_quantities: tuple[EpcisQuantity, ...]
    transformation_id: str | None
    sources: tuple[EpcisParty, ...]
    destinations: tuple[EpcisParty, ...]
    ilmd: Mapping[str, str]
    attributes: Mapping[str, str]  # extensions and what is kept whole, nested values as JSON text
    error: ErrorDeclaration | None
    content_digest: str  # SHA-256 without OF_THE_RECORD: equal for a repeated event


def local_terms(context: object) -> frozenset[str]:
    """Return the bare words that a JSON-LD @context in the document itself defines."""
    parts = context if isinstance(context, list) else [context]
    return frozenset(term for part in parts if isinstance(part, dict) for term in part if not term.startswith("@"))


def read_event(
    raw: object, number: int, *, now: datetime, terms: frozenset[str], problems: list[EpcisProblem]
) -> EpcisEvent | None:
    """Return the event, or None after adding to `problems` everything that the standard does not allow."""
    if not isinstance(raw, dict):
        problems.append(EpcisProblem(ProblemCode.FIELD_INVALID, number, "eventList", plain_text(raw)[:40]))
        return None
    before = len(problems)
    reader = _Reader(raw, number, terms | local_terms(raw.get("@context")), problems)
    event = reader.read(now)
    return event if len(problems) == before else None


class _Reader:
    """Reads one raw event, noting every problem and going on."""

    def __init__(
        self, raw: dict[str, object], number: int, terms: frozenset[str], problems: list[EpcisProblem]
    ) -> None:
        self.raw, self.number, self.terms, self.problems = raw, number, terms, problems

    def note(self, code: ProblemCode, field: str, value: object = "") -> None:
        self.problems.append(EpcisProblem(code, self.number, field, plain_text(value)[:80]))

    def read(self, now: datetime) -> EpcisEvent:
        type_name = self.text("type", mandatory=True) or ""
        kind = type_name if type_name in EVENT_TYPES else "other"
        if kind == "other" and type_name and ":" not in type_name:
            self.note(ProblemCode.EVENT_TYPE_UNKNOWN, "type", type_name)
        instances, classes, rest = EVENT_TYPES.get(kind, ((), (), ()))
        if kind != "other":
            self.check_fields(EVERY_EVENT.union(instances, classes, rest))
        occurred_at = self.time("eventTime", mandatory=True) or now
        if occurred_at > now:
            self.note(ProblemCode.TIME_IN_FUTURE, "eventTime", self.raw.get("eventTime"))
        self.time("recordTime")
        offset = self.text("eventTimeZoneOffset", mandatory=True)
        if offset is not None and not OFFSET.fullmatch(offset):
            self.note(ProblemCode.TIME_INVALID, "eventTimeZoneOffset", offset)
        action = self.text("action", mandatory="action" in rest) if "action" in rest else None
        if action not in (None, "ADD", "OBSERVE", "DELETE"):
            self.note(ProblemCode.ACTION_INVALID, "action", action)
        epcs = [self.uris(name) for name in instances] or [()]
        quantities = [self.quantities(name) for name in classes] or [()]
        self.check_identifiers(kind, action)
        self.check_certification()
        event_id = self.text("eventID")
        content = {key: value for key, value in self.raw.items() if key not in OF_THE_RECORD}
        digest = hashlib.sha256(plain_text(content).encode()).hexdigest()
        return EpcisEvent(
            number=self.number,
            key=event_id or f"sha256:{digest}",
            event_id=event_id,
            type=cast("EventType", kind),
            type_name=type_name,
            occurred_at=occurred_at,
            zone_offset=offset or "",
            action=cast("Action | None", action),
            biz_step=self.word("bizStep", BIZ_STEPS),
            disposition=self.word("disposition", DISPOSITIONS),
            read_point=self.place("readPoint"),
            biz_location=self.place("bizLocation"),
            parent=self.text("parentID") if "parentID" in rest else None,
            epcs=epcs[0],
            quantities=quantities[0],
            output_epcs=epcs[-1] if len(epcs) > 1 else (),
            output_quantities=quantities[-1] if len(quantities) > 1 else (),
            transformation_id=self.text("transformationID") if "transformationID" in rest else None,
            sources=self.parties("sourceList", "source", PARTY_ROLES),
            destinations=self.parties("destinationList", "destination", PARTY_ROLES),
            ilmd=self.ilmd(action) if "ilmd" in rest else {},
            attributes=self.attributes(),
            error=self.error(),
            content_digest=digest,
        )

    def text(self, field: str, *, mandatory: bool = False) -> str | None:
        value = self.raw.get(field)
        if value is None and field not in self.raw:
            if mandatory:
                self.note(ProblemCode.FIELD_MISSING, field)
            return None
        if not isinstance(value, str) or not value.strip():
            self.note(ProblemCode.FIELD_INVALID, field, value)
            return None
        return value

    def time(self, field: str, *, mandatory: bool = False) -> datetime | None:
        text = self.text(field, mandatory=mandatory)
        instant = read_instant(text)
        if text is not None and instant is None:
            self.note(ProblemCode.TIME_INVALID, field, text)
        return instant

    def is_named(self, word: str) -> bool:
        return ":" in word or word in self.terms

    def word(self, field: str, vocabulary: frozenset[str]) -> str | None:
        text = self.text(field)
        return None if text is None else self.checked_word(field, text, vocabulary)

    def checked_word(self, field: str, text: str, vocabulary: frozenset[str]) -> str:
        word = bare_word(text)
        if word not in vocabulary and not self.is_named(text):
            self.note(ProblemCode.WORD_NOT_STANDARD, field, text)
        return word if word in vocabulary else text

    def items(self, field: str) -> list[object]:
        value = self.raw.get(field, [])
        if not isinstance(value, list):
            self.note(ProblemCode.FIELD_INVALID, field, value)
            return []
        return value

    def uris(self, field: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for item in self.items(field):
            if isinstance(item, str) and ":" in item:
                found[item] = None
            else:
                self.note(ProblemCode.FIELD_INVALID, field, item)
        return tuple(found)

    def quantities(self, field: str) -> tuple[EpcisQuantity, ...]:
        found: list[EpcisQuantity] = []
        for position, item in enumerate(self.items(field), 1):
            place = f"{field}[{position}]"
            if not isinstance(item, dict):
                self.note(ProblemCode.FIELD_INVALID, place, item)
                continue
            for name in sorted(item.keys() - {"epcClass", "quantity", "uom"}):
                self.note(ProblemCode.FIELD_NOT_ALLOWED, f"{place}.{name}")
            epc_class, quantity, unit = item.get("epcClass"), item.get("quantity"), item.get("uom")
            if not (isinstance(epc_class, str) and ":" in epc_class):
                code = ProblemCode.FIELD_INVALID if "epcClass" in item else ProblemCode.FIELD_MISSING
                self.note(code, f"{place}.epcClass", epc_class)
            amount = read_json_amount(quantity) if "quantity" in item else None
            if amount is None and "quantity" in item:
                self.note(ProblemCode.QUANTITY_INVALID, f"{place}.quantity", quantity)
            if "uom" in item and not (isinstance(unit, str) and UNIT.fullmatch(unit)):
                self.note(ProblemCode.FIELD_INVALID, f"{place}.uom", unit)
            found.append(EpcisQuantity(str(epc_class), amount, unit if isinstance(unit, str) else None))
        return tuple(found)

    def place(self, field: str) -> str | None:
        value = self.raw.get(field)
        if value is None and field not in self.raw:
            return None
        identifier = value.get("id") if isinstance(value, dict) else None
        if not (isinstance(identifier, str) and ":" in identifier):
            self.note(ProblemCode.FIELD_INVALID, f"{field}.id", value)
            return None
        return identifier

    def parties(self, field: str, name: str, roles: frozenset[str]) -> tuple[EpcisParty, ...]:
        found: list[EpcisParty] = []
        for item in self.items(field):
            role = item.get("type") if isinstance(item, dict) else None
            identifier = item.get(name) if isinstance(item, dict) else None
            if not isinstance(role, str) or not isinstance(identifier, str):
                self.note(ProblemCode.FIELD_INVALID, field, item)
                continue
            found.append(EpcisParty(self.checked_word(f"{field}.type", role, roles), identifier))
        return tuple(found)

    def ilmd(self, action: str | None) -> dict[str, str]:
        value = self.raw.get("ilmd")
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.note(ProblemCode.FIELD_INVALID, "ilmd", value)
            return {}
        if action in ("OBSERVE", "DELETE"):
            self.note(ProblemCode.FIELD_NOT_ALLOWED, "ilmd")
        for name in value:
            if not self.is_named(name) and not name.startswith("@"):
                self.note(ProblemCode.NAMESPACE_MISSING, "ilmd", name)
        return {name: plain_text(item) for name, item in value.items() if not name.startswith("@")}

    def attributes(self) -> dict[str, str]:
        kept = (name for name in self.raw if name in KEPT_WHOLE or self.is_named(name))
        return {name: plain_text(self.raw[name]) for name in kept if name not in EVERY_EVENT or name in KEPT_WHOLE}

    def error(self) -> ErrorDeclaration | None:
        value = self.raw.get("errorDeclaration")
        if value is None:
            return None
        if not isinstance(value, dict):
            self.note(ProblemCode.FIELD_INVALID, "errorDeclaration", value)
            return None
        declared_at = read_instant(value.get("declarationTime"))
        if declared_at is None:
            code = ProblemCode.TIME_INVALID if "declarationTime" in value else ProblemCode.FIELD_MISSING
            self.note(code, "errorDeclaration.declarationTime", value.get("declarationTime", ""))
            return None
        reason, ids = value.get("reason"), value.get("correctiveEventIDs", [])
        if reason is not None and not isinstance(reason, str):
            self.note(ProblemCode.FIELD_INVALID, "errorDeclaration.reason", reason)
        elif reason is not None:
            reason = self.checked_word("errorDeclaration.reason", reason, ERROR_REASONS)
        if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
            self.note(ProblemCode.FIELD_INVALID, "errorDeclaration.correctiveEventIDs", ids)
        return ErrorDeclaration(declared_at, cast("str | None", reason))

    def check_fields(self, allowed: frozenset[str]) -> None:
        for name in sorted(self.raw.keys() - allowed):
            if name.startswith("@") or self.is_named(name):
                continue
            known = name in EVERY_EVENT or any(name in part for parts in EVENT_TYPES.values() for part in parts)
            code = ProblemCode.FIELD_NOT_ALLOWED if known else ProblemCode.NAMESPACE_MISSING
            self.note(code, name, name)
        for item in self.items("bizTransactionList"):
            if not isinstance(item, dict) or not isinstance(item.get("bizTransaction"), str):
                self.note(ProblemCode.FIELD_INVALID, "bizTransactionList", item)
            elif isinstance(item.get("type"), str):
                self.checked_word("bizTransactionList.type", item["type"], BUSINESS_DOCUMENTS)
        for item in self.items("sensorElementList"):
            if not isinstance(item, dict) or not isinstance(item.get("sensorReport"), list):
                self.note(ProblemCode.FIELD_INVALID, "sensorElementList", item)

    def check_identifiers(self, kind: str, action: str | None) -> None:
        """Note when the event names nothing to which it could have happened (EPCIS 2.0, 7.4.2 to 7.4.7)."""

        def filled(*names: str) -> bool:
            return any(self.raw.get(name) for name in names)

        def given(*names: str) -> bool:
            return any(name in self.raw for name in names)

        missing = ""
        if kind == "ObjectEvent":
            missing = "" if given("epcList", "quantityList", "sensorElementList") else "epcList, quantityList"
        elif kind == "TransformationEvent":
            fed = filled("inputEPCList", "inputQuantityList")
            yielded = filled("outputEPCList", "outputQuantityList")
            if not (fed and yielded) and not ((fed or yielded) and given("transformationID")):
                missing = "outputQuantityList" if fed else "inputQuantityList"
        elif kind == "TransactionEvent" and not filled("bizTransactionList"):
            missing = "bizTransactionList"
        elif kind == "TransactionEvent" and action != "DELETE":
            missing = "" if given("epcList", "quantityList", "parentID") else "epcList, quantityList"
        elif kind in CONTAINING_TYPES:
            parent_needed = kind == "AssociationEvent" or action in ("ADD", "DELETE")
            children_needed = action in ("ADD", "OBSERVE") and not filled("childEPCs", "childQuantityList")
            missing = "childEPCs, childQuantityList" if children_needed else ""
            missing = "parentID" if parent_needed and not given("parentID") else missing
        if missing:
            self.note(ProblemCode.IDENTIFIERS_MISSING, missing)

    def check_certification(self) -> None:
        """Note dates of certificates that are none; the rest of certificationInfo is the certifier's own."""
        waiting = [self.raw.get("certificationInfo")]
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                waiting.extend(item)
            elif isinstance(item, dict):
                waiting.extend(item.values())
                for name, value in item.items():
                    if name.endswith("Date") and not is_date(value):
                        self.note(ProblemCode.DATE_INVALID, f"certificationInfo.{name}", value)

"""Refusals: one GraphQL type for each code, made from its text."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from types import new_class
from typing import Annotated, Any, Final

import strawberry
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from infra.messages import ELLIPSIS, Language, Notice, Worded, message, word
from plants.rules.approvals.change_requests import ChangeLevel, ChangeState
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE, REQUEST_PRUNED, REQUEST_REUSED
from plants.rules.materials.refusals import (
    CONVERSION_IMPOSSIBLE,
    CONVERSIONS_OUTDATED,
    FIELD_REQUIRED,
    NOT_DEFINED,
    STALE_VERSION,
)
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.quality.dispositions import Disposition
from plants.rules.quality.holds import HoldKind
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.instants import parse_instant
from plants.rules.values.refusal_data import Datum, DatumKind
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    FURTHER_MAX,
    LINES_INVALID,
    NOT_STATED,
    NOTHING_CHANGES,
    TEXT_INVALID,
    TIME_IN_FUTURE,
    TIME_TOO_OLD,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
    Phrase,
    Refusal,
    RefusalCode,
)
from plants.store.projection.registry import EVENTS
from plants.store.refusals import declared_refusals
from schema.engine.fields import described, form_type, interface_type
from schema.engine.node_ids import node_id
from schema.engine.quantities import Quantity
from schema.engine.scalars import BatchCode, Code, ExactDecimal, PlantCode, RequestId

DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


FURTHER_ASSUMED: Final = 2
"""The further refusals that the cost of an answer counts: most refusals have none."""


@interface_type(name="Refusal")
class RefusalAnswer:
    """An expected “no”: nothing was changed. It carries a code, a message and its place in the input.

    Its data are null where an older program kept the refusal without them.
    """

    code: RefusalCode = described("Code of the refusal.")
    message: str = described("Message in the caller's language.")
    path: list[str] | None = described(
        "Place of the refused value below `input`, or the name of another argument first: names of fields and indexes "
        "from 0, at most 20. "
        "Null if the whole request is refused, or if the refusal was kept.",
        default=None,
    )
    further_refusals: list["RefusalAnswer"] = described(
        f"Refusals of other values of the same request, at most {FURTHER_MAX}, in the order found.",
        size=FURTHER_ASSUMED,
        default_factory=list,
    )


def _decimal(text: str) -> ExactDecimal:
    """Return a decimal as it was stored. Raises ValueError for another text."""
    if not DECIMAL.fullmatch(text):
        raise ValueError(text)
    return ExactDecimal(text)


def _plant_code(text: str) -> PlantCode:
    """Return a plant's code. Raises ValueError where the refusal knows none."""
    if text == NOT_STATED:
        raise ValueError(text)
    return PlantCode(text)


def _id(kind: str) -> Callable[[str], strawberry.ID]:
    """Return how a datum becomes a node's id: a number of ours, or the text that a client sent as an id."""
    return lambda text: node_id(kind, int(text)) if text.isdecimal() else strawberry.ID(text)


TYPES: Final[Mapping[DatumKind, tuple[Any, Callable[[str], Any]]]] = {
    DatumKind.TEXT: (str, str),
    DatumKind.INTEGER: (int, int),
    DatumKind.DECIMAL: (ExactDecimal, _decimal),
    DatumKind.DAY: (date, date.fromisoformat),
    DatumKind.INSTANT: (datetime, parse_instant),
    DatumKind.UUID: (RequestId, RequestId),
    DatumKind.BATCH_CODE: (BatchCode, BatchCode),
    DatumKind.PLANT_CODE: (PlantCode, _plant_code),
    DatumKind.PROCESS: (strawberry.ID, _id("process")),
    DatumKind.TRANSFER: (strawberry.ID, _id("transfer")),
    DatumKind.HOLD_KIND: (Annotated["HoldKind", strawberry.lazy("schema.quality.holds")], HoldKind),
    DatumKind.DISPOSITION: (Annotated["Disposition", strawberry.lazy("schema.inventory.goods_at_plants")], Disposition),
    DatumKind.CHANGE_LEVELS: (
        list[Annotated["ChangeLevel", strawberry.lazy("schema.approvals.change_requests")]],
        lambda text: [ChangeLevel(one) for one in text.split(", ")],
    ),
    DatumKind.CHANGE_STATE: (
        Annotated["ChangeState", strawberry.lazy("schema.approvals.change_requests")],
        ChangeState,
    ),
    DatumKind.QUANTITY: (Quantity, _decimal),
    DatumKind.PHRASE: (str, str),
}
"""The type of a datum of each kind, and how its value is made of the stored text.

WORD and UNIT have no field of their own.
"""


def shown(code: RefusalCode) -> Mapping[str, tuple[str, Datum]]:
    """Return the data that have a field of their own: by key, the name of the field, and the datum."""
    return {key: (one.name or key, one) for key, one in code.data.items() if one.kind in TYPES}


def described_fields(code: RefusalCode) -> Mapping[str, str]:
    """Return the description of each field of a refusal's type, by its name in the SDL."""
    return {to_camel_case(name): one.description for name, one in shown(code).values()}


def _type_of(name: str, datum: Datum) -> Any:
    """Return the type of a field: a text that is named as a code is one."""
    named_code = datum.kind is DatumKind.TEXT and name.endswith("_code")
    return Code if named_code else TYPES[datum.kind][0]


def type_name(code: RefusalCode) -> str:
    """Return the name of a refusal's type: its code in PascalCase, then `Refusal` where an event has that name.

    The success of a mutation is named like its event: `... on ProcessClosed` must not select a refusal.
    """
    pascal = "".join(word.capitalize() for word in code.split("_"))
    return f"{pascal}Refusal" if pascal in EVENTS else pascal


def _type(code: RefusalCode) -> type[RefusalAnswer]:
    data = dict(shown(code).values())

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = {name: _type_of(name, one) | None for name, one in data.items()}
        namespace["__module__"] = __name__
        for name, one in data.items():
            namespace[name] = strawberry.field(description=one.description)

    made = new_class(f"{code}_REFUSAL", (RefusalAnswer,), {}, fill)
    return strawberry.type(made, name=type_name(code), description=f"Refused: “{code.text}”")


REFUSALS: Final = {code: _type(code) for code in declared_refusals().values()}

COMMON: Final = frozenset(
    {
        ENTRY_TOO_LARGE,
        NOT_PERMITTED,
        PLANT_FENCED,
        REQUEST_PRUNED,
        REQUEST_REUSED,
        TEXT_INVALID,
        TIME_IN_FUTURE,
        TIME_TOO_OLD,
    }
)
"""The refusals of every mutation: by the caller, the common input fields and the size of the entry."""

AMOUNTS: Final = frozenset(
    {
        AMOUNT_NOT_A_NUMBER,
        AMOUNT_NOT_POSITIVE,
        AMOUNT_TOO_LARGE,
        AMOUNT_TOO_PRECISE,
        UNIT_NOT_CONVERTIBLE,
        UNIT_UNKNOWN,
    }
)
"""The refusals of a quantity."""

TAKING: Final = frozenset(
    {
        BATCH_EXPIRED,
        BATCH_ON_HOLD,
        BATCH_RESTRICTED,
        BATCH_UNKNOWN,
        LINES_INVALID,
        NOT_DEFINED,
        STOCK_SHORT,
    }
)
"""The refusals of taking goods from stock."""


SAVING: Final = frozenset({CODE_INVALID, FIELD_REQUIRED, NOT_DEFINED, NOTHING_CHANGES, STALE_VERSION})
"""The refusals of saving any master data."""

SAVING_UNIT: Final = SAVING | {AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, CODE_TAKEN, UNIT_UNKNOWN}
"""The refusals of saving a unit."""

SAVING_MATERIAL: Final = SAVING_UNIT | {CONVERSION_IMPOSSIBLE, CONVERSIONS_OUTDATED}
"""The refusals of saving a material with its conversions."""


QUOTED_MAX: Final = 200
"""Characters of a datum that a message quotes. An ellipsis replaces the rest."""


def message_of(refusal: Refusal, language: Language) -> str:
    """Return the message of a refusal. It quotes control, format and line characters as escapes."""
    data = {name: _quoted(value) for name, value in refusal.data.items()}
    return word(Notice(refusal.code, refusal.text, data), language)


def _quoted(value: object) -> object:
    if isinstance(value, Worded):
        return Notice(value.code, value.text, {name: _visible(one) for name, one in value.data.items()})
    text = str(_visible(value))
    return text if len(text) <= QUOTED_MAX else text[:QUOTED_MAX] + ELLIPSIS


def _visible(value: object) -> object:
    """Return a text with escapes in place of characters that cannot be printed, and any other value as it is."""
    if not isinstance(value, str) or isinstance(value, Worded) or value.isprintable():
        return value
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in value)


def refused(refusal: Refusal, language: Language) -> RefusalAnswer:
    """Return the GraphQL object of a refusal."""
    data = {name: _value(refusal, key, one, language) for key, (name, one) in shown(refusal.code).items()}
    return REFUSALS[refusal.code](
        code=refusal.code,
        message=message_of(refusal, language),
        path=list(refusal.path) or None,
        further_refusals=[refused(one, language) for one in refusal.further],
        **data,
    )


def _value(refusal: Refusal, key: str, datum: Datum, language: Language) -> Any:
    """Return the typed value of a datum, or None where the refusal holds none or another program's text."""
    text = refusal.data.get(key)
    if text is None:
        return None
    if isinstance(text, Phrase):
        return word(text, language)
    try:
        value = TYPES[datum.kind][1](text)
    except ValueError:
        return None
    if datum.kind is not DatumKind.QUANTITY:
        return value
    unit = refusal.data.get("unit")
    return None if unit is None else Quantity(amount=value, unit=unit)


NEWER_REFUSAL: Final = message(
    "NEWER_REFUSAL", "A newer program refused it with the code {code}. Update this node to read the reason."
)


@form_type
class NewerRefusal(RefusalAnswer):
    """A kept refusal of a newer program, which this one knows by its code alone."""


def kept_refusal(code: str, data: Mapping[str, str], language: Language) -> RefusalAnswer:
    """Return the GraphQL object of a refusal that a ledger holds.

    A datum that the ledger lacks is null, and an ellipsis in the message. Its program did not have it, or the entry
    was pruned.
    """
    declared = declared_refusals().get(code)
    if declared is None:
        return NewerRefusal(code=RefusalCode(code), message=word(NEWER_REFUSAL(code=code), language))
    absent = {key for key, one in declared.data.items() if one.default is None} - data.keys()
    answer = refused(Refusal.kept(declared, dict.fromkeys(absent, ELLIPSIS) | dict(data)), language)
    for name in (name for key, (name, _) in shown(declared).items() if key in absent):
        setattr(answer, name, None)
    return answer


def query_error(refusal: Refusal, language: Language) -> GraphQLError:
    """Return a refusal as a GraphQL error, for a query or subscription. Its data are texts, named as in its type."""
    data = {
        to_camel_case(name): word(said, language) if isinstance(said, Phrase) else said
        for key, (name, _) in shown(refusal.code).items()
        for said in [refusal.data.get(key)]
    }
    return GraphQLError(message_of(refusal, language), extensions={**data, "code": refusal.code})


def types() -> Iterable[type]:
    """Return all refusal types. The schema needs them listed where only the interface leads to them."""
    return REFUSALS.values()

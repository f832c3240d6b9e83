"""Refusals: one GraphQL type for each code, made from its text."""

import string
from collections.abc import Iterable, Mapping
from types import new_class
from typing import Any, Final

import strawberry
from graphql import GraphQLError

from plants.rules.values.refusals import WORDINGS, Language, Refusal, RefusalCode
from schema.engine.fields import described, interface_type

C = RefusalCode

RefusalCodeEnum = strawberry.enum(
    RefusalCode, name="RefusalCode", description="Code of a refusal. A code is never renamed or reused."
)


@interface_type(name="Refusal")
class RefusalAnswer:
    """An expected “no”: nothing was changed. It carries a code and a message."""

    code: RefusalCode = described("Code of the refusal.")
    message: str = described("Message in the caller's language.")


# Data that the text of a refusal does not show.
MORE_DATA: Final[dict[RefusalCode, tuple[str, ...]]] = {C.BATCH_ON_HOLD: ("hold",)}
# The interface uses `code` for the code of the refusal.
RENAMED: Final = {"code": "value"}
# Events have the plain names.
OTHER_NAMES: Final = {
    C.DISPUTE_SETTLED: "DisputeAlreadySettled",
    C.PROCESS_CLOSED: "ProcessAlreadyClosed",
    C.TRANSFER_RECEIVED: "TransferAlreadyReceived",
}

DESCRIPTIONS: Final = {
    "after": "Value after the change.",
    "alias": "Alias in the request.",
    "amount": "Amount in the request.",
    "at": "Time in the request.",
    "available": "Available quantity.",
    "batch": "Batch code.",
    "before": "Value before the change.",
    "by": "Index of the later entry.",
    "change": "Number of the change request.",
    "count": "Number in the request.",
    "current": "Current version of the batch.",
    "date": "Date in the request.",
    "days": "Limit in days.",
    "decimals": "Largest number of decimals.",
    "destination": "Destination plant.",
    "difference": "Difference.",
    "disposition": "Disposition of the goods.",
    "dispute": "Index of the disputing entry.",
    "entry": "Index of the entry.",
    "expected": "Expected material.",
    "expires_at": "Time of expiry.",
    "expires_on": "Last day of use.",
    "field": "Field of the input.",
    "hold": "Id of the first open hold.",
    "kind": "Kind of hold.",
    "later": "Index of the later directive.",
    "levels": "Levels at which it may be decided.",
    "limit": "Limit.",
    "location": "Location code.",
    "material": "Material.",
    "percent": "Tolerance in percent.",
    "plant": "Plant.",
    "present": "Current value.",
    "process": "Process record id.",
    "proposed": "Version of the batch at the time of the request.",
    "reason": "Reason that was given.",
    "request": "Request id.",
    "rule": "Accepted values.",
    "size": "Size in bytes.",
    "state": "Current state.",
    "target": "Target unit.",
    "thing": "Kind of the subject.",
    "transfer": "Transfer id.",
    "type": "Type of the entry.",
    "unit": "Unit.",
    "value": "Value in the request.",
    "wanted": "Requested value.",
    "where": "Position in the document.",
    "why": "Reason.",
}


def data_names(code: RefusalCode) -> list[str]:
    """Return the names of a refusal's data, in the order of its text."""
    shown = [name for _, name, _, _ in string.Formatter().parse(WORDINGS[code].en) if name]
    return list(dict.fromkeys((*shown, *MORE_DATA.get(code, ()))))


def type_name(code: RefusalCode) -> str:
    """Return the name of a refusal's type: BATCH_ON_HOLD is BatchOnHold."""
    return OTHER_NAMES.get(code) or "".join(word.capitalize() for word in code.value.split("_"))


def _type(code: RefusalCode) -> type[RefusalAnswer]:
    fields = [RENAMED.get(name, name) for name in data_names(code)]

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = dict.fromkeys(fields, str)
        namespace["__module__"] = __name__
        for name in fields:
            namespace[name] = strawberry.field(description=DESCRIPTIONS[name])

    made = new_class(f"{type_name(code)}Refusal", (RefusalAnswer,), {}, fill)
    text = WORDINGS[code].en.replace("{", "").replace("}", "")
    return strawberry.type(made, name=type_name(code), description=f"Refused: “{text}”")


REFUSALS: Final = {code: _type(code) for code in RefusalCode}

COMMON: Final = frozenset(
    {
        C.ENTRY_TOO_LARGE,
        C.NOT_PERMITTED,
        C.PLANT_FENCED,
        C.REQUEST_PRUNED,
        C.REQUEST_REUSED,
        C.TEXT_INVALID,
        C.TIME_IN_FUTURE,
        C.TIME_TOO_OLD,
    }
)
"""The refusals of every mutation: by the caller, the common input fields and the size of the entry."""

AMOUNTS: Final = frozenset(
    {
        C.AMOUNT_NOT_A_NUMBER,
        C.AMOUNT_NOT_POSITIVE,
        C.AMOUNT_TOO_LARGE,
        C.AMOUNT_TOO_PRECISE,
        C.UNIT_NOT_CONVERTIBLE,
        C.UNIT_UNKNOWN,
    }
)
"""The refusals of a quantity."""

TAKING: Final = frozenset(
    {
        C.BATCH_EXPIRED,
        C.BATCH_ON_HOLD,
        C.BATCH_RESTRICTED,
        C.BATCH_UNKNOWN,
        C.LINES_INVALID,
        C.STOCK_SHORT,
    }
)
"""The refusals of taking goods from stock."""


def refused(refusal: Refusal, language: Language) -> RefusalAnswer:
    """Return the GraphQL object of a refusal."""
    data = _renamed({name: refusal.data.get(name, "") for name in data_names(refusal.code)})
    return REFUSALS[refusal.code](code=refusal.code, message=refusal.message(language), **data)


def _renamed(data: Mapping[str, str]) -> dict[str, str]:
    return {RENAMED.get(name, name): value for name, value in data.items()}


def query_error(refusal: Refusal, language: Language) -> GraphQLError:
    """Return a refusal as a GraphQL error, for a query or subscription."""
    return GraphQLError(refusal.message(language), extensions={**_renamed(refusal.data), "code": refusal.code.value})


def types() -> Iterable[type]:
    """Return all refusal types. The schema needs them listed where only the interface leads to them."""
    return REFUSALS.values()

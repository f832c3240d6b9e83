"""Refusals in the contract: a type for each code, made from its text, and the union that a mutation answers with."""

import string
from collections.abc import Callable, Iterable, Mapping
from functools import reduce, wraps
from operator import or_
from types import new_class
from typing import Annotated, Any, Final, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from plants.rules.values.refusals import WORDINGS, Language, Refusal, RefusalCode

C = RefusalCode

RefusalCodeEnum = strawberry.enum(
    RefusalCode, name="RefusalCode", description="Every expected “no”; a code is never renamed or reused."
)


@strawberry.interface(name="Refusal", description="An expected “no”: nothing was changed, and this says why.")
class RefusalAnswer:
    """What every refusal says."""

    code: RefusalCode = strawberry.field(description="Which refusal it is.")
    message: str = strawberry.field(description="The refusal as a sentence, in the caller's language.")


# Data that a refusal carries beside what its text shows.
MORE_DATA: Final[dict[RefusalCode, tuple[str, ...]]] = {C.BATCH_ON_HOLD: ("hold",)}
# `code` of the interface is the refusal's own.
RENAMED: Final = {"code": "value"}
# The events have these names.
OTHER_NAMES: Final = {
    C.DISPUTE_SETTLED: "DisputeAlreadySettled",
    C.PROCESS_CLOSED: "ProcessAlreadyClosed",
    C.TRANSFER_RECEIVED: "TransferAlreadyReceived",
}

DESCRIPTIONS: Final = {
    "after": "What it would become.",
    "alias": "The alias that was given.",
    "amount": "The amount that was given.",
    "at": "The time that was given, or the time meant.",
    "available": "How much there is.",
    "batch": "The batch it is about, by its code.",
    "before": "What it is.",
    "by": "The index of the later entry.",
    "change": "The change request it is about.",
    "count": "How many were given.",
    "current": "The batch's version now.",
    "date": "The date that was given.",
    "days": "How many days back is the limit.",
    "decimals": "How many decimals are the limit.",
    "destination": "The plant that it goes to.",
    "difference": "By how much it differs.",
    "disposition": "The disposition of the goods.",
    "dispute": "The index of the entry that disputes it.",
    "entry": "The index of the entry it is about.",
    "expected": "What was expected.",
    "expires_at": "When it expired.",
    "expires_on": "The last day on which the goods were usable.",
    "field": "What it is that was given.",
    "hold": "The id of the first open hold.",
    "kind": "Why the goods are held.",
    "later": "The index of the later directive.",
    "levels": "Where it may be decided.",
    "limit": "The limit.",
    "location": "The location it is about.",
    "material": "The material it is about.",
    "percent": "The tolerance in percent.",
    "plant": "The plant it is about.",
    "present": "What it is now.",
    "process": "The process record it is about.",
    "proposed": "The batch's version when the change was asked for.",
    "reason": "The reason that was given for it.",
    "request": "The request id that was given.",
    "rule": "What is accepted.",
    "size": "How large it is, in bytes.",
    "state": "How far along it is already.",
    "target": "The unit that it should be in.",
    "thing": "What kind of thing it is.",
    "transfer": "The transfer it is about.",
    "type": "The type of the entry.",
    "unit": "The unit.",
    "value": "What was given.",
    "wanted": "What was asked for.",
    "where": "Where in the document.",
    "why": "What is wrong with it, or would be.",
}


def data_names(code: RefusalCode) -> list[str]:
    """Return the names of the data that a refusal of this code carries, in the order of its text."""
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
"""What every mutation can be refused with: by who asks, the input's own fields, and the size of an entry."""

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
"""What a quantity can be refused with."""

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
"""What taking goods from stock can be refused with."""

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


class UnlistedRefusal(Exception):
    """A command refused in a way that its mutation does not list: a bug, because no caller could be ready for it."""


def refused(refusal: Refusal, language: Language) -> RefusalAnswer:
    """Return a refusal as the contract answers it."""
    data = _renamed({name: refusal.data.get(name, "") for name in data_names(refusal.code)})
    return REFUSALS[refusal.code](code=refusal.code, message=refusal.message(language), **data)


def _renamed(data: Mapping[str, str]) -> dict[str, str]:
    return {RENAMED.get(name, name): value for name, value in data.items()}


def query_error(refusal: Refusal, language: Language) -> GraphQLError:
    """Return a refusal as an error of a query, which has no union to carry it."""
    return GraphQLError(refusal.message(language), extensions={**_renamed(refusal.data), "code": refusal.code.value})


def mutation(success: type, *codes: RefusalCode, description: str) -> Callable[[Resolver], Any]:
    """Make a mutation that answers with its success or with one of the refusals that its command can raise.

    Any other refusal is raised as UnlistedRefusal, to be masked as the bug that it is.
    """

    def make(resolve: Resolver) -> Any:
        called = to_camel_case(resolve.__name__)
        listed = LISTED[resolve.__name__] = frozenset(codes) | COMMON
        result = f"{called[0].upper()}{called[1:]}Result"
        union = strawberry.union(name=result, description=f"What `{called}` answers.")
        answers = reduce(or_, (success, *(REFUSALS[code] for code in sorted(listed))))

        @wraps(resolve)
        async def answer(*args: Any, **given: Any) -> Any:
            try:
                return await resolve(*args, **given)
            except Refusal as refusal:
                if refusal.code not in listed:
                    raise UnlistedRefusal(refusal.code) from refusal
                return refused(refusal, given["info"].context.language)

        returned = Annotated[answers, union]  # type: ignore[valid-type]
        return strawberry.mutation(resolver=answer, description=description, graphql_type=returned)

    return make


LISTED: Final[dict[str, frozenset[RefusalCode]]] = {}
"""The refusals that each mutation lists, by the name of its resolver."""


def types() -> Iterable[type]:
    """Return every refusal's type, so that the schema has also those that only the interface leads to."""
    return REFUSALS.values()

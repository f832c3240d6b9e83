"""Refusals in the contract: a type for each code, made from its text, and the union that a mutation answers with."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import reduce, wraps
from operator import or_
from types import new_class
from typing import Annotated, Any, Final, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from infra.messages import Language, word
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE, REQUEST_PRUNED, REQUEST_REUSED
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED
from plants.rules.refusals import declared_refusals
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    AMOUNT_TOO_LARGE,
    AMOUNT_TOO_PRECISE,
    LINES_INVALID,
    TEXT_INVALID,
    TIME_IN_FUTURE,
    TIME_TOO_OLD,
    UNIT_NOT_CONVERTIBLE,
    UNIT_UNKNOWN,
    Refusal,
    RefusalCode,
)

RefusalCodes: type[StrEnum] = StrEnum(  # type: ignore[misc]  # mypy wants a literal; the members are declared elsewhere.
    "RefusalCodes", [(code, code) for code in declared_refusals()]
)
CodeEnum = strawberry.enum(
    RefusalCodes,
    name="RefusalCode",
    description="Every expected “no”; a code is never renamed or reused.",
)


@strawberry.interface(name="Refusal", description="An expected “no”: nothing was changed, and this says why.")
class RefusalAnswer:
    """What every refusal says."""

    code: StrEnum = strawberry.field(graphql_type=CodeEnum, description="Which refusal it is.")
    message: str = strawberry.field(description="The refusal as a sentence, in the caller's language.")


RENAMED: Final = {"code": "value"}
"""A datum `code` is the field `value`, because `code` of the interface is the refusal's own."""


def _type(code: RefusalCode) -> type[RefusalAnswer]:
    described = {RENAMED.get(name, name): text for name, text in code.descriptions.items()}

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = dict.fromkeys(described, str)
        namespace["__module__"] = __name__
        for name, text in described.items():
            namespace[name] = strawberry.field(description=text)

    made = new_class(f"{code.type_name}Refusal", (RefusalAnswer,), {}, fill)
    return strawberry.type(made, name=code.type_name, description=f"Refused: “{code.text}”")


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
"""What every mutation can be refused with: by who asks, the input's own fields, and the size of an entry."""

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
"""What a quantity can be refused with."""

TAKING: Final = frozenset(
    {
        BATCH_EXPIRED,
        BATCH_ON_HOLD,
        BATCH_RESTRICTED,
        BATCH_UNKNOWN,
        LINES_INVALID,
        STOCK_SHORT,
    }
)
"""What taking goods from stock can be refused with."""

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


class UnlistedRefusal(Exception):
    """A command refused in a way that its mutation does not list: a bug, because no caller could be ready for it."""


def refused(refusal: Refusal, language: Language) -> RefusalAnswer:
    """Return a refusal as the contract answers it."""
    data = _renamed({name: refusal.data.get(name, "") for name in refusal.code.descriptions})
    return REFUSALS[refusal.code](code=CodeEnum(refusal.code), message=word(refusal, language), **data)


def _renamed(data: Mapping[str, str]) -> dict[str, str]:
    return {RENAMED.get(name, name): value for name, value in data.items()}


def query_error(refusal: Refusal, language: Language) -> GraphQLError:
    """Return a refusal as an error of a query, which has no union to carry it."""
    return GraphQLError(word(refusal, language), extensions={**_renamed(refusal.data), "code": refusal.code})


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

"""Refusals: one GraphQL type for each code, made from its text."""

from collections.abc import Iterable, Mapping
from types import new_class
from typing import Any, Final

import strawberry
from graphql import GraphQLError

from infra.messages import Language, word
from plants.rules.inventory.refusals import BATCH_UNKNOWN, STOCK_SHORT
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE, REQUEST_PRUNED, REQUEST_REUSED
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED
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
from plants.store.refusals import declared_refusals
from schema.engine.fields import described, interface_type


@interface_type(name="Refusal")
class RefusalAnswer:
    """An expected “no”: nothing was changed. It carries a code and a message."""

    code: RefusalCode = described("Code of the refusal.")
    message: str = described("Message in the caller's language.")


RENAMED: Final = {"code": "value"}
"""A datum `code` is the field `value`, because the interface has a field `code`."""


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
        STOCK_SHORT,
    }
)
"""The refusals of taking goods from stock."""


def refused(refusal: Refusal, language: Language) -> RefusalAnswer:
    """Return the GraphQL object of a refusal."""
    data = _renamed({name: refusal.data.get(name, "") for name in refusal.code.descriptions})
    return REFUSALS[refusal.code](code=refusal.code, message=word(refusal, language), **data)


def _renamed(data: Mapping[str, str]) -> dict[str, str]:
    return {RENAMED.get(name, name): value for name, value in data.items()}


def query_error(refusal: Refusal, language: Language) -> GraphQLError:
    """Return a refusal as a GraphQL error, for a query or subscription."""
    return GraphQLError(word(refusal, language), extensions={**_renamed(refusal.data), "code": refusal.code})


def types() -> Iterable[type]:
    """Return all refusal types. The schema needs them listed where only the interface leads to them."""
    return REFUSALS.values()

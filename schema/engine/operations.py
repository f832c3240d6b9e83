"""Declarations of queries, mutations and subscriptions: each registers itself where it is defined."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, reduce, wraps
from inspect import Parameter, signature
from operator import or_
from typing import Annotated, Any, Final, ParamSpec, TypeVar, cast

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

import schema
from auth.permissions import Permission
from infra.discovery import modules
from infra.roles import BOTH_ROLES, Role
from plants.rules.values.refusals import Refusal, RefusalCode
from schema.engine.access import METADATA_KEY, Access, AnyCommand, Permissions, access_of
from schema.engine.cost_directives import weighing
from schema.engine.fields import argument
from schema.engine.refusals import COMMON, REFUSALS, RefusalAnswer, refused
from schema.engine.validations import Validated, ValidationEnded

P = ParamSpec("P")
T = TypeVar("T")

PLANT_ONLY: Final = frozenset({Role.PLANT})
HUB_ONLY: Final = frozenset({Role.HUB})
MUTATION_WEIGHT: Final = 10  # of one write transaction


class OperationKind(StrEnum):
    """The root type of an operation."""

    QUERY = "Query"
    MUTATION = "Mutation"
    SUBSCRIPTION = "Subscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One field of a root type, as it is declared."""

    kind: OperationKind
    name: str  # as the SDL spells it
    roles: frozenset[Role]
    access: Access
    field: StrawberryField
    declared: Callable[..., object]
    """The function as it was declared."""
    order: type | None = None
    refusals: frozenset[RefusalCode] = frozenset()
    """The refusals in the result union of a mutation."""
    bulk: bool = False
    """True for a mutation of many rows. It is not a member of CommandInput."""

    @property
    def resolve(self) -> Callable[..., Awaitable[Any]]:
        """The resolver, with the answers to expected refusals."""
        assert self.field.base_resolver is not None
        return cast("Callable[..., Awaitable[Any]]", self.field.base_resolver.wrapped_func)

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """The permissions of which the caller needs one; none for what every signed-in user may ask."""
        return self.access.permissions


class UnlistedRefusal(Exception):
    """A command raised a refusal that its mutation does not declare. This is a bug: clients cannot handle it."""


_DECLARED: Final[dict[tuple[OperationKind, str, frozenset[Role]], Operation]] = {}


def operations() -> Iterator[Operation]:
    """Yield every declared operation, in the order of the modules and of the declarations in each."""
    _import_areas()
    yield from _DECLARED.values()


Derive = Callable[[Iterable[Operation]], None]
_DERIVED: Final[list[Derive]] = []


def derived(derive: Derive) -> Derive:
    """Register a function that declares operations made of all others. It runs once all modules are imported."""
    _DERIVED.append(derive)
    return derive


@cache
def _import_areas() -> None:
    for _ in modules(schema):
        pass
    found = tuple(_DECLARED.values())
    for derive in _DERIVED:
        derive(found)


def query(
    description: str,
    *,
    permission: Permissions,
    roles: frozenset[Role] = BOTH_ROLES,
    name: str | None = None,
    weight: int | None = None,
    size: int | None = None,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Declare a query. `permission` is None where any signed-in user may ask, or where each thing asks for its own.

    Its SDL name is that of the resolver unless `name` is given. `weight` is added to the cost of the answer.
    `size` is the size of a list in a cost; without it, it is the maximum that the description states.
    """

    def declare(resolve: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        access = access_of(permission)
        metadata = {METADATA_KEY: access}
        made: Any = strawberry.field(
            resolver=resolve, name=name, description=description, metadata=metadata, directives=weighing(weight, size)
        )
        register(OperationKind.QUERY, resolve, made, roles=roles, access=access)
        return resolve

    return declare


def subscription(
    description: str, *, permission: Permissions, roles: frozenset[Role] = BOTH_ROLES
) -> Callable[[Callable[P, AsyncIterator[T]]], Callable[P, AsyncIterator[T]]]:
    """Declare a subscription."""

    def declare(resolve: Callable[P, AsyncIterator[T]]) -> Callable[P, AsyncIterator[T]]:
        access = access_of(permission)
        made: Any = strawberry.subscription(resolver=resolve, description=description, metadata={METADATA_KEY: access})
        register(OperationKind.SUBSCRIPTION, resolve, made, roles=roles, access=access)
        return resolve

    return declare


def mutation(
    description: str,
    *,
    roles: frozenset[Role],
    permission: Permission,
    command: AnyCommand | tuple[AnyCommand, ...],
    order: type | None = None,
    refusals: Iterable[RefusalCode] = (),
    bulk: bool = False,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Declare a mutation. It returns the type that the resolver returns, or one of the refusals of its command.

    The permission is checked at this node before the resolver reads any id. With the argument `validateOnly`, which
    every mutation has, the command is rolled back and the answer is Validated in place of the resolver's type. A `bulk`
    mutation of many rows answers the resolver's type then too.

    `refusals` leaves out those that every mutation has (COMMON). Any other refusal is raised as UnlistedRefusal.
    `order` names the type of order where one command takes several and their refusals differ.
    """

    def declare(resolve: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        listed = frozenset(refusals) | COMMON
        access = access_of(permission, commands=command if isinstance(command, tuple) else (command,))

        @wraps(resolve)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> T | Validated | RefusalAnswer:
            info: Any = kwargs["info"]
            info.validating = kwargs.pop(VALIDATE_ONLY.name, False)
            try:
                info.require(info.services.plant)
                return await resolve(*args, **kwargs)
            except ValidationEnded as ended:
                return ended.answer
            except Refusal as refusal:
                unlisted = {one.code for one in (refusal, *refusal.further)} - listed
                if unlisted:
                    raise UnlistedRefusal(*sorted(unlisted)) from refusal
                return refused(refusal, info.context.language)

        declared = signature(resolve)
        answer.__signature__ = declared.replace(  # type: ignore[attr-defined]  # mypy knows no attributes of functions
            parameters=(*declared.parameters.values(), VALIDATE_ROWS if bulk else VALIDATE_ONLY)
        )
        made: Any = strawberry.mutation(
            resolver=answer,
            description=description,
            graphql_type=_result(resolve, listed, () if bulk else (Validated,)),
            metadata={METADATA_KEY: access},
            directives=weighing(MUTATION_WEIGHT),
        )
        register(
            OperationKind.MUTATION, resolve, made, roles=roles, access=access, order=order, refusals=listed, bulk=bulk
        )
        return resolve

    return declare


VALIDATE_ONLY: Final = Parameter(
    "validate_only",
    Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, argument("True to learn only whether the mutation would be refused now. Nothing is written.")
    ],
)
"""The argument that every mutation has beside its input."""
VALIDATE_ROWS: Final = VALIDATE_ONLY.replace(
    annotation=Annotated[
        bool,
        argument(
            "True to learn only the results that the rows would have now. "
            "The job runs the rows and undoes them: nothing is recorded."
        ),
    ]
)
"""The same argument of a mutation of many rows."""


def _result(resolve: Callable[..., object], listed: Iterable[RefusalCode], more: Iterable[type]) -> Any:
    """Return the result union of a mutation: its success type, `more`, then its refusals by code."""
    called = to_camel_case(resolve.__name__)
    union = strawberry.union(name=f"{called[0].upper()}{called[1:]}Result", description=f"The result of `{called}`.")
    success: Any = resolve.__annotations__["return"]
    return Annotated[reduce(or_, (*more, *(REFUSALS[code] for code in sorted(listed))), success), union]


def register(
    kind: OperationKind,
    resolve: Callable[..., object],
    made: StrawberryField,
    *,
    roles: frozenset[Role],
    access: Access,
    order: type | None = None,
    refusals: frozenset[RefusalCode] = frozenset(),
    bulk: bool = False,
) -> None:
    """Register an operation. Raises TypeError where a role has one of that name already."""
    name = made.graphql_name or to_camel_case(resolve.__name__)
    if any((kind, name) == declared[:2] and roles & declared[2] for declared in _DECLARED):
        raise TypeError(f"{kind}.{name} is declared twice")
    _DECLARED[kind, name, roles] = Operation(
        kind=kind,
        name=name,
        roles=roles,
        access=access,
        field=made,
        declared=resolve,
        order=order,
        refusals=refusals,
        bulk=bulk,
    )

"""Declarations of GraphQL types, fields and arguments. The description of a type is its class docstring."""

import dataclasses
from collections.abc import Callable
from inspect import cleandoc
from typing import Any, Final, TypeVar, dataclass_transform, overload

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from plants.rules.values.enums import DescribedEnum
from schema.engine.access import METADATA_KEY, Permissions, access_of
from schema.engine.cost_directives import weighing

Resolver = Callable[..., Any]
T = TypeVar("T")
E = TypeVar("E", bound=DescribedEnum)


def field(
    description: str, *, permission: Permissions = None, weight: int | None = None, size: int | None = None
) -> Callable[[Resolver], Any]:
    """Declare a resolved field of an object type, and the permission that it reads under.

    In a cost it has this weight, and its list this size; without `size` the maximum that the description states.
    """
    metadata = {METADATA_KEY: access_of(permission)}
    declare: Callable[[Resolver], Any] = strawberry.field(
        description=description, metadata=metadata, directives=weighing(weight, size)
    )
    return declare


def argument(description: str) -> Any:
    """Describe an argument: an annotation for its type in `Annotated`."""
    return strawberry.argument(description=description)


def described(
    description: str,
    *,
    name: str | None = None,
    size: int | None = None,
    weight: int | None = None,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
) -> Any:
    """Declare a plain field of an object or an input type. `name` is its SDL name where Python reserves the word.

    `size` is the assumed size of a list whose maximum is rare. `weight` is that of the field in a cost.
    """
    return strawberry.field(
        description=description,
        name=name,
        directives=weighing(weight, size),
        default=default,
        default_factory=default_factory,
    )


@overload
@dataclass_transform(kw_only_default=True, field_specifiers=(described, StrawberryField))
def object_type(cls: type[T]) -> type[T]: ...


@overload
@dataclass_transform(kw_only_default=True, field_specifiers=(described, StrawberryField))
def object_type(*, name: str | None = None, weight: int | None = None) -> Callable[[type[T]], type[T]]: ...


def object_type(cls: type[T] | None = None, *, name: str | None = None, weight: int | None = None) -> Any:
    """Declare an object type. Its SDL name is the class name unless `name` is given.

    `weight` is that of one object in a cost. Without it, an object weighs 1.
    """

    def declare(cls: type[T]) -> type[T]:
        return strawberry.type(cls, name=name, description=_description(cls), directives=weighing(weight))

    return declare if cls is None else declare(cls)


FORMS: Final[list[type]] = []
"""The object types that no field names: an interface alone leads to them, so that each schema must list them."""


@dataclass_transform(kw_only_default=True, field_specifiers=(described, StrawberryField))
def form_type(cls: type[T]) -> type[T]:
    """Declare an object type that clients meet as one form of its interface."""
    made: type[T] = object_type(cls)
    FORMS.append(made)
    return made


@dataclass_transform(kw_only_default=True, field_specifiers=(described, StrawberryField))
def interface_type(*, name: str) -> Callable[[type[T]], type[T]]:
    """Declare an interface with this SDL name."""
    return lambda cls: strawberry.interface(cls, name=name, description=_description(cls))


@dataclass_transform(kw_only_default=True, field_specifiers=(described, StrawberryField))
def input_type(cls: type[T]) -> type[T]:
    """Declare an input type."""
    return strawberry.input(cls, description=_description(cls))


def enum_type(cls: type[E], *, name: str | None = None) -> type[E]:
    """Declare an enum and describe each value. Its SDL name is the class name unless `name` is given."""
    strawberry.enum(cls, name=name, description=_description(cls))
    definition: StrawberryEnumDefinition = vars(cls)["__strawberry_definition__"]
    for value in definition.values:
        value.description = cls[value.name].description
    return cls


def _description(cls: type) -> str:
    text = vars(cls).get("__doc__")
    if not text:
        raise TypeError(f"{cls.__name__} has no docstring to describe it in the SDL")
    return " ".join(cleandoc(text).split())

"""How the contract's fields are declared: a resolver and one sentence that describes it."""

from collections.abc import Callable
from typing import Any

import strawberry

Resolver = Callable[..., Any]


def field(description: str, **more: Any) -> Callable[[Resolver], Any]:
    """Make a field of the resolver below."""
    made: Callable[[Resolver], Any] = strawberry.field(description=description, **more)
    return made


def subscription(description: str) -> Callable[[Resolver], Any]:
    """Make a subscription of the generator below."""
    made: Callable[[Resolver], Any] = strawberry.subscription(description=description)
    return made


def argument(description: str) -> Any:
    """Describe an argument; stands beside its type in `Annotated`."""
    return strawberry.argument(description=description)


def described(description: str, **more: Any) -> Any:
    """Describe a field that is there already, on an object or an input."""
    return strawberry.field(description=description, **more)

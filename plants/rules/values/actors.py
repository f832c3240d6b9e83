"""The author of a command, as ledger entries record it."""

from dataclasses import dataclass
from typing import Final

from plants.rules.values.enums import DescribedEnum


@dataclass(frozen=True, slots=True)
class Author:
    """The person or machine behind a command.

    `person` is a pseudonymous id: names live in a side table of the node that can be erased, except the printed name
    that a signature has to keep.
    """

    person: str
    printed_name: str
    device: str | None = None


SYSTEM = Author("system", "Batchloom")
"""The node itself, where it acts without a person: applying a directive, opening its ledger."""

PROGRAM_PREFIX: Final = "system:"
"""Begins the code of a program of a node, such as `system:console`."""


class AuthorKind(DescribedEnum):
    """Kind of an actor."""

    PERSON = "PERSON", "A user, named by the employee number."
    MACHINE = "MACHINE", "A plant's node, named by the origin of its ledger."
    NODE = "NODE", "The node itself, where it acts without a user: it applies directives and repairs its ledger."
    SYSTEM = "SYSTEM", "A program on the node, such as a job or the command line."


def author_kind(code: str) -> AuthorKind:
    """Return the kind of an author by the code in a ledger entry."""
    if code == SYSTEM.person:
        return AuthorKind.NODE
    if code.startswith(PROGRAM_PREFIX):
        return AuthorKind.SYSTEM
    return AuthorKind.MACHINE if "/" in code else AuthorKind.PERSON


def fixed_name(code: str) -> str | None:
    """Return the name of an author that is no person, or None for one without a name of its own."""
    kind = author_kind(code)
    if kind is AuthorKind.NODE:
        return SYSTEM.printed_name
    return code.removeprefix(PROGRAM_PREFIX) if kind is AuthorKind.SYSTEM else None

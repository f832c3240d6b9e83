"""Changes of the GraphQL contract since the last release: those that break clients, and those that may."""

import re
from collections.abc import Iterator
from typing import Final

from graphql import GraphQLSchema, find_breaking_changes, find_dangerous_changes

ADDED: Final = re.compile(r"(\w+) (?:was added to union type|added to interfaces implemented by) \w+\.")
COORDINATE: Final = re.compile(r"\w+\.\w+(?:\(\w+:\))?")
UNRELEASED: Final = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def breaking(old: GraphQLSchema, new: GraphQLSchema) -> list[str]:
    """Return each change that breaks a client of the old contract."""
    return [one.description for one in find_breaking_changes(old, new)]


def unannounced(old: GraphQLSchema, new: GraphQLSchema, changelog: str) -> Iterator[str]:
    """Yield each dangerous change whose place no code span of the changelog's unreleased part names.

    A place is a type added to a union, an interface added to a type, or the coordinate of an enum value, an argument
    or an input field: `BatchScrapped`, `Disposition.SCRAPPED`, `Query.batches(orderBy:)`.
    """
    news = UNRELEASED.search(changelog)
    announced = set(re.findall(r"`([^`]+)`", news[1] if news else ""))
    for change in find_dangerous_changes(old, new):
        text = change.description
        added = ADDED.fullmatch(text)
        place = added[1] if added else COORDINATE.search(text)[0]  # type: ignore[index]
        if place not in announced:
            yield f"{text} Name `{place}` in CHANGELOG.md."

"""Criteria of a list: the requirement of a filter on one column, and its condition in SQL."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, Text, func, or_, type_coerce
from sqlmodel import col

from plants.rules.values.search_forms import search_form

T = TypeVar("T")
Statement = TypeVar("Statement", bound=Select[Any])


class Criterion(Protocol):
    """A requirement of one column."""

    def conditions(self, column: Any) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the column; a row must meet all of them."""


@dataclass(frozen=True, slots=True)
class CodeCriterion:
    """Requires a text: exactly one, one of several, or a beginning. Case-sensitive on every database."""

    eq: str | None = None
    among: tuple[str, ...] | None = None
    begins_with: str | None = None

    def admits(self, value: str) -> bool:
        """Return True if the text meets the criterion."""
        return (
            (self.eq is None or value == self.eq)
            and (self.among is None or value in self.among)
            and (self.begins_with is None or value.startswith(self.begins_with))
        )

    def conditions(self, column: Any) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the column. A text that is no member of an enum's column equals none."""
        column = type_coerce(column, Text)
        if self.eq is not None:
            yield column == self.eq
        if self.among is not None:
            yield column.in_(self.among)
        if self.begins_with is not None:
            # LIKE ignores the case of ASCII letters on SQLite.
            yield func.substr(column, 1, len(self.begins_with)) == self.begins_with


@dataclass(frozen=True, slots=True)
class NameCriterion:
    """Requires a name as `CodeCriterion` requires a text, by its search form. The column holds search forms.

    A name that is case-sensitive is its own form.
    """

    eq: str | None = None
    among: tuple[str, ...] | None = None
    begins_with: str | None = None

    def conditions(self, column: Any) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the column."""
        if self.eq is not None:
            yield column.in_(forms_of([self.eq]))
        if self.among is not None:
            yield column.in_(forms_of(self.among))
        if self.begins_with is not None:
            beginnings = forms_of([self.begins_with])
            yield or_(*(func.substr(column, 1, len(one)) == one for one in beginnings))


def forms_of(names: Iterable[str]) -> list[str]:
    """Return the values that a column of search forms can have for these names."""
    return list(dict.fromkeys(form for name in names for form in (search_form(name), name)))


@dataclass(frozen=True, slots=True)
class MemberCriterion(Generic[T]):
    """Requires a value of a closed set: exactly one, one of several, or none of several."""

    eq: T | None = None
    among: tuple[T, ...] | None = None
    not_among: tuple[T, ...] | None = None

    def admits(self, value: T) -> bool:
        """Return True if the value meets the criterion."""
        return (
            (self.eq is None or value == self.eq)
            and (self.among is None or value in self.among)
            and (self.not_among is None or value not in self.not_among)
        )

    def conditions(self, column: Any) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the column."""
        if self.eq is not None:
            yield column == self.eq
        if self.among is not None:
            yield column.in_(self.among)
        if self.not_among is not None:
            yield column.not_in(self.not_among)


@dataclass(frozen=True, slots=True)
class Span(Generic[T]):
    """Requires a value of a half-open range: at or after `start`, and before `before`. NULL is in no range."""

    start: T | None = None
    before: T | None = None

    def admits(self, value: Any) -> bool:
        """Return True if the value lies in the range."""
        return (self.start is None or value >= self.start) and (self.before is None or value < self.before)

    def conditions(self, column: Any) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on the column."""
        if self.start is not None:
            yield column >= self.start
        if self.before is not None:
            yield column < self.before


def filtered(statement: Statement, criteria: Mapping[Any, Criterion | None]) -> Statement:
    """Return the statement for the rows whose columns meet their criteria. A criterion that is None admits all."""
    for column, criterion in criteria.items():
        if criterion is not None:
            statement = statement.where(*criterion.conditions(col(column)))
    return statement

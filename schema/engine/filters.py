"""Inputs of filters. Each tests one field of the listed node; an absent or null part does not test."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Generic, Protocol, TypeVar

import strawberry

from infra.messages import message
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import micros
from plants.store.sql.filters import CodeCriterion, MemberCriterion, NameCriterion, Span
from schema.engine.fields import described, input_type
from schema.engine.limits import VALUES_MAX, exceeded
from schema.engine.scalars import RequestId

VALUES_TOO_MANY: Final = message("FILTER_VALUES_TOO_MANY", "A filter lists at most {most} values, not {count}.")

C_co = TypeVar("C_co", covariant=True)
E = TypeVar("E", bound=DescribedEnum)
T = TypeVar("T")


class FieldTest(Protocol[C_co]):
    """An input that tests one field."""

    @property
    def criterion(self) -> C_co: ...


def criterion(given: FieldTest[T] | None) -> T | None:
    """Return what a filter's field requires, or None where the field is absent."""
    return None if given is None else given.criterion


@input_type
class CodeFilter:
    """Tests a code or another text that names a thing. Upper and lower case differ."""

    eq: str | None = described("Exactly this text.", default=None)
    in_: list[str] | None = described(f"One of these texts, at most {VALUES_MAX}.", name="in", default=None)
    begins_with: str | None = described("Beginning of the text.", default=None)

    @property
    def criterion(self) -> CodeCriterion:
        return CodeCriterion(self.eq, _listed(self.in_), self.begins_with)


@input_type
class NameFilter:
    """Tests a name that people write, such as a supplier's lot. Case, width and spaces at its ends do not differ.

    Identifiers of EPCIS are case-sensitive.
    """

    eq: str | None = described("This name.", default=None)
    in_: list[str] | None = described(f"One of these names, at most {VALUES_MAX}.", name="in", default=None)
    begins_with: str | None = described("Beginning of the name.", default=None)

    @property
    def criterion(self) -> NameCriterion:
        return NameCriterion(self.eq, _listed(self.in_), self.begins_with)


@input_type
class IdFilter:
    """Tests the id of a thing. An id that names no such thing matches nothing."""

    eq: strawberry.ID | None = described("Exactly this id.", default=None)
    in_: list[strawberry.ID] | None = described(f"One of these ids, at most {VALUES_MAX}.", name="in", default=None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that pass. Raises WordedError above the limit."""
        listed = _listed(self.in_)
        if self.eq is None:
            return listed or ()
        return (self.eq,) if listed is None or self.eq in listed else ()

    @property
    def given(self) -> bool:
        """True unless the filter admits every id."""
        return self.eq is not None or self.in_ is not None


@input_type
class UuidFilter:
    """Tests a UUID. Upper and lower case are the same."""

    eq: RequestId | None = described("Exactly this UUID.", default=None)
    in_: list[RequestId] | None = described(f"One of these UUIDs, at most {VALUES_MAX}.", name="in", default=None)

    @property
    def criterion(self) -> CodeCriterion:
        return CodeCriterion(self.eq, _listed(self.in_))


@input_type
class Filter(Generic[E]):
    """Tests a value of an enum."""

    eq: E | None = described("Exactly this value.", default=None)
    in_: list[E] | None = described("One of these values.", name="in", default=None)
    not_in: list[E] | None = described("None of these values.", default=None)

    @property
    def criterion(self) -> MemberCriterion[E]:
        return MemberCriterion(self.eq, _listed(self.in_), _listed(self.not_in))


@input_type
class IntRange:
    """A half-open range of whole numbers."""

    from_: int | None = described("Smallest number in the range.", name="from", default=None)
    before: int | None = described("Number after the range. It is not in the range.", default=None)

    @property
    def criterion(self) -> Span[int]:
        return Span(self.from_, self.before)


@input_type
class DateRange:
    """A half-open range of days. A field that is null is in no range."""

    from_: date | None = described("First day of the range.", name="from", default=None)
    before: date | None = described("Day after the range. It is not in the range.", default=None)

    @property
    def criterion(self) -> Span[str]:
        return Span(*(None if day is None else day.isoformat() for day in (self.from_, self.before)))


@input_type
class DateTimeRange:
    """A half-open range of instants. A field that is null is in no range."""

    from_: datetime | None = described("First instant of the range.", name="from", default=None)
    before: datetime | None = described("End of the range. It is not in the range.", default=None)

    @property
    def criterion(self) -> Span[datetime]:
        return Span(self.from_, self.before)

    @property
    def in_micros(self) -> Span[int]:
        """The range in microseconds since the epoch."""
        return Span(*(None if at is None else micros(at) for at in (self.from_, self.before)))


def _listed(values: Sequence[T] | None) -> tuple[T, ...] | None:
    if values is None:
        return None
    if len(values) > VALUES_MAX:
        raise exceeded(VALUES_MAX, VALUES_TOO_MANY(most=VALUES_MAX, count=len(values)))
    return tuple(values)

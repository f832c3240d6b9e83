"""One command under judgement: the plant's tables as a draft, the input, the user and the times.

Choices where domain.md is silent:
- The order of checks is: request id, time, reason, references and amounts from the first line on, usability, stock.
- A text is trimmed of white space of every kind, and may be at most 500 characters long.
- A time up to five minutes ahead of the node's clock is no future. A time exactly 31 days old is accepted.
- A code is 1 to 40 printable characters without white space. A caller that means to test codes keeps to A-Z, 0-9 and -.
- Two items of a list that say something of the same thing are refused as LINES_INVALID, in a material as TEXT_INVALID.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from simulation.reference_model.rows import Batch, Entry, Tables
from simulation.reference_model.verdicts import Directive, RefusalFound

HUB: Final = ""
"""The code of the hub, where a plant's code is expected."""

TEXT_MAX: Final = 500
CODE_MAX: Final = 40
FIRST_YEAR: Final = 1900


@dataclass(frozen=True)
class Policy:
    """Decisions that a kind of change needs: `approvals` users at each of `levels` in turn.

    With `either`, one decision at any of the levels is enough. `life` is the lifetime of a request.
    """

    levels: tuple[str, ...] = ("PLANT",)
    approvals: int = 1
    requester_may: bool = False
    either: bool = False
    life: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class Settings:
    """Limits and policies of the group. The defaults follow the product's documents.

    `clocks` is the difference between times that does not count, and `ahead` the most that a time may be in the future.
    Each of the flags is false to leave a rule out.
    """

    amount_max: int = 10**12
    lines_max: int = 100
    age: timedelta = timedelta(days=31)
    clocks: timedelta = timedelta(minutes=5)
    ahead: timedelta = timedelta(minutes=5)
    count_tolerance: Fraction = Fraction(2, 100)
    count_window: timedelta = timedelta(days=30)
    duplicate_scan: timedelta = timedelta(hours=24)
    genealogy_corrections_gated: bool = True
    holds_across_plants: bool = True
    upstream_holds: bool = True
    dates_inherited: bool = True
    retest_blocks: bool = True
    receipts_in_parts: bool = True
    factors_frozen: bool = True
    units_kept_in_use: bool = True
    policies: Mapping[str, Policy] = field(
        default_factory=lambda: {
            "RELEASE": Policy(),
            "RELEASE_RECALL": Policy(("HUB",)),
            "EXPIRY_EXTENSION": Policy(("HUB",)),
            "STOCK_ADJUSTMENT": Policy(),
            "BATCH_DATA": Policy(),
            "MATERIAL_CORRECTION": Policy(),
            "GENEALOGY_CORRECTION": Policy(),
        }
    )


@dataclass
class Call:
    """The command under judgement. Its functions write rows into `tables` and raise RefusalFound."""

    settings: Settings
    plant: str
    zone: ZoneInfo
    zones: Mapping[str, ZoneInfo]
    tables: Tables
    input: Mapping[str, Any]
    now: datetime
    at: datetime
    by: str
    index: int
    mirrors: Mapping[str, Tables] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    subject: str | None = None
    run: str | None = None
    directives: list[Directive] = field(default_factory=list)
    flows: int = 0
    edges: int = 0

    def day(self, at: datetime) -> date:
        """Return the calendar day of an instant at the plant."""
        return at.astimezone(self.zone).date()

    def new_id(self, kind: str) -> str:
        return f"{self.plant or 'HUB'}/{kind}{self.index}.{len(self.made) + 1}"

    def text(self, name: str, *, required: bool = False) -> str | None:
        """Return a text of the input, trimmed. Empty optional texts are None."""
        text = str(self.input.get(name) or "").strip()
        if len(text) > TEXT_MAX or (required and not text):
            raise RefusalFound("TEXT_INVALID", name)
        return text or None

    def batch(self, code: object, *path: str) -> Batch:
        found = self.tables.batches.get(str(code))
        if found is None:
            raise RefusalFound("BATCH_UNKNOWN", *path)
        return found

    def lines(self, name: str, least: int = 1) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.input.get(name) or ()
        if not least <= len(found) <= self.settings.lines_max:
            raise RefusalFound("LINES_INVALID", name)
        return found

    def master(self, kind: str, code: object, *path: str) -> str:
        """Return the code of a defined supplier, customer, location or piece of equipment."""
        if (kind, str(code)) not in self.tables.masters:
            raise RefusalFound("NOT_DEFINED", *path)
        return str(code)

    def amend(self, batch: str, **changes: Any) -> None:
        """Change facts of the plant's goods of a batch."""
        self.tables.batches[batch] = replace(self.tables.batches[batch], **changes)

    def is_before(self, earlier: datetime, later: datetime) -> bool:
        """Return whether an instant precedes another by more than clocks may differ."""
        return earlier < later - self.settings.clocks

    def in_order(self, at: datetime, entry: int, *path: str) -> None:
        """Refuse a time before that of an entry which must have come first."""
        if self.is_before(self.at, at):
            raise RefusalFound("TIME_OUT_OF_ORDER", *(path or ("occurredAt",)), entry=entry)

    def recorded(self, entry: int) -> Entry:
        return self.tables.entries[entry]


def unique(items: Sequence[object], code: str, *path: str) -> None:
    """Refuse a list in which an item occurs twice."""
    if len(set(items)) < len(items):
        raise RefusalFound(code, *path)


def read_code(value: object, *path: str) -> str:
    code = str(value)
    if not 0 < len(code) <= CODE_MAX or not code.isprintable() or any(char.isspace() for char in code):
        raise RefusalFound("CODE_INVALID", *path)
    return code


def read_instant(value: object, *path: str) -> datetime:
    """Return an instant in UTC; a text is RFC 3339 with an offset."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if found.tzinfo is None or found.year < FIRST_YEAR:
            raise RefusalFound("DATE_INVALID", *path)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusalFound("DATE_INVALID", *path) from None


def read_day(value: object, *path: str) -> date:
    try:
        found = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise RefusalFound("DATE_INVALID", *path) from None
    if found.year < FIRST_YEAR:
        raise RefusalFound("DATE_INVALID", *path)
    return found


def days_after(day: date, days: int | None, *path: str) -> date | None:
    """Return a day that many days later. A day beyond the calendar is refused."""
    if days is None:
        return None
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise RefusalFound("DATE_INVALID", *path) from None


def occurred_at(given: Mapping[str, Any], now: datetime, settings: Settings) -> datetime:
    """Return the time of a command, refused in the future or too far back."""
    if given.get("occurredAt") is None:
        return now
    at = read_instant(given["occurredAt"], "occurredAt")
    if at > now + settings.ahead:
        raise RefusalFound("TIME_IN_FUTURE", "occurredAt")
    if at < now - settings.age:
        raise RefusalFound("TIME_TOO_OLD", "occurredAt")
    return at


def digest(command: str, given: Mapping[str, Any]) -> str:
    """Return the content of a request, to compare it with a repeated one. The request id is no part of it."""
    content = {name: value for name, value in given.items() if name != "requestId"}
    return json.dumps([command, content], sort_keys=True, default=str)

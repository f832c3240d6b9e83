"""Retention in the archive: classes of records, and days for each class, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plants.rules.identification.codes import HUB

DAYS_DEFAULT: Final = 3653
"""Ten years, of which two or three are leap years."""


class RecordClass(StrEnum):
    """Records with the same retention. A name is never changed."""

    BATCH_RECORDS = "BATCH_RECORDS"  # entries of plants, and the tiles over them
    DIRECTIVES = "DIRECTIVES"  # entries of the hub for one plant
    GROUP_RECORDS = "GROUP_RECORDS"  # the hub's own ledger
    CHECKPOINTS = "CHECKPOINTS"  # signed and cosigned sizes and roots
    UNFINISHED = "UNFINISHED"  # bundles and tiles not yet full, which later ones hold again


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each class of record is kept from the day it was written; a class that is not named, ten years."""

    days: Mapping[RecordClass, int] = field(default_factory=lambda: MappingProxyType({}))

    def until(self, record: RecordClass, newest: datetime) -> datetime:
        """Return until when a file must stay whose newest record was written at this instant."""
        return newest + timedelta(days=self.days.get(record, DAYS_DEFAULT))


def class_of(log_id: int) -> RecordClass:
    """Return the class of the entries of a ledger, by its log id."""
    if log_id == HUB:
        return RecordClass.GROUP_RECORDS
    return RecordClass.BATCH_RECORDS if log_id > HUB else RecordClass.DIRECTIVES

"""Projectors of the group's events, which no table repeats: queries read their entries."""

from typing import Final

from plants.rules.group.events import (
    ASSERTION_KEY_ROTATED,
    HUB_OPENED,
    PLANT_ENROLLED,
    PLANT_LEDGER_KEY_ROTATED,
    PLANT_READMITTED,
    PLANT_REVOKED,
)
from plants.store.sql.rows import Projectors, no_rows

PROJECTORS: Final[Projectors] = {
    HUB_OPENED: no_rows,
    PLANT_ENROLLED: no_rows,
    ASSERTION_KEY_ROTATED: no_rows,
    PLANT_LEDGER_KEY_ROTATED: no_rows,
    PLANT_REVOKED: no_rows,
    PLANT_READMITTED: no_rows,
}

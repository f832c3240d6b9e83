"""Saves of many rows of master data: states, outcomes and the effect of a refused row on the others."""

from plants.rules.values.enums import DescribedEnum


class OnRefusal(DescribedEnum):
    """Effect of a refused row on the other rows."""

    REJECT_ALL = "REJECT_ALL", "All rows are saved or none is."
    SKIP_ROW = "SKIP_ROW", "The refused row is left out, and the other rows are saved."


class SaveState(DescribedEnum):
    """State of a save of many rows."""

    WAITING = "WAITING", "No row has been run yet."
    RUNNING = "RUNNING", "Some rows have a result. The others follow, also after the node was restarted."
    DONE = "DONE", "Every row has an outcome."
    STOPPED = (
        "STOPPED",
        "The node refused to go on, for a reason that concerns no single row. The other rows are not run.",
    )


class RowOutcome(DescribedEnum):
    """Outcome of a row."""

    RECORDED = "RECORDED", "The row was saved by an entry of the ledger. In a validation, it would be saved."
    UNCHANGED = "UNCHANGED", "The definition was already as the row gives it, so nothing was recorded."
    REFUSED = "REFUSED", "The row was refused and nothing of it was saved."
    REJECTED = "REJECTED", "The row was in order. It was not saved, because another row was refused."
    NOT_RUN = "NOT_RUN", "The job was stopped before this row."

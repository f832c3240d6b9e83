"""Transfers as a plant's commands see them: whether one was received here already."""

from infra.database import Session

SELECT_RECEIPT = (
    "SELECT idx FROM entries WHERE log_id = :plant AND key = :key AND type = 'TransferReceived'"
    " AND NOT EXISTS (SELECT 1 FROM corrections WHERE plant_id = :plant AND entry_idx = idx)"
)


def is_received(session: Session, plant: int, transfer: int) -> bool:
    """Tell whether the plant has received a transfer; a receipt that was corrected since does not count."""
    return session.row(SELECT_RECEIPT, {"plant": plant, "key": str(transfer)}) is not None

"""Kinds of conflicts for which an entry could not be applied again after a repair. A ledger keeps them."""

from plants.rules.values.enums import DescribedEnum


class ConflictKind(DescribedEnum):
    """Kind of a conflict. A kind is never renamed; new ones may be added."""

    ALIAS_TAKEN = "ALIAS_TAKEN", "The alias belongs to another batch now."
    ALREADY_RECORDED = "ALREADY_RECORDED", "Another entry records the same request; the conflict settled itself."
    ANSWERED_AGAIN = "ANSWERED_AGAIN", "The plant answers the directive again; the conflict settled itself."
    BATCH_CHANGED = "BATCH_CHANGED", "The batch has changed since the entry was written."
    BATCH_ON_HOLD = "BATCH_ON_HOLD", "The batch is on hold now."
    BATCH_RESTRICTED = "BATCH_RESTRICTED", "The goods of the batch may not be used now."
    BATCH_TAKEN = "BATCH_TAKEN", "Another entry made a batch with the same id."
    BATCH_UNKNOWN = "BATCH_UNKNOWN", "The plant does not know the batch."
    CODE_TAKEN = "CODE_TAKEN", "Another batch has the same code."
    DECISION_BOUND = "DECISION_BOUND", "The entry belongs to a decision on a state that no longer exists."
    ENTRY_ALREADY_CORRECTED = "ENTRY_ALREADY_CORRECTED", "Another entry has corrected the same entry."
    ENTRY_DISPUTED = "ENTRY_DISPUTED", "The entry refers to an entry that was not applied."
    HOLD_UNKNOWN = "HOLD_UNKNOWN", "The hold does not exist or was lifted."
    MADE_BY_DISPUTED = "MADE_BY_DISPUTED", "The entry builds on something that an entry made that was not applied."
    NOT_APPLICABLE = "NOT_APPLICABLE", "Applying the entry failed for another reason, which its subject says."
    PROCESS_CHANGED = "PROCESS_CHANGED", "The process record has changed since the entry was written."
    PROCESS_CLOSED = "PROCESS_CLOSED", "The process record is closed."
    PROCESS_TAKEN = "PROCESS_TAKEN", "Another entry opened a process record with the same id."
    PROCESS_UNKNOWN = "PROCESS_UNKNOWN", "The plant does not know the process record."
    STOCK_SHORT = "STOCK_SHORT", "The location holds less than the entry takes."
    TRANSFER_RECEIVED = "TRANSFER_RECEIVED", "Another entry has received the transfer."

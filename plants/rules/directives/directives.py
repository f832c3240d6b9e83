"""Directives: the entries of the hub's ledger that are addressed to a plant, and their states."""

from enum import StrEnum


class DirectiveState(StrEnum):
    """The state of a directive. A directive is in force at the plant only once the plant has answered."""

    SENT = "SENT"  # written down at the hub; the plant has not answered
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"

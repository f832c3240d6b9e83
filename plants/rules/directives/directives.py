"""Directives: what headquarters may write to a plant, and how far along one is."""

from enum import StrEnum


class DirectiveState(StrEnum):
    """How far along a directive is: what the hub wrote is in force at the plant only when the plant says so."""

    SENT = "SENT"  # written down at the hub; the plant has not answered
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"

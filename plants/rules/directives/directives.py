"""Directives: the entries of the hub's ledger that are addressed to a plant, and their states."""

from plants.rules.values.enums import DescribedEnum


class DirectiveState(DescribedEnum):
    """State of a directive. It is in force at a plant once the plant has applied it."""

    SENT = "SENT", "The hub has recorded the directive and the plant has not answered; it is not in force there."
    APPLIED = "APPLIED", "The plant has carried out the directive and recorded this in its own ledger."
    REJECTED = "REJECTED", "The plant could not carry it out; its refusal says why. Its holds may wait for their batch."

"""The author of a command, as ledger entries record it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """The person or machine behind a command.

    `person` is a pseudonymous id: names live in a side table of the node that can be erased, except the printed name
    that a signature has to keep.
    """

    person: str
    printed_name: str
    device: str | None = None


SYSTEM = Author("system", "Batchloom")
"""The node itself, where it acts without a person: applying a directive, opening its ledger."""

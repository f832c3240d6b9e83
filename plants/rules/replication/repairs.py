"""Payloads about repairs of the own ledger: restores, rebases, disputed entries, rotated keys."""

from typing import Any, Final, Literal, TypedDict

Found = Literal["HUB", "MARKS", "ARCHIVE"]
"""How a restore was detected: by the hub's longer ledger, the plant's high-water marks, or the archive."""

ALREADY_RECORDED: Final = "ALREADY_RECORDED"
ANSWERED_AGAIN: Final = "ANSWERED_AGAIN"
"""How a dispute is settled at once, without a person: what it records is there, or is made again by itself."""


class PlantRestored(TypedDict):
    """The plant's store was brought back from somewhere: number series go on beyond what may have been printed."""

    found: Found
    size_before: int  # entries there were when it was noticed
    size: int  # entries there are known to have been
    series: dict[str, int]


class HubRegressed(TypedDict):
    """The hub had fewer entries of this ledger than it gave a receipt for; they are sent again."""

    hub_size: int
    receipt_size: int


class LedgerRebased(TypedDict):
    """From `fork` on the hub's entries are followed by the plant's own, appended again or disputed."""

    fork: int
    adopted: int
    again: int
    disputed: int
    series: dict[str, int]


class Collision(TypedDict):
    """A conflict of an entry with adopted ones: a code that is never renamed, and the subject."""

    code: str
    what: str


class EntryDisputed(TypedDict):
    """An entry of the plant that conflicts with adopted ones, kept whole and not applied. An operator settles it.

    `settled` says that nobody has to: ALREADY_RECORDED or ANSWERED_AGAIN.
    """

    entry: dict[str, Any]
    leaf: str
    collisions: list[Collision]
    settled: str | None


class DisputeSettled(TypedDict):
    """An operator has settled a disputed entry; the reason says how."""

    dispute: int


class BodiesPruned(TypedDict):
    """The plant gave up its own copy of the bodies below a position; the leaf hashes and the columns stay.

    `cosigned` and `archived` are how many entries the hub had cosigned and said to be archived when it was decided.
    """

    below: int
    archived: int
    cosigned: int


class LedgerKeyRotated(TypedDict):
    """From the next entry on another key signs this ledger's checkpoints; `statement` is signed by both."""

    old: str
    new: str
    statement: str

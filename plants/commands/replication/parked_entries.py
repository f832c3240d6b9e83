"""Skip or retry an entry that the hub could not apply.

Both are events in the hub's own ledger, with the actor and the reason. A skipped entry stays in the plant's ledger,
with its proofs. It is never applied to the hub's tables, not even by a rebuild.
"""

from collections.abc import Callable
from dataclasses import dataclass

from infra.database import Session
from plants.commands.execution import Command, CommandContext, LedgerWriter, check_reason
from plants.rules.ledger.events import Entry
from plants.rules.ledger.request_forms import stable_name
from plants.rules.replication.events import ENTRY_RETRIED, ENTRY_SKIPPED, EntryRetried, EntrySkipped
from plants.rules.replication.refusals import ENTRY_NOT_PARKED
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal, within
from plants.store.directives.directives import plants_of_group
from plants.store.ledger.entries import HUB_LOG, INDEX_MAX, entry_at
from plants.store.replication.parked_entries import Parked, parked_for_decision, retry_parked, unpark


@stable_name("ParkedEntry")
@dataclass(frozen=True, slots=True)
class ParkedEntry:
    """The entry that somebody decides on; `leaf` is the leaf hash of what they were shown, in hexadecimal."""

    plant: int
    index: int
    leaf: str


@dataclass(slots=True)
class Deciding:
    """One decision under way, inside the caller's transaction; the hub's ledger is locked only by `appending`."""

    session: Session
    actor: Author
    call: CommandContext
    digest: str | None
    rehearsing: bool = False
    """True where the call itself is refused: the decision is checked and not recorded."""

    def writer(self) -> LedgerWriter:
        """Lock the head of the hub's own ledger and return what appends to it."""
        writer = LedgerWriter(self.session, self.actor, self.call, self.digest, HUB_LOG)
        writer.rehearsing = self.rehearsing
        return writer


class Decision(Command[ParkedEntry]):
    """A writer of the hub's own ledger about an entry that is parked; a repeated request id does nothing again."""

    def _begin(self, session: Session, actor: Author, call: CommandContext, digest: str | None) -> Deciding:
        # The plant's lease comes before the head: a rebuild waits for a holder of only one of them.
        return Deciding(session, actor, call, digest)


def decision(name: str) -> Callable[[Callable[[Deciding, ParkedEntry], Entry]], Decision]:
    """Make a command of the function that performs it; its call is at the hub, 0.

    `name` is as for `plants.commands.execution.command`.
    """

    def declare(perform: Callable[[Deciding, ParkedEntry], Entry]) -> Decision:
        return Decision(name, perform)

    return declare


@decision("skip_entry")
def skip_entry(deciding: Deciding, order: ParkedEntry) -> Entry:
    """Never apply a parked entry, and have what waits behind it tried at once; returns EntrySkipped.

    Raises Refusal, and then has changed nothing: TEXT_INVALID without a proper reason, and
    ENTRY_NOT_PARKED when the entry does not wait because of itself or is not the one shown.
    """
    session, parked = deciding.session, _parked(deciding, order)
    payload: EntrySkipped = {
        "plant": order.plant,
        "index": order.index,
        "leaf": order.leaf,
        "type": parked.type,
        "error": parked.error,
        "printed_name": deciding.actor.printed_name,
    }
    entry = deciding.writer().record(ENTRY_SKIPPED, _key(order), payload)
    unpark(session, order.plant, order.index, deciding.call.now)
    return entry


@decision("retry_entry")
def retry_entry(deciding: Deciding, order: ParkedEntry) -> Entry:
    """Have a parked entry tried at once, its attempts counted from nothing; returns EntryRetried.

    Raises Refusal as `skip_entry` does, and then has changed nothing.
    """
    session, parked = deciding.session, _parked(deciding, order)
    payload: EntryRetried = {
        "plant": order.plant,
        "index": order.index,
        "leaf": order.leaf,
        "error": parked.error,
    }
    entry = deciding.writer().record(ENTRY_RETRIED, _key(order), payload)
    retry_parked(session, order.plant, order.index, deciding.call.now)
    return entry


def _parked(deciding: Deciding, order: ParkedEntry) -> Parked:
    check_reason(deciding.call.reason or "")
    known = 0 <= order.index < INDEX_MAX
    parked = parked_for_decision(deciding.session, order.plant, order.index) if known else None
    shown = entry_at(deciding.session, order.plant, order.index) if parked is not None else None
    if parked is None or shown is None or shown.leaf.hex() != order.leaf:
        codes = {number: code for code, number in plants_of_group(deciding.session).items()}
        with within("parkedEntryId"):
            raise Refusal(ENTRY_NOT_PARKED, entry=order.index, plant=codes.get(order.plant, order.plant))
    return parked


def _key(order: ParkedEntry) -> str:
    return f"{order.plant}/{order.index}"

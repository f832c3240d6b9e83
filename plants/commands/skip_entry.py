"""A person decides on an entry that the hub could not apply: pass it over for good, or have it tried once more.

Both are events in the hub's own ledger, with the person and the reason. What is passed over stays in the plant's
ledger, with its proofs, and is never applied to the hub's tables, after a rebuild neither.
"""

from dataclasses import dataclass
from typing import Any

from infra.database import Session
from plants.commands.recording import REASON_LENGTH_MAX, Appending, Call, check_text
from plants.rules.actors import Author
from plants.rules.events import Entry
from plants.rules.instants import micros
from plants.rules.payloads import EntryRetried, EntrySkipped
from plants.rules.refusals import Refusal, RefusalCode
from plants.store.ledger import HUB_LOG, entry_at
from plants.store.parked_entries import Parked, parked_for_decision, unpark, wake_one


@dataclass(frozen=True, slots=True)
class ParkedEntry:
    """The entry that somebody decides on; `leaf` is the leaf hash of what they were shown, in hexadecimal."""

    plant: int
    index: int
    leaf: str


def skip_entry(session: Session, order: ParkedEntry, *, actor: Author, call: Call) -> Entry:
    """Never apply a parked entry, and have what waits behind it tried at once; returns EntrySkipped.

    Raises Refusal, and then has changed nothing: TEXT_INVALID without a proper reason, and
    ENTRY_NOT_PARKED when the entry does not wait because of itself or is not the one shown. In the caller's
    transaction.
    """
    appending, parked = _decide(session, order, actor, call)
    payload: EntrySkipped = {
        "plant": order.plant,
        "index": order.index,
        "leaf": order.leaf,
        "type": parked.type,
        "error": parked.error,
        "printed_name": actor.printed_name,
    }
    entry = appending.record("EntrySkipped", _key(order), payload)
    unpark(session, order.plant, order.index, micros(call.now))
    return entry


def retry_entry(session: Session, order: ParkedEntry, *, actor: Author, call: Call) -> Entry:
    """Have a parked entry tried at once, its attempts counted from nothing; returns EntryRetried.

    Raises Refusal as `skip_entry` does, and then has changed nothing.
    """
    appending, parked = _decide(session, order, actor, call)
    payload: EntryRetried = {
        "plant": order.plant,
        "index": order.index,
        "leaf": order.leaf,
        "error": parked.error,
    }
    entry = appending.record("EntryRetried", _key(order), payload)
    wake_one(session, order.plant, order.index, micros(call.now))
    return entry


def _decide(session: Session, order: ParkedEntry, actor: Author, call: Call) -> tuple[Appending, Parked]:
    check_text("reason", call.reason or "", REASON_LENGTH_MAX)
    parked = parked_for_decision(session, order.plant, order.index)
    shown = entry_at(session, order.plant, order.index)
    if parked is None or shown is None or shown.leaf.hex() != order.leaf:
        data: dict[str, Any] = {"entry": order.index, "plant": order.plant}
        raise Refusal(RefusalCode.ENTRY_NOT_PARKED, **data)
    return Appending(session, actor, call, None, HUB_LOG), parked


def _key(order: ParkedEntry) -> str:
    return f"{order.plant}/{order.index}"

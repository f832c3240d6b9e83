"""The subscription to ledger entries, and the cursor at which streams of ledgers can begin."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated

from auth.permissions import Permission
from infra.database import ReadSession
from infra.roles import Role
from plants.rules.values.scope import PlantScope
from plants.store.audit.history import EntriesFilter
from plants.store.audit.tails import Span, applied_sizes, entries_in, stored_sizes
from plants.store.ledger.entries import LedgerEntry as EntryRow
from schema.audit.history import NEWEST_FIRST, LedgerEntry, LedgerEntryFilter
from schema.engine.context import Info
from schema.engine.fields import argument, described, object_type
from schema.engine.operations import query, subscription
from schema.engine.streams import EVENTS, Find, StreamAfter, follow_ledgers, ledger_cursor


@object_type
class LedgerEntryEvent:
    """A new ledger entry."""

    cursor: str = described("Signed cursor of this event, for `after`.")
    entry: LedgerEntry = described("The new entry.")


@query(
    "Returns the cursor of now, for `after` of `ledgerEntries` and `changeRequests`. Read it, then read lists, then "
    "subscribe after it: no event is missed. An event that a list shows already can come again.",
    permission=Permission.BATCH_READ,
)
async def event_cursor(info: Info) -> str:
    # A plant answers a directive by an entry of its own ledger, so it applies all that it stores. A hub is behind.
    sizes = stored_sizes if info.services.role is Role.PLANT else applied_sizes
    return ledger_cursor(info.services.cursors, EVENTS, await info.read(sizes))


@subscription(
    "Streams new entries of the ledgers that you may see, in the order of each ledger. Each entry comes exactly once.",
    permission=Permission.LEDGER_READ,
)
async def ledger_entries(
    info: Info,
    filter: Annotated[LedgerEntryFilter | None, argument("Filter. Without it, all.")] = None,
    after: StreamAfter = None,
) -> AsyncIterator[LedgerEntryEvent]:
    find = _finder((filter or LedgerEntryFilter()).criteria(NEWEST_FIRST))
    async with aclosing(follow_ledgers(info, "ledgerEntries", after, stored_sizes, find)) as events:
        async for cursor, row in events:
            yield LedgerEntryEvent(cursor=cursor, entry=LedgerEntry.of(row))


def _finder(filters: EntriesFilter) -> Find[EntryRow]:
    def find(reads: ReadSession, scope: PlantScope, span: Span) -> Sequence[tuple[int, EntryRow]] | None:
        found = entries_in(reads, scope, filters, span)
        return None if found is None else [(row.idx, row) for row in found]

    return find

"""The subscription to change requests."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated

from auth.permissions import Permission
from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.approvals.change_events import ChangeEvent, change_events
from plants.store.audit.tails import Span, applied_sizes
from schema.approvals.change_requests import NEWEST_FIRST, ChangeRequest, ChangeRequestFilter
from schema.engine.context import Info
from schema.engine.fields import argument, described, object_type
from schema.engine.operations import subscription
from schema.engine.streams import StreamAfter, follow_ledgers


@object_type
class ChangeRequestEvent:
    """A change was requested, decided, applied or refused."""

    cursor: str = described("Signed cursor of this event, for `after`.")
    change_request: ChangeRequest = described("Change request, as it is when the event is sent.")


@subscription(
    "Streams change requests: one event for each ledger entry that requests, decides, applies or refuses a change. "
    "The filter is tested on the change request as it is when the event is sent.",
    permission=Permission.BATCH_READ,
)
async def change_requests(
    info: Info,
    filter: Annotated[ChangeRequestFilter | None, argument("Filter. Without it, all.")] = None,
    after: StreamAfter = None,
) -> AsyncIterator[ChangeRequestEvent]:
    filters = (filter or ChangeRequestFilter()).criteria(NEWEST_FIRST)

    def find(reads: ReadSession, scope: PlantScope, span: Span) -> Sequence[ChangeEvent] | None:
        return change_events(reads, scope, filters, span)

    async with aclosing(follow_ledgers(info, "changeRequests", after, applied_sizes, find)) as events:
        async for cursor, row in events:
            yield ChangeRequestEvent(cursor=cursor, change_request=ChangeRequest.of(row))

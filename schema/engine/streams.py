"""Subscriptions to ledgers and to states, with cursors from which they can be resumed.

A cursor of ledgers holds a position in each ledger. A ledger grows only at its end, in the order of its commits, so a
stream resumed after a cursor misses nothing and repeats nothing. A cursor of states holds the digests of the states
that were sent.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final, TypeVar

import strawberry

from auth.permissions import NotPermitted
from infra.database import ReadSession
from plants.rules.identification.codes import HUB
from plants.rules.values.scope import PlantScope
from plants.store.audit.tails import Span
from schema.engine.commits import polls
from schema.engine.connections import Cursors
from schema.engine.context import Info
from schema.engine.errors import WordedError
from schema.engine.limits import EVENTS_AT_ONCE, STREAM_CURSOR_CHARACTERS_MAX

DIGEST_BYTES: Final = 8
EVENTS: Final = "events"
"""The name of cursors that every stream of ledgers accepts."""

StreamAfter = Annotated[
    str | None,
    strawberry.argument(
        description="Cursor of an earlier event, or an `eventCursor`. The stream resumes after it. "
        "Without it, the stream starts now."
    ),
]
StateAfter = Annotated[
    str | None,
    strawberry.argument(
        description="Cursor of an earlier event. Only later changes are sent. Without it, present states come first."
    ),
]

Row = TypeVar("Row")
Heads = Callable[[ReadSession, PlantScope], Mapping[int, int]]
Find = Callable[[ReadSession, PlantScope, Span], Sequence[tuple[int, Row | None]] | None]
States = Callable[[ReadSession, PlantScope], Mapping[str, tuple[object, Row]]]


def ledger_cursor(cursors: Cursors, stream: str, positions: Mapping[int, int]) -> str:
    """Return the cursor of a position in each ledger."""
    return cursors.write(f"stream:{stream}", tuple(sorted(positions.items())))


def read_ledger_cursor(cursors: Cursors, stream: str, cursor: str) -> dict[int, int]:
    """Return the positions in a cursor of this stream or of all streams. Raises GraphQLError for any other."""
    try:
        found = cursors.read(f"stream:{stream}", cursor, STREAM_CURSOR_CHARACTERS_MAX)
    except WordedError:
        found = cursors.read(f"stream:{EVENTS}", cursor, STREAM_CURSOR_CHARACTERS_MAX)
    return dict(found)


def never(_: object) -> bool:
    """Return False."""
    return False


async def follow_ledgers(
    info: Info, stream: str, after: str | None, heads: Heads, find: Find[Row]
) -> AsyncGenerator[tuple[str, Row]]:
    """Yield the rows that `find` returns of each ledger that the caller may see, each with its cursor.

    Without `after` the stream starts at the present heads. A ledger that is not in the cursor is streamed from its
    first entry. Raises NotPermitted as soon as the caller may see no ledger.
    """
    cursors = info.services.cursors
    positions = None if after is None else read_ledger_cursor(cursors, stream, after)
    async with aclosing(polls(info.services.commits)) as polling:
        async for _ in polling:
            ends = await info.read(heads)
            if not ends:
                raise NotPermitted(info.context.actor, info.access.only, HUB)
            if positions is None:
                positions = dict(ends)
            for log_id, end in sorted(ends.items()):
                positions.setdefault(log_id, 0)
                while positions[log_id] < end:
                    span = Span(log_id, positions[log_id], end, EVENTS_AT_ONCE)
                    found = await info.read(find, span)
                    if found is None:  # The permission was taken away since the heads were read.
                        break
                    for index, row in found:
                        positions[log_id] = index + 1
                        if row is not None:
                            yield ledger_cursor(cursors, stream, positions), row
                    if len(found) < span.limit:
                        positions[log_id] = end


async def follow_states(
    info: Info, stream: str, after: str | None, states: States[Row], *, unsent: Callable[[Row], bool] = never
) -> AsyncGenerator[tuple[str, Row]]:
    """Yield each state that differs from the one sent before, with a cursor of all states sent.

    `states` returns by subject what is compared, and the row. Without `after` every present state comes first, except
    those that `unsent` leaves out.
    """
    cursors, name = info.services.cursors, f"stream:{stream}"
    sent: dict[str, str] | None = None
    if after is not None:
        sent = dict(cursors.read(name, after, STREAM_CURSOR_CHARACTERS_MAX))
    async with aclosing(polls(info.services.commits)) as polling:
        async for _ in polling:
            found = await info.read(states)
            digests = {_digest(subject): (_digest(compared), row) for subject, (compared, row) in found.items()}
            if sent is None:
                sent = {subject: digest for subject, (digest, row) in digests.items() if unsent(row)}
            sent = {subject: digest for subject, digest in sent.items() if subject in digests}
            for subject, (digest, row) in digests.items():
                if sent.get(subject) != digest:
                    sent[subject] = digest
                    yield cursors.write(name, tuple(sorted(sent.items()))), row


def _digest(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=DIGEST_BYTES).hexdigest()

"""Connections as Relay has them: pages with signed cursors, a page limit, and a total only when it is asked for."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Generic, TypeVar

import strawberry
from graphql import GraphQLError

from schema.engine import fields
from schema.engine.limits import PAGE_DEFAULT, PAGE_MAX

MAC_BYTES: Final = 16
CURSOR_LENGTH_MAX: Final = 1_000

First = Annotated[
    int | None,
    strawberry.argument(description=f"How many at most; {PAGE_DEFAULT} unless given, {PAGE_MAX} is the limit."),
]
After = Annotated[str | None, strawberry.argument(description="The cursor after which to go on, from an earlier page.")]

Node = TypeVar("Node")
Row = TypeVar("Row")
Key = tuple[Any, ...]


class Cursors:
    """Writes and reads cursors: the key of a row, signed by this node for one list in one order."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"batchloom-cursor").digest()

    def write(self, listing: str, key: Key) -> str:
        """Return the cursor of a row in a listing."""
        content = json.dumps(key, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(listing, content) + content).decode().rstrip("=")

    def read(self, listing: str, cursor: str) -> Key:
        """Return the key in a cursor; raises GraphQLError for one that was not written here for this listing."""
        try:
            text = cursor[:CURSOR_LENGTH_MAX]
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        mac, content = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(listing, content)):
            code = {"code": "CURSOR_INVALID"}
            raise GraphQLError("The cursor is not one of this list. Begin again without it.", extensions=code)
        return tuple(json.loads(content))

    def _mac(self, listing: str, content: bytes) -> bytes:
        return hashlib.blake2b(listing.encode() + b"\0" + content, digest_size=MAC_BYTES, key=self._key).digest()


@strawberry.type(description="Where a page begins and ends.")
class PageInfo:
    """Where a page begins and ends."""

    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page was asked for after a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first one, null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor to go on after, null on an empty page.")


@strawberry.type(description="One place in a list.")
class Edge(Generic[Node]):
    """One place in a list."""

    node: Node = strawberry.field(description="What stands at this place.")
    cursor: str = strawberry.field(description="The signed name of this place, to go on after it.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[Node]):
    """One page of a list."""

    edges: list[Edge[Node]] = strawberry.field(description="The places of this page, in order.")
    page_info: PageInfo = strawberry.field(description="Where the page begins and ends.")
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @fields.field("What stands on this page, without the cursors.")
    def nodes(self) -> list[Node]:
        """Return what stands on this page."""
        return [edge.node for edge in self.edges]

    @fields.field("How many there are on all pages; counted only when asked for.")
    async def total_count(self) -> int:
        """Return how many there are on all pages."""
        return await self.count()


@dataclass(frozen=True, slots=True)
class Page:
    """What a query needs to find one page: rows after this key, and one more than `first` to know if there are more."""

    first: int
    after: Key | None

    @property
    def limit(self) -> int:
        """How many rows to fetch."""
        return self.first + 1


@dataclass(frozen=True, slots=True)
class Listing:
    """One list in one order under one filter: what its cursors are good for."""

    name: str
    cursors: Cursors
    parts: Sequence[object] = field(default=())

    @property
    def _title(self) -> str:
        return f"{self.name}:{hashlib.sha256(repr(self.parts).encode()).hexdigest()[:16]}"

    def page(self, first: int | None, after: str | None) -> Page:
        """Return the page that was asked for; raises GraphQLError beyond the limits."""
        size = PAGE_DEFAULT if first is None else first
        if not 1 <= size <= PAGE_MAX:
            code = {"code": "LIMIT_EXCEEDED"}
            raise GraphQLError(f"`first` is between 1 and {PAGE_MAX}, not {size}.", extensions=code)
        return Page(size, None if after is None else self.cursors.read(self._title, after))

    def connection(
        self,
        page: Page,
        rows: Sequence[Row],
        key: Callable[[Row], Key],
        make: Callable[[Row], Node],
        count: Callable[[], Awaitable[int]],
    ) -> Connection[Node]:
        """Return the connection of the rows that a query found for the page."""
        shown = rows[: page.first]
        edges = [Edge(node=make(row), cursor=self.cursors.write(self._title, key(row))) for row in shown]
        info = PageInfo(
            has_next_page=len(rows) > page.first,
            has_previous_page=page.after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return Connection(edges=edges, page_info=info, count=count)

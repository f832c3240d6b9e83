"""Relay connections: pages with signed cursors, a page limit, and a total count on demand."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as members
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Generic, TypeVar

import strawberry

from schema.engine import fields
from schema.engine.error_codes import CURSOR_INVALID
from schema.engine.errors import WordedError
from schema.engine.fields import described, object_type
from schema.engine.limits import PAGE_DEFAULT, PAGE_MAX, PAGE_SIZE_WRONG, exceeded

MAC_BYTES: Final = 16
CURSOR_LENGTH_MAX: Final = 1_000
COUNT_WEIGHT: Final = 5

First = Annotated[
    int | None,
    strawberry.argument(
        description=f"Largest number of nodes. The default is {PAGE_DEFAULT} and the limit {PAGE_MAX}. "
        "With 0, only the total is read."
    ),
]
After = Annotated[str | None, strawberry.argument(description="Cursor of an earlier page. The page starts after it.")]

Node = TypeVar("Node")
Row = TypeVar("Row")
K = TypeVar("K")
Key = tuple[Any, ...]


class Cursors:
    """Writes and reads cursors: signed row keys, valid for one list in one order at this node."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"batchloom-cursor").digest()

    def write(self, listing: str, key: Key) -> str:
        """Return the cursor of a row in a listing."""
        content = json.dumps(key, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(listing, content) + content).decode().rstrip("=")

    def read(self, listing: str, cursor: str, length_max: int = CURSOR_LENGTH_MAX) -> Key:
        """Return the key in a cursor. Raises GraphQLError for a cursor of another list or node."""
        try:
            text = cursor[:length_max]
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        mac, content = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(listing, content)):
            raise WordedError(CURSOR_INVALID)
        return tuple(json.loads(content))

    def _mac(self, listing: str, content: bytes) -> bytes:
        return hashlib.blake2b(listing.encode() + b"\0" + content, digest_size=MAC_BYTES, key=self._key).digest()


@object_type(weight=0)
class PageInfo:
    """Position of a page in its list."""

    has_next_page: bool = described("True if there is a further page.")
    has_previous_page: bool = described("True if this page was requested after a cursor.")
    start_cursor: str | None = described("Cursor of the first node. Null on an empty page.")
    end_cursor: str | None = described("Cursor of the last node. Null on an empty page.")


@object_type(weight=0)
class Edge(Generic[Node]):
    """A node with its cursor."""

    node: Node = described("Node.")
    cursor: str = described("Signed cursor of the node.")


@object_type(weight=0)
class Connection(Generic[Node]):
    """One page of a list."""

    edges: list[Edge[Node]] = described("Nodes of this page with their cursors.")
    page_info: PageInfo = described("Position of the page in the list.")
    count: strawberry.Private[Callable[[], Awaitable[int | None]]]

    @fields.field("Nodes of this page, without cursors.")
    def nodes(self) -> list[Node]:
        return [edge.node for edge in self.edges]

    @fields.field(
        "Number of nodes on all pages. It is counted only if requested. Null if it is not known.", weight=COUNT_WEIGHT
    )
    async def total_count(self) -> int | None:
        return await self.count()


@dataclass(frozen=True, slots=True)
class Page:
    """The rows to fetch for one page: those after a key, and one extra to detect a further page."""

    first: int
    after: Key | None

    @property
    def limit(self) -> int:
        """Number of rows to fetch."""
        return self.first + 1


def canonical(value: object) -> str:
    """Return canonical JSON of a filter: without the names of its classes, and without what is not given."""
    return json.dumps(value, default=_plain, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    """Return the JSON form of a value. A field of a dataclass that is not compared is left out."""
    match value:
        case Enum():
            return value.value
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case set() | frozenset():
            return sorted(value, key=canonical)
        case _ if is_dataclass(value):
            given = {one.name: getattr(value, one.name) for one in members(value) if one.compare}
            return {name: one for name, one in given.items() if one is not None}
    raise TypeError(f"{type(value).__name__} has no canonical form")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list with an order and a filter. Its cursors are valid for exactly this combination.

    `name` is the place of the list in the SDL, such as `Query.batches`. `parts` have a canonical form.
    """

    name: str
    cursors: Cursors
    parts: Sequence[object] = ()

    @property
    def _title(self) -> str:
        return f"{self.name}:{hashlib.sha256(canonical(self.parts).encode()).hexdigest()[:16]}"

    def page(self, first: int | None, after: str | None) -> Page:
        """Return the requested page. Raises GraphQLError above the limits."""
        size = PAGE_DEFAULT if first is None else first
        if not 0 <= size <= PAGE_MAX:
            raise exceeded(PAGE_MAX, PAGE_SIZE_WRONG(most=PAGE_MAX, first=size))
        return Page(size, None if after is None else self.cursors.read(self._title, after))

    def connection(
        self,
        page: Page,
        rows: Sequence[Row],
        key: Callable[[Row], Key],
        make: Callable[[Row], Node],
        count: Callable[[], Awaitable[int | None]],
    ) -> Connection[Node]:
        """Return the connection for the rows of a page."""
        shown = rows[: page.first]
        edges = [Edge(node=make(row), cursor=self.cursors.write(self._title, key(row))) for row in shown]
        info = PageInfo(
            has_next_page=len(rows) > page.first,
            has_previous_page=page.after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return Connection(edges=edges, page_info=info, count=count)


def portions(parents: Sequence[K], size: int) -> Iterator[Sequence[K]]:
    """Yield parents in portions, so that one query returns at most the rows that one request may have."""
    for begin in range(0, len(parents), size):
        yield parents[begin : begin + size]

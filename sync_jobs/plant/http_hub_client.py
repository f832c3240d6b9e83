"""The HTTPS client of the hub: a fresh assertion per request, limits on size and time, no redirects."""

import ssl
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx2

from auth.tokens import issue_assertion
from infra.settings import may_carry_secrets
from sync_jobs.nodes import PlantNode
from sync_jobs.protocol.hub_client import HubClient, HubTimedOut, HubUnreachable
from sync_jobs.protocol.wire import (
    BODY_BYTES_MAX,
    GREETING_BYTES_MAX,
    MEDIA_TYPE,
    PROTOCOL,
    PROTOCOL_HEADER,
    SESSION_HEADER,
    Hello,
    Limits,
    Parcel,
    Problem,
    Proof,
    Receipt,
    Roots,
    Welcome,
    pack,
    read_hash,
    unpack,
)

TIMEOUT: Final = httpx2.Timeout(20.0, connect=5.0)
"""Seconds without progress in a read, a write or a connection; the number of requests bounds a job."""

ANSWER_SECONDS: Final = 60.0
ANSWER_BYTES_PER_SECOND: Final = 1_000
"""Limits of a whole answer: ANSWER_SECONDS, and one second more per this many bytes received."""


class HttpHubClient:
    """The hub as one plant reaches it. Raises ValueError for an http:// address beyond this machine."""

    def __init__(self, node: PlantNode) -> None:
        if not may_carry_secrets(node.hub_url):
            raise ValueError("a hub on another machine is reached by https:// only")
        self._node = node
        headers = {PROTOCOL_HEADER: str(PROTOCOL), "User-Agent": f"Batchloom/{node.version}"}
        # Proxies and certificates of the environment apply; a redirect would send the assertion to another host.
        self._client = httpx2.Client(
            base_url=node.hub_url, headers=headers, timeout=TIMEOUT, follow_redirects=False, verify=_trust()
        )

    def __enter__(self) -> Self:
        """Return the client, which opens connections on demand."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._client.close()

    def hello(self, greeting: Hello) -> Welcome:
        """Send a Hello. Raises Problem as the hub answered, or HubUnreachable."""
        headers = {"Content-Type": "application/json"}
        return Welcome.read(self._ask("POST", "/sync/v1/hello", content=greeting.to_bytes(), headers=headers))

    def send(self, origin: str, start: int, session: str, parcel: Parcel) -> Receipt:
        """Send entries from a position on. Raises Problem, HubUnreachable or HubTimedOut."""
        headers = {"Content-Type": MEDIA_TYPE, SESSION_HEADER: session}
        path, query = _path(origin, "entries"), {"from": start}
        return Receipt.read(self._ask("POST", path, params=query, content=pack(parcel), headers=headers))

    def entries(self, origin: str, low: int, high: int) -> Parcel:
        """Return entries of one of the hub's ledgers. Raises Problem or HubUnreachable."""
        query = {"from": low, "to": high}
        return unpack(self._ask("GET", _path(origin, "entries"), params=query), Limits())

    def rotate(self, origin: str, statement: bytes) -> None:
        """Send the statement of a key rotation. Raises Problem or HubUnreachable."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        self._ask("POST", _path(origin, "key"), content=statement, headers=headers)

    def roots(self, origin: str, sizes: Sequence[int]) -> tuple[bytes, ...]:
        """Return the roots of one of the hub's ledgers at these sizes. Raises Problem or HubUnreachable."""
        query = {"sizes": ",".join(map(str, sizes))}
        found = tuple(map(read_hash, Roots.read(self._ask("GET", _path(origin, "roots"), params=query)).hashes))
        if len(found) != len(sizes):
            raise HubUnreachable(f"{len(found)} roots came for {len(sizes)} sizes")
        return found

    def consistency(self, origin: str, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof between two sizes of the plant's ledger at the hub. Raises Problem or HubUnreachable."""
        query = {"old": old, "new": new}
        proof = Proof.read(self._ask("GET", _path(origin, "consistency"), params=query))
        return tuple(map(read_hash, proof.hashes))

    def _ask(self, method: str, path: str, **request: Any) -> bytes:
        node = self._node
        assertion = issue_assertion(
            node.assertion_key, origin=node.origin, hub_issuer=node.hub_key.name, clock=node.clock
        )
        headers = {**request.pop("headers", {}), "Authorization": f"Bearer {assertion}"}
        try:
            with self._client.stream(method, path, headers=headers, **request) as response:
                content = _bounded(response)
                status, media = response.status_code, response.headers.get("Content-Type", "")
                retry_after = response.headers.get("Retry-After", "")
        except httpx2.TimeoutException as error:
            raise HubTimedOut(type(error).__name__) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HubUnreachable(f"{type(error).__name__}: {error}"[:200]) from error
        if status == httpx2.codes.OK and media.split(";")[0] in {"application/json", MEDIA_TYPE}:
            return content
        raise _problem(status, media, content, retry_after)


def open_hub_client(node: PlantNode) -> AbstractContextManager[HubClient]:
    """Return a client of the hub for a plant: the node's own, or one over HTTPS."""
    return (node.open_hub_client or HttpHubClient)(node)


@cache
def _trust() -> ssl.SSLContext:
    """Return this machine's trusted certificates, read once because that takes longer than an exchange."""
    return httpx2.create_ssl_context()


def _path(origin: str, what: str) -> str:
    return f"/sync/v1/logs/{quote(origin)}/{what}"


def _bounded(response: httpx2.Response) -> bytes:
    """Return the body, read raw so that no content encoding can inflate it."""
    limit = BODY_BYTES_MAX + GREETING_BYTES_MAX
    content, began = bytearray(), time.monotonic()
    for piece in response.iter_raw():
        content += piece
        # A limit per piece is not enough: a trickling answer would hold the job for days.
        if time.monotonic() - began > ANSWER_SECONDS + len(content) / ANSWER_BYTES_PER_SECOND:
            raise HubTimedOut("the answer takes too long")
        if len(content) > limit:
            raise HubUnreachable(f"the answer is above {limit} bytes")
    return bytes(content)


def _problem(status: int, media: str, content: bytes, retry_after: str) -> Exception:
    """Return the hub's Problem, or HubUnreachable where something else answered, such as a proxy."""
    if media.split(";", maxsplit=1)[0] != "application/problem+json":
        return HubUnreachable(f"{status} {media[:60]}: something other than the hub answered")
    try:
        content_fields = httpx2.Response(status, content=content).json()
        code = str(content_fields.pop("code"))[:60]
    except (ValueError, KeyError, AttributeError, TypeError):
        return HubUnreachable(f"{status}: an answer that cannot be read")
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    return Problem(status, code, retry_seconds=seconds, **{str(name): value for name, value in content_fields.items()})

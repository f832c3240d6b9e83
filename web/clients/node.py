"""A node of Batchloom over HTTP: signing in, and telling what was recorded from what was refused."""

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import httpx

T = TypeVar("T")
ASKS_MAX = 300
PAUSE_SECONDS = 0.1
SETTINGS: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())


class Entry(Protocol):
    """The ledger entry of a mutation that was recorded."""

    id: str
    index: int
    type_: str


@runtime_checkable
class Recorded(Protocol):
    """The success of a mutation."""

    @property
    def entry(self) -> Entry: ...


@runtime_checkable
class Refusal(Protocol):
    """An expected “no”: nothing was changed."""

    code: str
    message: str
    path: list[str] | None


@runtime_checkable
class Validated(Protocol):
    """What a mutation answers that would be recorded, where it was only to be validated."""

    typename__: Literal["Validated"]


class Refused(Exception):
    """A mutation answered with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.code = refusal.code
        self.path = refusal.path


def recorded(result: Recorded | Refusal | Validated) -> Entry | None:
    """Return the entry that a mutation recorded, or None where it only validated. Raises Refused for a refusal."""
    if isinstance(result, Refusal):
        raise Refused(result)
    return result.entry if isinstance(result, Recorded) else None


def request_id() -> str:
    """Return a request id. Sending a request again with the same id does it once."""
    return str(uuid.uuid4())


def signed_in(code: str, person: str) -> dict[str, Any]:
    """Return the settings of a generated client for a person at a node."""
    url = SETTINGS["nodes"][code]
    answer = httpx.post(f"{url}/auth/token", json={"person": person, "password": SETTINGS["password"]})
    authorization = f"Bearer {answer.raise_for_status().json()['accessToken']}"
    return {
        "url": f"{url}/graphql",
        "headers": {"Authorization": authorization, "Accept-Language": "en"},
        "ws_url": f"{url.replace('http', 'ws')}/graphql",
        "ws_connection_init_payload": {"authorization": authorization},
    }


def say(*words: object) -> None:
    """Print one line for the test."""
    print(*words)


def say_entry(*words: object, of: Recorded | Refusal | Validated) -> Entry:
    """Print the type of the entry that a mutation recorded, and return the entry."""
    entry = recorded(of)
    assert entry is not None
    say(*words, entry.type_)
    return entry


async def say_refusal(attempt: Awaitable[object]) -> None:
    """Say how a mutation was refused, and where in its input."""
    try:
        await attempt
    except Refused as refused:
        say("refused", refused.code, ".".join(refused.path) if refused.path else "as a whole")


def only(found: list[T]) -> T:
    """Return the only one of a list."""
    (one,) = found
    return one


async def until(ask: Callable[[], Awaitable[T | None]]) -> T:
    """Ask again until there is an answer: what a plant records takes a moment to reach the hub, and back."""
    for _ in range(ASKS_MAX):
        found = await ask()
        if found is not None:
            return found
        await asyncio.sleep(PAUSE_SECONDS)
    raise TimeoutError("no answer came")

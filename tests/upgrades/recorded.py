"""Recorded stores of released versions, opened with today's program."""

import json
import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import zstandard

from auth.keys import SigningKey
from auth.notes import NoteSigner
from auth.tokens import Assertions
from infra.database import Store
from infra.settings import directive_origin, hub_origin, plant_origin
from infra.writer import Writer
from migrations import upgrade
from plants.rules.ledger.merkle import Frontier
from sync_jobs.nodes import HubNode, PlantNode
from tests.sync_jobs.group import CLOCK, GROUP
from tests.upgrades.record import key_of

GOLDEN: Final = Path(__file__).parents[1] / "golden"
VERSIONS: Final = tuple(sorted(folder.name for folder in GOLDEN.iterdir()))
CODES: Final = ("HUB", "SH1", "SZ2")
NUMBERS: Final = {"SH1": 1, "SZ2": 2}


@dataclass(frozen=True)
class Request:
    """One request as a recorded plant sent it, and what the recorded hub answered."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes

    @property
    def plant(self) -> str:
        """The code of the plant that sent it."""
        text = self.path if "/logs/" in self.path else self.body.decode()
        return "SH1" if "SH1" in text else "SZ2"


@cache
def said(version: str) -> dict[str, Any]:
    """Return what the recorded program said of its own stores: columns, digests, heads."""
    return dict(json.loads((GOLDEN / version / "said.json").read_text()))


@cache
def heard(version: str) -> tuple[Request, ...]:
    """Return everything that travelled, in order."""
    raw = zstandard.decompress((GOLDEN / version / "wire.json.zst").read_bytes())
    return tuple(
        Request(**{**one, "body": b64decode(one["body"]), "answer": b64decode(one["answer"])})
        for one in json.loads(raw)
    )


def restore(version: str, code: str, folder: Path) -> str:
    """Make the recorded store a file again and return its address."""
    dump = zstandard.decompress((GOLDEN / version / f"{code}.sql.zst").read_bytes()).decode()
    path = folder / f"{code}.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump)
    return f"sqlite:///{path}"


def heads(store: Store) -> list[tuple[int, int, bytes]]:
    """Return number, size and root of every ledger of a store."""
    with store.transaction() as session:
        rows = session.rows("SELECT log_id, size, frontier FROM logs ORDER BY log_id")
    return [(log_id, size, Frontier.from_bytes(size, bytes(frontier)).root()) for log_id, size, frontier in rows]


def heads_said(version: str, code: str) -> list[tuple[int, int, bytes]]:
    """Return the same as the recorded program had it."""
    return [
        (log_id, size, Frontier.from_bytes(size, bytes.fromhex(frontier)).root())
        for log_id, size, frontier in said(version)["heads"][code]
    ]


def hub_on(store: Store) -> HubNode:
    """Return today's hub under the recorded hub's name and key."""
    origin = hub_origin(GROUP)
    signer = NoteSigner(origin, key_of("HUB ledger"))
    assertions = Assertions(hub_issuer=origin, clock=CLOCK)
    return HubNode(origin=origin, store=store, clock=CLOCK, signer=signer, assertions=assertions, version="today")


@contextmanager
def plant_on(database_url: str, code: str, hub: HubNode, hub_url: str) -> Iterator[PlantNode]:
    """Yield today's plant under a recorded plant's name and keys, on a store that is brought to today's tables."""
    with ExitStack() as opening:
        store = opening.enter_context(closing(Store(database_url)))
        upgrade(store)
        yield PlantNode(
            number=NUMBERS[code],
            origin=plant_origin(GROUP, code),
            directive_origin=directive_origin(GROUP, code),
            store=store,
            writer=opening.enter_context(closing(Writer(store))),
            clock=CLOCK,
            signer=NoteSigner(plant_origin(GROUP, code), key_of(f"{code} ledger")),
            assertion_key=SigningKey(key_of(f"{code} assertion")),
            hub_url=hub_url,
            hub_key=hub.signer.key,
            version="today",
        )

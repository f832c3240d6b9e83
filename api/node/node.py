"""A node put together: its store, writer, keys and clock, opened from its home and closed again."""

import fcntl
import json
import tomllib
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from sqlalchemy import inspect

from auth.keys import SigningKey, VerificationKeys
from auth.notes import NoteSigner, generate_key, load_key, save_key
from auth.tokens import AccessTokens
from infra.clock import Clock, SystemClock
from infra.closing import Closing
from infra.database import Store
from infra.messages import Failure, message
from infra.settings import FILE_NAME, Settings
from infra.stores import open_store
from infra.writer import Writer
from migrations import upgrade
from plants.store.ledger.entries import Log
from sync_jobs.plant.restore_detection import check_origin, check_restored

KEY_FILES = ("ledger.pem", "token.pem", "assertion.pem")


NODE_BUSY: Final = message("NODE_BUSY", "Another process serves {home}. Stop it first.")


class NodeBusy(Failure):
    """Another process serves this node; the message says what to do."""


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The node's private keys: for its ledgers and receipts, for its people's tokens, and for its calls to the hub."""

    ledger: NoteSigner
    tokens: SigningKey
    assertion: SigningKey

    @classmethod
    def load(cls, settings: Settings) -> "NodeKeys":
        """Read the keys of a home; raises FileNotFoundError before `make_home`, KeyFileError on an unfit file."""
        ledger, tokens, assertion = (load_key(settings.keys / name) for name in KEY_FILES)
        return cls(NoteSigner(settings.origin, ledger), SigningKey(tokens), SigningKey(assertion))


class Node(Closing):
    """One plant or hub, open. Closing ends its writer, its store and, where it has one, its PostgreSQL server.

    Several processes may open a node, because the ledger's head orders their writes. Only one may serve it
    (`serving`); a second raises NodeBusy.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None, serving: bool = False) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self._committed: list[Callable[[], None]] = []
        with ExitStack() as opening:
            if serving:
                opening.enter_context(claim(settings.home))
            self.keys = NodeKeys.load(settings)
            self.store = open_store(settings, opening)
            _check_owner(self.store, settings)
            upgrade(self.store)
            check_restored(settings, self.store, self.clock)
            self.keys = NodeKeys.load(settings)  # once more: opening may have put a rotated key in its place.
            self.writer = opening.enter_context(closing(Writer(self.store, committed=self._tell)))
            self._open = opening.pop_all()
        self.tokens = AccessTokens(
            issuer=settings.origin,
            audience=settings.origin,
            signing_key=self.keys.tokens,
            keys=VerificationKeys([self.keys.tokens.public_key]),
            clock=self.clock,
        )

    def when_committed(self, callback: Callable[[], None]) -> None:
        """Call back after every commit of the writer, on its thread: for nudges, which must be quick and never fail."""
        self._committed.append(callback)

    def _tell(self) -> None:
        for callback in self._committed:
            callback()

    def close(self) -> None:
        """Finish what is waiting to be written and close everything."""
        self._open.close()


def _check_owner(store: Store, settings: Settings) -> None:
    """Raise StoreUnfit for another node's store, before its tables are touched."""
    if inspect(store.engine).has_table(Log.__tablename__):
        check_origin(store, settings.plant_number, settings.origin)


def make_home(settings: Settings) -> None:
    """Make a node's home: its directory, its settings file and its keys. Existing files are kept."""
    make_keys(settings)
    path = settings.home / FILE_NAME
    if not path.exists():
        path.write_text(_as_toml(settings), encoding="utf-8")


def make_keys(settings: Settings) -> None:
    """Make the keys that a node's home does not have yet, and its directory."""
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.keys.mkdir(mode=0o700, exist_ok=True)
    for name in KEY_FILES:
        if not (settings.keys / name).exists():
            save_key(settings.keys / name, generate_key())


def claim(home: Path) -> IO[str]:
    """Hold a home as the one process that serves it, until the file is closed; raises NodeBusy."""
    claim = (home / "node.lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        raise NodeBusy(NODE_BUSY, home=home) from None
    return claim


def _as_toml(settings: Settings) -> str:
    """Write the settings that are not defaults as TOML; secrets belong in the environment and are left out."""
    lines = []
    for name, value in settings.model_dump(mode="json", exclude_defaults=True, exclude={"home"}).items():
        if name not in {"database_url", "broker_url"} and value is not None:
            shown = (
                str(value).lower()
                if isinstance(value, bool)
                else value
                if isinstance(value, int | float)
                else json.dumps(value, ensure_ascii=False)  # a TOML string, too: both escape quotes and backslashes
            )
            lines.append(f"{name} = {shown}\n")
    text = "".join(lines)
    tomllib.loads(text)
    return text

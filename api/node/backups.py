"""Backups of a node: making one, the time of the last, and restoring a home from one."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import starmap
from pathlib import Path
from typing import Final

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from api.node.node import KEY_FILES, Node, claim
from infra import backup
from infra.backup import BackupUnfit, Manifest
from infra.clock import Clock, SystemClock
from infra.messages import message
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import FILE_NAME, Settings, load
from infra.stores import DATABASE, plant_store
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.verification import SizedRoot
from plants.rules.values.instants import format_instant, parse_instant
from plants.store.ledger.logs import SELECT_HEADS, LedgerHead
from plants.store.ledger.verification import LedgerFinding, verify
from sync_jobs.assembly import program_version
from sync_jobs.keys.chains import NOTE_SUFFIX

RECORD: Final = "last-backup.json"
KEYS: Final = "keys"


RESTORE_STORE_EXISTS: Final = message(
    "RESTORE_STORE_EXISTS", "{place} exists already. With --replace it is kept under another name, not deleted."
)
RESTORE_OF_ANOTHER: Final = message(
    "RESTORE_OF_ANOTHER", "The backup is of {backup}, and {home} is the home of {origin}. Nothing was changed."
)
RESTORE_NEEDS_POSTGRES: Final = message(
    "RESTORE_NEEDS_POSTGRES", "The backup is of a PostgreSQL store: set BATCHLOOM_DATABASE_URL to an empty database."
)
RESTORE_KEY_MISSING: Final = message(
    "RESTORE_KEY_MISSING",
    "Neither {home} nor the backup has the key {name}. Bring the folder “keys” from where it is kept, and restore "
    "again.",
)


def make_backup(node: Node, target: Path, *, with_keys: bool) -> Manifest:
    """Copy a node, which may be serving, to `target`: its store, its settings and, where wanted, its private keys.

    Writes down in the home when that was. Raises BackupUnfit; then there is nothing at the target.
    """
    settings, now = node.settings, node.clock.now()
    with backup.draft_of(target) as draft:
        name, rows = backup.copy_store(node.store, draft, SELECT_HEADS)
        shutil.copyfile(settings.home / FILE_NAME, draft / FILE_NAME)
        if with_keys:
            (draft / KEYS).mkdir(mode=0o700)
            for key in _key_files(settings.keys):
                shutil.copyfile(key, draft / KEYS / key.name)
        manifest = Manifest(
            made_at=format_instant(now),
            program=program_version(),
            role=settings.role.value,
            origin=settings.origin,
            database=name,
            keys=with_keys,
            ledgers={
                head.origin: {
                    "log": head.log_id,
                    "size": head.size,
                    "root": Frontier.from_bytes(head.size, head.frontier).root().hex(),
                }
                for head in starmap(LedgerHead, rows)
            },
        )
        manifest.write(draft)
    said = {"at": manifest.made_at, "to": str(target.resolve())}
    draft_record = settings.home / f".{RECORD}.new"
    draft_record.write_text(json.dumps(said) + "\n", encoding="utf-8")
    draft_record.rename(settings.home / RECORD)
    return manifest


def last_backup(home: Path) -> datetime | None:
    """Return when the last backup of a home was made, as far as the home knows."""
    try:
        said = json.loads((home / RECORD).read_text(encoding="utf-8"))
        return parse_instant(said["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def restore_home(home: Path, folder: Path, *, replace: bool, clock: Clock | None = None) -> Manifest:
    """Make a home's store from a backup's folder, and settings and keys where the home has none.

    A store that is there is set aside with `replace`, and else a reason to refuse. Raises BackupUnfit, and NodeBusy
    while the node is served; then nothing has changed but for what was set aside.
    """
    manifest = Manifest.read(folder)
    manifest.check(folder)
    with ExitStack() as held:
        if home.exists():
            held.enter_context(claim(home))
        settings = _settings(home, folder, manifest)
        _check_keys(settings, folder)
        stamp = (clock or SystemClock()).now().strftime("%Y%m%dT%H%M%SZ")
        home.mkdir(parents=True, exist_ok=True)
        with _place(settings) as url:
            if url.get_backend_name() == "sqlite":
                place = Path(str(url.database))
                if place.exists() and not replace:
                    raise BackupUnfit(RESTORE_STORE_EXISTS, place=place)
                backup.set_aside(place, stamp)
                backup.restore_sqlite(folder / manifest.database, place)
            else:
                backup.restore_postgresql(folder / manifest.database, url)
        _bring_files(settings, folder)
    return manifest


def verify_restored(node: Node, manifest: Manifest) -> list[LedgerFinding]:
    """Check every ledger of a restored node, entry by entry, against itself and against what the backup says of it."""
    said = {
        one["log"]: [SizedRoot(one["size"], bytes.fromhex(one["root"]))]
        for one in manifest.ledgers.values()
        if one["size"]
    }
    return verify(node.store, said)


def _settings(home: Path, folder: Path, manifest: Manifest) -> Settings:
    """Return the settings that the home has, or else the backup's, for this home; they must be of the same node."""
    settings = load(home if (home / FILE_NAME).exists() else folder)
    settings = settings.model_copy(update={"home": home})
    if (settings.origin, settings.role.value) != (manifest.origin, manifest.role):
        raise BackupUnfit(RESTORE_OF_ANOTHER, backup=manifest.origin, home=home, origin=settings.origin)
    fits = (settings.role is Role.HUB and settings.database_url is None) or settings.database_url is not None
    if manifest.database == backup.POSTGRESQL_COPY and not fits:
        raise BackupUnfit(RESTORE_NEEDS_POSTGRES)
    return settings


def _check_keys(settings: Settings, folder: Path) -> None:
    for name in KEY_FILES:
        if not (settings.keys / name).exists() and not (folder / KEYS / name).exists():
            raise BackupUnfit(RESTORE_KEY_MISSING, home=settings.home, name=name)


@contextmanager
def _place(settings: Settings) -> Iterator[URL]:
    """Yield the address of the store that is to be filled."""
    if settings.database_url is not None:
        yield make_url(settings.database_url.get_secret_value())
    elif settings.role is Role.PLANT:
        yield plant_store(settings.home)
    else:
        with EmbeddedPostgres(settings.home / "postgresql", binaries=settings.postgresql_bin) as server:
            server.create_database(DATABASE)
            yield make_url(server.url(DATABASE))


def _key_files(folder: Path) -> list[Path]:
    """Return the keys in a folder, those of the past too, and the statements by which they handed over."""
    return sorted((*folder.glob("*.pem"), *folder.glob(f"*{NOTE_SUFFIX}")))


def _bring_files(settings: Settings, folder: Path) -> None:
    if not (settings.home / FILE_NAME).exists():
        shutil.copyfile(folder / FILE_NAME, settings.home / FILE_NAME)
    settings.keys.mkdir(mode=0o700, exist_ok=True)
    for key in _key_files(folder / KEYS):
        if not (settings.keys / key.name).exists():
            place = settings.keys / key.name
            place.touch(mode=0o600)
            shutil.copyfile(key, place)

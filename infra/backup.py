"""Online backups of a node's store, written atomically, and restoring them.

A backup holds the database and never the node's high-water marks (`infra.high_water_marks`). A restored node detects
the restore by marks that are newer than its database.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
import pysqlite3.dbapi2 as sqlite
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from infra.database import Store
from infra.messages import Failure, message
from infra.postgres_programs import find_binaries

MANIFEST: Final = "manifest.json"
SQLITE_COPY: Final = "store.db"
POSTGRESQL_COPY: Final = "store.pgdump"
FORMAT: Final = 1
BLOCK_BYTES: Final = 1 << 20
CONNECT_SECONDS: Final = 10


BACKUP_UNREADABLE: Final = message("BACKUP_UNREADABLE", "{folder} is no backup: its {manifest} cannot be read ({why}).")
BACKUP_NEWER: Final = message("BACKUP_NEWER", "{folder} was made by a newer program ({program}). Update this one.")
BACKUP_FILE_MISSING: Final = message(
    "BACKUP_FILE_MISSING", "{name} is missing, or does not belong to this backup. Use another backup."
)
BACKUP_FILE_CHANGED: Final = message(
    "BACKUP_FILE_CHANGED", "{name} was changed since the backup was made. Use another backup."
)
BACKUP_PLACE_TAKEN: Final = message("BACKUP_PLACE_TAKEN", "{place} exists already. Choose another place.")
BACKUP_DAMAGED: Final = message("BACKUP_DAMAGED", "{name} is damaged: {why}. Use another backup.")
BACKUP_DATABASE_USED: Final = message(
    "BACKUP_DATABASE_USED", "The database is not empty: nothing was overwritten. Give an empty one."
)
BACKUP_NEVER_OVERWRITES: Final = message(
    "BACKUP_NEVER_OVERWRITES", "{target} exists already: a backup never overwrites. Choose another name."
)
BACKUP_NOT_UNPACKED: Final = message("BACKUP_NOT_UNPACKED", "{source} is no backup: {why}.")
BACKUP_CLIENT_MISSING: Final = message(
    "BACKUP_CLIENT_MISSING", "{name} {major} or later is not on this machine: install the PostgreSQL client."
)
BACKUP_PROGRAM_FAILED: Final = message("BACKUP_PROGRAM_FAILED", "{program} failed: {why}")


class BackupUnfit(Failure):
    """The backup cannot be made or used. The message says why, in both languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifest of a backup. `ledgers` is keyed by origin, `files` by name. Times are RFC 3339 in UTC."""

    made_at: str
    program: str
    role: str
    origin: str
    database: str
    keys: bool
    ledgers: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a backup's folder; raises BackupUnfit."""
        try:
            content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            found = cls(**content)
        except (OSError, ValueError, TypeError) as error:
            raise BackupUnfit(BACKUP_UNREADABLE, folder=folder, manifest=MANIFEST, why=error) from error
        if found.format != FORMAT:
            raise BackupUnfit(BACKUP_NEWER, folder=folder, program=found.program)
        return found

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder, with the size and SHA-256 of every file in the folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.files[str(path.relative_to(folder))] = {"bytes": path.stat().st_size, "sha256": digest(path)}
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    def check(self, folder: Path) -> None:
        """Raise BackupUnfit, with the name, for a file that is missing, changed, or not in the manifest."""
        there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
        for name in sorted(there ^ self.files.keys()):
            raise BackupUnfit(BACKUP_FILE_MISSING, name=name)
        for name, recorded in self.files.items():
            if digest(folder / name) != recorded["sha256"]:
                raise BackupUnfit(BACKUP_FILE_CHANGED, name=name)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sha.update(block)
    return sha.hexdigest()


def copy_store(store: Store, folder: Path, query: LiteralString) -> tuple[str, list[tuple[Any, ...]]]:
    """Copy a store that may be in use into a folder; return the copy's name and the rows of a query on the copy.

    Readers and writers are not blocked. Raises BackupUnfit with the error output of pg_dump.
    """
    if store.dialect == "sqlite":
        return SQLITE_COPY, _copy_sqlite(Path(str(store.engine.url.database)), folder / SQLITE_COPY, query)
    return POSTGRESQL_COPY, _dump_postgresql(store.engine.url, folder / POSTGRESQL_COPY, query)


def restore_sqlite(copy: Path, place: Path) -> None:
    """Copy a backup to the path of a new store; raises BackupUnfit when the path exists or the copy is damaged."""
    if place.exists():
        raise BackupUnfit(BACKUP_PLACE_TAKEN, place=place)
    draft = place.with_name(f".{place.name}.restoring")
    shutil.copyfile(copy, draft)
    with closing(sqlite.connect(draft)) as opened:
        result = opened.execute("PRAGMA integrity_check").fetchone()[0]
    if result != "ok":
        draft.unlink()
        raise BackupUnfit(BACKUP_DAMAGED, name=copy.name, why=result)
    _on_disk(draft)
    draft.rename(place)
    _on_disk(place.parent)


def restore_postgresql(copy: Path, url: URL) -> None:
    """Restore a backup into an empty database in one transaction; raises BackupUnfit."""
    with closing(psycopg.connect(_address(url), password=url.password)) as opened:
        row = opened.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        major = opened.info.server_version // 10_000
    if row is None or row[0]:
        raise BackupUnfit(BACKUP_DATABASE_USED)
    program = _program("pg_restore", major)
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run([program, *options, f"--dbname={_address(url)}", str(copy)], url)


def set_aside(place: Path, stamp: str) -> list[Path]:
    """Rename a SQLite store with its WAL files before another store replaces it; return the new paths."""
    moved = []
    for suffix in ("", "-wal", "-shm"):
        path = place.with_name(place.name + suffix)
        if path.exists():
            moved.append(path.rename(path.with_name(f"{place.name}.before-{stamp}{suffix}")))
    return moved


@contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """Yield a draft folder that is renamed to `target` when the block succeeds; packed, if `target` ends in .tar.

    The result is readable by its owner only and synchronised before it is renamed. Raises BackupUnfit where the
    target exists.
    """
    if target.exists():
        raise BackupUnfit(BACKUP_NEVER_OVERWRITES, target=target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        yield draft
        for path in draft.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
            _on_disk(path)
        _on_disk(draft)
        if target.suffix == ".tar":
            packed = target.with_name(f".{target.name}.packing")
            packed.touch(mode=0o600)
            with tarfile.open(packed, "w") as tar:
                tar.add(draft, arcname=".")
            _on_disk(packed)
            packed.rename(target)
        else:
            draft.rename(target)
        _on_disk(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def unpacked(source: Path, place: Path) -> Iterator[Path]:
    """Yield the folder of a backup; a packed one is unpacked next to `place` and deleted when the block ends."""
    if source.is_dir():
        yield source
        return
    folder = place.with_name(f".{place.name}.unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise BackupUnfit(BACKUP_NOT_UNPACKED, source=source, why=error) from error
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_sqlite(source: Path, copy: Path, query: str) -> list[tuple[Any, ...]]:
    address = f"{source.resolve().as_uri()}?mode=ro"
    with closing(sqlite.connect(address, uri=True)) as reading, closing(sqlite.connect(copy)) as made:
        # All pages in one step: a single snapshot of a WAL database, which blocks no writer.
        reading.backup(made, pages=-1)
    with closing(sqlite.connect(copy)) as made:
        made.execute("PRAGMA journal_mode = DELETE")
        return list(made.execute(query).fetchall())


def _dump_postgresql(url: URL, copy: Path, query: LiteralString) -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(_address(url), password=url.password)) as opened:
        opened.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        major = opened.info.server_version // 10_000
        row = opened.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        rows = opened.execute(query).fetchall()
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={row[0]}", f"--file={copy}")
        _run([_program("pg_dump", major), *options, f"--dbname={_address(url)}"], url)
    return rows


def _address(url: URL) -> str:
    """Return the connection string without the password, which the list of processes would show."""
    query: Mapping[str, Any] = url.query
    host, port = url.host or query.get("host"), url.port or query.get("port")
    given = {"host": host, "port": port, "user": url.username, "dbname": url.database}
    more = {name: value for name, value in query.items() if name not in {"host", "port"}}
    return make_conninfo(connect_timeout=CONNECT_SECONDS, **{**more, **{name: v for name, v in given.items() if v}})


def _program(name: str, major: int) -> str:
    """Return a PostgreSQL program of the lowest installed version that is at least this major version."""
    fitting = [
        (binaries.version, binaries.directory / name)
        for binaries in find_binaries()
        if binaries.version[0] >= major and (binaries.directory / name).exists()
    ]
    if not fitting:
        raise BackupUnfit(BACKUP_CLIENT_MISSING, name=name, major=major)
    return str(min(fitting)[1])


def _run(command: list[str], url: URL) -> None:
    password = {} if url.password is None else {"PGPASSWORD": url.password}
    done = subprocess.run(
        command, env={"PATH": os.defpath, "LC_ALL": "C", **password}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupUnfit(BACKUP_PROGRAM_FAILED, program=Path(command[0]).name, why=done.stderr.strip()[-500:])


def _on_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        # Some file systems cannot synchronise folders.
        with suppress(OSError) if path.is_dir() else nullcontext():
            os.fsync(opened)
    finally:
        os.close(opened)

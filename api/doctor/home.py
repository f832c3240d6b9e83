"""Checks of a node's home: its settings, its keys, the free space on its disk, its backups."""

import shutil
from collections.abc import Iterable
from datetime import timedelta
from shlex import quote
from typing import Final

import pysqlite3.dbapi2 as sqlite

from api.doctor.findings import Examination, Finding, Level, fine
from api.language import _, language
from api.node.backups import last_backup
from api.node.node import KEY_FILES
from auth.notes import KeyFileError, load_key
from infra.messages import word
from infra.roles import Role
from infra.settings import FILE_NAME
from infra.sqlite_engine import StoreUnfit, check_sqlite_version

UNFINISHED: Final = {"ledger.next.pem": "", "assertion.next.pem": "--assertion "}
"""Keys of an unfinished rotation, each with the option of the command that continues it."""
WRITABLE_BY_OTHERS: Final = 0o022
OPEN_TO_OTHERS: Final = 0o077
FREE_BYTES_LOW: Final = 2_000_000_000
FREE_BYTES_LEAST: Final = 200_000_000
BACKUP_AGE_MAX: Final = timedelta(days=7)


def settings_file(node: Examination) -> Iterable[Finding]:
    """Find a settings file that others may change."""
    path = node.home / FILE_NAME
    mode = path.stat().st_mode & 0o777
    if mode & WRITABLE_BY_OTHERS:
        yield Finding(
            Level.PERSON,
            _("Other users of this machine can change {path} (mode {mode:o}).", path=path, mode=mode),
            _("Run: chmod 644 {path}", path=path),
        )
    else:
        yield fine(_("The settings are valid."))


def keys(node: Examination) -> Iterable[Finding]:
    """Find keys that are missing, damaged or open to others."""
    place = node.settings.keys
    whole = True
    for name in KEY_FILES:
        try:
            load_key(place / name)
        except FileNotFoundError:
            whole = False
            yield Finding(
                Level.BROKEN,
                _("The key {key} is missing. The node cannot start.", key=place / name),
                _("Restore it from the copy of the keys. A new key must be enrolled at the hub."),
            )
        except KeyFileError as error:
            whole = False
            yield Finding(
                Level.BROKEN,
                _("The key {name} cannot be used: {error}.", name=name, error=error),
                _("Run chmod 600 {key}, or restore the key from its copy.", key=place / name),
            )
    if place.exists() and place.stat().st_mode & OPEN_TO_OTHERS:
        whole = False
        yield Finding(
            Level.PERSON,
            _("Other users of this machine can open {place}.", place=place),
            _("Run: chmod 700 {place}", place=place),
        )
    for name, given in UNFINISHED.items():
        if (place / name).exists():
            whole = False
            which = "hub" if node.settings.role is Role.HUB else "plant"
            yield Finding(
                Level.PERSON,
                _("A key rotation is not finished: {key} is new, and the old key is still in use.", key=place / name),
                _(
                    "Stop the node, then: batchloom {which} rotate-key {given}--home {home}",
                    which=which,
                    given=given,
                    home=quote(str(node.home)),
                ),
            )
    if whole:
        yield fine(_("All keys exist, and other users cannot read them."))


def disk(node: Examination) -> Iterable[Finding]:
    """Find a disk with little free space."""
    free = shutil.disk_usage(node.home).free
    if free >= FREE_BYTES_LOW:
        yield fine(_("{free:.1f} GB are free on the disk.", free=free / 1000000000.0))
        return
    yield Finding(
        Level.BROKEN if free < FREE_BYTES_LEAST else Level.PERSON,
        _(
            "The disk of {home} has only {free:.0f} MB free. Nothing can be recorded when it is full.",
            home=quote(str(node.home)),
            free=free / 1000000.0,
        ),
        _("Free space on the disk, or stop the node and move the home to a larger disk."),
    )


def sqlite_version(node: Examination) -> Iterable[Finding]:
    """Find a SQLite with the WAL-reset corruption bug, where the store is one."""
    url = node.settings.database_url
    if (url is None and not node.number) or (url is not None and not url.get_secret_value().startswith("sqlite")):
        return
    try:
        check_sqlite_version(sqlite.sqlite_version_info)
    except StoreUnfit as error:
        yield Finding(Level.BROKEN, word(error, language()), _("Install it and start again."))
    else:
        yield fine(_("SQLite {version} can be used.", version=sqlite.sqlite_version))


def backups(node: Examination) -> Iterable[Finding]:
    """Find an old last backup, or none."""
    last = last_backup(node.home)
    age = None if last is None else node.clock.now() - last
    if age is not None and age <= BACKUP_AGE_MAX:
        days = age.days
        yield fine(_("The last backup is {days} days old.", days=days))
        return
    said = _("No backup was ever made.")
    if age is not None:
        said = _("The last backup is {days} days old.", days=age.days)
    yield Finding(
        Level.PERSON,
        said,
        _("Run every night: batchloom backup --home {home} --to DIR", home=quote(str(node.home))),
    )

"""Checks of a node's home: its files, its keys, the room on its disk, its backups."""

import shutil
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import pysqlite3.dbapi2 as sqlite

from api.doctor.findings import Finding, Level, Look, fine
from api.node.backups import last_backup
from api.node.node import KEY_FILES
from auth.notes import KeyFileError, load_key
from infra.database import StoreUnfit, check_sqlite_version
from infra.roles import Role
from infra.settings import FILE_NAME

UNFINISHED: Final = {"ledger.next.pem": "", "assertion.next.pem": "--assertion "}
"""Keys that a rotation made and did not put in place yet, and how the command is given that goes on with it."""
WRITABLE_BY_OTHERS: Final = 0o022
OPEN_TO_OTHERS: Final = 0o077
FREE_BYTES_LOW: Final = 2_000_000_000
FREE_BYTES_LEAST: Final = 200_000_000
BACKUP_AGE_MAX: Final = timedelta(days=7)


def settings_file(look: Look) -> Iterable[Finding]:
    """Find a settings file that others may change."""
    path = look.home / FILE_NAME
    mode = path.stat().st_mode & 0o777
    if mode & WRITABLE_BY_OTHERS:
        yield Finding(
            Level.PERSON,
            f"{path} can be changed by others on this machine (mode {mode:o}).",
            f"{path} 可被本机其他用户修改（权限 {mode:o}）。",
            f"chmod 644 {path}",
            f"执行 chmod 644 {path}",
        )
    else:
        yield fine("The settings are readable and fit together.", "设置可读且有效。")


def keys(look: Look) -> Iterable[Finding]:
    """Find keys that are missing, damaged or open to others."""
    place = look.settings.keys
    whole = True
    for name in KEY_FILES:
        try:
            load_key(place / name)
        except FileNotFoundError:
            whole = False
            yield Finding(
                Level.BROKEN,
                f"The key {place / name} is missing: the node cannot start.",
                f"缺少密钥 {place / name}，节点无法启动。",
                "Bring it back from where the keys are kept; a new key has to be made known at the hub.",
                "从密钥备份中取回；若换新密钥，须在中心重新登记。",
            )
        except KeyFileError as error:
            whole = False
            yield Finding(
                Level.BROKEN,
                f"{error}.",
                f"密钥 {name} 不可用：{error}。",
                f"chmod 600 {place / name}, or bring the key back from where it is kept.",
                f"执行 chmod 600 {place / name}，或从备份取回密钥。",
            )
    if place.exists() and place.stat().st_mode & OPEN_TO_OTHERS:
        whole = False
        yield Finding(
            Level.PERSON,
            f"Others on this machine may look into {place}.",
            f"本机其他用户可以进入 {place}。",
            f"chmod 700 {place}",
            f"执行 chmod 700 {place}",
        )
    for name, given in UNFINISHED.items():
        if (place / name).exists():
            whole = False
            which = "hub" if look.settings.role is Role.HUB else "plant"
            yield Finding(
                Level.PERSON,
                f"A new key lies in {place / name}, and the one before it is still in use.",
                f"新密钥已生成于 {place / name}，但仍在使用原密钥。",
                f"Stop the node, then: batchloom {which} rotate-key {given}--home {look.home}",
                f"停止节点后执行 batchloom {which} rotate-key {given}--home {look.home}",
            )
    if whole:
        yield fine("The keys are there, and closed to others.", "密钥齐全且权限正确。")


def disk(look: Look) -> Iterable[Finding]:
    """Find a disk that runs full."""
    free = shutil.disk_usage(look.home).free
    if free >= FREE_BYTES_LOW:
        yield fine(f"{free / 1e9:.1f} GB are free on the disk.", f"磁盘剩余 {free / 1e9:.1f} GB。")
        return
    yield Finding(
        Level.BROKEN if free < FREE_BYTES_LEAST else Level.PERSON,
        f"Only {free / 1e6:.0f} MB are free on the disk of {look.home}; when it is full, nothing can be recorded.",
        f"{look.home} 所在磁盘仅剩 {free / 1e6:.0f} MB，写满后将无法记录。",
        "Make room, or move the home to a larger disk (stop the node first).",
        "清理磁盘，或停止节点后将目录迁移到更大的磁盘。",
    )


def sqlite_version(look: Look) -> Iterable[Finding]:
    """Find a SQLite with the WAL-reset corruption bug, where the store is one."""
    url = look.settings.database_url
    if (url is None and not look.number) or (url is not None and not url.get_secret_value().startswith("sqlite")):
        return
    try:
        check_sqlite_version(sqlite.sqlite_version_info)
    except StoreUnfit as error:
        yield Finding(Level.BROKEN, str(error), str(error), "Install it and start again.", "安装后重新启动。")
    else:
        yield fine(f"SQLite {sqlite.sqlite_version} is fit.", f"SQLite {sqlite.sqlite_version} 可用。")


def backups(look: Look) -> Iterable[Finding]:
    """Find that the last backup is old, or that there was none."""
    last = last_backup(look.home)
    age = None if last is None else look.clock.now() - last
    if age is not None and age <= BACKUP_AGE_MAX:
        days = age.days
        yield fine(f"The last backup is {days} days old.", f"最近一次备份在 {days} 天前。")
        return
    said = ("No backup was ever made.", "从未做过备份。")
    if age is not None:
        said = (f"The last backup is {age.days} days old.", f"最近一次备份在 {age.days} 天前。")
    yield Finding(
        Level.PERSON,
        *said,
        f"batchloom backup --home {look.home} --to DIR, every night.",
        f"每晚执行 batchloom backup --home {look.home} --to 目录。",
    )

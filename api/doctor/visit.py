"""The doctor's visit: every check in turn, each on its own, and what it found in order of how much it matters."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.doctor import home, replication, store
from api.doctor.findings import Check, Finding, Level, Look
from infra.clock import Clock
from infra.database import StoreUnfit
from infra.postgres import PostgresUnavailable
from infra.settings import SettingsInvalid, load
from infra.stores import open_store
from migrations import pending
from sync_jobs.plant.restore_detection import check_origin

BEFORE_OPENING: Final[tuple[Check, ...]] = (
    home.settings_file,
    home.keys,
    home.disk,
    home.sqlite_version,
    home.backups,
)
ONCE_OPEN: Final[tuple[Check, ...]] = (
    store.writing,
    store.wal,
    store.ledgers,
    store.marks,
    store.tables,
    store.leases,
    store.people,
    store.disputes,
    replication.hub_reached,
    replication.standing,
    replication.alarms,
    replication.enrolments,
    replication.broker,
    replication.archive,
)


def examine(place: Path, clock: Clock, *, full: bool = False) -> list[Finding]:
    """Return what is so of the node in a home, the worst first.

    Changes nothing, but tries the archive with small objects and PostgreSQL with a table that it takes back; the node
    may be serving meanwhile. Raises nothing that a broken node could cause: a check that fails is a finding.
    """
    return sorted(_visit(place, clock, full=full), key=lambda one: -one.level)


def _visit(place: Path, clock: Clock, *, full: bool) -> Iterator[Finding]:
    try:
        settings = load(place)
    except SettingsInvalid as error:
        yield Finding(
            Level.BROKEN,
            f"The settings cannot be used: {error}",
            f"设置不可用：{error}",
            "Put it right in batchloom.toml or in the environment.",
            "请修正 batchloom.toml 或环境变量。",
            "settings",
        )
        return
    look = Look(place, settings, clock, full)
    for check in BEFORE_OPENING:
        yield from _run(check, look)
    with ExitStack() as opening:
        opened = list(_opened(look, opening))
        yield from opened
        if all(one.level is Level.FINE for one in opened):
            for check in ONCE_OPEN:
                yield from _run(check, look)


def _opened(look: Look, opening: ExitStack) -> Iterable[Finding]:
    """Open the store, and find that it does not open, has the tables of another version, or is another node's."""
    try:
        look.opened = open_store(look.settings, opening)
        waiting = pending(look.store)
        if not waiting:
            check_origin(look.store, look.number, look.settings.origin)
    except StoreUnfit as error:
        yield _unopened(str(error))
    except (PostgresUnavailable, SQLAlchemyError, OSError) as error:
        yield _unopened(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    else:
        if waiting:
            yield Finding(
                Level.PERSON,
                f"The store's tables are of another version ({waiting}).",
                f"数据库表结构版本不符（{waiting}）。",
                "Start the node with this program once, which brings them up to date; make a backup first.",
                "先备份，再用本程序启动一次节点即可升级。",
                "tables",
            )
        else:
            yield Finding(Level.FINE, "The store opens.", "数据库可打开。", check="store")


def _unopened(why: str) -> Finding:
    return Finding(
        Level.BROKEN,
        f"The store cannot be opened: {why}",
        f"数据库无法打开：{why}",
        "Put right what it says. If the file is damaged: batchloom restore --from BACKUP --replace.",
        "按提示修正；若文件损坏，执行 batchloom restore --from 备份 --replace。",
        "store",
    )


def _run(check: Check, look: Look) -> Iterator[Finding]:
    name = check.__name__
    try:
        for found in check(look):
            yield Finding(found.level, found.en, found.zh, found.do_en, found.do_zh, name)
    except Exception as error:  # noqa: BLE001 -- whatever breaks a check is itself what is wrong with the node.
        yield Finding(
            Level.BROKEN,
            f"The check “{name}” could not be made: {type(error).__name__}: {error}",
            f"检查“{name}”无法进行：{type(error).__name__}：{error}",
            "The store may be damaged: batchloom verify, and the last backup.",
            "数据库可能损坏：请执行 batchloom verify 并查看最近的备份。",
            name,
        )

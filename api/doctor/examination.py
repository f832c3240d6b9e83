"""The examination: run each check on its own, and order the findings by severity."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.doctor import home, jobs, replication, store
from api.doctor.findings import Check, Examination, Finding, Level
from api.language import _
from infra.clock import Clock
from infra.postgres import PostgresUnavailable
from infra.settings import SettingsInvalid, load
from infra.sqlite_engine import StoreUnfit
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
    replication.replication,
    replication.alarms,
    replication.enrolments,
    replication.broker,
    jobs.workers,
    jobs.last_successes,
    replication.archive,
)


def examine(place: Path, clock: Clock, *, full: bool = False) -> list[Finding]:
    """Return the findings about the node in a home, worst first.

    Changes nothing, except for a probe of the archive with small objects, and one of PostgreSQL that is rolled back.
    The node may be serving meanwhile. A check that fails is a finding.
    """
    return sorted(_visit(place, clock, full=full), key=lambda one: -one.level)


def _visit(place: Path, clock: Clock, *, full: bool) -> Iterator[Finding]:
    try:
        settings = load(place)
    except SettingsInvalid as error:
        yield Finding(
            Level.BROKEN,
            _("The settings cannot be used: {error}", error=error),
            _("Correct it in batchloom.toml or in the environment."),
            "settings",
        )
        return
    node = Examination(place, settings, clock, full)
    for check in BEFORE_OPENING:
        yield from _run(check, node)
    with ExitStack() as opening:
        opened = list(_opened(node, opening))
        yield from opened
        if all(one.level is Level.FINE for one in opened):
            for check in ONCE_OPEN:
                yield from _run(check, node)


def _opened(node: Examination, opening: ExitStack) -> Iterable[Finding]:
    """Open the store. Find one that does not open, has tables of another version, or belongs to another node."""
    try:
        node.opened = open_store(node.settings, opening)
        waiting = pending(node.store)
        if not waiting:
            check_origin(node.store, node.number, node.settings.origin)
    except StoreUnfit as error:
        yield _unopened(error)
    except (PostgresUnavailable, SQLAlchemyError, OSError) as error:
        yield _unopened(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    else:
        if waiting:
            yield Finding(
                Level.PERSON,
                _("The tables have another version ({waiting}) than this program.", waiting=waiting),
                _("Make a backup, then start the node with this program once: it upgrades the tables."),
                "tables",
            )
        else:
            yield Finding(Level.FINE, _("The store can be opened."), check="store")


def _unopened(why: object) -> Finding:
    return Finding(
        Level.BROKEN,
        _("The store cannot be opened: {why}", why=why),
        _("Correct the cause. If the file is damaged, run: batchloom restore --from BACKUP --replace"),
        "store",
    )


def _run(check: Check, node: Examination) -> Iterator[Finding]:
    name = check.__name__
    try:
        for found in check(node):
            yield Finding(found.level, found.text, found.todo, name)
    except Exception as error:  # noqa: BLE001 -- any failure of a check is a finding about the node.
        why = f"{type(error).__name__}: {error}"
        yield Finding(
            Level.BROKEN,
            _("The check “{name}” failed: {error}", name=name, error=why),
            _("The store may be damaged. Run batchloom verify, and look at the last backup."),
            name,
        )

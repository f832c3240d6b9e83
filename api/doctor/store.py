"""Checks of a node's store: its owner, its tables, its ledgers, and entries that failed to apply."""

from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from api.doctor.findings import Examination, Finding, Level, fine, whole_scope
from api.language import _, language
from auth.store import roles_by_person
from infra.database import ReadSession
from infra.high_water_marks import FILE_NAME as MARKS_FILE
from infra.high_water_marks import HighWaterMarks, MarksUnreadable
from infra.messages import word
from infra.roles import Role
from infra.store_faults import STORE_FAILURES, store_fault
from infra.stores import probe_writes
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.store.ledger.entries import HUB_LOG, Log
from plants.store.ledger.logs import log_size, logs_in, stored_range
from plants.store.ledger.mirrors import bodies_since, frontier_at
from plants.store.ledger.verification import verify
from plants.store.replication.disputes import DisputesFilter, disputes_count
from plants.store.replication.leases import overlong_leases
from plants.store.replication.projection_faults import failed_ledgers

NEWEST: Final = 500  # entries of each ledger that are checked without --full
WAL_BYTES_MAX: Final = 256 * 1024 * 1024
BEHIND_MAX: Final = 10_000  # entries that may wait for the tables while they catch up


def writing(node: Examination) -> Iterable[Finding]:
    """Find a database that can be read but not written. Its disk can be seen on its own machine only."""
    if node.store.dialect != "postgresql":
        return
    try:
        probe_writes(node.store)
    except (DBAPIError, psycopg.Error) as error:
        fault = store_fault(error)
        if fault is None:
            raise
        reason = word(STORE_FAILURES[fault](), language())
        yield Finding(
            Level.BROKEN,
            _("The store can be read but not written: {reason}.", reason=reason),
            _(
                "Free space on the disk of the database, or repair it. Plants keep recording and send "
                "their entries later."
            ),
        )
    else:
        yield fine(_("The store can be written."))


def wal(node: Examination) -> Iterable[Finding]:
    """Find a write-ahead log that no longer shrinks."""
    store = node.store
    if store.dialect != "sqlite":
        return
    path = Path(f"{store.engine.url.database}-wal")
    size = path.stat().st_size if path.exists() else 0
    if size > WAL_BYTES_MAX:
        yield Finding(
            Level.PERSON,
            _(
                "The write-ahead log {name} has {size:.0f} MB: a process keeps an old snapshot open.",
                name=path.name,
                size=size / 1000000.0,
            ),
            _("Stop the program that reads the store, then restart the node."),
        )
    else:
        yield fine(_("The write-ahead log is small."))


def ledgers(node: Examination) -> Iterable[Finding]:
    """Find a ledger that is damaged: its newest entries and its head, or with --full each entry."""
    if node.full:
        found = verify(node.store)
        for one in found:
            if not one.whole:
                yield _damaged(one.origin, word(one.finding, language()))
        if all(one.whole for one in found):
            yield fine(_("{count} ledgers were verified entry by entry.", count=len(found)))
        return
    with node.store.reading() as reads:
        logs = logs_in(reads)
        looked = [(log.origin, _newest(reads, log)) for log in logs]
    broken = [(origin, why) for origin, why in looked if why is not None]
    for origin, why in broken:
        yield _damaged(origin, why)
    if not broken:
        yield fine(
            _(
                "The heads and the newest {NEWEST} entries of {count} ledgers agree (--full checks every entry).",
                NEWEST=NEWEST,
                count=len(logs),
            )
        )


def marks(node: Examination) -> Iterable[Finding]:
    """Check that the high-water marks exist and do not exceed the store."""
    if node.settings.role is not Role.PLANT:
        return
    try:
        kept = HighWaterMarks.read((node.home / MARKS_FILE).read_bytes())
    except FileNotFoundError:
        yield Finding(
            Level.PERSON,
            _(
                "The high-water marks {MARKS_FILE} are missing: a restore cannot be detected by them.",
                MARKS_FILE=MARKS_FILE,
            ),
            _(
                "The node makes them again when it starts. After a restore from a backup, let the plant "
                "reach the hub first."
            ),
        )
        return
    except MarksUnreadable as error:
        yield Finding(
            Level.PERSON,
            _("The high-water marks {MARKS_FILE} cannot be read: {error}.", MARKS_FILE=MARKS_FILE, error=error),
            _("Move {file} away. The node makes it again when it starts.", file=node.home / MARKS_FILE),
        )
        return
    with node.store.reading() as reads:
        size = log_size(reads, node.number)
        fits = kept.origin == node.settings.origin
        if fits and kept.root and kept.size <= size:
            fits = frontier_at(reads, node.number, kept.size).root().hex() == kept.root
    if kept.size > size or not fits:
        yield Finding(
            Level.BROKEN,
            _(
                "The store has {size} entries of {origin}, but the high-water marks record {marked} of "
                "{marked_origin}: the database is older, or of another plant.",
                size=size,
                origin=node.settings.origin,
                marked=kept.size,
                marked_origin=kept.origin,
            ),
            _(
                "If it was restored on purpose, start the plant: it repairs itself from the hub. "
                "Otherwise put the right database in place."
            ),
        )
    else:
        yield fine(_("The high-water marks agree with the ledger."))


def tables(node: Examination) -> Iterable[Finding]:
    """Find entries that failed to apply, or that have waited too long."""
    with node.store.reading() as reads:
        faults = failed_ledgers(reads)
        waiting = {log.origin: log.size - log.projected for log in logs_in(reads) if log.log_id > HUB_LOG}
    behind = {origin: count for origin, count in waiting.items() if count > BEHIND_MAX}
    for origin, count, index, error in faults:
        yield Finding(
            Level.PERSON,
            _(
                "{count} entries of {origin} could not be applied, the first at {index}: {error}",
                count=count,
                origin=origin,
                index=index,
                error=error,
            ),
            _("If the plant's program is newer, upgrade the hub. Otherwise look at the entry, then retry or skip it."),
        )
    for origin, count in behind.items():
        yield Finding(
            Level.PERSON,
            _("{count} entries of {origin} are stored but not applied yet.", count=count, origin=origin),
            _("Wait until they are applied. If the number does not fall, check that the hub's jobs run."),
        )
    if not faults and not behind:
        yield fine(_("Every entry is applied."))


def leases(node: Examination) -> Iterable[Finding]:
    """Find leases that end further in the future than any lasts: the clock was set back."""
    now = node.clock.now()
    with node.store.reading() as reads:
        stuck = overlong_leases(reads, now)
    for lease in stuck:
        seconds = int((lease.until - now).total_seconds())
        yield Finding(
            Level.PERSON,
            _(
                "The task “{name}” is leased by {holder} for another {seconds} s: the clock was set back.",
                name=lease.name,
                holder=lease.holder,
                seconds=seconds,
            ),
            _("Correct the clock and restart the node. It then releases the leases of its own jobs."),
        )
    if not stuck:
        yield fine(_("No task is blocked."))


def people(node: Examination) -> Iterable[Finding]:
    """Find a node where nobody can sign in, and people without a role."""
    with node.store.reading() as reads:
        roles = roles_by_person(reads)
    idle = [person for person, count in roles.items() if not count]
    if len(idle) == len(roles):
        yield Finding(
            Level.PERSON,
            _("Nobody with a role can sign in at this node."),
            _("Run: batchloom person add --home {home} ID --name NAME --role ROLE", home=quote(str(node.home))),
        )
    elif idle:
        some = ", ".join(idle[:10])
        yield Finding(
            Level.NOTE,
            _("{count} people have no role and can do nothing: {some}.", count=len(idle), some=some),
            _("Run: batchloom person grant --home {home} ID --role ROLE", home=quote(str(node.home))),
        )
    else:
        yield fine(_("{count} people can sign in.", count=len(roles)))


def disputes(node: Examination) -> Iterable[Finding]:
    """Find entries that could not be applied again after a repair."""
    with node.store.reading() as reads:
        count = disputes_count(reads, whole_scope(reads), DisputesFilter(open=True))
    if count:
        yield Finding(
            Level.PERSON,
            _("{count} entries conflict with others after a repair.", count=count),
            _("Settle each of them with a reason: batchloom plant disputes"),
        )
    else:
        yield fine(_("No entry conflicts."))


def _newest(reads: ReadSession, log: Log) -> str | None:
    """Return what is wrong with the end of a ledger, or None."""
    stored, size = stored_range(reads, log.log_id), log.size
    if not stored.entries:
        return _("none of {size} entries exists", size=size) if size else None
    if stored != (size, 0, size - 1):
        return _("{count} of {size} entries exist", count=stored.entries, size=size)
    for index, body, leaf in bodies_since(reads, log.log_id, max(0, size - NEWEST)):
        if body and leaf_hash(body) != leaf:
            return _("entry {index} was altered", index=index)
    try:
        root = Frontier.from_bytes(size, log.frontier).root()
    except ValueError:
        root = b""
    if frontier_at(reads, log.log_id, size).root() != root:
        return _("the head does not match the entries")
    return None


def _damaged(origin: str, why: str) -> Finding:
    return Finding(
        Level.BROKEN,
        _("The ledger {origin} is damaged: {why}.", origin=origin, why=why),
        _("Stop the node, keep a copy of the home as evidence, and restore the last backup. The hub sends the rest."),
    )

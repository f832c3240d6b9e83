"""Checks of a node's store: whose it is, its tables, its ledgers, and what they could not be applied for."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from api.doctor.findings import Finding, Level, Look, fine
from api.language import _, language
from infra.database import ReadSession
from infra.high_water_marks import FILE_NAME as MARKS_FILE
from infra.high_water_marks import HighWaterMarks, MarksUnreadable
from infra.messages import SOURCE
from infra.roles import Role
from infra.store_faults import STORE_FAILURE_TEXTS, store_fault
from plants.rules.ledger.merkle import Frontier, leaf_hash
from plants.store.ledger.mirrors import frontier_at
from plants.store.ledger.verification import verify

NEWEST: Final = 500  # entries of each ledger that are checked without --full
WAL_BYTES_MAX: Final = 256 * 1024 * 1024
LEASE_SECONDS_MAX: Final = 120
BEHIND_MAX: Final = 10_000  # entries that may wait for the tables while they catch up
MICROS: Final = 1_000_000
# More than any file of the database has room for that is not full to its last page.
TRY_WRITING: Final = (
    "CREATE TEMPORARY TABLE tried ON COMMIT DROP AS SELECT repeat('x', 1000) AS line FROM generate_series(1, 2000)"
)


def writing(look: Look) -> Iterable[Finding]:
    """Find a database that can be read and takes nothing: its disk is seen from its own machine alone."""
    if look.store.dialect != "postgresql":
        return
    try:
        with suppress(_TakenBack), look.store.transaction() as session:
            session.run(TRY_WRITING)
            raise _TakenBack
    except (DBAPIError, psycopg.Error) as error:
        fault = store_fault(error)
        if fault is None:
            raise
        reason = STORE_FAILURE_TEXTS[fault]["en" if language() == SOURCE else "zh"]
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


class _TakenBack(Exception):
    """What was tried is undone."""


def wal(look: Look) -> Iterable[Finding]:
    """Find a write-ahead log that no longer shrinks."""
    store = look.store
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


def ledgers(look: Look) -> Iterable[Finding]:
    """Find a ledger that is damaged: its newest entries and its head, or with --full each entry."""
    if look.full:
        found = verify(look.store)
        for one in found:
            if not one.whole:
                yield _damaged(one.origin, one.finding.message(language()))
        if all(one.whole for one in found):
            yield fine(_("{count} ledgers were verified entry by entry.", count=len(found)))
        return
    with look.store.reading() as reads:
        logs = reads.rows("SELECT log_id, origin, size, frontier FROM logs ORDER BY log_id")
        looked = [(origin, _newest(reads, log_id, size, bytes(head))) for log_id, origin, size, head in logs]
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


def marks(look: Look) -> Iterable[Finding]:
    """Check that the high-water marks exist and do not exceed the store."""
    if look.settings.role is not Role.PLANT:
        return
    try:
        kept = HighWaterMarks.read((look.home / MARKS_FILE).read_bytes())
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
            _("Move {file} away. The node makes it again when it starts.", file=look.home / MARKS_FILE),
        )
        return
    with look.store.reading() as reads:
        rows = reads.rows("SELECT size FROM logs WHERE log_id = :log_id", {"log_id": look.number})
        size = rows[0][0] if rows else 0
        fits = kept.origin == look.settings.origin
        if fits and kept.root and kept.size <= size:
            fits = frontier_at(reads, look.number, kept.size).root().hex() == kept.root
    if kept.size > size or not fits:
        yield Finding(
            Level.BROKEN,
            _(
                "The store has {size} entries of {origin}, but the high-water marks record {marked} of "
                "{marked_origin}: the database is older, or of another plant.",
                size=size,
                origin=look.settings.origin,
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


def tables(look: Look) -> Iterable[Finding]:
    """Find entries that could not be put into the tables, or that wait for it too long."""
    with look.store.reading() as reads:
        faults = reads.rows(
            "SELECT origin, count(*), min(idx), min(error) FROM projection_faults JOIN logs"
            " ON logs.log_id = projection_faults.log_id WHERE error IS NOT NULL GROUP BY origin ORDER BY origin"
        )
        behind = reads.rows(
            "SELECT origin, size - projected FROM logs WHERE size - projected > :most AND log_id > 0",
            {"most": BEHIND_MAX},
        )
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
    for origin, count in behind:
        yield Finding(
            Level.PERSON,
            _("{count} entries of {origin} are stored but not applied yet.", count=count, origin=origin),
            _("Wait until they are applied. If the number does not fall, check that the hub's jobs run."),
        )
    if not faults and not behind:
        yield fine(_("Every entry is applied."))


def leases(look: Look) -> Iterable[Finding]:
    """Find leases that end further in the future than any lasts: the clock was set back."""
    now_us = int(look.clock.now().timestamp() * MICROS)
    with look.store.reading() as reads:
        stuck = reads.rows(
            "SELECT name, holder, until_us FROM leases WHERE until_us > :latest",
            {"latest": now_us + LEASE_SECONDS_MAX * MICROS},
        )
    for name, holder, until_us in stuck:
        seconds = (until_us - now_us) // MICROS
        yield Finding(
            Level.PERSON,
            _(
                "The task “{name}” is leased by {holder} for another {seconds} s: the clock was set back.",
                name=name,
                holder=holder,
                seconds=seconds,
            ),
            _("Correct the clock and restart the node. It then releases the leases of its own jobs."),
        )
    if not stuck:
        yield fine(_("No task is blocked."))


def people(look: Look) -> Iterable[Finding]:
    """Find that nobody can sign in, and people without any role."""
    with look.store.reading() as reads:
        rows = reads.rows(
            "SELECT people.person_id, count(role_grants.role) FROM people LEFT JOIN role_grants"
            " ON role_grants.person_id = people.person_id WHERE disabled_us IS NULL GROUP BY people.person_id"
            " ORDER BY people.person_id"
        )
    idle = [person for person, count in rows if not count]
    if len(idle) == len(rows):
        yield Finding(
            Level.PERSON,
            _("Nobody with a role can sign in at this node."),
            _("Run: batchloom person add --home {home} ID --name NAME --role ROLE", home=look.home),
        )
    elif idle:
        some = ", ".join(idle[:10])
        yield Finding(
            Level.NOTE,
            _("{count} people have no role and can do nothing: {some}.", count=len(idle), some=some),
            _("Run: batchloom person grant --home {home} ID --role ROLE", home=look.home),
        )
    else:
        yield fine(_("{count} people can sign in.", count=len(rows)))


def disputes(look: Look) -> Iterable[Finding]:
    """Find entries that could not be applied again after a repair."""
    with look.store.reading() as reads:
        rows = reads.rows("SELECT count(*) FROM disputes WHERE state = 'OPEN'")
    count = rows[0][0]
    if count:
        yield Finding(
            Level.PERSON,
            _("{count} entries conflict with others after a repair.", count=count),
            _("Settle each of them with a reason: batchloom plant disputes"),
        )
    else:
        yield fine(_("No entry is disputed."))


def _newest(reads: ReadSession, log_id: int, size: int, head: bytes) -> str | None:
    """Return what is wrong with the end of a ledger, or None."""
    (counted,) = reads.rows(
        "SELECT count(*), min(idx), max(idx) FROM entries WHERE log_id = :log_id", {"log_id": log_id}
    )
    if counted[0] and counted != (size, 0, size - 1):
        return _("{count} of {size} entries exist", count=counted[0], size=size)
    if not counted[0]:
        return None if not size else _("none of {size} entries exists", size=size)
    low = max(0, size - NEWEST)
    rows = reads.rows(
        "SELECT idx, body, leaf FROM entries WHERE log_id = :log_id AND idx >= :low ORDER BY idx",
        {"log_id": log_id, "low": low},
    )
    for index, body, leaf in rows:
        if len(body) and leaf_hash(bytes(body)) != bytes(leaf):
            return _("entry {index} was altered", index=index)
    try:
        root = Frontier.from_bytes(size, head).root()
    except ValueError:
        root = b""
    if frontier_at(reads, log_id, size).root() != root:
        return _("the head does not match the entries")
    return None


def _damaged(origin: str, why: str) -> Finding:
    return Finding(
        Level.BROKEN,
        _("The ledger {origin} is damaged: {why}.", origin=origin, why=why),
        _("Stop the node, keep a copy of the home as evidence, and restore the last backup. The hub sends the rest."),
    )

"""Planted bugs in what repairs a group: the second memory, restoring, rebasing, fences, sessions, the archive."""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from infra.high_water_marks import MarkKeeper
from infra.objects import ArchiveFailed
from plants.commands.replication import rebasing, repairs, restores
from plants.rules.replication.events import PLANT_RESTORED, PlantRestored
from plants.store.ledger.archive import checkpoint_name
from plants.store.ledger.entries import Head
from plants.store.replication.checkpoints import note_up_to
from plants.store.replication.status import ReplicationStatus
from simulation.mutations import all_of, nothing, patched, patched_everywhere
from sync_jobs.archive import archiving
from sync_jobs.hub import intake
from sync_jobs.plant import restore_detection
from sync_jobs.projection import retrying
from sync_jobs.protocol import handshake, sessions
from sync_jobs.protocol.handshake import Decision
from sync_jobs.protocol.sessions import SessionDecision, SessionVerdict


def marks_ignored() -> AbstractContextManager[None]:
    """A plant starts on whatever store it finds, without a look at its second memory."""
    return patched(restore_detection, "_continues", lambda *_given: True)


def series_not_jumped() -> AbstractContextManager[None]:
    """A restored plant goes on with the numbers of its old store."""

    def restored(session: Any, plant: int, found: Any, *, before: int, known: int, now: Any, marks: Any) -> Any:
        del marks
        payload: PlantRestored = {"found": found, "size_before": before, "size": known, "series": {}}
        return repairs.record_repair(session, plant, PLANT_RESTORED, payload, now=now)

    return patched_everywhere(restores.record_restored, restored)


def tail_not_pulled() -> AbstractContextManager[None]:
    """A plant that was restored takes the hub's longer ledger for good news, and goes on behind it."""
    real = handshake.decide

    def decide(state: handshake.HandshakeState) -> Decision:
        decision = real(state)
        return Decision.IN_SYNC if decision is Decision.RESTORED else decision

    return patched_everywhere(real, decide)


def collision_dropped() -> AbstractContextManager[None]:
    """What collides after a repair is left out instead of put before a person."""
    return patched(rebasing, "_dispute", nothing)


def rebase_forgotten() -> AbstractContextManager[None]:
    """A plant whose ledger has parted takes the hub's entries on and forgets its own."""
    return patched(rebasing, "_again", nothing)


def fence_ignored() -> AbstractContextManager[None]:
    """People go on writing at a copy that another one has displaced."""
    real = Head.__init__

    def opened(head: Head, session: Any, log_id: int) -> None:
        real(head, session, log_id)
        head.fenced = False

    return patched(Head, "__init__", opened)


def displaced_session_taken() -> AbstractContextManager[None]:
    """The hub takes a parcel whatever session it comes under."""
    return patched(intake, "check_session", nothing)


def greeting_displaces() -> AbstractContextManager[None]:
    """Any greeting under a session that the hub does not know takes the plant over, whoever sent it and when."""
    real = sessions.issue_session

    def present(
        before: ReplicationStatus, session: str | None, following: str, *, take_over: bool = False
    ) -> SessionDecision:
        found = real(before, session, following, take_over=take_over)
        if found.verdict is not SessionVerdict.OFFERED:
            return found
        taken = sessions.resolve_session(replace(before, offered=(following,)), following)
        return SessionDecision(taken.verdict, {**taken.columns, "session_next": (following,)})

    return patched_everywhere(real, present)


def last_entry_not_remembered() -> AbstractContextManager[None]:
    """The second memory is brought up to date by later commits alone, not by an idle writer or at the opening."""
    return all_of(patched(MarkKeeper, "catch_up", nothing), patched(MarkKeeper, "resume", nothing))


def followers_left_waiting() -> AbstractContextManager[None]:
    """What waits behind an entry goes on with it, and is forgotten where the program ends in between."""
    return patched(retrying, "retry_blocked", nothing)


def archive_counted_early() -> AbstractContextManager[None]:
    """How far the archive reaches is written down before the files are there."""

    def put(run: Any, ledger: Any, done: Any, place: str, reached: int) -> None:
        with contextlib.suppress(ArchiveFailed):
            real(run, ledger, done, place, reached)

    def store_unfinished(run: Any, ledger: Any, done: Any, place: str) -> int:
        try:
            return int(real_unfinished(run, ledger, done, place))
        except ArchiveFailed:
            return int(ledger.signed)

    def store_checkpoint(run: Any, ledger: Any, done: Any, place: str, reached: int) -> None:
        with run.hub.store.reading() as reads:
            found = note_up_to(reads, ledger.log_id, reached)
        if found is not None:
            name = checkpoint_name(place, found.size, found.note)
            done = replace(done, size=found.size, checkpoint=name, checkpoint_at=found.received_at)
            archiving._keep(run, ledger, done)  # noqa: SLF001 -- as above.
        put(run, ledger, done, place, reached)

    real, real_unfinished = archiving._store_checkpoint, archiving._store_unfinished  # noqa: SLF001 -- as above.
    return all_of(
        patched(archiving, "_store_unfinished", store_unfinished),
        patched(archiving, "_store_checkpoint", store_checkpoint),
    )

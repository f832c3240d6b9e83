"""Planted bugs: the real code with one mistake each, to check that the simulation finds it.

Each is a mistake that somebody could make: a check forgotten, an order turned round, a number trusted. One that no run
can see says that an invariant is missing, or that the code is safe without the check.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Final

import pysqlite3.dbapi2 as sqlite

from infra import database
from plants.commands import execution
from plants.commands.approvals import decisions
from plants.rules.approvals import change_requests
from plants.rules.ledger import hlc
from plants.rules.ledger.merkle import Frontier
from plants.rules.quality import dispositions
from plants.rules.values.instants import EPOCH
from plants.store.directives import outcomes
from plants.store.genealogy import walks
from plants.store.inventory import batches
from plants.store.ledger import entries as ledger
from plants.store.ledger import mirrors
from plants.store.replication import status
from plants.store.sql.arrays import as_array, in_scope
from plants.store.traceability import completeness
from simulation import driver
from simulation.key_mutants import (
    hub_statement_forgotten,
    old_key_never_ends,
    revocation_not_taken_back,
    revoked_key_served,
    rotation_not_recorded,
    rotation_not_stated_again,
)
from simulation.mutations import Bug, all_of, nothing, patched, patched_everywhere
from simulation.repair_mutants import (
    archive_counted_early,
    collision_dropped,
    displaced_session_taken,
    fence_ignored,
    followers_left_waiting,
    greeting_displaces,
    last_entry_not_remembered,
    marks_ignored,
    rebase_forgotten,
    series_not_jumped,
    tail_not_pulled,
)
from sync_jobs.hub import intake
from sync_jobs.plant import push
from sync_jobs.projection import parking
from sync_jobs.protocol import handshake
from sync_jobs.protocol.handshake import Decision
from sync_jobs.protocol.wire import Position


def offset_only_position() -> AbstractContextManager[None]:
    """Positions are compared by their size alone, at the plant and at the hub."""

    def decide(state: handshake.HandshakeState) -> Decision:
        return Decision.PUSH if state.hub.size < state.mine.size else Decision.IN_SYNC

    def take_in(session: Any, head: Any, delivery: Any, entries: Any, _signed: Any) -> None:
        fresh = entries[max(0, head.size - delivery.start) :]
        if fresh and fresh[0].index == head.size:
            mirrors.extend(session, head, fresh, head.frontier.extend(entry.leaf for entry in fresh))

    return all_of(patched_everywhere(handshake.decide, decide), patched(intake, "_store_entries", take_in))


def root_not_checked() -> AbstractContextManager[None]:
    """The hub stores what comes without comparing the root that was signed."""

    def take_in(session: Any, head: Any, delivery: Any, entries: Any, _signed: Any) -> None:
        if delivery.start > head.size:
            raise intake._wrong_position("WRONG_POSITION", Position(head.size, head.frontier.root()))  # noqa: SLF001 -- a mistake is made at the very place.
        fresh = entries[head.size - delivery.start :]
        if fresh:
            mirrors.extend(session, head, fresh, head.frontier.extend(entry.leaf for entry in fresh))

    return patched(intake, "_store_entries", take_in)


def overlap_stored_again() -> AbstractContextManager[None]:
    """What the hub has already is not passed over when it comes once more."""

    def take_in(session: Any, head: Any, _delivery: Any, entries: Any, _signed: Any) -> None:
        if entries:
            mirrors.extend(session, head, entries, head.frontier.extend(entry.leaf for entry in entries))

    return patched(intake, "_store_entries", take_in)


def acknowledged_before_durable() -> AbstractContextManager[None]:
    """A person is told that it is done before the disk has said so."""

    def told(_life: driver.Driver, _name: str, _durable: bool, made: list[Any]) -> bool:  # noqa: FBT001 -- as it is called.
        return bool(made)

    return patched(driver.Driver, "was_told", told)


def receipt_before_durable() -> AbstractContextManager[None]:
    """The hub gives the receipt although the disk refused to keep the entries."""
    real = intake.accept

    def accept(hub: Any, machine: Any, delivery: Any) -> Any:
        class Careless:
            def __getattr__(self, name: str) -> Any:
                return getattr(hub.store, name)

            @contextmanager
            def transaction(self) -> Iterator[Any]:
                held = hub.store.transaction()
                session = held.__enter__()
                try:
                    yield session
                except BaseException:
                    held.__exit__(*sys.exc_info())
                    raise
                try:
                    held.__exit__(None, None, None)
                except sqlite.OperationalError:
                    return

        return real(replace(hub, store=Careless()), machine, delivery)

    return patched(intake, "accept", accept)


def stamp_without_max() -> AbstractContextManager[None]:
    """The hybrid clock forgets what it said before and shows the wall clock."""
    return patched(hlc, "tick", lambda _last, now_ms, *_causes: f"{now_ms << hlc.COUNTER_BITS:016x}")


def whole_stream_parked() -> AbstractContextManager[None]:
    """One entry that cannot be applied holds up all that come after it."""
    real = parking.touched_keys
    return patched_everywhere(real, lambda entry: real(entry) | {"everything"})


def directive_answered_again() -> AbstractContextManager[None]:
    """The plant forgets now and then that it has answered a directive."""
    asked = 0

    def next_directive(session: Any, plant: int) -> Any:
        nonlocal asked
        asked += 1
        row = session.row(outcomes.SELECT_LAST_ANSWERED, {"plant": plant})
        answered = -1 if row is None or row[0] is None else row[0]
        again = answered >= 0 and asked % 3 == 0
        return ledger.entry_at(session, -plant, answered if again else answered + 1)

    return all_of(
        patched_everywhere(outcomes.next_directive, next_directive),
        patched_everywhere(outcomes.answer_to, nothing),
    )


def signed_before_handshake() -> AbstractContextManager[None]:
    """A plant signs and sends whatever the handshake found."""

    def decide(state: handshake.HandshakeState) -> Decision:
        if state.superseded:
            return Decision.FENCED
        return Decision.PUSH if state.hub.size < state.mine.size else Decision.IN_SYNC

    return patched_everywhere(handshake.decide, decide)


def receipt_not_checked() -> AbstractContextManager[None]:
    """A plant keeps whatever comes for a receipt."""
    real = push.take_receipt

    def take_receipt(way: Any, note: bytes, frontier: Frontier, sent: Any = None) -> None:
        try:
            real(way, note, frontier, sent)
        except push.ReceiptInvalid:

            def keep(session: Any) -> None:
                status.keep_checkpoint(session, way.node.number, frontier.size, note, signed_at=None, received_at=EPOCH)
                status.amend(session, way.node.number, acknowledged=frontier.size, frontier=frontier.to_bytes())

            way.node.writer.write(keep)

    return patched_everywhere(real, take_receipt)


def watermark_apart() -> AbstractContextManager[None]:
    """How far the tables are is written down in a transaction of its own, after the rows."""
    real = database.Session.run

    def run(self: database.Session, sql: str, parameters: Any = {}) -> int:  # noqa: B006 -- never written to.
        if sql.startswith("UPDATE logs SET projected"):
            durable = self.driver.commit
            durable()
            real(self, "BEGIN IMMEDIATE")
        return real(self, sql, parameters)

    return patched(database.Session, "run", run)


def request_forgotten() -> AbstractContextManager[None]:
    """A request id is not looked at: what is sent twice is done twice."""
    real = execution.Command.__call__

    def call(self: Any, session: Any, order: Any, *, actor: Any, call: Any) -> Any:
        return real(self, session, order, actor=actor, call=replace(call, request=None))

    return patched(execution.Command, "__call__", call)


def hold_not_checked() -> AbstractContextManager[None]:
    """Held goods can be used."""
    real = dispositions.check_usable
    return patched_everywhere(
        real, lambda batch, disposition, _holds, expires, on: real(batch, disposition, (), expires, on)
    )


def stock_not_checked() -> AbstractContextManager[None]:
    """More can be taken than is there: only the last guard, in the tables, is left, and it is no answer to a person."""
    return patched(batches.Goods, "check_on_hand", nothing)


def own_request_approved() -> AbstractContextManager[None]:
    """Who asked for a change may approve it."""
    real = change_requests.check_decidable

    def check(proposal: Any, *, decider: str, level: Any, at: Any) -> None:
        real(proposal, decider=f"not {decider}", level=level, at=at)

    return patched_everywhere(real, check)


def stale_change_applied() -> AbstractContextManager[None]:
    """A change is applied to whatever the batch has become since."""
    return patched_everywhere(change_requests.check_fresh, nothing)


def change_applied_twice() -> AbstractContextManager[None]:
    """An approved change takes effect two times."""
    real = decisions.apply_change

    def apply(recorder: Any, proposal: Any) -> Any:
        real(recorder, proposal)
        return real(recorder, proposal)

    return patched_everywhere(real, apply)


def scope_forgotten() -> AbstractContextManager[None]:
    """A trace shows the edges of plants that the reader may not see."""

    def walk(session: Any, _scope: Any, seeds: Any, *, forward: bool) -> Any:
        everything: Any = [log_id for (log_id,) in session.rows("SELECT log_id FROM logs WHERE log_id > 0", {})]
        return real(session, everything, seeds, forward=forward)

    real = walks._walk  # noqa: SLF001 -- as above.
    return patched(walks, "_walk", walk)


def trucks_walked_over() -> AbstractContextManager[None]:
    """A trace goes from goods on a truck to all other goods on it."""

    def walk(session: Any, scope: Any, _seeds: Any, **_side: Any) -> Any:
        return session.rows(
            "SELECT source_id, target_id,"  # noqa: S608 -- no value of a user is in it.
            " CASE WHEN use = 'TRANSFERRED' THEN 'CONSUMED' ELSE use END FROM edges"
            f" WHERE {in_scope(session, 'plant_id')}",
            {"scope": as_array(session, scope)},
        )

    return patched(walks, "_walk", walk)


def always_complete() -> AbstractContextManager[None]:
    """An answer calls itself complete though a plant's ledger is late."""
    return patched(completeness, "_ledger_gaps", lambda *_given, **_named: ())


def frontier_not_moved() -> AbstractContextManager[None]:
    """A mirror's head counts an entry more than its tree holds, now and then."""
    real = mirrors.extend

    def extend(session: Any, head: Any, entries: Any, frontier: Frontier) -> None:
        if len(entries) > 1:
            frontier = Frontier(frontier.size, tuple(reversed(frontier.hashes)))
        real(session, head, entries, frontier)

    return patched(mirrors, "extend", extend)


BUGS: Final[dict[str, Bug]] = {
    bug.__name__.replace("_", "-"): bug
    for bug in (
        offset_only_position, root_not_checked, overlap_stored_again, acknowledged_before_durable,
        receipt_before_durable, stamp_without_max, whole_stream_parked, directive_answered_again,
        signed_before_handshake, receipt_not_checked, watermark_apart, request_forgotten, hold_not_checked,
        stock_not_checked, own_request_approved, stale_change_applied, change_applied_twice, scope_forgotten,
        trucks_walked_over, always_complete, frontier_not_moved, marks_ignored, series_not_jumped, tail_not_pulled,
        collision_dropped, rebase_forgotten, fence_ignored, displaced_session_taken, archive_counted_early,
        greeting_displaces, last_entry_not_remembered, revoked_key_served, old_key_never_ends, rotation_not_recorded,
        revocation_not_taken_back, rotation_not_stated_again, hub_statement_forgotten, followers_left_waiting,
    )
}  # fmt: skip
"""Every planted bug by its name on the command line."""

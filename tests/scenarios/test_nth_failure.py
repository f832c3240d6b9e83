"""Every operation of every use case fails once: nothing half done is seen, and the next try succeeds.

As SQLite is tested: operation 1 fails, then 2, then 3, until a pass needs no more. An operation is an SQL statement
or a commit; a commit fails before it is done, and once when it is done and the answer is lost.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy.exc import DBAPIError

from infra.clock import FixedClock
from infra.database import Store
from infra.discovery import modules
from infra.ids import new_id
from infra.postgres import EmbeddedPostgres
from plants import commands
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.execution import Command
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.materials.definitions import UnitDefinition, define_unit
from plants.commands.production.process_records import ProcessOrder
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.yields import Output
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication.rebuild import rebuild
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.ledger.events import Entry
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal
from plants.store.projection.rebuilding import table_digests
from plants.store.replication.leases import end_all
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import EMBEDDED_HOLDER
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_pending
from tests.databases import migrated_database
from tests.factories import Plant, plant_store, postgres_plant
from tests.plants.replicas import hub_beside
from tests.plants.replication.test_rebuild import work
from tests.scenarios.faults.operations import FAILURES, MEANT, Faults, faults_of
from tests.sync_jobs.group import CLOCK, Group, column, receive, running_group, stand

pytestmark = pytest.mark.timeout(300)

OPERATIONS_MAX: Final = 5_000  # more than any use case has: a test that does not end fails
GAVE_UP: Final = (*FAILURES.values(), DBAPIError)
HEADS: Final = "SELECT log_id, size, frontier FROM logs ORDER BY log_id"
ELSEWHERE: Final = {
    **dict.fromkeys(
        ("retry_entry", "skip_entry"),
        "an entry is parked by a projection that fails: tests/sync_jobs/projection/test_parking.py",
    ),
    "settle_dispute": "a dispute comes about by a repair alone: tests/sync_jobs, and the simulator",
}
Report = Callable[[int], None]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Keep in the report of the run how many operations a test has failed."""
    return lambda operations: request.node.user_properties.append(("operations", operations))


def only_on_purpose(error: Exception) -> None:
    """Let pass what was made to fail, and raise everything else."""
    if MEANT not in str(error):
        raise error


@dataclass
class Trying(Plant):
    """A plant at which every command fails at each of its operations first, and is then done."""

    faults: Faults | None = None
    operations: Counter[str] = field(default_factory=Counter)

    def do(self, command: Command[Any], order: Any, *, actor: Author | None = None, **circumstances: Any) -> Entry:
        """Do a command: with its n-th operation failing, for every n, then with its answer lost, then again."""
        assert self.faults is not None
        given = {**circumstances, "request": circumstances.get("request") or new_id()}
        before, heads = self.everything(), self.heads()

        def once(number: int) -> None:
            with self.store.transaction() as session:
                command(session, order, actor=actor or self.actor, call=self.call(**given))
                # Only the commit is left, and it is not to fail: what was written is taken back, and done below.
                # SQLModel's part of the session releases its savepoint before it.
                last = 2 if session.in_transaction() else 1
                if self.faults is not None and self.faults.seen < number - last:
                    raise _CleanPass

        for number in range(1, OPERATIONS_MAX):
            self.faults.arm(number)
            try:
                once(number)
            except _CleanPass:
                break
            except GAVE_UP as error:
                only_on_purpose(error)
            self.faults.arm(0)
            assert self.heads() == heads, f"{command.name}: operation {number} left something behind"
        self.faults.arm(0)
        assert self.everything() == before, f"{command.name}: some operation left something behind"
        self.operations[command.name] = max(self.operations[command.name], number - 1)
        self.faults.arm(number - 1, after_commit=True)
        with pytest.raises(GAVE_UP, match=MEANT), self.store.transaction() as session:
            command(session, order, actor=actor or self.actor, call=self.call(**given))
        assert self.faults.kinds[-1] == "COMMIT"
        self.faults.arm(0)
        done = self.everything()
        assert done != before, f"{command.name} was committed, though nobody heard of it"
        entry = super().do(command, order, actor=actor, **given)
        assert self.everything() == done, f"{command.name} sent again does nothing again"
        return entry

    def heads(self) -> list[Any]:
        """Return the heads of the ledgers."""
        return [(log_id, size, bytes(frontier)) for log_id, size, frontier in self.rows(HEADS)]


class _CleanPass(Exception):
    """Every operation of the command was reached without a failure."""


def trying(plant: Plant, faults: Faults) -> Trying:
    return Trying(plant.store, plant.number, plant.code, plant.clock, plant.actor, faults)


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trying]:
    """A plant of that kind on each database in turn."""
    made = (
        plant_store(tmp_path) if request.param == "sqlite" else postgres_plant(request.getfixturevalue("postgres_18"))
    )
    with faults_of(made.store) as faults:
        yield trying(made, faults)
    made.close()


def line(batch: str, amount: str) -> StockLine:
    return StockLine(batch, amount, "KGM", "A1")


def test_every_command_then_whole_or_not_at_all(plant: Trying, tmp_path: Path, report: Report) -> None:
    milk = plant.receive()
    plant.do(define_unit, UnitDefinition("CRATE", "Crate", "KGM", "12.5"))
    run = ProductionRun(ProcessOrder(), (line(milk, "2"),), (Output("FP-YOG", "1.9", "KGM", "A1"),))
    plant.do(record_production, run)
    yoghurt = work(plant)
    sent = plant.do(dispatch_transfer, Dispatch("NB1", (line(milk, "3"),)))
    (tmp_path / "other").mkdir()
    other = plant_store(tmp_path / "other", 2, "NB1")
    with faults_of(other.store) as faults:
        there = trying(other, faults)
        there.do(receive_transfer, TransferReceipt(transfer_manifest(sent, plant.origin), "A1"))
        plant.operations |= there.operations
        with hub_beside(tmp_path, plant) as hub, faults_of(hub.store) as at_hub:
            plant.do(quarantine_batch, Quarantine(yoghurt, "Damp"))
            asked = plant.do(request_change, ReleaseRequest(yoghurt, "Dried"))
            hub.hears(plant)
            desk = trying(hub.desk(plant), at_hub)
            desk.do(decide_change_at_hub, Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "Seen"))
            plant.operations |= desk.operations
    other.close()
    assert {*plant.operations} | {"define_material", "define_master"} >= every_command() - {*ELSEWHERE}
    report(sum(plant.operations.values()))
    assert min(plant.operations.values()) > 5, plant.operations


def every_command() -> set[str]:
    """Return the names of all commands that there are."""
    found = set()
    for module in modules(commands):
        members = vars(module).values()
        found |= {one.name for one in members if isinstance(one, Command)}
    return found


def test_refused_while_it_fails_then_still_refused_and_nothing_changed(plant: Trying) -> None:
    before = plant.everything()
    assert plant.faults is not None
    for number in range(1, 50):
        plant.faults.arm(number)
        try:
            Plant.do(plant, receive_batch, Delivery("NO-SUCH", "1", "KGM", "A1"))
        except Refusal:
            break
        except GAVE_UP as error:
            only_on_purpose(error)
    assert not plant.faults.fired
    plant.faults.arm(0)
    assert plant.everything() == before


def test_every_operation_of_a_rebuild_then_the_old_tables_or_the_new(plant: Trying, report: Report) -> None:
    for amount in ("5", "7"):
        Plant.do(plant, quarantine_batch, Quarantine(received(plant, amount), "Damp"))
    assert plant.faults is not None
    digests = table_digests(plant.store)
    with plant.store.transaction() as session:
        session.run("UPDATE stock SET quantity = quantity + 1")
    spoilt = table_digests(plant.store)
    for number in range(1, OPERATIONS_MAX):
        plant.faults.arm(number)
        try:
            with plant.store.transaction() as session:
                rebuild(session)
        except GAVE_UP as error:
            only_on_purpose(error)
        else:
            break
        plant.faults.arm(0)
        assert table_digests(plant.store) == spoilt, f"operation {number}"
    plant.faults.arm(0)
    assert table_digests(plant.store) == digests
    report(number - 1)
    assert number > 20


def received(plant: Plant, amount: str) -> str:
    return str(Plant.do(plant, receive_batch, Delivery("RM-MILK", amount, "KGM", "A1")).envelope["key"])


@pytest.fixture
def group(postgres_18: EmbeddedPostgres, tmp_path: Path) -> Iterator[Group]:
    with running_group(migrated_database(postgres_18), tmp_path) as running:
        yield running


def test_every_operation_of_an_exchange_at_the_plant_then_it_catches_up(group: Group, report: Report) -> None:
    """With a directive to fetch and to apply each time."""
    node, hub = group.plant(1, "SH1"), group.hub.node.store
    with faults_of(node.store) as faults:
        for number in range(1, OPERATIONS_MAX):
            faults.arm(0)
            entry = receive(node)[0]
            size = stand(node.store, 1)[0]
            faults.arm(number)
            with suppress(*GAVE_UP):
                exchange(node, forced=True)
            fired = faults.fired
            faults.arm(0)
            with node.store.reading() as reads:
                bodies = reads.rows("SELECT event_id FROM entries WHERE log_id = 1 AND idx = :i", {"i": entry.index})
            assert bodies == [(entry.envelope["id"],)], f"operation {number} touched the ledger"
            assert stand(node.store, 1)[0] >= size
            assert stand(hub, 1)[0] <= stand(node.store, 1)[0]
            acknowledged = column(node.store, 1, "acknowledged")
            assert isinstance(acknowledged, int | None)
            assert (acknowledged or 0) <= stand(hub, 1)[0], "a receipt is for what the hub has"
            if not fired:
                break
            with node.store.transaction() as session:
                end_all(session, EMBEDDED_HOLDER)
            settle(group, number)
    report(number - 1)
    assert number > 20
    level(group)


def settle(group: Group, number: int) -> None:
    """Exchange as the next periodic job does; after one failure one or two are enough."""
    node = group.plants[1]
    for _ in range(3):
        if exchange(node, forced=True).state is ReplicationState.IN_SYNC:
            break
    assert stand(group.hub.node.store, 1) == stand(node.store, 1), f"after operation {number}"


def level(group: Group) -> None:
    node, hub = group.plants[1], group.hub.node.store
    exchange(node, forced=True)
    assert stand(hub, 1) == stand(node.store, 1)
    assert column(node.store, 1, "alarm") is None


def test_every_operation_of_an_intake_at_the_hub_then_all_or_nothing(group: Group, report: Report) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node.store
    exchange(node)
    with faults_of(hub) as faults:
        for number in range(1, OPERATIONS_MAX):
            receive(node, 2)
            faults.arm(0)
            before, whole = stand(hub, 1), stand(node.store, 1)
            faults.arm(number)
            done = exchange(node, forced=True)
            fired = faults.fired
            faults.arm(0)
            assert stand(hub, 1) in (before, whole), f"operation {number}: a parcel is taken in whole, or not"
            if not fired:
                break
            assert done.state is not None
            settle(group, number)
    report(number - 1)
    assert number > 10
    level(group)


def test_every_operation_of_a_projection_then_the_tables_are_those_of_a_rebuild(group: Group, report: Report) -> None:
    node, hub, days = group.plant(1, "SH1"), group.hub.node.store, 0
    with faults_of(hub) as faults:
        for number in range(1, OPERATIONS_MAX):
            faults.arm(0)
            receive(node, 2)
            exchange(node, forced=True)
            faults.arm(number)
            with suppress(*GAVE_UP):
                project_pending(hub, 1, clock=CLOCK, holder=EMBEDDED_HOLDER)
            fired = faults.fired
            faults.arm(0)
            if not fired:
                break
            with hub.transaction() as session:
                end_all(session, EMBEDDED_HOLDER)
            days += 1
            later = FixedClock(CLOCK.now() + timedelta(days=days))
            for _ in range(2):
                project_pending(hub, 1, clock=later, holder=EMBEDDED_HOLDER)
            assert waiting(hub) == [], f"operation {number}"
            assert projected(hub) == stand(hub, 1)[0], f"operation {number}"
    report(number - 1)
    assert number > 10
    before = table_digests(hub)
    with hub.transaction() as session:
        rebuild(session)
    assert table_digests(hub) == before
    own = table_digests(node.store, plant=1)
    assert {name for name, digest in table_digests(hub, plant=1).items() if own[name] != digest} == set()


def waiting(store: Store) -> list[Any]:
    with store.transaction() as session:
        return session.rows("SELECT idx, error FROM projection_faults ORDER BY idx")


def projected(store: Store) -> int:
    with store.transaction() as session:
        ((size,),) = session.rows("SELECT projected FROM logs WHERE log_id = 1")
    return int(size)

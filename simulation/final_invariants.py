"""Expensive invariants, checked once at the end of a run."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from auth.actors import Actor, Role, system_actor
from auth.permissions import Permission
from auth.scope import plants_for
from infra.database import ReadSession
from plants.commands.replication.rebuild import rebuild
from plants.rules.genealogy.walks import TraceDirection, moves, walk
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.merkle import inclusion_proof, verify_inclusion
from plants.rules.ledger.verification import SizedRoot
from plants.rules.values.instants import EPOCH, parse_instant
from plants.rules.values.scope import PlantScope
from plants.store.approvals.change_requests import ChangesFilter, changes_page
from plants.store.genealogy import walks
from plants.store.inventory.batch_lists import BatchesFilter, batches_count, batches_page
from plants.store.ledger.verification import verify
from plants.store.logistics.transfers import TransfersFilter, transfers_page
from plants.store.projection.rebuilding import projection_tables
from plants.store.replication.status import PlantReplication, replication_status
from plants.store.traceability.completeness import completeness
from plants.store.traceability.trace_summary import summary
from simulation.disks import Disk
from simulation.driver import Driver
from simulation.ledger_replay import LedgerReplay, links_of
from simulation.run_log import Violation
from simulation.step_invariants import StepInvariants
from simulation.workload import Operation
from simulation.world import HUB, World

SEEDS_MAX: Final = 3
OF_MANY_ENTRIES: Final = frozenset({"direct_master", "direct_hold", "direct_recall", "direct_release", "save_rows"})
"""Commands that record one entry for each plant or row."""
SCRATCH: Final[list[Disk]] = []


def check_final(driver: Driver, invariants: StepInvariants) -> None:
    """Check everything; raises Violation."""
    world = driver.world
    _operations(driver)
    _ledgers(world, invariants)
    for number in world.plants:
        _same_tables(world, number)
        _stock(world, number)
    for number in (HUB, *world.plants):
        _rebuilt(world, number)
    scope = scope_of(*world.plants)
    with world.hub.disk.reading() as reads:
        seeds = _seeds(world)
        _traces(world, reads, scope, seeds)
        check_complete_answers(world, reads, scope, seeds)
    if len(world.plants) > 1:
        _interference(world)


def scope_of(*plants: int) -> PlantScope:
    """Return the scope of somebody who may see these plants."""
    everyone: Actor = system_actor("cli", Role.AUDITOR)
    return plants_for(everyone, Permission.TRACE_READ, plants)


def _operations(driver: Driver) -> None:
    """I2: what was acknowledged is there, once; I3: what was sent twice was done once."""
    world = driver.world
    for operation in world.operations:
        for log_id in sorted(operation.log_ids):
            _check_operation(operation, log_id, world.replays[HUB if operation.at_hub else operation.plant, log_id])


def _check_operation(operation: Operation, log_id: int, log: LedgerReplay) -> None:
    if operation.at_hub:
        indices = [entry["index"] for entry in log.entries if entry.get("device") == operation.device]
        disputed: list[int] = []
    else:
        indices = log.state.done.get(operation.device, [])
        disputed = log.state.disputed.get(operation.device, [])
    name = f"#{operation.number} {operation.command.name}"
    if operation.done is not None and not operation.excused and not indices and not disputed:
        raise Violation("I2", f"{name} was acknowledged as {operation.done.index} and is nowhere in ledger {log_id}")
    firsts = Counter(log.entries[index]["type"] for index in indices)
    twice = [kind for kind, count in firsts.items() if count > 1]
    if twice and operation.command.name not in OF_MANY_ENTRIES:
        raise Violation("I3", f"{name} was done {firsts[twice[0]]} times: {indices}")


def _ledgers(world: World, invariants: StepInvariants) -> None:
    """I14: every ledger verifies against every checkpoint kept of it; a proof of inclusion holds with nothing else."""
    for number in (HUB, *world.plants):
        roots: dict[int, list[SizedRoot]] = {}
        if number != HUB:
            kept = invariants.receipts.get(world.plants[number].name, {})
            here = world.replays[number, number]
            roots[number] = [
                SizedRoot(size, root) for size, root in kept.items() if size <= here.size and here.roots[size] == root
            ]
        for found in verify(world.disk_of(number), roots):
            if not found.whole:
                raise Violation("I14", f"ledger {found.log_id} at {number}: {found.finding}")
    for number in world.plants:
        replay = world.replays[HUB, number]
        if replay.size:
            index = world.chance.randrange(replay.size)
            proof = inclusion_proof(replay.leaves, index, replay.size)
            if not verify_inclusion(replay.leaves[index], index, replay.size, proof, replay.roots[-1]):
                raise Violation("I14", f"entry {index} of plant {number} cannot be proven")


def rows_of(disk: Disk, table: Any, plant: int | None) -> list[tuple[Any, ...]]:
    """Return the rows of a table, of one plant or all, in the order of its key."""
    order = ", ".join(column.name for column in table.primary_key)
    where = "" if plant is None else f" WHERE plant_id = {plant}"
    if plant is not None and "log_id" in table.c:
        # What the hub writes itself about a plant has rows there alone: compared is what the plant's ledger makes.
        where += " AND log_id > 0"
    return disk.peek(f"SELECT * FROM {table.name}{where} ORDER BY {order}")  # noqa: S608 -- names of our own tables.


def _same_tables(world: World, number: int) -> None:
    """I8: what the hub shows of a plant is what the plant shows of itself."""
    for table in projection_tables():
        here, there = (rows_of(disk, table, number) for disk in (world.disk_of(number), world.hub.disk))
        if here != there:
            different = [row for row in (*here, *there) if (row in here) != (row in there)]
            raise Violation("I8", f"{table.name} of plant {number} differs at the hub: {different[:2]}")


def _stock(world: World, number: int) -> None:
    """I5: what is on hand is what came in less what went out, by a second reading of the ledger."""
    state = world.replays[number, number].state
    stored = {
        (batch, location): amount
        for batch, location, amount in world.disk_of(number).peek(
            "SELECT batch_id, location, quantity FROM stock WHERE plant_id = ? AND quantity <> 0", (number,)
        )
    }
    counted = {place: amount for place, amount in state.stock.items() if amount}
    if stored != counted:
        places = [place for place in stored.keys() | counted.keys() if stored.get(place) != counted.get(place)]
        raise Violation("I5", f"plant {number}: {places[:2]} has {[stored.get(place) for place in places[:2]]}")
    for batch in {batch for batch, _ in state.flows}:
        total = sum(amount for (one, _), amount in state.flows.items() if one == batch)
        on_hand = sum(amount for (one, _), amount in counted.items() if one == batch)
        if total or state.flows.get((batch, "stock"), 0) != on_hand:
            raise Violation("I5", f"plant {number}: batch {batch} does not add up")
    _transfers(world, number)


def _transfers(world: World, number: int) -> None:
    """I5: of each transfer, dispatched = received + on the road + recorded difference."""
    here = world.replays[number, number]
    for transfer, index in here.state.received.items():
        source = world.replays.get((plant_of(transfer), plant_of(transfer)))
        sent = None if source is None else source.state.dispatched.get(transfer)
        if source is None or sent is None:
            continue
        left = {line["batch"]["id"]: line["dispatched"] for line in source.entries[sent]["payload"]["lines"]}
        came = {line["batch"]: line["dispatched"] for line in here.entries[index]["payload"]["lines"]}
        if left != came and source.leaves[sent].hex() in str(here.entries[index].get("causes")):
            raise Violation("I5", f"transfer {transfer}: {left} left and {came} was expected")


def scratch() -> Disk:
    """Return a disk that nobody uses."""
    if not SCRATCH:
        SCRATCH.append(Disk())
    SCRATCH[0].start()
    return SCRATCH[0]


def _rebuilt(world: World, number: int) -> None:
    """I8: the tables are what the ledgers make, row for row."""
    disk, copy = world.disk_of(number), scratch()
    image = disk.image()
    copy.put_back(image)
    image.close()
    with copy.transaction() as session:
        rebuild(session)
    for table in projection_tables():
        before, after = rows_of(disk, table, None), rows_of(copy, table, None)
        if before != after:
            different = [row for row in (*before, *after) if (row in before) != (row in after)]
            raise Violation("I8", f"{table.name} at {number} is not what a rebuild makes: {different[:2]}")


def _seeds(world: World) -> list[int]:
    batches = sorted({batch for number in world.plants for batch in world.replays[number, number].state.batches})
    return world.chance.sample(batches, min(SEEDS_MAX, len(batches)))


def _traces(world: World, reads: ReadSession, scope: PlantScope, seeds: list[int]) -> None:
    """I9: a trace at the hub is the walk over the union of all ledgers, by another reading of them."""
    links = links_of(world.replays[number, number] for number in world.plants)
    for seed in seeds:
        for direction in (TraceDirection.FORWARD, TraceDirection.BACKWARD):
            wanted = walk(links, [seed], direction)
            found = walks.trace(reads, scope, [seed], direction)
            nodes = {*found.batches, *found.processes}
            if nodes != wanted.nodes or set(found.links) != set(wanted.links):
                raise Violation("I9", f"{direction} from {seed}: {sorted(nodes ^ wanted.nodes)[:4]} differ")
            if set(found.moves) != set(moves(links, found.batches)):
                raise Violation("I9", f"{direction} from {seed}: its transfers differ")


def check_complete_answers(world: World, reads: ReadSession, scope: PlantScope, seeds: list[int]) -> None:
    """I11: an answer that says it is complete holds everything that the plants had written when they last signed."""
    now = world.hub.clock.now()
    statuses: dict[int, PlantReplication] = {}
    for seed in seeds:
        found = walks.trace(reads, scope, [seed], TraceDirection.FORWARD)
        if not completeness(reads, scope, found, now=now).complete:
            continue
        world.run_log.mark("complete answers")
        statuses = statuses or {status.plant_id: status for status in replication_status(reads, scope, now=now)}
        touched = {plant_of(node) for node in (*found.batches, *found.handled)}
        for plant in touched & set(scope):
            status = statuses[plant]
            # By the plant's own clock: who sets it back has entries of a time that was signed for before.
            unsure = plant in world.forked | world.unsure | world.cloned_twins.keys() or world.plants[plant].clock.steps
            later = [] if unsure else world.replays[plant, plant].entries[status.projected :]
            missing = [one for one in later if parse_instant(one["recorded_at"]) <= (status.checkpoint_at or EPOCH)]
            if missing:
                text = f"entry {missing[0]['index']} of plant {plant} is older than what it signed last"
                raise Violation("I11", f"complete, and {text}")


def check_midway(driver: Driver) -> None:
    """Check in the middle of a run that no answer of the hub calls itself complete and is not (I11)."""
    world = driver.world
    known = sorted({batch for number in world.plants for batch in world.replays[number, number].state.batches})
    if not world.hub.running or not known:
        return
    with world.hub.disk.reading() as reads:
        check_complete_answers(world, reads, scope_of(*world.plants), [world.chance.choice(known[-SEEDS_MAX:])])


def _interference(world: World) -> None:
    """I10: who may see some plants gets the answers of a group that holds those alone."""
    visible = world.chance.randint(1, len(world.plants))
    disk, copy = world.hub.disk, scratch()
    image = disk.image()
    copy.put_back(image)
    image.close()
    with copy.transaction() as session:
        for hidden in set(world.plants) - {visible}:
            for table in ("entries", "logs", "replication", "checkpoints", "projection_faults"):
                session.run(f"DELETE FROM {table} WHERE log_id IN ({hidden}, {-hidden})")  # noqa: S608 -- names and numbers.
        session.run("DELETE FROM logs WHERE log_id > 0 AND size = 0 AND log_id <> :one", {"one": visible})
        rebuild(session)
    with disk.reading() as reads, copy.reading() as alone:
        now = world.hub.clock.now()
        for whole, part in zip(_answers(world, reads, visible, now), _answers(world, alone, visible, now), strict=True):
            if whole != part:
                raise Violation("I10", f"who sees plant {visible} alone is told {whole!r:.200}, not {part!r:.200}")


def _answers(world: World, reads: ReadSession, visible: int, now: Any) -> Iterator[Any]:
    scope = scope_of(visible)
    known = sorted(world.replays[visible, visible].state.batches)[:2]
    yield batches_count(reads, scope, BatchesFilter())
    yield [one.known.stated.model_dump() for one in batches_page(reads, scope, BatchesFilter(), None, 50)]
    yield [row.model_dump() for row in changes_page(reads, scope, ChangesFilter(), None, 50)]
    yield [
        (one.id, one.sent and one.sent.model_dump(), one.received and one.received.model_dump())
        for one in transfers_page(reads, scope, TransfersFilter(), None, 50)
    ]
    for seed in known:
        found = walks.trace(reads, scope, [seed], TraceDirection.BOTH)
        yield found.batches, found.processes, sorted(found.links), sorted(found.moves)
        yield summary(reads, scope, found)
        yield completeness(reads, scope, found, now=now)

"""The end of a run: faults stop, operators follow the alarms, and all nodes must converge within a bound."""

from functools import partial
from typing import Final

from plants.store.ledger.archive import archived, folder
from simulation.clocks import SECOND
from simulation.compound_faults import stop_twin, switch
from simulation.disks import Plan
from simulation.driver import Driver
from simulation.key_changes import counts, let_back_in, revoke_keys
from simulation.nodes import SimulatedPlant
from simulation.run_log import Violation
from simulation.step_invariants import StepInvariants
from simulation.world import HUB, World
from sync_jobs.archive.checks import check_archive
from sync_jobs.keys.hub_keys import chain_at
from sync_jobs.projection import retrying
from sync_jobs.protocol.sessions import lift_fence

ROUNDS_MAX: Final = 16
ROUND_US: Final = 60 * SECOND
LONGEST_WAIT_US: Final = 3700 * SECOND
"""A little more than the longest wait that the other side can ask for, or a wrong clock leave behind."""


def converge(driver: Driver, invariants: StepInvariants) -> int:
    """Let the faults end and wait until plants and hub are level; returns the rounds. Raises Violation I12."""
    world = driver.world
    world.calm = True
    world.unknown.clear()
    world.network.heal()
    for number in (HUB, *world.plants):
        quiet: Plan | None = None
        world.disk_of(number).arm(quiet)
        clock = world.hub.clock if number == HUB else world.plants[number].clock
        clock.set_right()
        world.open(number)
    world.tell("world", "calm")
    _persons(world)
    invariants.look()
    for operation in world.operations:
        if operation.done is None and operation.refused is None:
            driver.attempt(operation)
    invariants.look()
    world.time.advance(LONGEST_WAIT_US)
    for number in list(world.cloned_twins):
        _unite(world, number)
        invariants.look()
    for count in range(1, ROUNDS_MAX + 1):
        world.time.advance(ROUND_US)
        for number in world.plants:
            world.exchange(number)
            invariants.look()
        while world.hub.running and _project(world):
            pass
        world.follow_goods()
        invariants.look()
        if not _unlevel(driver):
            _archived(world)
            return count
        if count % 4 == 0:
            _persons(world)
    raise Violation("I12", f"not level after {ROUNDS_MAX} rounds without faults: {'; '.join(_unlevel(driver))}")


def _archived(world: World) -> None:
    """Let the hub archive what it has, and check that all of it is there and leads to what was signed (I2, I14)."""
    if world.archive is None:
        return
    archive = world.hub.node.archive
    assert archive is not None
    for _ in range(ROUNDS_MAX):
        world.put_by()
    with world.hub.disk.transaction() as session:
        reached = {log_id: archived(session, log_id) for log_id in (HUB, *world.plants)}
    found = check_archive(world.hub.node, archive)
    for log_id, done in reached.items():
        replay = world.replays[HUB, log_id]
        whole = [
            one.size
            for one in found
            if done is not None and one.wrong is None and folder(one.origin, one.branch) in done.checkpoint
        ]
        if replay.size and (done is None or done.size < replay.size or whole != [done.size]):
            wrong = [one.wrong for one in found if one.wrong]
            raise Violation("I14", f"ledger {log_id}: {whole} of {replay.size} entries are in the archive; {wrong}")


def _unite(world: World, number: int) -> None:
    """Do what a person does about two copies of a plant: let each bring what it wrote to the hub, and keep one."""
    for _ in range(2):
        switch(world, number)
        plant = world.plants[number]
        plant.clock.set_right()
        world.open(number)
        plant.write(lambda session: lift_fence(session, number))
        world.tell(plant.name, "a person says that this copy counts")
        for _ in range(ROUNDS_MAX):
            world.time.advance(ROUND_US)
            world.exchange(number, forced=True)
            if _state(plant) == "IN_SYNC":
                break
            _let_in(world, number)
    stop_twin(world, number)


def _project(world: World) -> bool:
    before = world.hub.disk.writes, len(world.run_log)
    world.project()
    return len(world.run_log) != before[1]


def _persons(world: World) -> None:
    """Do what the alarms ask of persons: lift fences of the copy that stays, have parked entries tried again."""
    for number, plant in world.plants.items():
        if _state(plant) == "FENCED":
            world.tell(plant.name, "a person lifts the fence")
            plant.write(partial(lift_fence, log_id=number))
        _let_in(world, number)
    with world.hub.disk.transaction() as session:
        retrying.retry_now(session, world.hub.clock.now())


def _let_in(world: World, number: int) -> None:
    """Give new keys to a plant whose own the hub refuses: to one that was revoked, or that has another key folder.

    Of all others nobody takes care: what happened to their keys has to settle itself.
    """
    if counts(world, number):
        if number not in world.locked_out or _state(world.plants[number]) != "REFUSED":
            return
        revoke_keys(world, number)
    for _ in range(2):
        let_back_in(world, number)


def _state(plant: SimulatedPlant) -> str:
    rows = plant.disk.peek("SELECT state FROM replication WHERE log_id = ?", (plant.number,))
    return str(rows[0][0]) if rows else "NEVER_MET"


def _unlevel(driver: Driver) -> list[str]:
    """Return what is not level yet."""
    world, found = driver.world, []
    for number, plant in world.plants.items():
        for log_id in (number, -number):
            here, there = world.replays[number, log_id], world.replays[HUB, log_id]
            if here.roots[-1] != there.roots[-1]:
                found.append(f"ledger {log_id}: {here.size} here, {there.size} at the hub")
        ((state, acknowledged),) = plant.disk.peek(
            "SELECT state, acknowledged FROM replication WHERE log_id = ?", (number,)
        ) or [("NEVER_MET", 0)]
        if state != "IN_SYNC" or acknowledged != world.replays[number, number].size:
            found.append(f"plant {number} is {state}, with a receipt for {acknowledged}")
        found += _keys_apart(world, plant)
        state = world.replays[number, number].state
        if len(state.answered) != world.replays[number, -number].size:
            found.append(f"plant {number} answered {len(state.answered)} directives")
    for log_id, size, projected in world.hub.disk.peek("SELECT log_id, size, projected FROM logs WHERE log_id > 0"):
        if size != projected and log_id in world.plants:
            found.append(f"the hub applied {projected} of the {size} entries of {log_id}")
    for log_id, index, error in world.hub.disk.peek("SELECT log_id, idx, error FROM projection_faults"):
        found.append(f"entry {index} of {log_id} is parked: {error}")
    return found


def _keys_apart(world: World, plant: SimulatedPlant) -> list[str]:
    """Return which keys of one side the other does not know yet."""
    ((ledger,),) = world.hub.disk.peek("SELECT ledger_vkey FROM machines WHERE plant_number = ?", (plant.number,))
    with plant.disk.reading() as reads:
        newest = chain_at(reads, plant.node.hub_key).newest
    found = []
    if ledger != str(plant.keys.ledgers[-1].key):
        found.append(f"the hub does not know the ledger key of plant {plant.number}")
    if newest != world.hub.keys.ledgers[-1].key:
        found.append(f"plant {plant.number} does not know the hub's key")
    return found

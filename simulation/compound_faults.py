"""Faults of more than one disk: a wrong disk mounted, a plant cloned, plant and hub restored together."""

from infra.sqlite_engine import StoreUnfit
from simulation.backups import restore
from simulation.ledger_replay import LedgerReplay
from simulation.nodes import MarksInMemory, SimulatedPlant
from simulation.run_log import Violation
from simulation.world import HUB, World, disks


def mount_another(world: World, number: int) -> None:
    """Mount another plant's disk: the node must not start on it."""
    plant, other = world.plants[number], world.plants[number % len(world.plants) + 1]
    if plant.disk.busy or other.disk.busy or other is plant:
        return
    plant.kill()
    own, wrong = plant.disk.image(), other.disk.image()
    plant.disk.start()
    plant.disk.put_back(wrong)
    world.run_log.hit("F35")
    world.tell(plant.name, f"has the disk of {other.name} mounted")
    try:
        plant.open()
    except StoreUnfit:
        plant.disk.start()
        plant.disk.put_back(own)
        plant.kill()
    else:
        raise Violation("I3", f"{plant.name} starts on the disk of {other.name}")
    finally:
        own.close()
        wrong.close()


def restore_both(world: World, number: int) -> None:
    """Put older copies on the disks of the hub and of a plant at once: what both lose is in the archive, or nowhere."""
    if not world.backups.get(HUB) or not world.backups.get(number):
        return
    if world.disk_of(HUB).busy or world.disk_of(number).busy:
        return
    world.run_log.hit("F31")
    restore(world, number)
    restore(world, HUB)


def clone(world: World, number: int) -> None:
    """Copy a plant's machine, whole: from now on both run, now one and now the other."""
    plant = world.plants[number]
    if number in world.cloned_twins or plant.disk.busy:
        return
    disk = disks(2 + len(world.plants) + number)[-1]
    image = plant.disk.image()
    disk.put_back(image)
    image.close()
    name = f"{plant.code}'"
    twin = SimulatedPlant(number, disk, world.clock_of(number), world.opener_of(number), name)
    twin.marks, twin.keys = MarksInMemory(plant.marks.content), plant.keys.copied()
    twin.open()
    replays = {(number, log_id): LedgerReplay(log_id) for log_id in (number, -number)}
    world.cloned_twins[number] = twin, replays, -1
    world.forked.add(number)
    world.copied.add(number)
    world.forgetful.add(number)
    world.locked_out.add(number)
    world.run_log.hit("F32")
    world.tell(plant.name, "is cloned, and both copies run")


def switch(world: World, number: int) -> bool:
    """Let the other copy of a cloned plant act from now on; False where there is none."""
    if number not in world.cloned_twins or world.plants[number].disk.busy:
        return False
    twin, replays, followed = world.cloned_twins[number]
    own = {key: world.replays[key] for key in replays}
    world.cloned_twins[number] = world.plants[number], own, world.followed[number]
    world.plants[number], world.followed[number] = twin, followed
    world.replays.update(replays)
    world.forked.add(number)
    world.forgetful.add(number)
    world.tell(twin.name, "acts")
    return True


def stop_twin(world: World, number: int) -> None:
    """Stop the copy that is not acting, for good."""
    twin, _, _ = world.cloned_twins.pop(number)
    twin.kill()
    world.tell(twin.name, "is stopped for good")

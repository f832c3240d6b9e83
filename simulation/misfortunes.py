"""Misfortunes that strike more than one disk: another plant's disk mounted, plant and hub put back together."""

from infra.database import StoreUnfit
from simulation.story import Violation
from simulation.world import HUB, World


def mount_another(world: World, number: int) -> None:
    """Mount another plant's disk: the node must not start on it."""
    plant, other = world.plants[number], world.plants[number % len(world.plants) + 1]
    if plant.disk.busy or other.disk.busy or other is plant:
        return
    plant.kill()
    own, wrong = plant.disk.image(), other.disk.image()
    plant.disk.start()
    plant.disk.put_back(wrong)
    world.story.hit("F35")
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
    world.story.hit("F31")
    world.restore(number)
    world.restore(HUB)

"""Copies of disks, and what it means to put one back: as nightly backups, or as a machine's state of moments ago."""

from typing import Final

from infra.high_water_marks import REFRESHED_AFTER
from simulation.clocks import SECOND
from simulation.world import HUB, Backup, World

BACKUPS_KEPT: Final = 3


def back_up(world: World, number: int) -> bool:
    """Copy a node's disk, as an administrator does every night; False while something is under way there."""
    disk = world.disk_of(number)
    if disk.busy:
        return False
    plant = world.plants.get(number)
    marks, keys = (None, None) if plant is None else (plant.marks.content, plant.keys.copied())
    kept = world.backups.setdefault(number, [])
    kept.append(Backup(disk.image(), world.time.us, marks, keys))
    if len(kept) > BACKUPS_KEPT:
        kept.pop(0).image.close()
    return True


def restore(world: World, number: int, *, newest: bool = False) -> None:
    """Put an older copy on a node's disk and start it again."""
    kept = world.backups.get(number)
    if not kept:
        return
    backup = kept[-1] if newest else world.chance.choice(kept)
    if number != HUB:
        _excuse_the_last_moments(world, number)
    disk = world.disk_of(number)
    disk.start()
    disk.put_back(backup.image)
    age = (world.time.us - backup.us) // SECOND
    if number == HUB:
        world.run_log.hit("F30")
        world.tell("HUB", f"restored from a copy of {age} s ago")
        world.forked |= set(world.plants)
        world.unsure |= set(world.plants)
        world.withdrawn.clear()
    else:
        _restore_marks(world, number, backup)
        world.tell(world.plants[number].name, f"restored from a copy of {age} s ago")
        world.forked.add(number)
        world.copied.add(number)
        world.restored.add(number)
    world.after_restore(number)
    world.open(number)


def _excuse_the_last_moments(world: World, number: int) -> None:
    """Expect no memory of what was written in the last seconds: so late its size may be (`infra.high_water_marks`)."""
    keeper, lived_us = world.disk_of(number).keeper, world.idle_us.get(number, 0) - world.wrote_us.get(number, 0)
    if keeper is not None and keeper.behind and lived_us < REFRESHED_AFTER.total_seconds() * SECOND:
        world.run_log.mark("restored within seconds")
        world.forgetful.add(number)


def _restore_marks(world: World, number: int, backup: Backup) -> None:
    """Decide what becomes of the second memory: mostly it is as new as it was, that is what it is for."""
    draw, plant = world.chance.randrange(8), world.plants[number]
    if draw == 0:
        world.run_log.hit("F33")
        assert backup.keys is not None
        plant.marks.content, plant.keys = backup.marks, backup.keys.copied()
        world.forgetful.add(number)
        world.locked_out.add(number)
        world.tell(plant.name, "its second memory and its keys are put back with it")
    elif draw == 1:
        world.run_log.hit("F34")
        plant.marks.content = None
        world.forgetful.add(number)
        world.tell(plant.name, "its second memory is lost")

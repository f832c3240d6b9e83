"""Cheap invariants, checked after each step of a run."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from auth.notes import open_checkpoint
from plants.store.replication.status import ReplicationState
from simulation.driver import Driver
from simulation.ledger_replay import LedgerReplay, common, machines_of
from simulation.run_log import Violation
from simulation.world import HUB

ALARMED: Final = frozenset(
    {
        ReplicationState.REFUSED,
        ReplicationState.HUB_REGRESSED,
        ReplicationState.RESTORED,
        ReplicationState.DIVERGED,
        ReplicationState.FENCED,
    }
)
SELECT_STANDING: Final = "SELECT state, alarm, acknowledged FROM replication WHERE log_id = ?"
SELECT_NOTES: Final = "SELECT size, note FROM checkpoints WHERE log_id = ?"
SELECT_ARCHIVED: Final = "SELECT log_id, size, checkpoint FROM archived WHERE branch > 0 AND size > 0"
SELECT_PARKED: Final = (
    "SELECT log_id, idx, error IS NOT NULL, next_attempt_us IS NOT NULL FROM projection_faults"
    " WHERE key <> '*' ORDER BY log_id, idx"
)
SELECT_MACHINES: Final = "SELECT plant_number, assertion_key, ledger_vkey, revoked_us IS NULL FROM machines"
NODE_ID: Final = re.compile(r"(?<!\d)\d{13,16}(?!\d)")


@dataclass
class StepInvariants:
    """Looks at the disks from outside after each step; raises Violation."""

    driver: Driver
    receipts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    checked: int = 0
    machines_at: bytes = b""

    def look(self) -> None:
        """Check what has changed since the last look."""
        world = self.driver.world
        moved = [number for number in (HUB, *world.plants) if world.followed[number] != world.disk_of(number).writes]
        for number in moved:
            self.driver.follow(number)
        if not moved:
            return
        for number in world.plants:
            if number in moved or HUB in moved:
                self._prefix(number)
                self._receipt(number)
        self._acknowledged()
        if HUB in moved:
            self._parked()
            self._archived()
            self._machines()

    def _archived(self) -> None:
        """I2: what the hub counts as archived is in the archive, under a checkpoint."""
        world = self.driver.world
        if world.archive is None:
            return
        for log_id, size, checkpoint in world.hub.disk.peek(SELECT_ARCHIVED):
            place = checkpoint.partition("/checkpoints/")[0]
            if world.archive.covers(place, size):
                continue
            raise Violation("I2", f"the hub counts {size} entries of {log_id} as archived, and they are not there")

    def _machines(self) -> None:
        """I8: whose keys count at the hub is what its own ledger says, and nothing else."""
        ledger = self.driver.world.replays[HUB, HUB]
        if ledger.roots[-1] == self.machines_at:
            return
        self.machines_at = ledger.roots[-1]
        stated = {
            number: (one.assertion, one.ledger, one.counts) for number, one in machines_of(ledger.entries).items()
        }
        found = {number: tuple(row) for number, *row in self.driver.world.hub.disk.peek(SELECT_MACHINES)}
        if found != stated:
            raise Violation("I8", f"the hub's ledger says {stated} of the plants' keys, and it goes by {found}")

    def _parked(self) -> None:
        """I12: what waits behind an entry that cannot be applied touches what that one touches; all else goes on.

        What is due already waits for nothing but its turn.
        """
        world = self.driver.world
        blocked: dict[int, set[str]] = {}
        for log_id, index, failed, due in world.hub.disk.peek(SELECT_PARKED):
            held = blocked.setdefault(log_id, set())
            found = self._touched(log_id, index)
            if not failed and not due and held.isdisjoint(found):
                raise Violation("I12", f"entry {index} of plant {log_id} waits for nothing that it touches")
            held |= found
            world.run_log.mark("parked")

    def _touched(self, log_id: int, index: int) -> set[str]:
        entry = self.driver.world.replays[HUB, log_id].entries[index]
        found = {entry["key"], *NODE_ID.findall(json.dumps(entry["payload"]))}
        state = self.driver.world.replays[log_id, log_id].state
        for name in tuple(found):
            if name in state.codes:
                found.add(str(state.codes[name]))
            elif name.isdigit() and int(name) in state.batches:
                found.add(state.batches[int(name)]["code"])
        return found

    def _prefix(self, number: int) -> None:
        """I1: the hub's copy is the beginning of the plant's ledger, unless somebody put an older disk back."""
        world = self.driver.world
        here, there = world.replays[number, number], world.replays[HUB, number]
        directives, mirrored = world.replays[HUB, -number], world.replays[number, -number]
        shared = common(here, there), common(directives, mirrored)
        level = shared == (there.size, mirrored.size)
        if level:
            if number not in world.cloned_twins:
                world.forked.discard(number)
            return
        if number not in world.forked:
            text = f"plant {number} has {here.size} entries, the hub {there.size}, and they share {shared[0]}"
            text += f"; of {directives.size} directives it has {mirrored.size}, and they share {shared[1]}"
            raise Violation("I1", text)

    def _receipt(self, number: int) -> None:
        """I2: what a plant holds a receipt for is at the hub, the same to the byte."""
        world = self.driver.world
        rows = world.disk_of(number).peek(SELECT_STANDING, (number,))
        if not rows:
            return
        state, alarm, acknowledged = rows[0]
        if state in ALARMED and not alarm:
            raise Violation("I16", f"plant {number} is {state}, and no alarm says so")
        there = world.replays[HUB, number]
        kept = self.receipts.setdefault(world.plants[number].name, {})
        for size, note in world.disk_of(number).peek(SELECT_NOTES, (number,)):
            if size not in kept:
                kept[size] = self._read(number, size, bytes(note))
        here = world.replays[number, number]
        proven = acknowledged <= min(here.size, there.size) and here.roots[acknowledged] == there.roots[acknowledged]
        if acknowledged not in kept and not proven and number not in world.forked:
            raise Violation("I2", f"plant {number} counts {acknowledged} entries as received, without a receipt")
        if state == ReplicationState.FENCED and number not in world.copied:
            raise Violation("I12", f"plant {number} is fenced, and there never was another copy of it")
        missing = self._missing(world.plants[number].name, there)
        others = [name for name in self.receipts if name.startswith(world.plants[number].code)]
        if not any(self._missing(name, there) for name in others):
            world.unsure.discard(number)
        for one in missing:
            if number not in world.unsure:
                raise Violation("I2", f"plant {number} has a receipt for {one} entries, and the hub has {there.size}")

    def _missing(self, copy: str, there: LedgerReplay) -> list[int]:
        """Return for which sizes a copy of a plant has receipts that the hub's ledger does not bear out."""
        kept = self.receipts.get(copy, {})
        return [one for one, root in kept.items() if there.size < one or there.roots[one] != root]

    def _read(self, number: int, size: int, note: bytes) -> bytes:
        """Return the root in a receipt, after a check that it is one."""
        world = self.driver.world
        origin = world.plants[number].origin
        hub = world.hub.origin
        keys = [
            str(key) for one in (origin, hub) for made in world.signers[one] for key in (made.key, made.witness_key)
        ]
        signed = open_checkpoint(note, origin, keys)
        if size != signed.checkpoint.size or signed.cosigned_by(world.hub.node.origin) is None:
            raise Violation("I2", f"plant {number} keeps a receipt for {size} entries that is none")
        return signed.checkpoint.root

    def _acknowledged(self) -> None:
        """I2: what a person was told is done stands in the plant's ledger, where it stood then."""
        world = self.driver.world
        done = [one for one in world.operations[self.checked :] if one.done is not None and not one.excused]
        for operation in done:
            if operation.plant in world.forked | world.cloned_twins.keys() or operation.at_hub:
                continue
            entry = operation.done
            assert entry is not None
            state = world.replays[operation.plant, operation.plant].state
            if operation.device not in state.done and operation.device not in state.disputed:
                text = f"#{operation.number} {operation.command.name} was acknowledged as entry {entry.index}"
                raise Violation("I2", f"{text} of plant {operation.plant}, and it is not there")
        self.checked = max(0, len(world.operations) - 12)

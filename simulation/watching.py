"""What must hold at every moment of a run: the cheap invariants, after each step."""

from dataclasses import dataclass, field
from typing import Final

from auth.notes import open_checkpoint
from plants.store.positions import ReplicationState
from simulation.books import common
from simulation.life import Life
from simulation.nodes import private_key
from simulation.story import Violation
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
SELECT_SILENT: Final = (
    "SELECT kind, about FROM alarms WHERE over_us IS NULL AND trim(text) = ''"
)
SELECT_PARKED: Final = "SELECT log_id, idx, error FROM projection_faults"


@dataclass
class Watch:
    """Looks at the disks from outside after each step; raises Violation."""

    life: Life
    receipts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    checked: int = 0

    def look(self) -> None:
        """Check what has changed since the last look."""
        world = self.life.world
        moved = [number for number in (HUB, *world.plants) if world.followed[number] != world.disk_of(number).writes]
        for number in moved:
            self.life.follow(number)
        if not moved:
            return
        for number in world.plants:
            if number in moved or HUB in moved:
                self._prefix(number)
                self._receipt(number)
        self._acknowledged()

    def _prefix(self, number: int) -> None:
        """I1: the hub's copy is the beginning of the plant's ledger, unless somebody put an older disk back."""
        world = self.life.world
        here, there = world.shadows[number, number], world.shadows[HUB, number]
        directives, mirrored = world.shadows[HUB, -number], world.shadows[number, -number]
        shared = common(here, there), common(directives, mirrored)
        level = shared == (there.size, mirrored.size)
        if level:
            if number not in world.offstage:
                world.forked.discard(number)
            return
        if number not in world.forked:
            text = f"plant {number} has {here.size} entries, the hub {there.size}, and they share {shared[0]}"
            text += f"; of {directives.size} directives it has {mirrored.size}, and they share {shared[1]}"
            raise Violation("I1", text)

    def _receipt(self, number: int) -> None:
        """I2: what a plant holds a receipt for is at the hub, the same to the byte."""
        world = self.life.world
        rows = world.disk_of(number).peek(SELECT_STANDING, (number,))
        if not rows:
            return
        state, alarm, acknowledged = rows[0]
        if state in ALARMED and not alarm:
            raise Violation("I16", f"plant {number} is {state}, and no alarm says so")
        there = world.shadows[HUB, number]
        kept = self.receipts.setdefault(world.plants[number].name, {})
        for size, note in world.disk_of(number).peek(SELECT_NOTES, (number,)):
            if size not in kept:
                kept[size] = self._read(number, size, bytes(note))
        here = world.shadows[number, number]
        proven = acknowledged <= min(here.size, there.size) and here.roots[acknowledged] == there.roots[acknowledged]
        if acknowledged not in kept and not proven and number not in world.forked:
            raise Violation("I2", f"plant {number} counts {acknowledged} entries as received, without a receipt")
        missing = [one for one, root in kept.items() if there.size < one or there.roots[one] != root]
        if not missing:
            world.unsure.discard(number)
        for one in missing:
            if number not in world.unsure:
                raise Violation("I2", f"plant {number} has a receipt for {one} entries, and the hub has {there.size}")

    def _read(self, number: int, size: int, note: bytes) -> bytes:
        """Return the root in a receipt, after a check that it is one."""
        world = self.life.world
        origin = world.plants[number].origin
        signed = open_checkpoint(note, origin, keys_of(world.plants[number].code, origin))
        if size != signed.checkpoint.size or signed.cosigned_by(world.hub.node.origin) is None:
            raise Violation("I2", f"plant {number} keeps a receipt for {size} entries that is none")
        return signed.checkpoint.root

    def _acknowledged(self) -> None:
        """I2: what a person was told is done stands in the plant's ledger, where it stood then."""
        world = self.life.world
        done = [one for one in world.operations[self.checked :] if one.done is not None and not one.excused]
        for operation in done:
            if operation.plant in world.forked | world.offstage.keys() or operation.at_hub:
                continue
            entry = operation.done
            assert entry is not None
            books = world.shadows[operation.plant, operation.plant].books
            if operation.device not in books.done and operation.device not in books.disputed:
                text = f"#{operation.number} {operation.command.name} was acknowledged as entry {entry.index}"
                raise Violation("I2", f"{text} of plant {operation.plant}, and it is not there")
        self.checked = max(0, len(world.operations) - 12)


def keys_of(code: str, origin: str) -> list[str]:
    """Return the verifier keys of a plant and of the hub, from outside."""
    from auth.notes import NoteSigner  # noqa: PLC0415
    from infra.settings import hub_origin  # noqa: PLC0415
    from simulation.nodes import GROUP  # noqa: PLC0415

    plant = NoteSigner(origin, private_key(f"ledger {code}"))
    hub = NoteSigner(hub_origin(GROUP), private_key("ledger hub"))
    return [str(plant.key), str(plant.witness_key), str(hub.key), str(hub.witness_key)]

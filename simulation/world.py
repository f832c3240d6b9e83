"""One run: nodes, network and people in one thread, each step and each fault from the seed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from random import Random
from typing import Final

import pysqlite3.dbapi2 as sqlite
from sqlalchemy.exc import DBAPIError

from auth.keys import SigningKey
from auth.notes import NoteSigner
from plants.commands.directives import hold_propagation
from plants.store.ledger.archive import Archive
from plants.store.projection.registry import PROJECTORS, SUPPORTED
from simulation.archive import ObjectsInMemory
from simulation.clocks import DAY, HOUR, SECOND, NodeClock, TrueTime
from simulation.disks import Crash, Disk, Image, Plan
from simulation.group import template
from simulation.keyrings import Keyring
from simulation.ledger_replay import LedgerReplay
from simulation.network import Network, NetworkDoor
from simulation.nodes import (
    OK,
    Answer,
    Request,
    SimulatedHub,
    SimulatedPlant,
    assertion_key,
    key_shown,
    signer,
)
from simulation.options import Swarm
from simulation.run_log import RunLog, Violation
from simulation.workload import Operation
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.nodes import EMBEDDED_HOLDER, PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from sync_jobs.protocol.wire import Limits

HUB: Final = 0
PROJECTING_OFTEN: Final = 4  # times as many faults strike while the hub applies entries: that is a small part of a run
DISKS: Final[list[Disk]] = []
"""The disks of this process, used again by run after run: what SQLAlchemy has compiled for them stays."""


@dataclass(slots=True)
class Backup:
    """A copy of a node's disk, and when it was made."""

    image: Image
    us: int
    marks: bytes | None = None
    keys: Keyring | None = None


@dataclass
class World:
    """The nodes of one run and everything that can happen to them.

    Some sets hold the plants that may do what would be a violation of others. `forked`: its ledger and the hub's may
    differ, until they are level again. `unsure`: the hub was put back, and may lack what a receipt covers. `copied`:
    there was another copy of it, which may fence it. `forgetful`: nothing remembers what was printed last.
    `locked_out`: its folder of keys may not be the one that the hub knows. `restored`: put back, and nobody has written
    or exchanged since.

    `cloned_twins` are the inactive copies of cloned plants, with the replays of their ledgers. `replays` are those of
    all ledgers, by node and ledger, and `followed` says at which write each node was read. `signers` are all keys that
    a ledger ever had, by its origin; `withdrawn` the ids of withdrawn keys. `unknown` are the types that the
    hub's program does not know. `nested` is what others do while a message is on its way.
    """

    chance: Random
    swarm: Swarm
    run_log: RunLog
    time: TrueTime = field(default_factory=TrueTime)
    hub: SimulatedHub = field(init=False)
    plants: dict[int, SimulatedPlant] = field(default_factory=dict)
    network: Network = field(init=False)
    operations: list[Operation] = field(default_factory=list)
    labels: dict[str, list[str]] = field(default_factory=dict)
    backups: dict[int, list[Backup]] = field(default_factory=dict)
    replays: dict[tuple[int, int], LedgerReplay] = field(default_factory=dict)
    followed: dict[int, int] = field(default_factory=dict)
    forked: set[int] = field(default_factory=set)
    forgetful: set[int] = field(default_factory=set)
    copied: set[int] = field(default_factory=set)
    wrote_us: dict[int, int] = field(default_factory=dict)
    idle_us: dict[int, int] = field(default_factory=dict)
    cloned_twins: dict[int, tuple[SimulatedPlant, dict[tuple[int, int], LedgerReplay], int]] = field(
        default_factory=dict
    )
    unknown: set[str] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    archive: ObjectsInMemory | None = None
    signers: dict[str, list[NoteSigner]] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    locked_out: set[int] = field(default_factory=set)
    keys_made: Iterator[int] = field(default_factory=lambda: count(1))
    restored: set[int] = field(default_factory=set)
    depth: int = 0
    calm: bool = False
    nested: Callable[[int], None] = field(default=lambda _sending: None)
    after_restore: Callable[[int], None] = field(default=lambda _node: None)

    def __post_init__(self) -> None:
        made = template()
        blank = iter(disks(1 + self.swarm.plants))
        self.network = Network(self, replace(self.swarm.rates))
        hub_disk = next(blank)
        hub_disk.put_back(made.hub)
        limits = Limits(max_entries=self.swarm.entries_max)
        self.hub = SimulatedHub(hub_disk, self.clock_of(HUB), limits)
        if self.swarm.archive:
            self.archive = ObjectsInMemory()
            self.hub.archive = Archive(self.archive)
        self.hub.open()
        for number in range(1, self.swarm.plants + 1):
            disk = next(blank)
            disk.put_back(made.plants[number])
            plant = SimulatedPlant(number, disk, self.clock_of(number), self.opener_of(number))
            plant.open()
            self.plants[number] = plant
            self.labels[plant.code] = []
        self.signers = {plant.origin: list(plant.keys.ledgers) for plant in self.plants.values()}
        self.signers[self.hub.origin] = list(self.hub.keys.ledgers)
        self._begin_replays()

    def new_signer(self, origin: str) -> NoteSigner:
        """Return a key that no ledger has had yet, and remember whose it is."""
        made = signer(origin, str(next(self.keys_made)))
        self.signers[origin].append(made)
        return made

    def new_assertion_key(self) -> SigningKey:
        """Return a key with which no plant has signed in yet."""
        return assertion_key(str(next(self.keys_made)))

    def disk_of(self, number: int) -> Disk:
        """Return the disk of a node; 0 is the hub."""
        return self.hub.disk if number == HUB else self.plants[number].disk

    def tell(self, who: str, what: str) -> None:
        """Add a line to the run log."""
        self.run_log.tell(self.time.us, who, what)

    def happens(self, thousandths: int) -> bool:
        """Draw whether something happens."""
        return thousandths > 0 and not self.calm and self.chance.randrange(1000) < thousandths

    def meanwhile(self, plant: int) -> None:
        """Let others act while a message of a plant is on its way; the plant itself may be killed there."""
        if self.depth:
            return
        if self.happens(self.swarm.interleave):
            self.depth += 1
            try:
                self.run_log.mark("interleaved")
                self.nested(plant)
            finally:
                self.depth -= 1
        if self.happens(self.swarm.crashes // 4):
            self.tell(self.plants[plant].name, "is killed while it waits for the hub")
            self.run_log.hit("F13")
            self.plants[plant].kill()
        if not self.plants[plant].running:
            raise Crash

    def unfit(self, plant: int, request: Request, answer: Answer) -> None:
        """I4: what a plant signs never contradicts what the hub has, unless both were put back to older disks."""
        if request.method == "POST" and plant not in self.unsure:
            raise Violation("I4", f"plant {plant} sent what the hub finds unfit: {answer.content.decode()[:120]}")

    def at_the_door(self, request: Request) -> Answer:
        """Let the hub answer a request under whatever fault its disk has in store."""
        disk = self.hub.disk
        plan = self._plan() if disk.connection.plan is None and not disk.busy else None
        ended, kid = self.hub.session_ended(request), key_shown(request)
        withdrawn = kid in self.withdrawn
        if plan is not None:
            disk.arm(plan)
        try:
            answer = self.hub.serve(request)
        finally:
            if plan is not None:
                disk.arm(None)
                if plan.struck:
                    self.run_log.hit(plan.strike.value)
        if ended and answer.status == OK:
            raise Violation("I1", f"the hub takes a parcel for {request.path} under a session that counts no more")
        if withdrawn and answer.status == OK:
            raise Violation("I10", f"the hub answers {request.path} to a key that counts no more")
        if answer.status == OK:
            self._retire(kid)
        return answer

    def _retire(self, kid: str) -> None:
        """Note that a plant's keys from before this one sign in no more, now that it has signed in with this one."""
        twins = (twin for twin, _, _ in self.cloned_twins.values())
        for plant in (*self.plants.values(), *twins):
            kids = [one.kid for one in plant.keys.assertions]
            if kid in kids:
                self.withdrawn.update(kids[: kids.index(kid)])

    def hub_died(self) -> None:
        """Note that the hub's machine stopped."""
        self.hub.kill()
        self.tell("HUB", "stopped")

    def at_plant(self, number: int, what: Callable[[], object]) -> bool:
        """Do something at a plant under whatever fault its disk has in store; returns whether it went through."""
        plant = self.plants[number]
        if not plant.running or plant.disk.busy:
            return False
        return self._under_fault(plant.disk, plant.name, what, plant.kill)

    def at_hub(self, what: Callable[[], object], *, often: int = 1) -> bool:
        """Do something at the hub under whatever fault its disk has in store; returns whether it went through."""
        if not self.hub.running or self.hub.disk.busy:
            return False
        return self._under_fault(self.hub.disk, "HUB", what, self.hub.kill, often)

    def _under_fault(
        self, disk: Disk, name: str, what: Callable[[], object], kill: Callable[[], None], often: int = 1
    ) -> bool:
        plan = self._plan(often) if disk.connection.plan is None else None
        if plan is not None:
            disk.arm(plan)
        try:
            what()
        except Crash:
            self.tell(name, "stopped")
            kill()
            return False
        except (sqlite.OperationalError, DBAPIError) as error:
            armed = disk.connection.plan
            if armed is None or not armed.struck:
                raise
            self.tell(name, f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return False
        finally:
            if plan is not None:
                disk.arm(None)
                if plan.struck:
                    self.run_log.hit(plan.strike.value)
        return True

    def _plan(self, often: int = 1) -> Plan | None:
        if not self.swarm.strikes or not self.happens(self.swarm.strike_rate * often):
            return None
        chance = self.chance
        strike, at_the_end = chance.choice(self.swarm.strikes), chance.randrange(2) == 0
        return Plan(strike, chance.choice((1, 3, 8, 20, 45)), chance.choice((1, 1, 2, 3, 5)), at_the_end)

    def exchange(self, number: int, *, forced: bool = False) -> bool:
        """Let a plant exchange with the hub, by its own worker or by a second one; returns whether it went through."""
        plant = self.plants[number]
        holder = EMBEDDED_HOLDER
        if self.swarm.workers > 1 and self.chance.randrange(3) == 0:
            holder = "worker-2"
            self.run_log.hit("F16")
        node = replace(plant.node, holder=holder) if holder != EMBEDDED_HOLDER else plant.node

        def run() -> None:
            quiet = number in self.restored
            done = exchange(node, forced=forced)
            if done.ran:
                self.run_log.hit("F29", quiet)
                self.restored.discard(number)
                said = f"{done.state} sent {done.sent} received {done.received} applied {done.applied}"
                self.tell(plant.name, f"{holder} exchanged: {said}")
                self.run_log.mark(f"exchange {done.state}")

        return self.at_plant(number, run)

    def project(self) -> bool:
        """Let the hub apply what it has taken in."""

        def run() -> None:
            with self._older_program():
                applied = project_behind(self.hub.disk, self.hub.clock, EMBEDDED_HOLDER)
            if applied:
                self.tell("HUB", f"applied {applied}")

        return self.at_hub(run, often=PROJECTING_OFTEN)

    @contextmanager
    def _older_program(self) -> Iterator[None]:
        """Let the hub run a program that does not know some types yet: plants were upgraded first."""
        unknown = [key for key in PROJECTORS if key[0] in self.unknown]
        hidden = {key: PROJECTORS[key] for key in unknown}
        versions = {key[0]: SUPPORTED[key[0]] for key in unknown}
        for key in unknown:
            del PROJECTORS[key]
            SUPPORTED.pop(key[0], None)
        try:
            yield
        finally:
            PROJECTORS.update(hidden)
            SUPPORTED.update(versions)

    def follow_goods(self) -> bool:
        """Let the hub send holds after goods that have come to other plants since."""

        def run() -> None:
            with self.hub.disk.transaction() as session:
                sent = hold_propagation.follow_goods(session, now=self.hub.clock.now())
            if sent:
                self.tell("HUB", f"sent {len(sent)} holds after goods")
                self.run_log.mark("holds sent after goods")

        return self.at_hub(run)

    def sign(self) -> bool:
        """Let the hub sign its own ledgers."""
        return self.at_hub(lambda: sign_own_ledgers(self.hub.node))

    def put_by(self) -> None:
        """Let the hub archive what it has, while the archive answers or in the middle of an outage."""
        if self.archive is None:
            return
        self.archive.fail_from(self.chance.randint(1, 12) if self.happens(self.swarm.archive_failures) else None)
        self.at_hub(lambda: archive_behind(self.hub.node, EMBEDDED_HOLDER, forced=self.calm))
        if self.archive.failed:
            self.run_log.hit("F51")
            self.tell("HUB", "finds the archive away")
        self.archive.fail_from(None)

    def open(self, number: int) -> None:
        """Start a node's process; what its disk holds is what it knows."""
        if number == HUB:
            self.hub.open()
        else:
            self.plants[number].open()

    def step_clock(self, number: int) -> None:
        """Set a node's clock wrong: by seconds, by a day, by a year."""
        clock = self.hub.clock if number == HUB else self.plants[number].clock
        us = self.chance.choice((-DAY, 365 * DAY, 30 * SECOND, -30 * SECOND, HOUR, -HOUR))
        clock.step(us)
        self.run_log.hit("F36")
        self.tell("HUB" if number == HUB else self.plants[number].name, f"clock stepped by {us // SECOND} s")

    def close(self) -> None:
        """Give the memory of the copies back."""
        for kept in self.backups.values():
            for backup in kept:
                backup.image.close()

    def clock_of(self, number: int) -> NodeClock:
        """Return a new clock for a node, as wrong as that node's is."""
        return NodeClock(self.time, self.swarm.skews_us.get(number, 0))

    def opener_of(self, number: int) -> Callable[[PlantNode], AbstractContextManager[NetworkDoor]]:
        """Return what opens a plant's way to the hub."""
        carry = partial(self._carry, number)
        return lambda node: nullcontext(NetworkDoor(node, carry))

    def _carry(self, number: int, request: Request) -> Answer:
        proxied = self.network.proxied(number, request)
        return proxied or self.network.carry(number, request)

    def _begin_replays(self) -> None:
        for number in self.plants:
            for node in (number, HUB):
                for log_id in (number, -number):
                    self.replays[node, log_id] = LedgerReplay(log_id, reading=node != HUB)
        self.replays[HUB, 0] = LedgerReplay(0, reading=False)
        for number in (HUB, *self.plants):
            self.followed[number] = -1


def disks(count: int) -> list[Disk]:
    """Return so many disks, the same ones in every run."""
    while len(DISKS) < count:
        DISKS.append(Disk())
    for disk in DISKS[:count]:
        disk.start()
    return DISKS[:count]

"""Drives a run: chooses the next act, retries unanswered requests, and keeps the clients' own record of answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from auth.actors import NotAuthenticated
from infra.ids import new_id
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.events import Entry
from plants.rules.logistics.events import TRANSFER_DISPATCHED, TRANSFER_RECEIVED
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.values.refusals import Refusal
from simulation.archive import devices_kept
from simulation.backups import back_up, restore
from simulation.clocks import HOUR, SECOND
from simulation.compound_faults import clone, mount_another, restore_both, switch
from simulation.disks import Disk
from simulation.dry_runs import context, validate
from simulation.intents import next_intent
from simulation.key_changes import change_a_key, let_back_in, revoke_keys
from simulation.network import days
from simulation.reference_model import Verdict
from simulation.run_log import Violation
from simulation.views import view_of
from simulation.workload import Operation
from simulation.world import HUB, World

WAITING_MAX: Final = 4
NEWER_TYPES: Final = ("BatchSplit", "BatchMoved", "ProcessFed", "BatchShipped", "StockAdjusted", "BatchAliased")
READMITTED_EVERY: Final = 12  # steps: so long a revoked plant waits, more or less
SUBMITTED_EVERY: Final = 12  # operations, of which one is several that were kept
VALIDATED_EVERY: Final = 10  # operations, of which one is validated first
SIGN_IN_EVERY: Final = 4  # operations of which one shows its token: checking it takes as long as the work


Predict = Callable[[Operation, datetime], Verdict | None]


class Compare(Protocol):
    """Compares an answer with its prediction."""

    def __call__(self, operation: Operation, verdict: Verdict | None, refusal: Refusal | None, *, done: bool) -> None:
        """Raise Violation where they differ."""
        ...


def _predict_nothing(_operation: Operation, _now: datetime) -> Verdict | None:
    return None


def _compare_nothing(operation: Operation, verdict: Verdict | None, refusal: Refusal | None, *, done: bool) -> None:
    """Compare nothing: no model follows the run."""


def code_of(refusal: Refusal | None) -> str:
    """Return the code of a refusal, or that there is none."""
    return "no refusal" if refusal is None else str(refusal.code)


@dataclass
class Driver:
    """What happens in a world from step to step, and the clients' own memory of what they were told."""

    world: World
    printed: dict[str, str] = field(default_factory=dict)
    tokens: dict[tuple[int, str], str] = field(default_factory=dict)
    refusals: int = 0
    predict: Predict = _predict_nothing
    compare: Compare = _compare_nothing

    def __post_init__(self) -> None:
        self.world.nested = self.small_act
        self.world.after_restore = self.excuse

    def step(self) -> None:
        """Let some time pass, and one thing happen."""
        world, chance = self.world, self.world.chance
        world.time.advance(self._pause())
        self._idle()
        world.network.deliver_late()
        self._reopen()
        self._compound_fault()
        number = chance.choice(list(world.plants))
        draw = chance.randrange(100)
        if draw < 58:  # noqa: PLR2004 -- most of what happens is work.
            self.work(number)
        elif draw < 84:  # noqa: PLR2004 -- then replication,
            world.exchange(number, forced=chance.randrange(3) == 0)
        elif draw < 95:  # noqa: PLR2004 -- the hub's own jobs,
            world.project()
            if chance.randrange(3) == 0:
                world.follow_goods()
        elif draw < 96:  # noqa: PLR2004 -- now and then its signatures,
            world.sign()
        elif draw < 98:  # noqa: PLR2004 -- and its archive,
            world.put_by()
        else:
            back_up(world, chance.choice((HUB, *world.plants)))

    def _idle(self) -> None:
        """Let the plants that run do what their writer does while nobody writes."""
        for number, plant in self.world.plants.items():
            if plant.running and plant.disk.keeper is not None:
                plant.disk.keeper.catch_up()
                self.world.idle_us[number] = self.world.time.us

    def small_act(self, sending: int) -> None:
        """Do what others may be doing while a message of a plant is on its way."""
        world, chance = self.world, self.world.chance
        if sending in world.cloned_twins and chance.randrange(2):
            self._other_copy(sending)
            return
        number = chance.choice(list(world.plants))
        draw = chance.randrange(10)
        if draw < 6:  # noqa: PLR2004 -- as above: mostly work.
            self.work(number)
        elif draw < 8:  # noqa: PLR2004 -- another plant, or this one's second worker.
            world.exchange(number)
        else:
            world.project()

    def _other_copy(self, number: int) -> None:
        """Let the copy of a plant that does not act exchange too, so that their messages cross."""
        if switch(self.world, number):
            self.world.exchange(number, forced=True)
            switch(self.world, number)

    def work(self, number: int) -> None:
        """Let a person at a plant do something, or send again what was not answered."""
        world, chance = self.world, self.world.chance
        if not world.plants[number].running or world.disk_of(number).busy:
            return
        waiting = [one for one in world.operations[-60:] if one.plant == number and not one.done and not one.refused]
        if waiting and (chance.randrange(3) == 0 or len(waiting) >= WAITING_MAX):
            self.attempt(chance.choice(waiting))
            return
        self.follow(number)
        if chance.randrange(SUBMITTED_EVERY):
            self.attempt(self._operation(number))
        else:
            self._submit([self._operation(number) for _ in range(chance.randint(2, 4))])

    def _operation(self, number: int) -> Operation:
        """Return what a user at a plant, or at headquarters, wants to do next."""
        world = self.world
        wanted = next_intent(view_of(world, number))
        operation = Operation(
            len(world.operations), number, wanted.command, wanted.order, wanted.person, new_id(), wanted.reason,
            wanted.at_hub, wanted.of_hub,
        )  # fmt: skip
        world.operations.append(operation)
        return operation

    def _submit(self, kept: list[Operation]) -> None:
        """Send the operations that a device kept while it was offline: in order, and all again if one is unanswered."""
        self.world.run_log.mark("sent submit")
        for _ in range(2):
            for operation in kept:
                self.attempt(operation)
            if all(one.done or one.refused for one in kept):
                return

    def attempt(self, operation: Operation) -> None:
        """Send an operation, once more if need be, with the same request id."""
        world = self.world
        node = HUB if operation.at_hub else operation.plant
        name = "HUB" if operation.at_hub else world.plants[operation.plant].name
        disk = world.disk_of(node)
        clock = world.hub.clock if operation.at_hub else world.plants[operation.plant].clock
        made: list[Entry] = []
        refused: Refusal | None = None
        now = clock.now()
        predicted = self.predict(operation, now)
        validated, refusal_before = self._validate(operation, disk, now)
        operation.tries += 1
        fenced = [] if node == HUB else disk.peek("SELECT size FROM logs WHERE log_id = ? AND fenced <> 0", (node,))

        def run() -> None:
            nonlocal refused
            if operation.number % SIGN_IN_EVERY == 0:
                self._sign_in(node, operation)
            try:
                with disk.transaction() as session:
                    done = operation.command(
                        session, operation.order, actor=operation.author, call=context(operation, now)
                    )
                    made.extend(done if isinstance(done, list) else [done])
            except Refusal as refusal:
                refused = refusal
                made.clear()
                self.refusals += 1
                operation.refused = refusal.code
                world.tell(name, f"#{operation.number} {operation.command.name}: {refusal.code}")
                world.run_log.mark(f"refused {refusal.code}")

        durable = world.at_hub(run) if operation.at_hub else world.at_plant(node, run)
        self.compare(operation, predicted, refused, done=durable and bool(made))
        if validated and (refused is not None or made) and code_of(refused) != code_of(refusal_before):
            text = f"#{operation.number} {operation.sent}: validated as {code_of(refusal_before)}"
            raise Violation("I3", f"{text}, and answered {code_of(refused)}")
        if not self.was_told(name, durable, made):
            return
        # A request that is repeated gets the entry of the first time, from a fenced copy too.
        if fenced and made[0].index >= fenced[0][0]:
            raise Violation("I1", f"{name} is fenced, and a person writes entry {made[0].index}")
        if world.happens(world.swarm.lost_answers):
            world.tell(name, f"#{operation.number} {operation.command.name}: done, and the answer is lost")
            return
        world.tell(name, f"#{operation.number} {operation.command.name}: entry {made[0].index}")
        world.run_log.mark(f"sent {operation.sent}")
        operation.done, operation.written = made[0], frozenset(one.envelope["plant"] for one in made)
        if node in world.restored:
            world.restored.discard(node)
            world.run_log.hit("F28")
        self._remember(operation, made[0])

    def _validate(self, operation: Operation, disk: Disk, now: datetime) -> tuple[bool, Refusal | None]:
        """Now and then validate an operation first; returns whether it was, and the refusal that it would get."""
        if self.world.chance.randrange(VALIDATED_EVERY) or disk.busy or disk.connection.dead:
            return False, None
        self.world.run_log.mark("sent validateOnly")
        return True, validate(operation, disk, now)

    def was_told(self, _name: str, durable: bool, made: list[Entry]) -> bool:  # noqa: FBT001 -- it says what it is.
        """Tell whether the node would say to the person that it is done."""
        return durable and bool(made)

    def follow(self, number: int) -> None:
        """Read what is new in the ledgers of a node, from outside."""
        world = self.world
        disk = world.disk_of(number)
        if world.followed[number] == disk.writes:
            return
        world.followed[number], world.wrote_us[number] = disk.writes, world.time.us
        for (node, _), replay in world.replays.items():
            if node == number:
                replay.follow(disk)

    def excuse(self, restored: int) -> None:
        """Find what no disk holds any more after a restore: what is nowhere cannot come back."""
        world = self.world
        self.follow(restored)
        archived = set() if world.archive is None else devices_kept(world.archive)
        for operation in world.operations:
            entry = operation.done
            if entry is None or operation.excused or restored not in {HUB, operation.plant}:
                continue
            lost = any(self._is_lost(operation, log_id) for log_id in operation.log_ids)
            if operation.device not in archived and lost:
                operation.excused = True
                world.run_log.mark("lost with the only disk")

    def _is_lost(self, operation: Operation, log_id: int) -> bool:
        """Return whether no disk holds an entry of an operation in a ledger."""
        world = self.world
        kept = [replay for (_, one), replay in world.replays.items() if one == log_id]
        twins = [replays[key] for _, replays, _ in world.cloned_twins.values() for key in replays if key[1] == log_id]
        return not any(operation.device in replay.devices for replay in (*kept, *twins))

    def _remember(self, operation: Operation, entry: Entry) -> None:
        world, payload = self.world, entry.payload
        if operation.at_hub:
            return
        for batch in payload.get("batches", ()):
            if plant_of(batch["id"]) != operation.plant:
                continue
            before = self.printed.setdefault(batch["code"], entry.envelope["id"])
            world.run_log.hit("F47", before != entry.envelope["id"])
            if before != entry.envelope["id"] and operation.plant not in world.forgetful:
                text = f"{batch['code']} was printed before, for {before}, and again for {entry.envelope['id']}"
                raise Violation("I13", text)
        if entry.type == TRANSFER_DISPATCHED.name:
            label = transfer_manifest(entry, world.plants[operation.plant].origin)
            if payload["destination"] in world.labels:
                world.labels[payload["destination"]].append(label)
        if entry.type == TRANSFER_RECEIVED.name:
            source = plant_of(payload["transfer"])
            sent = world.replays[source, source].state.dispatched.get(payload["transfer"])
            world.run_log.hit("F46", sent is not None and sent >= world.replays[HUB, source].size)

    def _sign_in(self, node: int, operation: Operation) -> None:
        """Show the token, and where it has run out sign in again, as the node's identity provider has it."""
        world = self.world
        provider = world.hub.tokens if operation.at_hub else world.plants[node].tokens
        clock = world.hub.clock if operation.at_hub else world.plants[node].clock
        desk = node, operation.person
        token = self.tokens.get(desk)
        try:
            claims = None if token is None else provider.verify(token)
        except NotAuthenticated:
            claims = None
        if claims is None:
            self.tokens[desk] = provider.issue(operation.person, authenticated_s=int(clock.now().timestamp()))
            claims = provider.verify(self.tokens[desk])
        if claims.subject != operation.person:
            raise Violation("I10", f"the token of {operation.person} speaks for {claims.subject}")

    def _pause(self) -> int:
        chance = self.world.chance
        draw = chance.randrange(100)
        if draw < 80:  # noqa: PLR2004 -- mostly seconds,
            return chance.randint(100_000, 20 * SECOND)
        if draw < 97:  # noqa: PLR2004 -- sometimes minutes,
            return chance.randint(SECOND, 600 * SECOND)
        return chance.randint(HOUR, 10 * HOUR)

    def _reopen(self) -> None:
        world = self.world
        for number, plant in world.plants.items():
            if not plant.running and world.chance.randrange(2):
                world.tell(plant.name, "starts again")
                world.open(number)
        if not world.hub.running and world.chance.randrange(2):
            world.tell("HUB", "starts again")
            world.open(HUB)

    def _copies(self, number: int) -> None:
        world, swarm = self.world, self.world.swarm
        if world.happens(swarm.clones):
            clone(world, number)
        if world.chance.randrange(6) == 0 and switch(world, number):
            # Both copies work and send, in turns: what the hub says of that is not seen where one alone sends.
            self.work(number)
            world.exchange(number, forced=True)
        if world.happens(swarm.clock_steps // 4):
            mount_another(world, number)

    def _keys(self, number: int) -> None:
        world, swarm = self.world, self.world.swarm
        if world.happens(swarm.key_changes):
            change_a_key(world, number)
        if world.happens(swarm.revocations):
            revoke_keys(world, number)
        if swarm.revocations and world.chance.randrange(READMITTED_EVERY) == 0:
            let_back_in(world, number)

    def _roll_back(self, number: int) -> None:
        """Make a copy of a plant's disk, let people go on for moments, and put it back, at once or after a while."""
        world, chance = self.world, self.world.chance
        if not world.plants[number].running or not back_up(world, number):
            return
        for _ in range(chance.randint(1, 3)):
            world.time.advance(chance.randint(100_000, 6 * SECOND))
            self.work(number)
            self.follow(number)
        world.time.advance(chance.randint(100_000, 40 * SECOND))
        self._idle()
        restore(world, number, newest=True)

    def _cut_off(self, number: int) -> None:
        world, chance = self.world, self.world.chance
        us = chance.choice((60 * SECOND, HOUR, days(2)))
        one_way = chance.randrange(2) == 0
        world.network.cut(number, us, one_way=one_way)
        world.tell(world.plants[number].name, f"cut off for {us // SECOND} s" + (" one way" if one_way else ""))

    def _compound_fault(self) -> None:
        """Inject compound faults, as often as the options of the run say."""
        world, swarm, chance = self.world, self.world.swarm, self.world.chance
        number = chance.choice(list(world.plants))
        if world.happens(swarm.cuts):
            self._cut_off(number)
        if world.happens(swarm.crashes):
            node = chance.choice((HUB, number))
            world.run_log.hit("F15")
            world.tell("HUB" if node == HUB else world.plants[number].name, "is killed")
            (world.hub if node == HUB else world.plants[number]).kill()
        if world.happens(swarm.clock_steps):
            world.step_clock(chance.choice((HUB, number)))
        if world.happens(swarm.restores) and number not in world.cloned_twins:
            restore(world, number)
        if world.happens(swarm.unknown_types):
            world.unknown ^= {chance.choice(NEWER_TYPES)}
            world.run_log.hit("F42")
            world.tell("HUB", f"runs a program that does not know {sorted(world.unknown)}")
        self._copies(number)
        self._keys(number)
        if world.happens(swarm.snapshots) and number not in world.cloned_twins:
            self._roll_back(number)
        if world.happens(swarm.hub_restores):
            restore(world, HUB)
        if world.happens(swarm.both_restores) and number not in world.cloned_twins:
            restore_both(world, number)

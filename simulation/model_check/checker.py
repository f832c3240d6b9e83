"""Follows a run with the reference model: predicts each command, applies each entry, and compares answers and tables.

A plant is set aside where its ledger no longer is what was written there: restored, cloned or rebased. The model then
compares nothing more of it; its labels stay known to the others.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from plants.commands.directives.directives import ReleaseDirection
from plants.commands.materials.saves import Rows, row_request
from plants.rules.values.instants import parse_instant
from plants.rules.values.refusals import Refusal
from simulation.clocks import BEGINNING
from simulation.driver import Driver
from simulation.group import KEEPER, MASTERS, MATERIALS
from simulation.ledger_replay import LedgerReplay
from simulation.master_data_intents import COMMANDS
from simulation.model_check.deviations import (
    ACCEPTED,
    FIRST_FAULTS,
    KNOWN,
    OF_THE_NODE,
    Deviation,
    excused_by,
    settings_of,
)
from simulation.model_check.directives import directive_of
from simulation.model_check.identities import Identities
from simulation.model_check.inputs import INPUTS, NOUNS, Given, Translation
from simulation.model_check.tables import Compared
from simulation.nodes import CODES
from simulation.reference_model import HUB as MODEL_HUB
from simulation.reference_model import Accepted, ReferenceModel, Refused, Verdict
from simulation.run_log import Violation
from simulation.workload import Operation
from simulation.world import HUB

MODEL: Final = "I17"
ZONE: Final = "Asia/Shanghai"
ANSWERS: Final = frozenset({"DirectiveApplied", "DirectiveRejected"})
FOLLOWING: Final = frozenset({"ChangeApplied", "ChangeRefused"})
"""Entries by which one command ends that began with another."""
OF_DIRECTIVES: Final = frozenset(
    {"BatchQuarantined", "BatchReleased", "ChangeDecided", "MaterialDefined", "UnitDefined"}
    | {f"{noun}Defined" for noun in NOUNS.values()}
)
OUTCOMES: Final = frozenset(
    {"movements", "batches", "holds", "lifted", "expiries", "dispositions", "made", "process", "aliases"}
)
"""Members of a payload that change goods. Other entries are of keys and ledgers, which the model does not have."""
SELECT_PROJECTED: Final = "SELECT projected FROM logs WHERE log_id = ?"
SELECT_PARKED: Final = "SELECT count(*) FROM projection_faults"
SELECT_HOLD: Final = "SELECT directed FROM holds WHERE plant_id = ? AND hold_id = ?"


def row_of(operation: Operation, entry: dict[str, Any]) -> Operation:
    """Return the operation of the one row of a save that an entry is about."""
    rows = enumerate(operation.order.changes)
    place, change = next(one for one in rows if row_request(operation.request, one[0]) == entry["request"])
    request = row_request(operation.request, place)
    return replace(operation, command=COMMANDS[type(change)], order=change, request=request)


@dataclass
class ModelChecker:
    """The reference model of a run. `aside` says why a node is no longer compared."""

    driver: Driver
    known: Sequence[Deviation] = KNOWN
    ids: Identities = field(default_factory=Identities)
    aside: dict[int, str] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)
    last: dict[int, bytes] = field(default_factory=dict)
    sent: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    delivered: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    directing: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    at_hub: set[int] = field(default_factory=set)
    model: ReferenceModel = field(init=False)

    def __post_init__(self) -> None:
        self.model = ReferenceModel(settings_of(self.known))
        world = self.driver.world
        for number in world.plants:
            self.driver.follow(number)
            self.model.enrol(CODES[number], ZONE)
            self._define(number)
            self.read[number] = world.replays[number, number].size
            self.last[number] = world.replays[number, number].leaves[-1]
        for number in world.plants:
            self.read[-number] = 0

    def _define(self, number: int) -> None:
        """Give the model the master data with which every run begins."""
        index = 1
        inputs: list[tuple[str, Given]] = [
            (
                "saveMaterial",
                {
                    "code": one.code,
                    "name": one.name,
                    "unitCode": one.unit,
                    "shelfLifeDays": one.shelf_life_days,
                    "retestDays": one.retest_days,
                    "conversions": [{"unitCode": unit, "factor": size} for unit, size in one.conversions.items()],
                },
            )
            for one in MATERIALS
        ]
        inputs += [(f"save{NOUNS[one.kind.value]}", {"code": one.code, "name": one.name}) for one in MASTERS]
        for command, given in inputs:
            verdict = self.model.predict(CODES[number], command, given, BEGINNING, KEEPER.person)
            assert isinstance(verdict, Accepted), verdict
            self.model.apply(verdict)
            self.ids.entries[number, index] = verdict.index
            self.sent[number].append(index)
            index += 1

    def predict(self, operation: Operation, now: Any) -> Verdict | None:
        """Return what the model says of an operation before it is done, or None where it is not compared."""
        self.look()
        if not self._is_compared(operation):
            return None
        return self._predict(operation, now)

    def _is_compared(self, operation: Operation) -> bool:
        if (operation.command.name, type(operation.order)) not in INPUTS or operation.plant in self.aside:
            return False
        if not operation.at_hub:
            return True
        if HUB in self.aside or self.driver.world.hub.disk.peek(SELECT_PARKED)[0][0]:
            return False
        order = operation.order
        if isinstance(order, ReleaseDirection):
            return order.hold in self.ids.directed
        return not self.aside or bool(getattr(order, "plants", True))

    def _predict(self, operation: Operation, now: Any) -> Verdict:
        node = MODEL_HUB if operation.at_hub else CODES[operation.plant]
        command, given = self.input(operation)
        return self.model.predict(node, command, given, now, operation.person)

    def input(self, operation: Operation) -> tuple[str, Given]:
        plant = operation.plant
        leaves = self.driver.world.replays[plant, plant].leaves
        to = Translation(self.ids, self.model, plant, leaves, partial(self._hold, plant))
        command, given = INPUTS[operation.command.name, type(operation.order)](operation.order, to)
        given = {**given, "requestId": operation.request}
        if operation.reason is not None:
            given["reason"] = operation.reason
        return command, given

    def _hold(self, plant: int, code: str, hold: int) -> str:
        """Return the model's id of an open hold on a batch."""
        if (plant, hold) in self.ids.holds:
            return self.ids.holds[plant, hold]
        directed = [row[0] for row in self.driver.world.plants[plant].disk.peek(SELECT_HOLD, (plant, hold))]
        found = self.model.nodes[CODES[plant]].holds.values()
        batch = self.ids.batch(code)
        return next((one.id for one in found if one.batch == batch and one.directed in directed), "unknown")

    def compare(self, operation: Operation, verdict: Verdict | None, refusal: Refusal | None, *, done: bool) -> None:
        """Compare the answer to an operation with its prediction. Raises Violation."""
        if verdict is None or (refusal is None and not done):
            return
        codes = (ACCEPTED,) if refusal is None else tuple(one.code for one in (refusal, *refusal.further))
        predicted = verdict.code if isinstance(verdict, Refused) else ACCEPTED
        self.driver.world.run_log.mark("model: answers compared")
        if predicted not in codes:
            self._differ(operation, verdict, predicted, codes)
        if refusal is None:
            self.look()

    def _differ(self, operation: Operation, verdict: Verdict, predicted: str, codes: Sequence[str]) -> None:
        command, given = self.input(operation)
        faults = FIRST_FAULTS.get(command, frozenset())
        if OF_THE_NODE.intersection(codes) or (predicted in faults and faults.intersection(codes)):
            return
        excuse = excused_by(self.known, command, predicted, codes)
        if excuse is not None:
            self.driver.world.run_log.mark(f"deviation {excuse.name}")
            return
        where = "the hub" if operation.at_hub else CODES[operation.plant]
        said = verdict if isinstance(verdict, Refused) else "accepted"
        text = f"#{operation.number} {command} at {where} by {operation.person}\n  input {given}"
        raise Violation(MODEL, f"{text}\n  prediction {said}\n  answer {', '.join(codes)}")

    def look(self) -> None:
        """Read what is new in the ledgers, let the model do it, and compare the tables. Raises Violation."""
        world = self.driver.world
        for number in world.plants:
            self.driver.follow(number)
        self.driver.follow(HUB)
        for number in world.plants:
            if number not in self.aside:
                self._read_plant(number)
        if HUB not in self.aside:
            for number in world.plants:
                self._deliver(number)
            for number in world.plants:
                self._read_directives(number)

    def _set_aside(self, node: int, why: str) -> None:
        self.aside[node] = why
        self.driver.world.run_log.mark(f"model: set aside, {why}")

    def _read_plant(self, number: int) -> None:
        replay = self.driver.world.replays[number, number]
        done = self.read[number]
        if replay.size < done or replay.leaves[done - 1] != self.last[number]:
            self._set_aside(number, "restored")
            return
        touched: set[str] = set()
        for entry in replay.entries[done:]:
            if not self._read_entry(number, entry):
                return
            self.read[number], self.last[number] = replay.size, replay.leaves[-1]
            touched |= self._touched(replay, entry)
        if touched:
            self._compare_tables(number, touched)

    def _touched(self, replay: LedgerReplay, entry: dict[str, Any]) -> set[str]:
        payload = entry["payload"]
        numbers = {one["batch"] for name in ("movements", "holds") for one in payload.get(name, ())}
        numbers |= {one["id"] for one in payload.get("batches", ())} | {one for one, _ in payload.get("lifted", ())}
        numbers |= {int(one) for name in ("expiries", "dispositions", "made") for one in payload.get(name, {})}
        return {replay.state.batches[one]["code"] for one in numbers if one in replay.state.batches}

    def _read_entry(self, number: int, entry: dict[str, Any]) -> bool:
        """Let the model do what an entry says; False where the plant is set aside."""
        kind, device = entry["type"], entry.get("device")
        operation = self._operation(device)
        if "rebased_from" in entry or kind == "EntryDisputed":
            self._set_aside(number, "rebased")
        elif kind in ANSWERS:
            self._obey(number, entry)
        elif kind in FOLLOWING or (kind in OF_DIRECTIVES and (operation is None or operation.at_hub)):
            self.directing[number].append(entry["index"])
        elif operation is not None and not operation.at_hub:
            self._apply(operation, number, entry)
        elif OUTCOMES & entry["payload"].keys():
            self._set_aside(number, f"{kind} is no command")
        return number not in self.aside

    def _operation(self, device: str | None) -> Operation | None:
        if device is None or not device.startswith("scanner-"):
            return None
        return self.driver.world.operations[int(device.removeprefix("scanner-"))]

    def _apply(self, operation: Operation, number: int, entry: dict[str, Any]) -> None:
        if isinstance(operation.order, Rows):
            operation = row_of(operation, entry)
        if (operation.command.name, type(operation.order)) not in INPUTS:
            if OUTCOMES & entry["payload"].keys():
                self._set_aside(number, f"{operation.command.name} is not in the model")
            return
        now = parse_instant(entry["recorded_at"])
        verdict = self._predict(operation, now)
        if isinstance(verdict, Refused):
            self._differ(operation, verdict, verdict.code, (ACCEPTED,))
            self._set_aside(number, "known deviation")
            return
        self.model.apply(verdict)
        self.ids.learn(number, entry, verdict)
        self.sent[number].append(entry["index"])
        self.driver.world.run_log.mark(f"model: {operation.command.name}")

    def _obey(self, number: int, entry: dict[str, Any]) -> None:
        """Let the model apply a directive that the plant has answered, and compare the answers."""
        payload = entry["payload"]
        said = self.driver.world.replays[number, -number].entries[payload["directive"]]
        try:
            directive = directive_of(self.ids, number, said)
        except LookupError:
            self._set_aside(number, f"{said['type']} is not in the model")
            return
        node = self.model.nodes[CODES[number]]
        index = len(node.entries)
        refusal = self.model.obey(CODES[number], directive, parse_instant(entry["recorded_at"]))
        for one in (*self.directing.pop(number, ()), entry["index"]):
            self.ids.entries[number, one] = index
        self.sent[number].append(entry["index"])
        answer = payload.get("refusal")
        self.driver.world.run_log.mark(f"model: {said['type']} {answer or 'applied'}")
        if refusal != answer:
            text = f"directive {payload['directive']} {said['type']} at {CODES[number]}\n  content {said['payload']}"
            raise Violation(MODEL, f"{text}\n  prediction {refusal}\n  answer {answer}")

    def _compare_tables(self, number: int, touched: set[str]) -> None:
        if self.driver.world.plants[number].disk.busy:
            return
        compared = Compared(self.model, self.ids, number, self.driver.world.plants[number].disk)
        for difference in compared.differences(touched):
            raise Violation(MODEL, f"{CODES[number]}: {difference}\n  {self._latest(number)}")

    def _latest(self, number: int) -> str:
        """Return the latest entry of a plant, for a text about its tables."""
        entry = self.driver.world.replays[number, number].entries[-1]
        return f"after entry {entry['index']} {entry['type']} of {entry.get('device', entry['actor'])}"

    def _deliver(self, number: int) -> None:
        """Let the model's hub know what the hub has applied of a plant."""
        hub = self.driver.world.replays[HUB, number]
        if hub.size < self.delivered[number]:
            self._set_aside(HUB, "restored")
            return
        rows = self.driver.world.hub.disk.peek(SELECT_PROJECTED, (number,))
        projected = rows[0][0] if rows else 0
        queue, plant = self.model.sent[CODES[number]], CODES[number]
        while (position := self.model.arrived.get((plant, True), 0)) < len(queue):
            if self.sent[number][position] >= projected:
                return
            self.model.deliver(queue[position])
            self.delivered[number] = self.sent[number][position] + 1

    def _read_directives(self, number: int) -> None:
        """Let the model's hub do what the hub has directed to a plant."""
        replay = self.driver.world.replays[HUB, -number]
        done = self.read[-number]
        if replay.size < done or (done and replay.leaves[done - 1] != self.last[-number]):
            self._set_aside(HUB, "restored")
            return
        for entry in replay.entries[done:]:
            operation = self._operation(entry.get("device"))
            if operation is not None and operation.number not in self.at_hub and HUB not in self.aside:
                self.at_hub.add(operation.number)
                self._direct(operation, entry)
        self.read[-number] = replay.size
        if replay.size:
            self.last[-number] = replay.leaves[-1]

    def _direct(self, operation: Operation, entry: dict[str, Any]) -> None:
        if not self._is_compared(operation):
            self._set_aside(HUB, "a direction was not compared, so the model does not have it")
            return
        verdict = self._predict(operation, parse_instant(entry["recorded_at"]))
        if isinstance(verdict, Refused):
            self._differ(operation, verdict, verdict.code, (ACCEPTED,))
            self._set_aside(HUB, "known deviation")
            return
        self.model.apply(verdict)
        named = entry["payload"].get("hold") or entry["payload"].get("recall")
        if named is not None and verdict.subject is not None:
            self.ids.directed.setdefault(named, verdict.subject)
        self.driver.world.run_log.mark(f"model: {operation.command.name}")

    def check_all(self) -> None:
        """Compare everything of every plant that is compared, there and at the hub. Raises Violation."""
        world = self.driver.world
        self.look()
        for number in world.plants:
            if number in self.aside:
                continue
            for disk, where in (
                (world.plants[number].disk, CODES[number]),
                (world.hub.disk, f"{CODES[number]} at hub"),
            ):
                for difference in Compared(self.model, self.ids, number, disk).differences():
                    raise Violation(MODEL, f"{where}: {difference}")
            world.run_log.mark("model: plants compared to the end")

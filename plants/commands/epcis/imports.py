"""Import an EPCIS document: its plan's steps, done by the ordinary commands on the stores of the plants concerned.

Every command gets a request id made from its step's name, so that a repeated import finds each entry and changes
nothing. It commits nothing: the caller that opened the transactions commits them or rolls them back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID

from infra.database import Session
from infra.ids import named_id
from plants.commands.execution import NAME_LENGTH_MAX, REASON_LENGTH_MAX, Command, CommandContext
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import StockDifference, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.rules.epcis import steps
from plants.rules.epcis.batches import BatchesOfLots, NotMade, lot_name
from plants.rules.epcis.wording import adjust_text
from plants.rules.ledger.events import LINES_MAX, Entry
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal
from plants.store.materials import definitions

REQUESTS: Final = UUID("6f0a3a7e-3c1b-5d0c-9c0e-6a3a0f8d2b51")
"""The namespace of request ids: the same step of the same event always asks under the same id."""

Order = TypeVar("Order")
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class ImportingPlant:
    """A plant that takes part: its number, its ledger's origin and size, and the transaction open on its store."""

    number: int
    origin: str
    size: int
    session: Session


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """The result of one step of the plan: its entries, the number of new ones, or the refusal.

    `waits_for` is the event whose refusal left this step without its goods, directly or through other steps.
    """

    entries: tuple[Entry, ...] = ()
    new: int = 0
    refusal: Refusal | None = None
    waits_for: int | None = None

    @property
    def is_done(self) -> bool:
        """Tell whether the plant's ledger says what the step says."""
        return self.refusal is None and self.waits_for is None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A transfer on the road: its label, and its lots with the batch and the amount that left."""

    manifest: str
    lines: tuple[tuple[str, str, Decimal], ...]


def import_epcis(
    plan: steps.EpcisPlan, plants: Mapping[str, ImportingPlant], *, actor: Author, now: datetime
) -> tuple[StepOutcome, ...]:
    """Run every step that can run, in the plan's order, and return the result of each.

    A refused step changes nothing at its plant. Steps that depend on it are not tried and name it. `plants` has every
    plant of the plan by its code.
    """
    importing = _Import(plants, actor, now)
    return tuple(importing.do(step) for step in plan.steps)


class _Import:
    """A running import: the batches that plants made of the document's lots, and the open transfers."""

    def __init__(self, plants: Mapping[str, ImportingPlant], actor: Author, now: datetime) -> None:
        self.plants, self.actor, self.now = plants, actor, now
        self.lots = BatchesOfLots()
        self.processes: dict[str, int] = {}
        self.made_in: dict[str, int] = {}  # batch code -> process record
        self.sent: dict[str, _Sent] = {}
        self.failed: dict[str, int] = {}  # product of a failed step -> the event that was refused
        self.entries: list[Entry] = []

    def do(self, step: steps.PlanStep) -> StepOutcome:
        """Do one step whole, or none of it."""
        self.entries = []
        plant = self.plants[step.plant]
        try:
            with plant.session.savepoint():
                self._do(step)
        except NotMade as missing:
            outcome = StepOutcome(waits_for=self.failed.get(missing.name, step.event))
        except Refusal as refusal:
            outcome = StepOutcome(refusal=refusal)
        else:
            self.lots.keep()
            new = sum(entry.index >= plant.size for entry in self.entries)
            return StepOutcome(tuple(self.entries), new)
        self.lots.undo()
        for name in _makes(step):
            self.failed.setdefault(name, outcome.waits_for or step.event)
        return outcome

    def _do(self, step: steps.PlanStep) -> None:
        match step:
            case steps.DefineMaterial() | steps.DefineLocation() | steps.DefineParty():
                self._define(step)
            case steps.AddAliases() | steps.EndAliases():
                naming = Naming(self.lots.codes(step.plant, step.lot)[0], _aliases(step.aliases))
                self._give(step, alias_batch if isinstance(step, steps.AddAliases) else end_alias, naming)
            case steps.ReceiveBatch():
                self._receive(step)
            case steps.Move():
                self._move(step)
            case steps.DispatchTransfer():
                self._dispatch(step)
            case steps.ReceiveTransfer():
                self._receive_transfer(step)
            case steps.Produce():
                self._produce(step)
            case steps.Ship():
                self._give(step, ship_batch, Shipment(step.customer, self._take(step, step.location, step.lines)))
            case steps.Adjust():
                self._adjust(step)
            case _:
                raise AssertionError(f"a step that nobody does: {type(step).__name__}")

    def _give(self, step: steps.PlanStep, command: Command[Order], order: Order, part: str = "") -> Entry:
        """Give the plant a command under the step's own request id; the part tells the commands of one step apart."""
        plant = self.plants[step.plant]
        reason = adjust_text(step) if isinstance(step, steps.Adjust) else _reason(step)
        call = CommandContext(
            plant=plant.number,
            now=self.now,
            occurred_at=step.occurred_at,
            request=named_id(REQUESTS, f"{plant.origin}/{step.request_name}{part}"),
            reason=reason[:REASON_LENGTH_MAX],
            history=True,
        )
        entry = command(plant.session, order, actor=self.actor, call=call)
        self.entries.append(entry)
        return entry

    def _define(self, step: steps.DefineMaterial | steps.DefineLocation | steps.DefineParty) -> None:
        """Define master data that the plant does not have yet; existing definitions stay."""
        plant = self.plants[step.plant]
        if isinstance(step, steps.DefineMaterial):
            if not _knows(definitions.material, plant.session, plant.number, step.code):
                self._give(step, define_material, MaterialDefinition(step.code, step.name, step.unit))
            return
        kind = MasterKind.LOCATION
        if isinstance(step, steps.DefineParty):
            kind = MasterKind.SUPPLIER if step.kind == "supplier" else MasterKind.CUSTOMER
        if not _knows(definitions.check_defined, plant.session, plant.number, kind, step.code):
            self._give(step, define_master, MasterDefinition(kind, step.code, step.name[:NAME_LENGTH_MAX]))

    def _receive(self, step: steps.ReceiveBatch) -> None:
        batch = step.batch
        order = Delivery(
            material=batch.material,
            amount=_plain(batch.quantity),
            unit=batch.unit,
            location=step.location,
            supplier=step.supplier,
            produced_at=batch.produced_at,
            expires_on=batch.expires_on,
            attributes=dict(batch.attributes),
            aliases=_aliases(batch.aliases),
        )
        entry = self._give(step, receive_batch, order)
        self.lots.put(step.plant, step.location, batch.lot, entry.payload["batches"][0]["code"], batch.quantity)

    def _move(self, step: steps.Move) -> None:
        number = 0
        for line in step.lines:
            for code, quantity in self.lots.take(step.plant, step.from_location, line.lot, line.quantity):
                order = Move(code, step.from_location, step.to_location, _plain(quantity), line.unit)
                self._give(step, move_batch, order, f"/{number}")
                self.lots.put(step.plant, step.to_location, line.lot, code, quantity)
                number += 1

    def _dispatch(self, step: steps.DispatchTransfer) -> None:
        taken = [
            (line.lot, code, quantity, line.unit)
            for line in step.lines
            for code, quantity in self.lots.take(step.plant, step.location, line.lot, line.quantity)
        ]
        lines = tuple(StockLine(code, _plain(quantity), unit, step.location) for _, code, quantity, unit in taken)
        entry = self._give(step, dispatch_transfer, Dispatch(step.destination, lines))
        manifest = transfer_manifest(entry, self.plants[step.plant].origin)
        self.sent[step.transfer] = _Sent(manifest, tuple((lot, code, quantity) for lot, code, quantity, _ in taken))

    def _receive_transfer(self, step: steps.ReceiveTransfer) -> None:
        sent = self.sent.get(step.transfer)
        if sent is None:
            raise NotMade(step.transfer)
        lines: list[ReceiptLine] = []
        for line in step.lines:
            left = line.quantity
            batches = [(code, quantity) for lot, code, quantity in sent.lines if lot == line.lot]
            for code, quantity in batches:
                came = left if code == batches[-1][0] else min(left, quantity)
                left -= came
                lines.append(ReceiptLine(code, _plain(came), step.location, line.unit))
                self.lots.put(step.plant, step.location, line.lot, code, came)
        self._give(step, receive_transfer, TransferReceipt(sent.manifest, step.location, tuple(lines)))

    def _produce(self, step: steps.Produce) -> None:
        """Record a run at once where it begins and ends in this event, else step by step."""
        inputs = self._take(step, step.location, step.inputs)
        run = ProcessOrder(
            segment=step.segment[:NAME_LENGTH_MAX] or None,
            job_order=(step.transformation_id or "")[:NAME_LENGTH_MAX] or None,
        )
        if step.opens and step.closes and len(inputs) + len(step.outputs) <= LINES_MAX:
            outputs = tuple(_output(step, batch) for batch in step.outputs)
            entry = self._give(step, record_production, ProductionRun(run, inputs, outputs))
            process = int(entry.payload["process"]["id"])
            self._came_out(step, process, step.outputs, entry)
        else:
            process = self._process(step, run)
            for number, lines in _parts(inputs):
                self._give(step, feed_process, Feed(process, lines), f"/feed/{number}")
            for number, batches in _parts(step.outputs):
                self._yield(step, process, batches, number)
            if step.closes:
                self._give(step, close_process, Closing(process), "/close")
        self.processes[_process_name(step)] = process

    def _process(self, step: steps.Produce, run: ProcessOrder) -> int:
        if step.opens:
            return int(self._give(step, open_process, run, "/open").payload["process"]["id"])
        known = self.processes.get(_process_name(step))
        if known is None:
            raise NotMade(_process_name(step))
        return known

    def _yield(self, step: steps.Produce, process: int, batches: Sequence[steps.NewBatch], number: int) -> None:
        """Yield batches; more of one that this very record made before is added to it."""
        outputs: list[steps.NewBatch] = []
        additions: list[Addition] = []
        for batch in batches:
            known = self.lots.codes(step.plant, batch.lot) if self.lots.knows(step.plant, batch.lot) else []
            code = next((one for one in known if self.made_in.get(one) == process), None)
            if code is None:
                outputs.append(batch)
            else:
                additions.append(Addition(code, _plain(batch.quantity), batch.unit, step.location))
                self.lots.put(step.plant, step.location, batch.lot, code, batch.quantity)
        order = Yield(process, tuple(_output(step, batch) for batch in outputs), tuple(additions))
        self._came_out(step, process, outputs, self._give(step, yield_process, order, f"/yield/{number}"))

    def _came_out(self, step: steps.Produce, process: int, outputs: Sequence[steps.NewBatch], entry: Entry) -> None:
        for batch, stated in zip(outputs, entry.payload["batches"], strict=True):
            self.made_in[stated["code"]] = process
            self.lots.put(step.plant, step.location, batch.lot, stated["code"], batch.quantity)

    def _adjust(self, step: steps.Adjust) -> None:
        if step.change > 0:
            code = self.lots.codes(step.plant, step.lot)[0]
            self.lots.put(step.plant, step.location, step.lot, code, step.change)
            changes = [(code, step.change)]
        else:
            taken = self.lots.take(step.plant, step.location, step.lot, -step.change)
            changes = [(code, -quantity) for code, quantity in taken]
        for number, (code, change) in enumerate(changes):
            order = StockDifference(code, step.location, _plain(change), step.unit)
            self._give(step, adjust_stock, order, f"/{number}" if number else "")

    def _take(self, step: steps.PlanStep, location: str, lines: Sequence[steps.Line]) -> tuple[StockLine, ...]:
        return tuple(
            StockLine(code, _plain(quantity), line.unit, location)
            for line in lines
            for code, quantity in self.lots.take(step.plant, location, line.lot, line.quantity)
        )


def _knows(look_up: Callable[..., object], *key: object) -> bool:
    """Tell whether master data is there, by the look-up that refuses when it is not."""
    try:
        look_up(*key)
    except Refusal:
        return False
    return True


def _makes(step: steps.PlanStep) -> Iterator[str]:
    """Yield the names of what later steps will look for."""
    match step:
        case steps.ReceiveBatch():
            yield lot_name(step.plant, step.batch.lot)
        case steps.DispatchTransfer():
            yield step.transfer
        case steps.ReceiveTransfer():
            yield from (lot_name(step.plant, line.lot) for line in step.lines)
        case steps.Produce():
            yield _process_name(step)
            yield from (lot_name(step.plant, batch.lot) for batch in step.outputs)


def _process_name(step: steps.Produce) -> str:
    return f"process {step.process} at {step.plant}"


def _reason(step: steps.PlanStep) -> str:
    key = "".join(character if character.isprintable() else " " for character in step.event_key)
    return f"EPCIS event {step.event} ({key})"


def _aliases(aliases: Sequence[steps.StepAlias]) -> tuple[AliasOrder, ...]:
    return tuple(AliasOrder(alias.scheme, alias.value, alias.issuer) for alias in aliases)


def _output(step: steps.Produce, batch: steps.NewBatch) -> Output:
    return Output(
        material=batch.material,
        amount=_plain(batch.quantity),
        unit=batch.unit,
        location=step.location,
        produced_at=batch.produced_at,
        expires_on=batch.expires_on,
        attributes=dict(batch.attributes),
        aliases=_aliases(batch.aliases),
    )


def _parts(lines: Sequence[Part]) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Yield the lines in as many parts as one command each can hold."""
    for number, start in enumerate(range(0, len(lines), LINES_MAX)):
        yield number, tuple(lines[start : start + LINES_MAX])


def _plain(quantity: Decimal) -> str:
    return format(quantity, "f")

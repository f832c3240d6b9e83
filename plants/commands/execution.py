"""Execution of commands: their context, repeated requests, and writing events to a ledger."""

import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from infra.database import Session
from infra.ids import new_id
from plants.rules.identification.codes import HUB, batch_code, batch_series, node_id
from plants.rules.ledger.events import LINES_MAX, Cause, Entry, Event, P, new_envelope
from plants.rules.ledger.payloads import DirectedBatch, Outcome
from plants.rules.ledger.refusals import REQUEST_REUSED
from plants.rules.ledger.request_digests import RequestDigests
from plants.rules.materials.definitions import MasterKind
from plants.rules.quality.events import BATCH_QUARANTINED
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.actors import SYSTEM, Author
from plants.rules.values.quantities import (
    UNITS,
    Quantity,
    Unit,
    check_unit,
    convert,
    is_zero,
    read_amount,
    unit_factor,
)
from plants.rules.values.refusals import (
    LINES_INVALID,
    NOT_STATED,
    RULE_PRINTABLE,
    TEXT_INVALID,
    TIME_IN_FUTURE,
    TIME_TOO_OLD,
    Refusal,
    Refusals,
    within,
)
from plants.store.inventory import batches
from plants.store.ledger.entries import Head, entry_at, entry_by_request, origin_of
from plants.store.materials import definitions, plants
from plants.store.materials.saves import is_save
from plants.store.materials.series import next_in_series
from plants.store.projection import applying
from plants.store.quality.holds import Waiting, waiting_for

CLOCK_LEAD_MAX = timedelta(minutes=5)  # limit for a device's clock ahead of ours
BACKDATING_DAYS_MAX = 31  # limit for recording past events; importing history has no such limit
NAME_LENGTH_MAX = 200  # characters of the name of anything
REASON_LENGTH_MAX = 500  # characters of a reason or comment
NODE_SERIES = "node"

Order = TypeVar("Order")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The circumstances of a command: at which plant, when, under which request and for what reason.

    `now` is the server's clock and becomes `recorded_at`; `occurred_at` is when it happened, by default now.
    `request` is the client's UUID: repeating it returns the first entry and does nothing again. `history` lifts the
    limit on how long ago things may have happened, for imports.
    """

    plant: int
    now: datetime
    occurred_at: datetime | None = None
    request: str | None = None
    reason: str | None = None
    history: bool = False


class NotRecorded(Exception):
    """A command that is only checked reached its first event. Nothing was changed."""


class LedgerWriter:
    """One command under way on one ledger, inside the caller's transaction."""

    def __init__(self, session: Session, actor: Author, call: CommandContext, digest: str | None, log_id: int) -> None:
        self.session = session
        self.actor = actor
        self.call = call
        self.head = Head(session, log_id)
        if self.head.fenced:
            raise Refusal(PLANT_FENCED, plant=self.head.origin.split("/")[-2])
        self.occurred_at = call.occurred_at or call.now
        self.reason = call.reason
        self.rehearsing = False
        """True where the call itself is refused: the command is checked and not recorded."""
        self._digest = digest

    def record(self, event: Event[P], key: str, payload: P, causes: Sequence[tuple[Cause, str]] = ()) -> Entry:
        """Append the event to the ledger and apply it to the tables.

        Only the first event of a command carries its request. Raises NotRecorded in a rehearsal.
        """
        if self.rehearsing:
            raise NotRecorded
        log_id, actor = self.head.log_id, self.actor.person
        envelope = new_envelope(
            event, payload, entry_id=new_id(), log_id=log_id, at=self.occurred_at, actor=actor, key=key
        )
        if self.actor.device is not None:
            envelope["device"] = self.actor.device
        if self.reason is not None:
            envelope["reason"] = self.reason
        if self._digest is not None and self.call.request is not None:
            envelope["request"], envelope["digest"] = self.call.request, self._digest
            self._digest = None
        entry = self.head.append(envelope, self.call.now, causes)
        applying.apply(self.session, log_id, (entry,))
        return entry


class PlantLedgerWriter(LedgerWriter):
    """One command under way at one plant, on the plant's own ledger."""

    def __init__(self, session: Session, actor: Author, call: CommandContext, digest: str | None = None) -> None:
        super().__init__(session, actor, call, digest, call.plant)
        self.plant = plants.plant_facts(session, call.plant)
        self._series: dict[str, int] = {}

    @property
    def local_day(self) -> date:
        """The plant's own calendar day of the event, which expiry and code dates use."""
        return self.day_of(self.occurred_at)

    def day_of(self, at: datetime) -> date:
        """Return the plant's own calendar day of an instant."""
        return at.astimezone(zoneinfo.ZoneInfo(self.plant.time_zone)).date()

    def record(self, event: Event[P], key: str, payload: P, causes: Sequence[tuple[Cause, str]] = ()) -> Entry:
        """Append the event to the plant's ledger and apply it to the tables.

        The numbers that this command drew are added as `series`. Only its first event carries its request. A batch
        that is new to the plant, and for which a hold of the hub waits, is held at once by an entry of its own.
        """
        content: Any = payload
        if self._series:
            content, self._series = {**content, "series": self._series}, {}
        entry = super().record(event, key, content, causes)
        for batch in content.get("batches", ()):
            named: DirectedBatch = {"id": batch["id"], "code": batch["code"]}
            for waiting in waiting_for(self.session, self.call.plant, named):
                self.hold_as_directed(named, waiting, waited=True)
        return entry

    def hold_as_directed(self, batch: DirectedBatch, hold: Waiting, *, waited: bool = False) -> Entry:
        """Place a hold of headquarters on a batch that the plant knows: now, and in the name of who directed it.

        `waited` says that the hold was kept for the batch until now.
        """
        if batch["id"] is None:
            message = f"batch {batch['code']} is not known here"
            raise LookupError(message)
        placing, plant = copy(self), self.call.plant
        directive = entry_at(self.session, -plant, hold.directive)
        placing.actor = SYSTEM if directive is None else author_of(directive)
        placing.occurred_at, placing.reason = self.call.now, None
        payload: Outcome = {
            "holds": [{"batch": batch["id"], "kind": hold.kind, "reason": hold.reason, "directed": hold.hold}]
        }
        if waited:
            payload["waited"] = [[batch["code"], hold.hold]]
        causes = () if directive is None else (cause_of(self.session, -plant, directive),)
        return LedgerWriter.record(placing, BATCH_QUARANTINED, batch["code"], payload, causes)

    def draw(self, series: str) -> int:
        """Return the next number of a series; it counts as drawn once the event that uses it is recorded."""
        number = self._series.get(series)
        if number is None:
            number = next_in_series(self.session, self.call.plant, series)
        self._series[series] = number + 1
        return number

    def new_node(self) -> int:
        """Return the id of a new batch or process record."""
        return node_id(self.call.plant, self.draw(NODE_SERIES))

    def new_batch_code(self) -> str:
        """Return a new batch code by the plant's rule, dated on the local day."""
        return batch_code(self.plant.code, self.local_day, self.draw(batch_series(self.plant.code, self.local_day)))

    def batch(self, code: str) -> batches.Goods:
        """Return what this plant knows of the batch in the field `batchCode`, or raise Refusal BATCH_UNKNOWN."""
        with within("batchCode"):
            return batches.goods_by_code(self.session, self.call.plant, code)

    def check_location(self, code: str, field: str = "locationCode") -> None:
        """Raise Refusal NOT_DEFINED unless this plant has the location in that field of the input."""
        with within(field):
            definitions.check_defined(self.session, self.call.plant, MasterKind.LOCATION, code)

    def units(self) -> Mapping[str, Unit]:
        """Return the built-in units and those that this plant defined."""
        return {**UNITS, **definitions.extra_units(self.session, self.call.plant)}

    def quantity(self, amount: str, unit: str, material: str, target: str) -> Quantity:
        """Return an entered amount as a quantity in the target unit of a material, or raise Refusal.

        The paths of the refusals are `amount` and `unit`: callers put the field of the quantity before them.
        """
        if unit == target:
            with within("amount"):
                return Quantity(read_amount(amount), unit)
        units, factors = self.units(), definitions.conversions(self.session, self.call.plant, material)
        with Refusals() as refusals:
            with refusals.at("amount"):
                micro = read_amount(amount)
            with refusals.at("unit"):
                unit_factor(unit, target, units=units, factors=factors)
        return convert(Quantity(micro, unit), target, units=units, factors=factors)

    def check_quantity(self, amount: str, unit: str | None, read: Callable[[str], int] = read_amount) -> None:
        """Raise the Refusals of a quantity whose material is not known: of its amount and its unit, unless absent."""
        with Refusals() as refusals:
            with refusals.at("amount"):
                read(amount)
            with refusals.at("unit"):
                if unit is not None:
                    check_unit(unit, self.units())

    def count(self, amount: str, unit: str, material: str, target: str) -> int:
        """Return a counted amount, zero included, as millionths of the target unit, or raise Refusal as `quantity`."""
        if not is_zero(amount):
            return self.quantity(amount, unit, material, target).micro
        if unit != target:
            factors = definitions.conversions(self.session, self.call.plant, material)
            with within("unit"):
                unit_factor(unit, target, units=self.units(), factors=factors)
        return 0


class Command(Generic[Order]):
    """A writer: called with a session and an order, it appends what happened and returns the entry.

    It never commits. It raises Refusal, and then has changed nothing, when the rules say no. A repeated request id
    returns the entry of the first time; used for another content it is refused.
    """

    def __init__(self, name: str, perform: Callable[[Any, Order], Entry], *, directing: bool = False) -> None:
        self._perform = perform
        self._directing = directing
        self.digests = RequestDigests(name, perform)
        self.name = name
        self.__doc__ = perform.__doc__

    def __call__(self, session: Session, order: Order, *, actor: Author, call: CommandContext) -> Entry:
        """Do it, in the caller's transaction."""
        digest = None
        if call.request is not None:
            earlier = self.recorded(session, call)
            if earlier is not None:
                said = earlier.envelope
                if said["actor"] != actor.person or not self.digests.accepts(
                    said.get("digest"), order, call.occurred_at, call.reason
                ):
                    raise request_reused(call.request)
                return earlier
            check_no_save(session, HUB if self._directing else call.plant, call.request)
            digest = self.digests.digest(order, call.occurred_at, call.reason)
        return self._checked(session, order, actor, call, digest)

    def _checked(
        self, session: Session, order: Order, actor: Author, call: CommandContext, digest: str | None
    ) -> Entry:
        """Perform the command. If the call is refused, raise its refusals with those of the order."""
        entry: Entry | None = None
        with Refusals() as refusals:
            call = readable_call(call, refusals)
            with refusals.at(), suppress(NotRecorded):
                writer = self._begin(session, actor, call, digest)
                writer.rehearsing = bool(refusals)
                entry = self._perform(writer, order)
        assert entry is not None
        return entry

    def recorded(self, session: Session, call: CommandContext) -> Entry | None:
        """Return the entry that the request of a call has recorded, if any."""
        log_id = -call.plant if self._directing else call.plant
        return None if call.request is None else entry_by_request(session, log_id, call.request)

    def _begin(self, session: Session, actor: Author, call: CommandContext, digest: str | None) -> Any:
        """Return what the performing function works with; it holds the lock of the ledger's head."""
        if self._directing:
            return LedgerWriter(session, actor, call, digest, -call.plant)
        return PlantLedgerWriter(session, actor, call, digest)


def request_reused(request: str) -> Refusal:
    """Return the refusal of a request id that was used for something else."""
    refusal = Refusal(REQUEST_REUSED, request=request)
    refusal.path = ("requestId",)
    return refusal


def check_no_save(session: Session, plant: int, request: str) -> None:
    """Raise Refusal for a request id that a save of many rows has."""
    if is_save(session, plant, request):
        raise request_reused(request)


def cause_of(session: Session, log_id: int, entry: Entry) -> tuple[Cause, str]:
    """Return an entry of another ledger as the cause of one of ours, with its stamp."""
    cause: Cause = {"origin": origin_of(session, log_id), "index": entry.index, "leaf": entry.leaf.hex()}
    return cause, entry.envelope["hlc"]


def author_of(entry: Entry) -> Author:
    """Return who wrote an entry, as far as it says so."""
    envelope = entry.envelope
    return Author(envelope["actor"], envelope["actor"], envelope.get("device"))


def command(name: str) -> Callable[[Callable[[PlantLedgerWriter, Order], Entry]], Command[Order]]:
    """Make a command of the function that performs it at a plant, on the plant's own ledger.

    The digests of requests contain `name`: it stays as it is when the function is renamed.
    """

    def declare(perform: Callable[[PlantLedgerWriter, Order], Entry]) -> Command[Order]:
        return Command(name, perform)

    return declare


def directive(name: str) -> Callable[[Callable[[LedgerWriter, Order], Entry]], Command[Order]]:
    """Make a command of the hub of the function that performs it, on the hub's directives to `call.plant`.

    `name` is as for `command`.
    """

    def declare(perform: Callable[[LedgerWriter, Order], Entry]) -> Command[Order]:
        return Command(name, perform, directing=True)

    return declare


def check_call(call: CommandContext) -> None:
    """Raise the Refusals of a call that happened in the future or too long ago, or whose reason is no text."""
    with Refusals() as refusals:
        readable_call(call, refusals)


def readable_call(call: CommandContext, refusals: Refusals) -> CommandContext:
    """Collect the Refusals of a call. Return the call with valid values in place of refused ones."""
    reason, occurred_at = call.reason, call.occurred_at
    if reason is not None and refusals.value(check_reason, reason) is None:
        reason = NOT_STATED
    if occurred_at is not None and refusals.value(_check_time, call, occurred_at) is None:
        occurred_at = None
    return replace(call, reason=reason, occurred_at=occurred_at)


def _check_time(call: CommandContext, occurred_at: datetime) -> datetime:
    with within("occurredAt"):
        if occurred_at > call.now + CLOCK_LEAD_MAX:
            raise Refusal(TIME_IN_FUTURE, at=occurred_at.isoformat())
        if not call.history and occurred_at < call.now - timedelta(days=BACKDATING_DAYS_MAX):
            raise Refusal(TIME_TOO_OLD, at=occurred_at.isoformat(), days=BACKDATING_DAYS_MAX)
    return occurred_at


def check_reason(reason: str) -> str:
    """Return a valid reason, or raise Refusal."""
    with within("reason"):
        return check_text("reason", reason, REASON_LENGTH_MAX)


def check_text(field: str, value: str, length_max: int) -> str:
    """Return a valid text, or raise Refusal: 1 to length_max characters, no control characters."""
    if not len(value.strip()) >= 1 or len(value) > length_max or any(not c.isprintable() for c in value):
        raise Refusal(TEXT_INVALID, field=field, rule=RULE_PRINTABLE(length_max=length_max))
    return value


def check_lines(lines: Sequence[object], *path: str) -> None:
    """Raise Refusal unless there are between 1 and LINES_MAX lines. `path` names the list in the input."""
    if not 1 <= len(lines) <= LINES_MAX:
        with within(*path):
            raise Refusal(LINES_INVALID, count=len(lines), limit=LINES_MAX)

"""Directives of headquarters: master data, holds, recalls and releases; one entry for each plant addressed.

The plants apply them after the next exchange, and answer in their own ledgers: `plants.commands.directives.outcomes`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from infra.database import Session
from infra.ids import new_id
from plants.commands.execution import (
    CommandContext,
    LedgerWriter,
    check_call,
    check_lines,
    check_no_save,
    check_reason,
    request_reused,
)
from plants.commands.materials.changes import Change, MasterChange, MaterialChange, UnitChange, kind_of
from plants.commands.materials.definitions import (
    MasterDefinition,
    MaterialDefinition,
    UnitDefinition,
    changed_content,
    master_content,
    material_content,
    unit_content,
)
from plants.rules.directives.events import (
    HOLD_DIRECTED,
    MASTER_CHANGE_DIRECTED,
    MASTER_DIRECTED,
    RECALL_DIRECTED,
    RELEASE_DIRECTED,
    HoldDirected,
    MasterChangeDirected,
    MasterDirected,
    RecallDirected,
    ReleaseDirected,
)
from plants.rules.directives.refusals import DIRECTED_HOLD_UNKNOWN
from plants.rules.identification.codes import HUB, read_batch_code
from plants.rules.inventory.refusals import batch_unknown
from plants.rules.ledger.events import Entry, Event, P
from plants.rules.ledger.payloads import DirectedBatch
from plants.rules.ledger.request_digests import RequestDigests
from plants.rules.ledger.request_forms import stable_name
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.refusals import VERSION_OF_ONE_PLANT, not_defined
from plants.rules.quality.holds import HoldKind
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal, Refusals, within
from plants.store.directives.directives import batch_named, earlier_directives, plants_of_group, plants_with
from plants.store.quality.holds import in_force

Order = TypeVar("Order")
Definition = MaterialDefinition | UnitDefinition | MasterDefinition | Change


@stable_name("MasterDirection")
@dataclass(frozen=True, slots=True)
class MasterDirection:
    """Master data to be defined at these plants, named by their codes."""

    plants: tuple[str, ...]
    definition: Definition


@stable_name("HoldDirection")
@dataclass(frozen=True, slots=True)
class HoldDirection:
    """A batch to be held: at the plants named, or where none is, at all with goods of it as far as the hub knows."""

    batch: str
    reason: str
    kind: HoldKind = HoldKind.QUALITY
    plants: tuple[str, ...] = ()


@stable_name("RecallDirection")
@dataclass(frozen=True, slots=True)
class RecallDirection:
    """Batches to be held for one reason: at the plants named, or where none is, at all with goods of any of them."""

    batches: tuple[str, ...]
    reason: str
    plants: tuple[str, ...] = ()


@stable_name("ReleaseDirection")
@dataclass(frozen=True, slots=True)
class ReleaseDirection:
    """A hold or recall of headquarters to be lifted, by its id."""

    hold: str
    reason: str


@dataclass(frozen=True, slots=True)
class Directing:
    """One command of headquarters under way, inside the caller's transaction."""

    session: Session
    actor: Author
    call: CommandContext
    digest: str | None

    def send(self, event: Event[P], about: str, contents: Mapping[int, P]) -> list[Entry]:
        """Append each plant's content to the ledger of its directives, and apply it to the hub's tables."""
        # In the order of their numbers, so that two commands at once cannot wait for each other.
        return [
            LedgerWriter(self.session, self.actor, self.call, self.digest, -plant).record(event, about, contents[plant])
            for plant in sorted(contents)
        ]


class GroupCommand(Generic[Order]):
    """A writer of the hub that addresses plants: it returns one entry for each, in the order of their numbers.

    It never commits. It raises Refusal, and then has changed nothing, when the rules say no. A repeated request id
    returns the entries of the first time; used for another content it is refused.
    """

    def __init__(self, name: str, perform: Callable[[Directing, Order], list[Entry]]) -> None:
        self._perform = perform
        self.digests = RequestDigests(name, perform)
        self.name = name
        self.__doc__ = perform.__doc__

    def __call__(self, session: Session, order: Order, *, actor: Author, call: CommandContext) -> list[Entry]:
        """Do it, in the caller's transaction."""
        digest = None
        if call.request is not None:
            earlier = self.recorded(session, call)
            for said in (one.envelope for one in earlier):
                if said["actor"] != actor.person or not self.digests.accepts(
                    said.get("digest"), order, call.occurred_at, call.reason
                ):
                    raise request_reused(call.request)
            if earlier:
                return earlier
            check_no_save(session, HUB, call.request)
            digest = self.digests.digest(order, call.occurred_at, call.reason)
        check_call(call)
        return self._perform(Directing(session, actor, call, digest), order)

    def recorded(self, session: Session, call: CommandContext) -> list[Entry]:
        """Return the entries that the request of a call has recorded, if any."""
        return [] if call.request is None else earlier_directives(session, call.request)


def group_command(name: str) -> Callable[[Callable[[Directing, Order], list[Entry]]], GroupCommand[Order]]:
    """Make a command of the hub of the function that directs something to plants.

    `name` is as for `plants.commands.execution.command`.
    """

    def declare(perform: Callable[[Directing, Order], list[Entry]]) -> GroupCommand[Order]:
        return GroupCommand(name, perform)

    return declare


@group_command("direct_master")
def direct_master(directing: Directing, order: MasterDirection) -> list[Entry]:
    """Define master data for the plants named; each states it in its own ledger, or says why it cannot.

    The plant checks that a material's unit is known: a directive may have defined it just before.
    """
    definition = order.definition
    if isinstance(definition, MaterialChange | UnitChange | MasterChange):
        return _direct_change(directing, order.plants, definition)
    if isinstance(definition, MaterialDefinition):
        said = MasterDirected(kind=MATERIAL, content=cast("dict[str, Any]", material_content(definition)))
    elif isinstance(definition, UnitDefinition):
        said = MasterDirected(kind=MasterKind.UNIT.value, content=cast("dict[str, Any]", unit_content(definition)))
    else:
        said = MasterDirected(kind=definition.kind.value, content=cast("dict[str, Any]", master_content(definition)))
    plants = named_plants(directing.session, order.plants)
    return directing.send(MASTER_DIRECTED, definition.code, dict.fromkeys(plants, said))


def _direct_change(directing: Directing, codes: Sequence[str], change: Change) -> list[Entry]:
    """Direct the fields that a change gives. Each plant adds them to its own definition and checks the whole one."""
    said = MasterChangeDirected(kind=kind_of(change), code=change.code, given=changed_content(change))
    if change.expected_version is not None:
        said["expected_version"] = change.expected_version
    plants = named_plants(directing.session, codes)
    if change.expected_version is not None and len(plants) > 1:
        with within("expectedVersion"):
            raise Refusal(VERSION_OF_ONE_PLANT, count=len(plants))
    return directing.send(MASTER_CHANGE_DIRECTED, change.code, dict.fromkeys(plants, said))


@group_command("direct_hold")
def direct_hold(directing: Directing, order: HoldDirection) -> list[Entry]:
    """Hold a batch: in the hub's view from now on, at each plant from its answer on.

    A batch that the hub does not know can be held at plants that are named: a plant that does not know it either keeps
    the hold until goods of it come. Raises Refusal BATCH_UNKNOWN when no plant is named and none has goods of it.
    """
    with Refusals() as refusals:
        reason = refusals.value(check_reason, order.reason)
        with refusals.at("batchCode"):
            batch = _batch(directing, order.batch)
            plants = plants_with(directing.session, [batch])
            if not order.plants and not plants:
                raise batch_unknown(order.batch)
        with refusals.at():
            if order.plants:
                plants = named_plants(directing.session, order.plants)
    assert reason is not None
    said: HoldDirected = {
        "hold": new_id(),
        "batch": batch,
        "kind": order.kind.value,
        "reason": reason,
        "everywhere": not order.plants,
    }
    return directing.send(HOLD_DIRECTED, order.batch, dict.fromkeys(plants, said))


@group_command("direct_recall")
def direct_recall(directing: Directing, order: RecallDirection) -> list[Entry]:
    """Hold several batches as one thing: every plant addressed receives all of them, and one release lifts all.

    Raises Refusal BATCH_UNKNOWN for each batch that no plant has goods of, when no plant is named.
    """
    batches: dict[str, DirectedBatch] = {}
    plants: set[int] = set()
    with Refusals() as refusals:
        reason = refusals.value(check_reason, order.reason)
        with refusals.at():
            check_lines(order.batches, "batchCodes")
            for index, code in enumerate(order.batches):
                with refusals.at("batchCodes", index):
                    batches[code] = batches.get(code) or _batch(directing, code)
                    having = plants_with(directing.session, [batches[code]])
                    if not order.plants and not having:
                        raise batch_unknown(code)
                    plants |= having
        with refusals.at():
            if order.plants:
                plants = named_plants(directing.session, order.plants)
    assert reason is not None
    said: RecallDirected = {
        "recall": new_id(),
        "batches": list(batches.values()),
        "reason": reason,
        "everywhere": not order.plants,
    }
    return directing.send(RECALL_DIRECTED, said["recall"], dict.fromkeys(plants, said))


@group_command("direct_release")
def direct_release(directing: Directing, order: ReleaseDirection) -> list[Entry]:
    """Lift a hold or recall of headquarters, whole, at every plant that it was directed to.

    Raises Refusal DIRECTED_HOLD_UNKNOWN when there is none of that id in force in the hub's view.
    """
    reason = check_reason(order.reason)
    held = in_force(directing.session, order.hold[:40])
    if not held:
        with within("holdId"):
            raise Refusal(DIRECTED_HOLD_UNKNOWN, hold=order.hold[:40])
    contents = {
        plant: ReleaseDirected(hold=order.hold, batches=batches, reason=reason) for plant, batches in held.items()
    }
    codes = {batch["code"] for batches in held.values() for batch in batches}
    about = codes.pop() if len(codes) == 1 else order.hold
    return directing.send(RELEASE_DIRECTED, about, contents)


def _batch(directing: Directing, code: str) -> DirectedBatch:
    """Return a batch by its code; of one that the hub does not know, the check character has to be right."""
    batch = batch_named(directing.session, code)
    if batch["id"] is None:
        # A mistyped code would wait at the plants for ever.
        read_batch_code(code)
    return batch


def named_plants(session: Session, codes: Sequence[str]) -> set[int]:
    """Return the numbers of the plants of these codes, one at least, or raise Refusal."""
    check_lines(codes, "plantCodes")
    group = plants_of_group(session)
    with Refusals() as refusals:
        for index, code in enumerate(codes):
            with refusals.at("plantCodes", index):
                if code not in group:
                    raise not_defined("plant", code)
    return {group[code] for code in codes}

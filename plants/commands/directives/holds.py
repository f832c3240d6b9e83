"""Apply holds, recalls and releases that headquarters directs to the plant's goods of batches."""

from dataclasses import dataclass
from typing import Any, Final

from plants.commands.directives.applying import Answer, Applying, NotUnderstood
from plants.commands.execution import REASON_LENGTH_MAX
from plants.rules.inventory.refusals import batch_unknown
from plants.rules.ledger.events import LINES_MAX, Entry
from plants.rules.ledger.payloads import DirectedBatch, Outcome, WaitingHold
from plants.rules.quality.events import BATCH_RELEASED
from plants.rules.quality.holds import HoldKind
from plants.rules.quality.refusals import HOLD_UNKNOWN
from plants.rules.values.refusals import Refusal
from plants.store.inventory.batches import Goods, goods_by_id, goods_named
from plants.store.quality.holds import Waiting, waiting_for

BATCH_ID_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class Directed:
    """A hold or recall that headquarters places or lifts: which, and for which batches."""

    hold: str
    batches: list[DirectedBatch]
    kind: HoldKind
    reason: str


def read_hold(directive: Entry) -> Directed:
    """Return what a HoldDirected directive says."""
    said = directive.payload
    return Directed(_text(said["hold"]), _batches([said["batch"]]), HoldKind(said["kind"]), _text(said["reason"]))


def read_recall(directive: Entry) -> Directed:
    """Return what a RecallDirected directive says."""
    said = directive.payload
    return Directed(_text(said["recall"]), _batches(said["batches"]), HoldKind.RECALL, _text(said["reason"]))


def read_release(directive: Entry) -> Directed:
    """Return what a ReleaseDirected directive says; of which kind the hold is does not matter to it."""
    said = directive.payload
    return Directed(_text(said["hold"]), _batches(said["batches"]), HoldKind.QUALITY, _text(said["reason"]))


def hold_directed(directed: Directed) -> str:
    """Return the id of the hold or recall that a directive places or lifts."""
    return directed.hold


def apply_hold(applying: Applying, directed: Directed) -> Answer:
    """Hold the batches that the plant knows, and keep the hold for the others until goods of them come.

    Earlier entries stay: `met` has the version of each batch at which the hold took effect. If the plant knows none of
    them, the directive is rejected with BATCH_UNKNOWN, and the hold still waits.
    """
    met: dict[str, int] = {}
    waiting: list[WaitingHold] = []
    kind, reason = directed.kind.value, directed.reason
    for batch in directed.batches:
        goods = _goods(applying, batch)
        if goods is None:
            waiting.append({"batch": batch, "hold": directed.hold, "kind": kind, "reason": reason})
            continue
        met[batch["code"]] = goods.version
        if all(one.directed != directed.hold for one in goods.holds):
            placed = Waiting(directed.hold, kind, reason, applying.directive.index)
            applying.writer().hold_as_directed({"id": goods.id, "code": goods.code}, placed)
    refusal = None if met else batch_unknown(directed.batches[0]["code"])
    return Answer(max(met.values(), default=None), refusal, met, waiting)


def apply_release(applying: Applying, directed: Directed) -> Answer:
    """Lift a hold or recall of headquarters wherever it is in force here, and where it waits for its batch.

    Rejected with HOLD_UNKNOWN when it is neither.
    """
    met: dict[str, int] = {}
    waited: list[list[str]] = []
    for batch in directed.batches:
        goods = _goods(applying, batch)
        held = [] if goods is None else [one.id for one in goods.holds if one.directed == directed.hold]
        if goods is not None and held:
            met[batch["code"]] = goods.version
            writer = applying.writer()
            writer.reason = directed.reason
            lifted: Outcome = {"lifted": [[goods.id, hold] for hold in held]}
            writer.record(BATCH_RELEASED, goods.code, lifted, applying.causes)
        waiting = waiting_for(applying.session, applying.plant, batch)
        waited += [[batch["code"], directed.hold] for one in waiting if one.hold == directed.hold]
    refusal = None
    if not (met or waited):
        refusal = Refusal(HOLD_UNKNOWN, batch=directed.batches[0]["code"], hold=directed.hold)
    return Answer(max(met.values(), default=None), refusal, met, waited=waited)


def _goods(applying: Applying, batch: DirectedBatch) -> Goods | None:
    """Return what the plant knows of a batch: by its id where the hub knew one, else by its code."""
    session, plant = applying.session, applying.plant
    if batch["id"] is None:
        return goods_named(session, plant, batch["code"])
    return goods_by_id(session, plant, batch["id"])


def _batches(said: Any) -> list[DirectedBatch]:
    if not isinstance(said, list) or not 1 <= len(said) <= LINES_MAX:
        raise NotUnderstood("batches")
    return [_batch(one) for one in said]


def _batch(said: Any) -> DirectedBatch:
    batch = said["id"]
    if batch is not None and (type(batch) is not int or not 0 <= batch < BATCH_ID_MAX):
        raise NotUnderstood("batch")
    return {"id": batch, "code": _text(said["code"])}


def _text(said: Any) -> str:
    if not isinstance(said, str) or len(said) > REASON_LENGTH_MAX or not said.isprintable():
        raise NotUnderstood("text")
    return said

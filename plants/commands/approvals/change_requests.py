"""Ask for a gated change: a release from quarantine, a later expiry, or the stock as it was counted."""

from dataclasses import dataclass
from datetime import date

from plants.commands.execution import PlantLedgerWriter, check_reason, command
from plants.rules.approvals.change_requests import (
    POLICIES,
    ProposedChange,
    propose_adjustment,
    propose_extension,
    propose_release,
)
from plants.rules.approvals.events import CHANGE_REQUESTED, ChangeRequested
from plants.rules.ledger.events import Entry
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import Quantity, read_count
from plants.rules.values.refusals import Refusals, within
from plants.store.inventory import batches


@stable_name("ReleaseRequest")
@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Lift one open hold of a batch, or all its open QUALITY holds when none is named."""

    batch: str
    reason: str
    hold: int | None = None


@stable_name("ExtensionRequest")
@dataclass(frozen=True, slots=True)
class ExtensionRequest:
    """Let a plant's goods of a batch be used until the end of a later day."""

    batch: str
    reason: str
    expires_on: date


@stable_name("AdjustmentRequest")
@dataclass(frozen=True, slots=True)
class AdjustmentRequest:
    """Set what is on hand of a batch at a location to what was counted there, which may be nothing."""

    batch: str
    reason: str
    location: str
    counted: str
    unit: str


ChangeOrder = ReleaseRequest | ExtensionRequest | AdjustmentRequest


@command("request_change")
def request_change(writer: PlantLedgerWriter, order: ChangeOrder) -> Entry:
    """Ask another person to decide a change of exactly this version of the batch; the request itself changes nothing.

    The request's id is the index of the entry, and the entry's leaf hash is what a decision refers to.
    """
    proposed: ProposedChange | None = None
    with Refusals() as refusals:
        writer.reason = refusals.value(check_reason, order.reason)
        goods = refusals.value(writer.batch, order.batch)
        if goods is not None:
            proposed = refusals.value(_propose, writer, goods, order)
        elif isinstance(order, AdjustmentRequest):
            refusals.value(_check_adjustment, writer, order)
    assert goods is not None
    assert proposed is not None
    payload: ChangeRequested = {
        "kind": proposed.kind,
        "batch": goods.id,
        "version": goods.version,
        "differences": list(proposed.differences),
        "levels": sorted(proposed.levels),
        "expires_at": format_instant(writer.call.now + POLICIES[proposed.kind].life),
        "detail": dict(proposed.detail),
    }
    return writer.record(CHANGE_REQUESTED, goods.code, payload)


def _propose(writer: PlantLedgerWriter, goods: batches.Goods, order: ChangeOrder) -> ProposedChange:
    if isinstance(order, ReleaseRequest):
        with within("batchCode" if order.hold is None else "holdId"):
            return propose_release(goods.code, goods.holds, order.hold)
    if isinstance(order, ExtensionRequest):
        with within("expiresOn"):
            return propose_extension(goods.code, goods.expires_on, order.expires_on)
    with Refusals() as refusals:
        refusals.value(writer.check_location, order.location)
        with refusals.at("counted"):
            counted = Quantity(writer.count(order.counted, order.unit, goods.material, goods.unit), goods.unit)
    with within("counted"):
        return propose_adjustment(order.location, goods.on_hand.get(order.location, 0), counted)


def _check_adjustment(writer: PlantLedgerWriter, order: AdjustmentRequest) -> None:
    """Raise the Refusals of an adjustment of an unknown batch."""
    with Refusals() as refusals:
        refusals.value(writer.check_location, order.location)
        with refusals.at("counted"):
            writer.check_quantity(order.counted, order.unit, read_count)

"""The alarm of a plant that does not reach its hub. A plant may be offline for a while, so it is not raised at once."""

from datetime import datetime, timedelta
from typing import Final

from infra.database import Session
from infra.messages import Notice, message
from plants.rules.values.instants import format_instant
from plants.store.ledger.logs import log_size, opened_at
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from plants.store.replication import status
from plants.store.replication.status import ReplicationState, ReplicationStatus
from sync_jobs.nodes import PlantNode

UNREACHED_MIN: Final = timedelta(minutes=5)
FAILURES_MIN: Final = 3  # in a row: a plant may start before its network does

HUB_UNREACHED: Final = message(
    "HUB_UNREACHED",
    "The hub has not answered since {since} ({error}). Work at the plant goes on. Waiting for the hub: {waiting} "
    "entries. Check the network and hub_url, then run `batchloom doctor`.",
)
HUB_NEVER_REACHED: Final = message(
    "HUB_NEVER_REACHED",
    "The hub has never answered ({error}). Work at the plant goes on. Waiting for the hub: {waiting} entries. Check "
    "the network and hub_url, then run `batchloom doctor`.",
)


def raise_unreached(session: Session, node: PlantNode, now: datetime, *, again: bool) -> None:
    """Raise the alarm once the hub has not answered for UNREACHED_MIN. With `again` an open alarm is counted anew."""
    seen = status.ledger_status(session, node.number)
    if not _is_unreached(session, node, seen, now):
        return
    if again or node.origin not in open_alarms(session, AlarmKind.HUB_UNREACHED):
        raise_alarm(session, Alarm(AlarmKind.HUB_UNREACHED, node.origin, _said(session, node, seen)), now)


def end_unreached(session: Session, node: PlantNode, now: datetime) -> None:
    """End the alarm, because the hub has answered."""
    end_alarm(session, AlarmKind.HUB_UNREACHED, node.origin, now)


def _is_unreached(session: Session, node: PlantNode, seen: ReplicationStatus, now: datetime) -> bool:
    if seen.state is not ReplicationState.UNREACHABLE or seen.attempts < FAILURES_MIN:
        return False
    since = seen.contact_at or opened_at(session, node.number)
    # An instant in the future was stored under a wrong clock and must not silence the alarm.
    return since is None or not timedelta(0) <= now - since < UNREACHED_MIN


def _said(session: Session, node: PlantNode, seen: ReplicationStatus) -> Notice:
    waiting = max(0, log_size(session, node.number) - seen.acknowledged)
    if seen.contact_at is None:
        return HUB_NEVER_REACHED(error=seen.error or "", waiting=waiting)
    return HUB_UNREACHED(since=format_instant(seen.contact_at), error=seen.error or "", waiting=waiting)

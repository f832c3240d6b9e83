"""The hub's periodic checks across plants: overdue transfers, mismatched labels, wrong clocks.

Each finding is an alarm that ends by itself when its cause is gone. Nothing else changes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from auth.actors import Role, system_actor
from auth.permissions import Permission
from auth.scope import plants_for
from infra.database import ReadSession, Session
from plants.rules.ledger.hlc import lead_ms
from plants.rules.logistics.transfers import overdue_before
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.scope import PlantScope
from plants.store.logistics.in_transit import (
    LabelCheckRow,
    OpenState,
    OpenTransfer,
    OpenTransfersFilter,
    keep_verdict,
    label_verdicts,
    open_count,
    open_transfers,
)
from plants.store.logistics.transfers import transfers_by_id
from plants.store.materials.plants import known_plants
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from plants.store.replication.status import plant_clocks
from sync_jobs.nodes import HubNode

SLICE: Final = 500  # receipts that are compared in one snapshot
TRANSFER_ALARMS_MAX: Final = 200  # of one kind; one more summarises the rest
SKEW_MS_MAX: Final = 2_000  # a larger skew raises an alarm before the plant's assertions are rejected
STAMP_LEAD_MS_MAX: Final = 60_000  # by which the newest stamp of a ledger may lead the hub's clock
OTHERS: Final = "*"
"""The subject of the alarm that summarises the transfers beyond TRANSFER_ALARMS_MAX."""

UNMATCHED: Final = {
    OpenState.IN_TRANSIT: (
        "Transfer {id} from {source} to {destination} left on {since} and was not received. / "
        "调拨 {id}（{source} → {destination}）于 {since} 发出，至今未收货。"
    ),
    OpenState.AWAITING_SOURCE: (
        "Transfer {id} was received at {destination} on {since}, and the ledger of {source} has not told of it. / "
        "调拨 {id} 已于 {since} 在 {destination} 收货，{source} 的账本中至今未见其发货。"
    ),
    OpenState.LABEL_DIFFERS: (
        "Transfer {id}, received at {destination} on {since}: its label does not match the ledger of {source}. Compare "
        "the goods with both ledgers. / "
        "调拨 {id}（{destination} 于 {since} 收货）的标签与 {source} 的账本不符，请核对货物与双方账本。"
    ),
}
MANY: Final = "{count} more transfers are overdue. / 另有 {count} 笔调拨已超期。"
SKEWED: Final = (
    "The clock of the plant is {seconds} s ahead of the hub's (below zero: behind). Set it. / "
    "该工厂时钟比总部快 {seconds} 秒（负数为慢），请校准。"
)
LEADING: Final = (
    "The newest entry of the plant is stamped {seconds} s ahead of the hub's clock: a clock is or was wrong, and the "
    "order between plants may be too. / "
    "该工厂最新条目的时间戳比总部时钟快 {seconds} 秒：时钟有误，跨厂先后顺序可能不准。"
)


def check_between_plants(hub: HubNode) -> int:
    """Compare new receipts with their dispatches, and update the alarms; returns how many alarms are open."""
    _compare_labels(hub)
    now = hub.clock.now()
    with hub.store.reading() as reads:
        scope = _everything(reads)
        wanted = {
            AlarmKind.TRANSFER_UNMATCHED: _unmatched(reads, scope, hub, now),
            AlarmKind.CLOCKS_DIFFER: _clocks(reads, now),
        }
    with hub.store.transaction() as session:
        for kind, texts in wanted.items():
            _update_alarms(session, kind, texts, now)
    return sum(map(len, wanted.values()))


def _everything(reads: ReadSession) -> PlantScope:
    return plants_for(system_actor("hub", Role.AUDITOR), Permission.BATCH_READ, known_plants(reads))


def _compare_labels(hub: HubNode) -> None:
    after: tuple[int, int] | None = (0, 0)
    while after is not None:
        with hub.store.reading() as reads:
            verdicts, after = label_verdicts(reads, _everything(reads), after, SLICE)
        with hub.store.transaction() as session:
            _keep(session, verdicts)


def _keep(session: Session, verdicts: list[LabelCheckRow]) -> None:
    for verdict in verdicts:
        keep_verdict(session, verdict)


def _unmatched(reads: ReadSession, scope: PlantScope, hub: HubNode, now: datetime) -> dict[str, str]:
    """Return the alarms about transfers: the text of each by its subject."""
    before_us = overdue_before(now, hub.transfer_overdue_days)
    denied = [one for one in _all(reads, scope, OpenTransfersFilter(before_us)) if one.state is OpenState.LABEL_DIFFERS]
    overdue = open_transfers(reads, scope, OpenTransfersFilter(before_us, overdue=True), None, TRANSFER_ALARMS_MAX)
    count = open_count(reads, scope, OpenTransfersFilter(before_us, overdue=True))
    listed = {one.id: one for one in (*overdue, *denied[:TRANSFER_ALARMS_MAX])}
    seen = transfers_by_id(reads, scope, list(listed))
    texts = {}
    for one in listed.values():
        row = seen[one.id].sent or seen[one.id].received
        assert row is not None
        ends = {"source": row.source_plant, "destination": row.destination_plant}
        since = format_instant(from_micros(one.since_us))[:10]
        texts[str(one.id)] = UNMATCHED[one.state].format(id=one.id, since=since, **ends)
    if count > len(overdue):
        texts[OTHERS] = MANY.format(count=count - len(overdue))
    return texts


def _all(reads: ReadSession, scope: PlantScope, filters: OpenTransfersFilter) -> Iterator[OpenTransfer]:
    after: tuple[int, int] | None = None
    while page := open_transfers(reads, scope, filters, after, SLICE):
        yield from page
        after = page[-1].since_us, page[-1].id


def _clocks(reads: ReadSession, now: datetime) -> dict[str, str]:
    """Return the alarms about clocks, by the origin of the plant's ledger."""
    texts = {}
    now_ms = int(now.timestamp() * 1000)
    for origin, stamp, skew_ms in plant_clocks(reads):
        ahead_ms = lead_ms(stamp, now_ms)
        if skew_ms is not None and abs(skew_ms) > SKEW_MS_MAX:
            texts[origin] = SKEWED.format(seconds=round(skew_ms / 1000))
        elif ahead_ms > STAMP_LEAD_MS_MAX:
            texts[origin] = LEADING.format(seconds=ahead_ms // 1000)
    return texts


def _update_alarms(session: Session, kind: AlarmKind, texts: Mapping[str, str], now: datetime) -> None:
    """Raise the alarms of a kind that are not open, and end those without a text."""
    lasting = open_alarms(session, kind).keys()
    for about in lasting - texts.keys():
        end_alarm(session, kind, about, now)
    for about in texts.keys() - lasting:
        raise_alarm(session, Alarm(kind, about, texts[about]), now)

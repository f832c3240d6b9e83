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
from infra.messages import Notice, message, store
from plants.rules.ledger.hlc import lead_ms
from plants.rules.logistics.transfers import overdue_before
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.quantities import format_micro
from plants.rules.values.scope import PlantScope
from plants.store.logistics.in_transit import (
    LabelCheckRow,
    OpenState,
    OpenTransfer,
    OpenTransfersFilter,
    SurplusLine,
    keep_verdict,
    label_verdicts,
    open_count,
    open_transfers,
    surplus_lines,
)
from plants.store.logistics.transfers import transfers_by_id
from plants.store.materials.plants import known_plants
from plants.store.monitoring.alarms import (
    TEXT_LENGTH_MAX,
    Alarm,
    AlarmKind,
    end_alarm,
    messages_by_subject,
    raise_alarm,
)
from plants.store.replication.status import plant_clocks
from sync_jobs.nodes import HubNode

SLICE: Final = 500  # receipts that are compared in one snapshot
TRANSFER_ALARMS_MAX: Final = 200  # of one kind; one more summarises the rest
SKEW_MS_MAX: Final = 2_000  # a larger skew raises an alarm before the plant's assertions are rejected
STAMP_LEAD_MS_MAX: Final = 60_000  # by which the newest stamp of a ledger may lead the hub's clock
OTHERS: Final = "*"
"""The subject of the alarm that summarises the overdue transfers beyond TRANSFER_ALARMS_MAX."""
OTHERS_SURPLUS: Final = "* surplus"
"""The same for transfers with a surplus."""

UNMATCHED: Final = {
    OpenState.IN_TRANSIT: message(
        "TRANSFER_OVERDUE",
        "A transfer from {source} to {destination} left on {since} and was not received. Ask both plants for "
        "the goods.",
    ),
    OpenState.AWAITING_SOURCE: message(
        "TRANSFER_SOURCE_SILENT",
        "A transfer was received at {destination} on {since}, and the ledger of {source} does not contain it. "
        "Check the connection of {source}.",
    ),
    OpenState.LABEL_DIFFERS: message(
        "TRANSFER_LABEL_DIFFERS",
        "The label of a transfer that was received at {destination} on {since} does not match the ledger of {source}. "
        "Compare the goods with both ledgers.",
    ),
}
SURPLUS: Final = message(
    "TRANSFER_SURPLUS",
    "A transfer from {source} was received at {destination} at {since} with more than was dispatched: {lines}. "
    "Count the goods and correct the wrong entry. If the goods are right, end the alarm with `batchloom end-alarm`.",
)
SURPLUS_LINE: Final = message("TRANSFER_SURPLUS_LINE", "{received} {unit} of {dispatched} {unit}")
MANY_SURPLUS: Final = message("TRANSFERS_WITH_SURPLUS", "{count} more transfers were received with a surplus.")
MANY: Final = message("TRANSFERS_OVERDUE", "{count} more transfers are overdue. List the transfers in transit.")
SKEWED: Final = message(
    "CLOCK_SKEWED", "The clock of the plant is {seconds} s ahead of the hub's (below zero: behind). Set it."
)
LEADING: Final = message(
    "STAMP_LEADING",
    "The newest entry of the plant is stamped {seconds} s ahead of the hub's clock. Check both clocks: the order "
    "between plants may be wrong.",
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


def _unmatched(reads: ReadSession, scope: PlantScope, hub: HubNode, now: datetime) -> dict[str, Notice]:
    """Return the alarms about transfers: the text of each by its subject."""
    before_us = overdue_before(now, hub.transfer_overdue_days)
    denied = [one for one in _all(reads, scope, OpenTransfersFilter(before_us)) if one.state is OpenState.LABEL_DIFFERS]
    overdue = open_transfers(reads, scope, OpenTransfersFilter(before_us, overdue=True), None, TRANSFER_ALARMS_MAX)
    count = open_count(reads, scope, OpenTransfersFilter(before_us, overdue=True))
    listed = {one.id: one for one in (*overdue, *denied[:TRANSFER_ALARMS_MAX])}
    seen = transfers_by_id(reads, scope, list(listed))
    texts: dict[str, Notice] = {}
    for one in listed.values():
        row = seen[one.id].sent or seen[one.id].received
        assert row is not None
        ends = {"source": row.source_plant, "destination": row.destination_plant}
        since = format_instant(from_micros(one.since_us))[:10]
        texts[str(one.id)] = UNMATCHED[one.state](since=since, **ends)
    if count > len(overdue):
        texts[OTHERS] = MANY(count=count - len(overdue))
    return _surpluses(reads, scope) | texts


def _surpluses(reads: ReadSession, scope: PlantScope) -> dict[str, Notice]:
    """Return the alarms about receipts of more than was dispatched. One that an operator has ended is not repeated."""
    found = surplus_lines(reads, scope)
    seen = transfers_by_id(reads, scope, list(found))
    settled = messages_by_subject(reads, AlarmKind.TRANSFER_UNMATCHED, over=True, code=SURPLUS.code)
    texts: dict[str, Notice] = {}
    for transfer, lines in found.items():
        row = seen[transfer].received
        assert row is not None
        assert row.closed_us is not None
        said = SURPLUS(
            source=row.source_plant,
            destination=row.destination_plant,
            since=format_instant(from_micros(row.closed_us)),
            lines=[_surplus_line(line) for line in lines],
        )
        before = settled.get(str(transfer))
        if before is None or before.data != store(said, length_max=TEXT_LENGTH_MAX).data:
            texts[str(transfer)] = said
    more = len(texts) - TRANSFER_ALARMS_MAX
    if more <= 0:
        return texts
    # Open ones first: one that gave way to another would look as if an operator had ended it.
    lasting = messages_by_subject(reads, AlarmKind.TRANSFER_UNMATCHED, code=SURPLUS.code)
    kept = sorted(texts, key=lambda about: about not in lasting)[:TRANSFER_ALARMS_MAX]
    return {about: texts[about] for about in kept} | {OTHERS_SURPLUS: MANY_SURPLUS(count=more)}


def _surplus_line(line: SurplusLine) -> Notice:
    return SURPLUS_LINE(received=format_micro(line.received), dispatched=format_micro(line.dispatched), unit=line.unit)


def _all(reads: ReadSession, scope: PlantScope, filters: OpenTransfersFilter) -> Iterator[OpenTransfer]:
    after: tuple[int, int] | None = None
    while page := open_transfers(reads, scope, filters, after, SLICE):
        yield from page
        after = page[-1].since_us, page[-1].id


def _clocks(reads: ReadSession, now: datetime) -> dict[str, Notice]:
    """Return the alarms about clocks, by the origin of the plant's ledger."""
    texts: dict[str, Notice] = {}
    now_ms = int(now.timestamp() * 1000)
    for origin, stamp, skew_ms in plant_clocks(reads):
        ahead_ms = lead_ms(stamp, now_ms)
        if skew_ms is not None and abs(skew_ms) > SKEW_MS_MAX:
            texts[origin] = SKEWED(seconds=round(skew_ms / 1000))
        elif ahead_ms > STAMP_LEAD_MS_MAX:
            texts[origin] = LEADING(seconds=ahead_ms // 1000)
    return texts


def _update_alarms(session: Session, kind: AlarmKind, texts: Mapping[str, Notice], now: datetime) -> None:
    """Raise the alarms of a kind that are not open or say something else, and end those without a text."""
    lasting = messages_by_subject(session, kind)
    for about in lasting.keys() - texts.keys():
        end_alarm(session, kind, about, now)
    for about, said in texts.items():
        wanted = store(said, length_max=TEXT_LENGTH_MAX)
        if about not in lasting or (lasting[about].code, lasting[about].data) != (wanted.code, wanted.data):
            raise_alarm(session, Alarm(kind, about, said), now)

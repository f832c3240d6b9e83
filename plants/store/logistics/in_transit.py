"""Goods between plants: in transit, received without a known dispatch, and labels that the ledgers contradict.

Every transfer has two statements, each in its own plant's ledger, and they reach the hub in any order. Together they
add up to dispatched = received + in transit + loss. A difference is shown (`unexplained`), never corrected.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy.dialects.postgresql import insert  # Its ON CONFLICT is compiled for SQLite too.
from sqlmodel import Field, SQLModel

from infra.columns import FlagSmallInteger, instant
from infra.database import ReadSession, Session
from infra.roles import Keeping, Role, table_options
from plants.rules.identification.codes import plant_of
from plants.rules.logistics.transfers import Known, contradicts
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.instants import from_micros
from plants.rules.values.scope import PlantScope
from plants.store.logistics.balances import Balance, balances
from plants.store.sql.arrays import as_array, in_list, in_scope
from plants.store.sql.columns import PLANT, key
from plants.store.sql.filters import MemberCriterion, Span
from plants.store.sql.pages import Key


class OpenState(DescribedEnum):
    """State of an unsettled transfer. If two states apply, the one listed later counts."""

    AWAITING_SOURCE = (
        "AWAITING_SOURCE",
        "The destination has received the goods, but the source's dispatch has not arrived at this node.",
    )
    IN_TRANSIT = "IN_TRANSIT", "The source has dispatched the goods, and this node knows no receipt."
    LABEL_DIFFERS = (
        "LABEL_DIFFERS",
        "The goods were received on a label that contradicts the source's ledger; check the goods and both ledgers.",
    )


class LabelCheckRow(SQLModel, table=True):
    """A receipt whose label was compared with the source's ledger; where it differs it is compared again."""

    __tablename__ = "label_checks"
    __table_args__ = table_options(Keeping.LOCAL, frozenset({Role.HUB}))

    transfer_id: int = key()
    plant_id: int = key(PLANT)  # the receiver
    closed_at: datetime = instant("closed_us")  # of the receipt that was compared; another one is compared anew
    matches: bool = Field(sa_type=FlagSmallInteger)


TRANSFERS_AT_ONCE: Final = 1_000
"""The limit of transfers that one query of balances names."""

NEW_VERDICT: Final = insert(LabelCheckRow)
PUT_VERDICT: Final = NEW_VERDICT.on_conflict_do_update(
    index_elements=["transfer_id", "plant_id"],
    set_={"closed_us": NEW_VERDICT.excluded.closed_us, "matches": NEW_VERDICT.excluded.matches},
)


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of the balances of many transfers in one unit, in millionths."""

    unit: str
    dispatched: int = 0
    received: int = 0
    in_transit: int = 0
    loss: int = 0
    unexplained: int = 0

    def with_one(self, one: Balance) -> "Total":
        """Return the total with one balance more."""
        return Total(
            self.unit,
            self.dispatched + (one.dispatched or 0),
            self.received + (one.received or 0),
            self.in_transit + one.in_transit,
            self.loss + one.loss,
            self.unexplained + one.unexplained,
        )


@dataclass(frozen=True, slots=True)
class OpenTransfer:
    """A transfer that is not settled, and since when in microseconds: its dispatch, or its receipt if it has one."""

    id: int
    state: OpenState
    since_us: int


class SurplusLine(NamedTuple):
    """A line of a receipt that says more than was dispatched, in millionths."""

    unit: str
    dispatched: int
    received: int


@dataclass(frozen=True, slots=True)
class OpenTransfersFilter:
    """Criteria for open transfers: `overdue` selects those open since before `overdue_us`, or the others."""

    overdue_us: int = field(compare=False)
    """The instant in microseconds, which moves with the clock: cursors do not depend on it."""
    overdue: bool | None = None
    state: MemberCriterion[OpenState] | None = None
    since_us: Span[int] | None = None


def open_transfers(
    reads: ReadSession, scope: PlantScope, filters: OpenTransfersFilter, after: Key | None, limit: int
) -> list[OpenTransfer]:
    """Return one page of the transfers that are not settled, the longest open first."""
    sql, values = _open(reads, scope, filters)
    if after is not None:
        sql += " AND (since_us, transfer_id) > (:since_us, :transfer)"
        values |= {"since_us": after[0], "transfer": after[1]}
    rows = reads.rows(f"{sql} ORDER BY since_us, transfer_id LIMIT :limit", values | {"limit": limit})
    return [OpenTransfer(transfer, OpenState(state), since_us) for transfer, state, since_us in rows]


def open_transfers_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, OpenTransfer]:
    """Return those of the transfers that are not settled, by id, overdue or not."""
    sql, values = _open(reads, scope, OpenTransfersFilter(overdue_us=0))
    rows = reads.rows(f"{sql} AND {in_list(reads, 'transfer_id', 'ids')}", values | {"ids": as_array(reads, ids)})
    return {transfer: OpenTransfer(transfer, OpenState(state), since_us) for transfer, state, since_us in rows}


def open_count(reads: ReadSession, scope: PlantScope, filters: OpenTransfersFilter) -> int:
    """Return how many transfers are not settled."""
    sql, values = _open(reads, scope, filters)
    return int(reads.rows(f"SELECT count(*) FROM ({sql}) AS listed", values)[0][0])


def open_totals(reads: ReadSession, scope: PlantScope, filters: OpenTransfersFilter) -> list[Total]:
    """Return what the transfers that are not settled add up to, unit by unit."""
    sql, values = _open(reads, scope, filters)
    ids = [transfer for transfer, _, _ in reads.rows(sql, values)]
    totals: dict[str, Total] = {}
    for begin in range(0, len(ids), TRANSFERS_AT_ONCE):
        for found in balances(reads, scope, ids[begin : begin + TRANSFERS_AT_ONCE]).values():
            for one in found:
                totals[one.unit] = totals.get(one.unit, Total(one.unit)).with_one(one)
    return [totals[unit] for unit in sorted(totals)]


def surplus_lines(reads: ReadSession, scope: PlantScope) -> dict[int, list[SurplusLine]]:
    """Return the lines of receipts with more than their label says was dispatched, by transfer, oldest receipt first.

    A receipt that was corrected does not count.
    """
    sql = (
        "SELECT came.id, lines.unit, lines.dispatched, lines.received FROM transfer_lines lines"
        " JOIN process_records came ON came.id = lines.transfer_id AND came.plant_id = lines.plant_id"
        " WHERE lines.received > lines.dispatched AND came.kind = 'TRANSFER' AND came.state = 'CLOSED'"
        f" AND came.plant_id <> (came.id >> 40) AND {in_scope(reads, 'came.plant_id')}"
        " ORDER BY came.closed_us, came.id, lines.line"
    )
    found: dict[int, list[SurplusLine]] = defaultdict(list)
    for transfer, *line in reads.rows(sql, {"scope": as_array(reads, scope)}):
        found[transfer].append(SurplusLine(*line))
    return dict(found)


def awaited_batches(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, bool]:
    """Tell of each known batch whether it is a stub: its origin is in the scope and has not stated it so far."""
    sql = (
        "SELECT id, max(CASE WHEN plant_id = (id >> 40) THEN 1 ELSE 0 END) FROM batches"
        f" WHERE {in_list(reads, 'id', 'ids')} AND {in_scope(reads, 'plant_id')} GROUP BY id"
    )
    rows = reads.rows(sql, _with(reads, scope, ids))
    return {batch: plant_of(batch) in scope and not stated for batch, stated in rows}


def awaited_transfers(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, bool]:
    """Return for each received transfer whether its source is in the scope and its dispatch is not known yet."""
    sql = (
        "SELECT id, max(CASE WHEN plant_id = (id >> 40) THEN 1 ELSE 0 END),"
        " max(CASE WHEN plant_id <> (id >> 40) AND state = 'CLOSED' THEN 1 ELSE 0 END) FROM process_records"
        f" WHERE {in_list(reads, 'id', 'ids')} AND {in_scope(reads, 'plant_id')} GROUP BY id"
    )
    rows = reads.rows(sql, _with(reads, scope, ids))
    return {one: plant_of(one) in scope and bool(came) and not stated for one, stated, came in rows}


def mislabelled(reads: ReadSession, scope: PlantScope, ids: Collection[int]) -> frozenset[int]:
    """Return those of the received transfers whose label the source's ledger contradicts, by what the scope holds.

    A label that speaks of an entry beyond what is known of the source's ledger contradicts nothing yet.
    """
    ids = [one for one in ids if plant_of(one) in scope]
    receipts = _receipts(reads, scope, ids) if ids else []
    if not receipts:
        return frozenset()
    known = _known(reads, {transfer for transfer, _ in receipts})
    wrong = {transfer for transfer, causes in receipts if contradicts(known[transfer], causes)}
    return frozenset(wrong | _other_amounts(reads, scope, [transfer for transfer, _ in receipts]))


def mislabelled_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, bool]:
    """Tell of each transfer whether it was received on a label that the source's ledger contradicts."""
    return dict.fromkeys(mislabelled(reads, scope, ids), True)


def label_verdicts(
    reads: ReadSession, scope: PlantScope, after: tuple[int, int], limit: int
) -> tuple[list[LabelCheckRow], tuple[int, int] | None]:
    """Compare the next receipts that were not found right so far; return the verdicts, and after which to go on.

    `after` is transfer and receiver. A receipt whose source's ledger has not arrived has no verdict.
    """
    sql = (
        "SELECT came.id, came.plant_id, came.closed_us FROM process_records came"
        " LEFT JOIN label_checks ON label_checks.transfer_id = came.id AND label_checks.plant_id = came.plant_id"
        f" AND label_checks.closed_us = came.closed_us WHERE {in_scope(reads, 'came.plant_id')}"
        " AND came.kind = 'TRANSFER' AND came.state = 'CLOSED' AND came.plant_id <> (came.id >> 40)"
        " AND coalesce(label_checks.matches, 0) = 0 AND (came.id, came.plant_id) > (:transfer, :plant)"
        " ORDER BY came.id, came.plant_id LIMIT :limit"
    )
    values = {"scope": as_array(reads, scope), "limit": limit, "transfer": after[0], "plant": after[1]}
    rows = reads.rows(sql, values)
    ids = [transfer for transfer, _, _ in rows]
    wrong, awaited = mislabelled(reads, scope, ids), awaited_transfers(reads, scope, ids)
    verdicts = [
        LabelCheckRow(transfer_id=one, plant_id=plant, closed_at=from_micros(us), matches=one not in wrong)
        for one, plant, us in rows
        if one in wrong or not awaited[one]
    ]
    return verdicts, rows[-1][:2] if len(rows) == limit else None


def keep_verdict(session: Session, verdict: LabelCheckRow) -> None:
    """Write down what a comparison came to, in place of an earlier one."""
    key = {"transfer_id": verdict.transfer_id, "plant_id": verdict.plant_id}
    session.run(PUT_VERDICT, {**key, "closed_us": verdict.closed_at, "matches": verdict.matches})


def _open(reads: ReadSession, scope: PlantScope, filters: OpenTransfersFilter) -> tuple[str, dict[str, Any]]:
    """Return the statement that gives id, state and time of the open transfers; conditions can be added to it."""
    away, seen = "came.plant_id <> (came.id >> 40) AND came.state = 'CLOSED'", in_scope(reads, "came.plant_id")
    at_source = f"{in_scope(reads, 'sent.plant_id')} AND sent.plant_id = (sent.id >> 40)"
    source_visible = in_list(reads, "(came.id >> 40)", "scope")
    sql = (
        "SELECT sent.id AS one, 'IN_TRANSIT' AS state, sent.opened_us AS us FROM process_records sent"
        f" WHERE sent.kind = 'TRANSFER' AND {at_source} AND NOT EXISTS"
        f" (SELECT 1 FROM process_records came WHERE came.id = sent.id AND {away} AND {seen})"
        " UNION ALL SELECT came.id, 'AWAITING_SOURCE', came.closed_us FROM process_records came"
        f" WHERE came.kind = 'TRANSFER' AND {away} AND {seen} AND {source_visible} AND NOT EXISTS"
        " (SELECT 1 FROM process_records sent WHERE sent.id = came.id AND sent.plant_id = (sent.id >> 40))"
        " UNION ALL SELECT came.id, 'LABEL_DIFFERS', came.closed_us FROM label_checks JOIN process_records came"
        " ON came.id = label_checks.transfer_id AND came.plant_id = label_checks.plant_id"
        f" AND came.closed_us = label_checks.closed_us WHERE matches = 0 AND {away} AND {seen} AND {source_visible}"
    )
    values: dict[str, Any] = {"scope": as_array(reads, scope)}
    condition = ""
    if filters.overdue is not None:
        condition = " AND since_us < :overdue_us" if filters.overdue else " AND since_us >= :overdue_us"
        values["overdue_us"] = filters.overdue_us
    if filters.state is not None:
        admitted = ", ".join(f"'{one}'" for one in OpenState if filters.state.admits(one))
        condition += f" AND state IN ({admitted or 'NULL'})"
    since = filters.since_us or Span()
    if since.start is not None:
        condition, values["start_us"] = f"{condition} AND since_us >= :start_us", since.start
    if since.before is not None:
        condition, values["before_us"] = f"{condition} AND since_us < :before_us", since.before
    one_each = f"SELECT one AS transfer_id, max(state) AS state, min(us) AS since_us FROM ({sql}) AS every GROUP BY one"
    listed = f"SELECT transfer_id, state, since_us FROM ({one_each}) AS open_ones WHERE since_us IS NOT NULL"
    return listed + condition, values


def _receipts(reads: ReadSession, scope: PlantScope, ids: Collection[int]) -> list[tuple[int, list[Any]]]:
    """Return the causes that each uncorrected receipt names, as its entry has them."""
    sql = (
        "SELECT came.transfer_id, entries.body FROM (SELECT DISTINCT transfer_id, plant_id FROM transfer_lines"
        f" WHERE {in_list(reads, 'transfer_id', 'ids')} AND {in_scope(reads, 'plant_id')} AND received IS NOT NULL)"
        " AS came JOIN logs ON logs.log_id = came.plant_id JOIN entries ON entries.log_id = came.plant_id"
        " AND entries.key = CAST(came.transfer_id AS text) AND entries.type = 'TransferReceived'"
        " AND entries.idx < logs.projected WHERE NOT EXISTS (SELECT 1 FROM corrections"
        " WHERE corrections.plant_id = entries.log_id AND entry_idx = entries.idx)"
    )
    found = []
    for transfer, body in reads.rows(sql, _with(reads, scope, ids)):
        if len(body):  # A pruned body has nothing here to compare it with.
            causes = json.loads(bytes(body)).get("causes")
            found.append((transfer, causes if isinstance(causes, list) else []))
    return found


def _known(reads: ReadSession, transfers: Collection[int]) -> Mapping[int, Known]:
    """Return what this store has of each transfer's dispatch in its source's ledger."""
    wanted = "unnest(:ids::bigint[]) AS wanted(value)" if reads.dialect == "postgresql" else "json_each(:ids) AS wanted"
    ids = {"ids": as_array(reads, transfers)}
    heads = f"SELECT log_id, origin, size FROM logs WHERE log_id IN (SELECT (wanted.value >> 40) FROM {wanted})"
    logs = {log_id: (origin, size) for log_id, origin, size in reads.rows(heads, ids)}
    sql = (
        f"SELECT wanted.value, entries.idx, entries.leaf, entries.body FROM {wanted} JOIN entries"
        " ON entries.log_id = (wanted.value >> 40) AND entries.key = CAST(wanted.value AS text)"
        " AND entries.type = 'TransferDispatched'"
    )
    places: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for transfer, index, leaf, body in reads.rows(sql, ids):
        places[transfer].append((index, bytes(leaf).hex()))
        if b'"rebased_from"' in bytes(body):
            # The source had to write it down again; its label still names the old position.
            before = json.loads(bytes(body)).get("rebased_from")
            places[transfer].append((before["index"], before["leaf"]))
    return {one: Known(*logs.get(plant_of(one), ("", 0)), frozenset(places[one])) for one in transfers}


def _other_amounts(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> set[int]:
    """Return the transfers of which receiver and source name other batches or amounts as dispatched."""
    found = set()
    for transfer, lines in balances(reads, scope, ids).items():
        if any(line.dispatched is not None for line in lines) and any(line.dispatched != line.said for line in lines):
            found.add(transfer)
    return found


def _with(reads: ReadSession, scope: PlantScope, ids: Collection[int]) -> dict[str, Any]:
    return {"ids": as_array(reads, ids), "scope": as_array(reads, scope)}

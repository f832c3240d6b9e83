"""Completeness of an answer about goods: the watermark of each plant, and every gap that the ledgers show."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from infra.database import ReadSession
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import plant_of
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Traced
from plants.store.logistics.in_transit import mislabelled
from plants.store.replication.status import PlantReplication, ReplicationState, replication_status
from plants.store.sql.arrays import as_array, in_list, in_scope

WATERMARK_AGE_SECONDS_MAX = 900
"""How old a plant's newest signed checkpoint may be before an answer about its goods no longer counts as complete."""

ALARMS = frozenset({ReplicationState.HUB_REGRESSED, ReplicationState.DIVERGED, ReplicationState.FENCED})


class GapKind(DescribedEnum):
    """Kind of gap in an answer: entries of a plant that this node does not have, or goods in transit."""

    NEVER_HEARD = "NEVER_HEARD", "No entry or no signed checkpoint of the plant has arrived at this node."
    BEHIND = "BEHIND", "Entries of the plant are announced or have arrived, but are not in the answer yet."
    STALE = "STALE", "The plant's newest signed checkpoint is too old; later entries may be missing from the answer."
    ALARM = "ALARM", "Replication of the plant has an alarm; its later entries may be missing until an operator acts."
    IN_TRANSIT = (
        "IN_TRANSIT",
        "Goods were dispatched to a plant that has not recorded a receipt; a forward trace may go on there.",
    )
    AWAITING_SOURCE = (
        "AWAITING_SOURCE",
        "Goods were received, and the source's dispatch has not arrived here; their origin may be incomplete.",
    )
    LABEL_DIFFERS = (
        "LABEL_DIFFERS",
        "Goods were received on a label that contradicts the source's ledger; their origin is in doubt.",
    )
    UNSEEN_BATCHES = (
        "UNSEEN_BATCHES",
        "The plant of origin has not stated these batches yet; they are known from labels only.",
    )
    OTHER_PLANT = "OTHER_PLANT", "The goods come from, or went to, a plant that this answer does not cover."


@dataclass(frozen=True, slots=True)
class Watermark:
    """The part of a plant's ledger in the answer; times are empty where nothing was ever signed.

    `known_until` is when the newest checkpoint was signed, or came, whichever was earlier.
    """

    plant_id: int
    size: int
    root: bytes
    checkpoint_at: datetime | None
    known_until: datetime | None
    lag_seconds: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """One hole: the plant it is about (number, code, or both where known), the transfer and the batches in question."""

    kind: GapKind
    plant_id: int | None = None
    plant_code: str | None = None
    transfer: int | None = None
    batches: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Completeness:
    """`complete` is true only when no gap is known; the watermarks say as of when."""

    complete: bool
    watermarks: tuple[Watermark, ...]
    gaps: tuple[Gap, ...]


def completeness(
    session: ReadSession,
    scope: PlantScope,
    traced: Traced,
    *,
    now: datetime,
    own: int | None = None,
    since: datetime | None = None,
) -> Completeness:
    """Return the completeness of a trace, from the statements and watermarks of the plants in the scope.

    An answer is complete only when the ledger of every plant that counts is known to within WATERMARK_AGE_SECONDS_MAX,
    and with `since` up to that instant.

    Every plant that the trace touches counts, and every plant in the scope where the trace began at a name that any
    plant may have given. `own` is the number of the plant whose node answers: its own ledger is never late here.
    """
    statuses = {status.plant_id: status for status in replication_status(session, scope, now=now)}
    look = _Look(session, scope, traced)
    gaps = [*look.transfers(), *look.origins()]
    touched = look.touched | (set(scope) if traced.seeds.by_name else set())
    for plant in sorted(touched & set(scope) - {own, 0}):
        gaps += _ledger_gaps(plant, statuses.get(plant), since)
    watermarks = tuple(
        Watermark(
            status.plant_id,
            status.projected,
            status.root,
            status.checkpoint_at,
            now if status.plant_id == own else status.known_until,
            0 if status.plant_id == own else status.lag_seconds,
        )
        for status in statuses.values()
    )
    return Completeness(not gaps, watermarks, tuple(gaps))


def _ledger_gaps(plant: int, status: PlantReplication | None, since: datetime | None) -> Iterable[Gap]:
    if status is None or status.size == 0 or status.lag_seconds is None or status.known_until is None:
        yield Gap(GapKind.NEVER_HEARD, plant)
        return
    if status.projected < status.size or status.parked or (status.peer_size or 0) > status.size:
        yield Gap(GapKind.BEHIND, plant)
    too_early = since is not None and status.known_until < since
    if too_early or status.lag_seconds > WATERMARK_AGE_SECONDS_MAX:
        yield Gap(GapKind.STALE, plant)
    if status.state in ALARMS:
        yield Gap(GapKind.ALARM, plant)


class _Look:
    """Looks for the holes that the ledgers in the scope show themselves, and notes which plants a trace touches."""

    def __init__(self, session: ReadSession, scope: PlantScope, traced: Traced) -> None:
        self._session = session
        self._scope = scope
        self._traced = traced
        known = session.rows(f"SELECT code, plant_id FROM plants WHERE {self._in_scope()}", self._with())
        self._codes: dict[str, int] = dict(known)
        self.touched = {plant_of(node) for node in (*traced.batches, *traced.handled)}

    def origins(self) -> Iterable[Gap]:
        """Yield what the origin plants of traced batches have not stated, or state outside the scope."""
        by_origin: dict[int, list[int]] = {}
        for batch in self._traced.batches:
            by_origin.setdefault(plant_of(batch), []).append(batch)
        for plant in sorted(by_origin.keys() - self._scope):
            yield Gap(GapKind.OTHER_PLANT, plant, batches=tuple(sorted(by_origin[plant])))
        sql = (
            "SELECT plant_id, CASE WHEN plant_id = (id >> 40) THEN 1 ELSE 0 END, count(*) FROM batches"
            f" WHERE {in_list(self._session, 'id', 'ids')} AND {self._in_scope()} GROUP BY 1, 2"
        )
        stated: Counter[int] = Counter()
        for plant, is_origin, count in self._session.rows(sql, self._with(ids=self._traced.batches)):
            self.touched.add(plant)
            stated[plant] += count if is_origin else 0
        for plant, batches in sorted(by_origin.items()):
            if plant in self._scope and stated[plant] < len(batches):
                sql = f"SELECT id FROM batches WHERE {in_list(self._session, 'id', 'ids')} AND plant_id = :plant"
                seen = {row[0] for row in self._session.rows(sql, self._with(ids=batches) | {"plant": plant})}
                yield Gap(GapKind.UNSEEN_BATCHES, plant, batches=tuple(sorted(set(batches) - seen)))

    def transfers(self) -> Iterable[Gap]:
        """Yield the transfers of traced goods of which one side is missing."""
        traced = self._traced
        dispatched: dict[int, set[int]] = {}
        received: dict[int, set[int]] = {}
        for source, target, _ in traced.moves:
            side, transfer, batch = (
                (dispatched, target, source) if source in traced.batches else (received, source, target)
            )
            side.setdefault(transfer, set()).add(batch)
        if traced.direction is not TraceDirection.BACKWARD:
            yield from self._on_the_road({one: dispatched[one] for one in dispatched.keys() - received.keys()})
        for transfer, batch in self._arrivals():
            received.setdefault(transfer, set()).add(batch)
        denied = mislabelled(self._session, self._scope, received)
        for transfer in sorted(denied):
            self.touched.add(plant_of(transfer))
            batches = tuple(sorted(received[transfer]))
            yield Gap(GapKind.LABEL_DIFFERS, plant_of(transfer), None, transfer, batches)
        yield from self._unannounced({one: received[one] for one in received.keys() - dispatched.keys() - denied})

    def _on_the_road(self, transfers: dict[int, set[int]]) -> Iterable[Gap]:
        # A receipt need not put goods on stock: all of them may be missing. So it is its lines that count.
        answered = self._receipts(transfers)
        ends = self._destinations(transfers)
        for transfer, batches in sorted(transfers.items()):
            code = ends.get(transfer)
            plant = self._codes.get(code) if code is not None else None
            if plant is not None:
                self.touched.add(plant)
            if transfer not in answered:
                kind = GapKind.IN_TRANSIT if plant is not None else GapKind.OTHER_PLANT
                yield Gap(kind, plant, code, transfer, tuple(sorted(batches)))

    def _unannounced(self, transfers: dict[int, set[int]]) -> Iterable[Gap]:
        for transfer in sorted(transfers.keys() - self._dispatches(transfers)):
            plant = plant_of(transfer)
            self.touched.add(plant)
            kind = GapKind.AWAITING_SOURCE if plant in self._scope else GapKind.OTHER_PLANT
            yield Gap(kind, plant, None, transfer, tuple(sorted(transfers[transfer])))

    def _arrivals(self) -> list[tuple[int, int]]:
        """Return the transfers with traced batches that a plant received, also where nothing of a batch came in."""
        sql = (
            f"SELECT transfer_id, batch_id FROM transfer_lines WHERE {in_list(self._session, 'batch_id', 'ids')}"
            f" AND received IS NOT NULL AND {self._in_scope()}"
        )
        return [(transfer, batch) for transfer, batch in self._session.rows(sql, self._with(ids=self._traced.batches))]

    def _dispatches(self, transfers: Collection[int]) -> set[int]:
        """Return the transfers that something was put on, by what the plants in the scope state."""
        if not transfers:
            return set()
        sql = (
            f"SELECT DISTINCT target_id FROM edges WHERE {in_list(self._session, 'target_id', 'ids')}"
            f" AND use = 'TRANSFERRED' AND {self._in_scope()}"
        )
        return {transfer for (transfer,) in self._session.rows(sql, self._with(ids=transfers))}

    def _receipts(self, transfers: Collection[int]) -> set[int]:
        """Return the transfers that a plant in the scope has received, and not taken back since."""
        if not transfers:
            return set()
        sql = (
            f"SELECT DISTINCT transfer_id FROM transfer_lines WHERE {in_list(self._session, 'transfer_id', 'ids')}"
            f" AND {self._in_scope()} AND received IS NOT NULL"
        )
        return {transfer for (transfer,) in self._session.rows(sql, self._with(ids=transfers))}

    def _destinations(self, transfers: Collection[int]) -> dict[int, str]:
        """Return the code of the plant that each transfer goes to."""
        if not transfers:
            return {}
        sql = (
            f"SELECT id, destination_plant FROM process_records WHERE {in_list(self._session, 'id', 'ids')}"
            f" AND {self._in_scope()} AND destination_plant IS NOT NULL"
        )
        return dict(self._session.rows(sql, self._with(ids=transfers)))

    def _in_scope(self) -> str:
        return in_scope(self._session, "plant_id")

    def _with(self, **ids: Iterable[int]) -> dict[str, object]:
        return {name: as_array(self._session, values) for name, values in ids.items()} | {
            "scope": as_array(self._session, self._scope)
        }

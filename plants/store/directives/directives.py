"""Directives of the hub: the holds among them, those that wait for their batch, and what became of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Text, and_, cast, false, literal, literal_column, or_, tuple_, union
from sqlalchemy import select as sql_select
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from plants.rules.directives.directives import DirectiveState
from plants.rules.ledger.events import Entry, Subject
from plants.rules.ledger.payloads import DirectedBatch
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.audit.subjects import About, Positions, positions_of
from plants.store.directives.outcomes import DirectiveOutcomeRow
from plants.store.ledger.entries import LedgerEntry, entry_by_request
from plants.store.ledger.logs import logs_of
from plants.store.materials.plants import SELECT_PLANTS, plants_admitted
from plants.store.quality.holds import WaitingHoldRow
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key, count, page
from plants.store.sql.planning import indexed_unless

SELECT_DIRECTED_LOGS = "SELECT log_id FROM logs WHERE log_id < 0 ORDER BY log_id DESC"
SELECT_BATCH = "SELECT DISTINCT id FROM batches WHERE code = :code ORDER BY id"
# A plant that states the batch has or had goods of it. A destination of goods in transit will have them.
SELECT_KNOWING = "SELECT plant_id FROM batches WHERE code = :code"
SELECT_AWAITING = (
    "SELECT DISTINCT p.destination_plant FROM transfer_lines l"
    " JOIN process_records p ON p.id = l.transfer_id AND p.plant_id = l.plant_id"
    " WHERE l.batch_id = :batch AND p.destination_plant IS NOT NULL"
)


def earlier_directives(session: Session, request: str) -> list[Entry]:
    """Return what an earlier command of the hub with this request id directed, in the order of plant numbers."""
    logs = [log_id for (log_id,) in session.rows(SELECT_DIRECTED_LOGS)]
    found = (entry_by_request(session, log_id, request) for log_id in logs)
    return [entry for entry in found if entry is not None]


def plants_of_group(session: Session) -> dict[str, int]:
    """Return the numbers of the plants in the group by code, also of those whose entries have not arrived yet."""
    return {code or origin.split("/")[-2]: number for number, origin, code, _, _ in session.rows(SELECT_PLANTS)}


def batch_named(session: Session, code: str) -> DirectedBatch:
    """Return a batch as the hub knows it by code; without an id where it knows none, or several, of that code."""
    ids = [batch for (batch,) in session.rows(SELECT_BATCH, {"code": code})]
    return {"id": ids[0] if len(ids) == 1 else None, "code": code}


def plants_with(session: Session, batches: Iterable[DirectedBatch]) -> set[int]:
    """Return the plants that have or had goods of one of these batches, or have some on their way, as the hub knows."""
    group, found = plants_of_group(session), set()
    for batch in batches:
        found |= {plant for (plant,) in session.rows(SELECT_KNOWING, {"code": batch["code"]})}
        awaiting = session.rows(SELECT_AWAITING, {"batch": batch["id"]}) if batch["id"] is not None else []
        found |= {group[code] for (code,) in awaiting if code in group}
    return found


class HubDirectiveOrderField(DescribedEnum):
    """Field to order directives by."""

    INDEX = "INDEX", "The addressed plant, and within it the order in which the directives were sent."
    DIRECTED_AT = "DIRECTED_AT", "The time at which they were sent."


AS_SENT: Final = Order(HubDirectiveOrderField.INDEX)


@dataclass(frozen=True, slots=True)
class DirectivesFilter:
    """Criteria for directives, and their order. A field that is None does not filter. Times are microseconds.

    `key` is a batch code, a recall id or a master data code.
    """

    plant: CodeCriterion | None = None
    state: MemberCriterion[DirectiveState] | None = None
    type: CodeCriterion | None = None
    key: CodeCriterion | None = None
    directed_by: CodeCriterion | None = None
    directed_us: Span[int] | None = None
    order: Order[HubDirectiveOrderField] = AS_SENT


DirectivePlace = tuple[int, int]
"""A plant's number and the index of a directive to it."""


def directives_by_place(
    reads: ReadSession, scope: PlantScope, places: Sequence[DirectivePlace]
) -> dict[DirectivePlace, LedgerEntry]:
    """Return directives by plant and index: at the hub as it wrote them, at a plant as they came."""
    row = LedgerEntry
    here = tuple_(col(row.log_id), col(row.idx)).in_({(-plant, index) for plant, index in places})
    found = select(row).where(here, col(row.log_id).in_(_logs(scope)))
    return {(-one.log_id, one.idx): one for one in reads.exec(found)}


def directives_page(
    reads: ReadSession, scope: PlantScope, filters: DirectivesFilter, after: Key | None, limit: int
) -> Sequence[LedgerEntry]:
    """Return one page of directives, in the order that the filters name."""
    row, order = LedgerEntry, filters.order
    key: tuple[Any, ...] = (col(row.log_id), col(row.idx))
    if order.field is HubDirectiveOrderField.DIRECTED_AT:
        key = (col(row.occurred_us), *key)
    return reads.exec(page(_filtered(reads, scope, filters), key, after, limit, descending=order.descending)).all()


def directive_key(row: LedgerEntry, order: Order[HubDirectiveOrderField]) -> Key:
    """Return the key of a row of `directives_page` in an order."""
    place = row.log_id, row.idx
    return (row.occurred_us, *place) if order.field is HubDirectiveOrderField.DIRECTED_AT else place


def directives_count(reads: ReadSession, scope: PlantScope, filters: DirectivesFilter) -> int:
    """Return how many directives there are."""
    return count(reads, _filtered(reads, scope, filters))


def waiting_by_directive(
    reads: ReadSession, scope: PlantScope, places: Sequence[DirectivePlace]
) -> dict[DirectivePlace, list[str]]:
    """Return the codes of the batches that holds still wait for at their plants, by directive."""
    row = WaitingHoldRow
    here = tuple_(col(row.plant_id), col(row.directive_idx)).in_(set(places))
    waiting: dict[DirectivePlace, list[str]] = {}
    for one in reads.exec(select(row).where(here, col(row.plant_id).in_(scope)).order_by(col(row.batch_code))):
        waiting.setdefault((one.plant_id, one.directive_idx), []).append(one.batch_code)
    return waiting


def _logs(scope: Iterable[int]) -> set[int]:
    return {-plant for plant in scope if plant > 0}


def _filtered(reads: ReadSession, scope: PlantScope, filters: DirectivesFilter) -> SelectOfScalar[LedgerEntry]:
    row, outcome = LedgerEntry, DirectiveOutcomeRow
    is_ordered = filters.order.field is HubDirectiveOrderField.DIRECTED_AT
    log_id = indexed_unless(col(row.log_id), ordered=is_ordered)
    logs = _logs(plants_admitted(reads, scope, filters.plant))
    found = select(row).where(log_id.in_(logs), row.log_id < literal_column("0"))
    criteria = {
        row.type: filters.type,
        row.key: filters.key,
        row.actor: filters.directed_by,
        row.occurred_us: filters.directed_us,
    }
    found = filtered(found, criteria)
    if filters.state is None:
        return found
    same = and_(col(outcome.plant_id) == -col(row.log_id), col(outcome.directive_idx) == col(row.idx))
    applied = col(outcome.applied)
    # `== None` becomes IS NULL.
    answers = {DirectiveState.SENT: None, DirectiveState.REJECTED: False, DirectiveState.APPLIED: True}
    admitted = (applied == answer for state, answer in answers.items() if filters.state.admits(state))
    return found.outerjoin(outcome, same).where(or_(false(), *admitted))


@positions_of(Subject.DIRECTIVE)
def _directives(scope: PlantScope, things: Sequence[About]) -> Positions:
    """Select each directive, and the plant's answer to it."""
    entry, answer, separator = LedgerEntry, DirectiveOutcomeRow, literal("/")
    sent = [(-plant, index) for plant, index in (one.parts for one in things) if isinstance(plant, int)]
    answered = tuple_(col(answer.plant_id), col(answer.directive_idx)).in_([one.parts for one in things])
    return union(
        sql_select(
            (cast(-col(entry.log_id), Text) + separator + cast(col(entry.idx), Text)).label("name"),
            col(entry.log_id),
            col(entry.idx),
        ).where(tuple_(col(entry.log_id), col(entry.idx)).in_(sent), col(entry.log_id).in_(logs_of(scope))),
        sql_select(
            cast(col(answer.plant_id), Text) + separator + cast(col(answer.directive_idx), Text),
            col(answer.plant_id),
            col(answer.entry_idx),
        ).where(answered, col(answer.plant_id).in_(scope)),
    )

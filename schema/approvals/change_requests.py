"""Change requests: types, queries, and the mutations that request a change."""

from datetime import datetime
from typing import Annotated, Final, Self

import strawberry

from auth.permissions import Permission
from infra.roles import Role
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState, ChangeVerdict, check_decidable
from plants.rules.approvals.refusals import CHANGE_ALREADY_DECIDED
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import LedgerKind, kind_of
from plants.rules.values.refusals import Refusal
from plants.store.approvals.change_requests import (
    DECISIONS_MAX,
    ChangeDecisionRow,
    ChangeRequestOrderField,
    ChangeRequestRow,
    ChangesFilter,
    change_key,
    changes_by_id,
    changes_count,
    changes_page,
    decisions_by_change,
    proposal_in,
)
from plants.store.directives.outcomes import DirectiveOutcomeRow, directed_verdicts, outcomes_by_directive
from plants.store.sql.orders import Order, OrderDirection
from schema.audit.differences import FieldChange, difference
from schema.audit.kept_refusals import kept_refusal_at, kept_refusal_of
from schema.engine.abilities import Ability, ability
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, Filter, criterion
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, read_id
from schema.engine.operations import query
from schema.engine.orders import Ordering
from schema.engine.refusals import RefusalAnswer
from schema.engine.scalars import Sha256
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_numbered
from schema.people.actors import Actor

enum_type(ChangeKind)
enum_type(ChangeLevel)
enum_type(ChangeState)
enum_type(ChangeVerdict)
enum_type(ChangeRequestOrderField)
NEWEST_FIRST: Final = Order(ChangeRequestOrderField.INDEX, OrderDirection.DESCENDING)
CHANGE = "Number of the change request at its plant. It is the index of the entry that requested the change."
PROPOSAL = "Leaf hash of the requesting entry, in hexadecimal. A decision refers to exactly this content."
REASON = "Reason, for the deciders and for readers of the ledger."


@object_type
class ChangeDecision:
    """A decision on a change request, as recorded in a ledger."""

    verdict: ChangeVerdict = described("Verdict of the decision.")
    level: ChangeLevel = described("Level at which the decision was made.")
    decided_by: Actor = described("User who decided.")
    printed_name: str = described("Name of the decider as printed with the signature.")
    comment: str | None = described("Comment of the decider. Null if none was given.")
    decided_at: datetime = described("Time of the decision.")
    ledger: LedgerKind = described(
        "Ledger that holds the decision: the plant's own, or the hub's directives to the plant."
    )
    index: int = described("Index of the decision's entry in that ledger.")
    row: strawberry.Private[ChangeDecisionRow]

    @field(
        "True if the plant applied this directive, false if it refused. Null if it has not answered, "
        "or if this is no directive."
    )
    async def applied(self, info: Info) -> bool | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.applied

    @field("Refusal of the plant that rejected this directive. Null if it did not.")
    async def refusal(self, info: Info) -> RefusalAnswer | None:
        return await kept_refusal_of(info, await self._outcome(info))

    async def _outcome(self, info: Info) -> DirectiveOutcomeRow | None:
        if self.ledger is not LedgerKind.DIRECTIVES:
            return None
        directive = self.row.plant_id, self.row.idx
        return await info.load(Permission.BATCH_READ, outcomes_by_directive, directive)

    @classmethod
    def of(cls, row: ChangeDecisionRow) -> Self:
        return cls(
            verdict=row.verdict,
            level=row.level,
            decided_by=Actor.of(row.decided_by),
            printed_name=row.printed_name,
            comment=row.comment or None,
            decided_at=row.decided_at,
            ledger=kind_of(row.log_id),
            index=row.idx,
            row=row,
        )


@object_type
class ChangeRequest(Node):
    """A change of exactly one version of a batch. Another user than the requester must decide it."""

    index: int = described(CHANGE)
    kind: ChangeKind = described("Kind of change.")
    state: ChangeState = described("State, as the plant recorded it.")
    batch_version: int = described("Batch version that the request is for. A decision on any other version is refused.")
    differences: list[FieldChange] = described("Requested changes, field by field. There are at most 100.")
    levels: list[ChangeLevel] = described("Levels at which it may be decided. There are at most two.")
    reason: str = described("Reason of the requester.")
    proposal: Sha256 = described(PROPOSAL)
    requested_by: Actor = described("User who requested it, and cannot decide it.")
    requested_at: datetime = described("Time of the request.")
    expires_at: datetime = described("Latest time for a decision.")
    closed_index: int | None = described(
        "Index of the entry that applied or refused the change. Null while it is open, and for a rejected one."
    )
    row: strawberry.Private[ChangeRequestRow]

    @field("Plant of the requester.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.row.plant_id)

    @field("Batch to change.")
    async def batch(self, info: Info) -> Batch:
        return required(await batch_numbered(info, self.row.batch_id))

    @field("Refusal of the plant that could not make an approved change. Null otherwise.")
    async def refusal(self, info: Info) -> RefusalAnswer | None:
        return await kept_refusal_at(info, self.row.refusal, self.row.plant_id, self.row.closed_idx)

    @field(
        f"Newest decisions, at most {DECISIONS_MAX}, in order of time. "
        "A decision of the hub appears twice once the plant has received it."
    )
    async def decisions(self, info: Info) -> list[ChangeDecision]:
        rows = await info.load(Permission.BATCH_READ, decisions_by_change, self.position) or []
        info.context.spend(len(rows))
        return [ChangeDecision.of(row) for row in rows]

    @field("Your ability to decide it now. At the hub it is the ability to decide it for the group.")
    async def viewer_can_decide(self, info: Info) -> Ability:
        plant, at_hub = self.row.plant_id, info.services.role is Role.HUB
        return await ability(
            info, Permission.CHANGE_DECIDE, HUB if at_hub else plant, lambda: self._check_decidable(info),
            log_id=-plant if at_hub else plant,
        )  # fmt: skip

    async def _check_decidable(self, info: Info) -> None:
        """Raise the refusal of a decision on the content that is shown."""
        row, level = self.row, ChangeLevel.PLANT
        if info.services.role is Role.HUB:
            level = ChangeLevel.HUB
            verdict = await info.load(Permission.BATCH_READ, directed_verdicts, self.position)
            if verdict is not None:
                raise Refusal(CHANGE_ALREADY_DECIDED, change=row.change_id, state=verdict)
        proposal = proposal_in(row, (await self.batch(info)).code)
        decider, now = info.context.actor.actor_id, info.services.clock.now()
        check_decidable(proposal, decider=decider, level=level, at=now)

    @property
    def position(self) -> tuple[int, int]:
        """The plant's number and the number of the request there."""
        return self.row.plant_id, self.row.change_id

    @field("True if the time for a decision has passed.")
    def expired(self, info: Info) -> bool:
        return self.state is ChangeState.REQUESTED and info.services.clock.now() > self.expires_at

    @classmethod
    def of(cls, row: ChangeRequestRow) -> Self:
        return cls(
            id=node_id("change", row.plant_id, row.change_id),
            index=row.change_id,
            kind=row.kind,
            state=row.state,
            batch_version=row.version,
            differences=[difference(one) for one in row.differences],
            levels=sorted(row.levels),
            reason=row.reason,
            proposal=Sha256(row.proposal),
            requested_by=Actor.of(row.requested_by),
            requested_at=row.requested_at,
            expires_at=row.expires_at,
            closed_index=row.closed_idx,
            row=row,
        )


@input_type
class ChangeRequestFilter:
    """Filters change requests. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant of the requester.", default=None)
    batch_code: CodeFilter | None = described("Code of the batch to change.", default=None)
    kind: Filter[ChangeKind] | None = described("Kind of change.", default=None)
    state: Filter[ChangeState] | None = described("State of the change request.", default=None)
    levels: Filter[ChangeLevel] | None = described(
        "Levels at which it may be decided. One of them must match.", default=None
    )
    requested_by_code: CodeFilter | None = described("Code of the user who requested it.", default=None)
    requested_at: DateTimeRange | None = described("Time of the request.", default=None)

    def criteria(self, order: Order[ChangeRequestOrderField]) -> ChangesFilter:
        return ChangesFilter(
            plant=criterion(self.plant_code),
            batch=criterion(self.batch_code),
            kind=criterion(self.kind),
            state=criterion(self.state),
            levels=criterion(self.levels),
            requested_by=criterion(self.requested_by_code),
            requested_at=criterion(self.requested_at),
            order=order,
        )


@input_type
class ChangeRequestOrder(Ordering):
    """Order of change requests."""

    field: ChangeRequestOrderField = described("Field to order by.")


async def change_numbered(info: Info, plant: int, change: int) -> ChangeRequest | None:
    row = await info.load(Permission.BATCH_READ, changes_by_id, (plant, change))
    return None if row is None else ChangeRequest.of(row)


@findable("change", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> ChangeRequest | None:
    return await change_numbered(info, numbers[0], numbers[1])


@query(
    "Returns the change request with this id. Null if there is none that you may see.", permission=Permission.BATCH_READ
)
async def change_request(
    info: Info, id: Annotated[strawberry.ID, argument("Id of the change request.")]
) -> ChangeRequest | None:
    place = read_id("change", id)
    return None if place is None else await _find(info, place)


@query("Lists change requests of plants that you may see.", permission=Permission.BATCH_READ)
async def change_requests(
    info: Info,
    *,
    filter: Annotated[ChangeRequestFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[
        ChangeRequestOrder | None, argument("Order. Without it, plant by plant, the newest first.")
    ] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ChangeRequest]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        changes_page, changes_count, (filter or ChangeRequestFilter()).criteria(order), (first, after),
        key=lambda row: change_key(row, order), make=ChangeRequest.of,
    )  # fmt: skip

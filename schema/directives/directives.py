"""Directives: orders of headquarters to plants about master data, holds and releases."""

from asyncio import gather
from datetime import datetime
from typing import Annotated, Any, Final, Self

import strawberry

from auth.permissions import Permission
from plants.rules.directives.directives import DirectiveState
from plants.rules.ledger.events import Entry, decode
from plants.rules.values.instants import parse_instant
from plants.store.directives.directives import (
    DirectivesFilter,
    HubDirectiveOrderField,
    directive_key,
    directives_by_place,
    directives_count,
    directives_page,
    waiting_by_directive,
)
from plants.store.directives.outcomes import DirectiveOutcomeRow, outcomes_by_directive
from plants.store.ledger.entries import LedgerEntry as EntryRow
from plants.store.sql.orders import Order, OrderDirection
from schema.audit.history import LedgerEntry, entry_of
from schema.audit.kept_refusals import kept_refusal_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, Filter, criterion
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, read_id
from schema.engine.operations import query
from schema.engine.orders import Ordering
from schema.engine.refusals import RefusalAnswer
from schema.engine.scalars import BatchCode, EventType
from schema.group.plants import Plant, owner
from schema.inventory.batches import Batch, batch_coded
from schema.people.actors import Actor
from schema.quality.holds import directed_hold_id

enum_type(DirectiveState)
enum_type(HubDirectiveOrderField)
NEWEST_FIRST: Final = Order(HubDirectiveOrderField.INDEX, OrderDirection.DESCENDING)
PLANTS = "Codes of the addressed plants."
BATCHES_MAX: Final = 100


@object_type
class HubDirective(Node):
    """A directive of headquarters to one plant, and the plant's answer."""

    index: int = described("Position among the directives to the plant, from 0.")
    type: EventType = described("Event type, such as HoldDirected or ChangeDecided.")
    key: str = described("Key of the subject: a batch code, a recall id or a master data code.")
    directed_hold_id: strawberry.ID | None = described(
        "Id of the hold or recall that it places or lifts, for `liftHold`. Null for other directives."
    )
    batch_codes: list[BatchCode] = described(
        f"Codes of the batches that it holds or releases. There are at most {BATCHES_MAX}."
    )
    reason: str | None = described("Reason that was given. Null without one.")
    directed_by: Actor = described("User who sent it.")
    directed_at: datetime = described("Time at which it was sent.")
    number: strawberry.Private[int]

    @field("Addressed plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @field("State of the directive.")
    async def state(self, info: Info) -> DirectiveState:
        outcome = await self._outcome(info)
        if outcome is None:
            return DirectiveState.SENT
        return DirectiveState.APPLIED if outcome.applied else DirectiveState.REJECTED

    @field("Version of the batch when the plant applied it. With several batches, the highest version.")
    async def met_version(self, info: Info) -> int | None:
        outcome = await self._outcome(info)
        return None if outcome is None else outcome.met_version

    @field("Refusal of the plant that rejected it. Null if it did not.")
    async def refusal(self, info: Info) -> RefusalAnswer | None:
        return await kept_refusal_of(info, await self._outcome(info))

    @field(f"Batches that it holds or releases and that this node knows, at most {BATCHES_MAX}.")
    async def batches(self, info: Info) -> list[Batch]:
        info.context.spend(len(self.batch_codes))
        found = await gather(*(batch_coded(info, code) for code in self.batch_codes))
        return [one for one in found if one is not None]

    @field(
        f"Codes of batches that the plant does not know yet, at most {BATCHES_MAX}. It holds them when goods arrive."
    )
    async def waiting_batch_codes(self, info: Info) -> list[BatchCode]:
        found = await info.load(Permission.BATCH_READ, waiting_by_directive, (self.number, self.index))
        return [BatchCode(code) for code in (found or [])[:BATCHES_MAX]]

    @field(
        "Entry of the plant's ledger that answers it. Null without an answer or without the right to read the ledger."
    )
    async def answer(self, info: Info) -> LedgerEntry | None:
        outcome = await self._outcome(info)
        return None if outcome is None else await entry_of(info, (self.number, outcome.entry_idx))

    @field("The signed directive. Null without the right to read the ledger.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (-self.number, self.index))

    async def _outcome(self, info: Info) -> DirectiveOutcomeRow | None:
        place = self.number, self.index
        return await info.load(Permission.BATCH_READ, outcomes_by_directive, place)

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """Return a directive. A directive of an unknown type has only the fields that all entries have."""
        envelope = decode(row.body)
        payload = envelope["payload"] if isinstance(envelope["payload"], dict) else {}
        hold = payload.get("hold", payload.get("recall"))
        return cls(
            id=node_id("directive", -row.log_id, row.idx),
            index=row.idx,
            type=EventType(row.type),
            key=row.key,
            directed_hold_id=directed_hold_id(hold) if isinstance(hold, str) else None,
            batch_codes=_codes(payload),
            reason=envelope.get("reason") or _text(payload.get("reason")) or _text(payload.get("comment")),
            directed_by=Actor.of(row.actor),
            directed_at=parse_instant(envelope["occurred_at"]),
            number=-row.log_id,
        )


def _codes(payload: dict[str, Any]) -> list[BatchCode]:
    named = payload.get("batches", [payload.get("batch")])
    return [BatchCode(one["code"]) for one in named if isinstance(one, dict)][:BATCHES_MAX]


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


@input_type
class HubDirectiveFilter:
    """Filters directives. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the addressed plant.", default=None)
    state: Filter[DirectiveState] | None = described("State of the directive.", default=None)
    type: CodeFilter | None = described("Event type, such as HoldDirected.", default=None)
    key: CodeFilter | None = described(
        "Key of the subject: a batch code, a recall id or a master data code.", default=None
    )
    directed_by_code: CodeFilter | None = described("Code of the user who sent it.", default=None)
    directed_at: DateTimeRange | None = described("Time at which it was sent.", default=None)

    def criteria(self, order: Order[HubDirectiveOrderField]) -> DirectivesFilter:
        return DirectivesFilter(
            plant=criterion(self.plant_code),
            state=criterion(self.state),
            type=criterion(self.type),
            key=criterion(self.key),
            directed_by=criterion(self.directed_by_code),
            directed_us=None if self.directed_at is None else self.directed_at.in_micros,
            order=order,
        )


@input_type
class HubDirectiveOrder(Ordering):
    """Order of directives."""

    field: HubDirectiveOrderField = described("Field to order by.")


@findable("directive", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> HubDirective | None:
    row = await info.load(Permission.BATCH_READ, directives_by_place, numbers)
    return None if row is None else HubDirective.of(row)


@query(
    "Lists directives of headquarters to plants. A plant returns only those it has received.",
    permission=Permission.BATCH_READ,
)
async def hub_directives(
    info: Info,
    *,
    filter: Annotated[HubDirectiveFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[
        HubDirectiveOrder | None, argument("Order. Without it, plant by plant, the newest first.")
    ] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[HubDirective]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        directives_page, directives_count, (filter or HubDirectiveFilter()).criteria(order), (first, after),
        key=lambda row: directive_key(row, order), make=HubDirective.of,
    )  # fmt: skip


@query(
    "Returns the directive with this id. Null if there is none that you may see.",
    permission=Permission.BATCH_READ,
)
async def hub_directive(
    info: Info, id: Annotated[strawberry.ID, argument("Id of the directive.")]
) -> HubDirective | None:
    place = read_id("directive", id)
    return None if place is None else await _find(info, place)


@object_type
class DirectivesSent(Recorded):
    """Directives were sent. Each plant applies or refuses its directive after receiving it.

    Each directive is an entry of its own. `entry` is the first of them.
    """

    directives: list[HubDirective] = described("Directives in the order of the plants, one for each addressed plant.")


async def directives_sent(info: Info, entries: list[Entry]) -> DirectivesSent:
    """Return the directives that a command recorded."""
    places = [(-entry.envelope["plant"], entry.index) for entry in entries]
    directives = [required(await _find(info, place)) for place in places]
    return DirectivesSent(entry=RecordedEntry.of(entries[0]), directives=directives)

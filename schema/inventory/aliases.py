"""Aliases: other names of a batch, and the mutations that add and end them."""

from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.inventory import aliases
from plants.commands.inventory.receipts import AliasOrder
from plants.rules.values.refusals import RefusalCode as C
from plants.store.tables import Alias as AliasRow
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described, field
from schema.engine.inputs import Input, MutationInput
from schema.engine.refusals import mutation
from schema.engine.scalars import BatchCode
from schema.group.plants import Plant, owner
from schema.inventory import batches

if TYPE_CHECKING:
    from schema.inventory.batches import Batch


@strawberry.input(description="Another name that a batch shall be found by.")
class AliasInput:
    """Another name that a batch shall be found by."""

    scheme: str = described("What sort of name it is, such as SUPPLIER_LOT or CUSTOMER_LOT.")
    value: str = described("The name itself.")
    issuer: str = described("Who gave it: a supplier's or customer's code; empty for the plant itself.", default="")

    @property
    def order(self) -> AliasOrder:
        """The alias as commands take it."""
        return AliasOrder(self.scheme, self.value, self.issuer)


@strawberry.type(description="Another name that finds a batch at a plant.")
class Alias:
    """Another name that finds a batch at a plant."""

    scheme: str = described("What sort of name it is, such as SUPPLIER_LOT.")
    issuer: str = described("Who gave it; empty for the plant itself.")
    value: str = described("The name itself.")
    number: strawberry.Private[int]

    @field("The plant where the name counts.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: AliasRow) -> Self:
        """Return an alias as the contract answers it."""
        return cls(scheme=row.scheme, issuer=row.issuer, value=row.value, number=row.plant_id)


@strawberry.input(description="A batch, and the names that it gets or loses.")
class AliasBatchInput(MutationInput):
    """A batch, and the names that it gets or loses."""

    batch: BatchCode = described("The batch's code.")
    aliases: list[AliasInput] = described("The names.")


@strawberry.type(description="A batch got other names, or lost some.")
class BatchAliased:
    """A batch got other names, or lost some."""

    entry: RecordedEntry = described(ENTRY)
    batch: Annotated["Batch", strawberry.lazy("schema.inventory.batches")] = described("The batch.")


@mutation(
    BatchAliased, C.ALIAS_TAKEN, C.BATCH_UNKNOWN, C.LINES_INVALID, C.NOTHING_CHANGES,
    description="Give a batch other names to be found by.",
)  # fmt: skip
async def alias_batch(info: Info, input: Input[AliasBatchInput]) -> Any:
    order = aliases.Naming(input.batch, tuple(one.order for one in input.aliases))
    entry = await info.context.write(Permission.BATCH_RECEIVE, aliases.alias_batch, order, input)
    return BatchAliased(entry=RecordedEntry.of(entry), batch=sure(await batches.batch_coded(info, input.batch)))


@mutation(
    BatchAliased, C.BATCH_UNKNOWN, C.LINES_INVALID, C.NOTHING_CHANGES,
    description="End names of a batch; each is free for another batch.",
)  # fmt: skip
async def end_alias(info: Info, input: Input[AliasBatchInput]) -> Any:
    order = aliases.Naming(input.batch, tuple(one.order for one in input.aliases))
    entry = await info.context.write(Permission.BATCH_RECEIVE, aliases.end_alias, order, input)
    return BatchAliased(entry=RecordedEntry.of(entry), batch=sure(await batches.batch_coded(info, input.batch)))

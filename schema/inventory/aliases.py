"""Aliases: other names of a batch."""

from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.inventory import aliases
from plants.commands.inventory.receipts import AliasOrder
from plants.rules.inventory.refusals import ALIAS_TAKEN, BATCH_UNKNOWN
from plants.rules.values.refusals import LINES_INVALID, NOTHING_CHANGES
from plants.store.inventory.aliases import aliases_named
from plants.store.inventory.batches import Alias as AliasRow
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation
from schema.engine.scalars import BatchCode, Code
from schema.group.plants import Plant, owner
from schema.inventory import batches

if TYPE_CHECKING:
    from schema.inventory.batches import Batch


@input_type
class BatchAliasInput:
    """An alias of a batch."""

    scheme: str = described("Scheme, such as SUPPLIER_LOT or CUSTOMER_LOT.")
    value: str = described("Text of the alias.")
    issuer_code: Code | None = described(
        "Code of the supplier or customer that issued it. Without it, the plant itself did.", default=None
    )

    @property
    def order(self) -> AliasOrder:
        return AliasOrder(self.scheme, self.value, self.issuer_code or "")


@object_type
class BatchAlias(Node):
    """An alias: another name that finds a batch at a plant."""

    scheme: str = described("Scheme, such as SUPPLIER_LOT or CUSTOMER_LOT.")
    issuer_code: Code | None = described(
        "Code of the supplier or customer that issued it. Null if the plant itself did."
    )
    value: str = described("Text of the alias.")
    number: strawberry.Private[int]

    @field("Plant where the alias is valid.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: AliasRow) -> Self:
        return cls(
            id=node_id("alias", row.plant_id, row.batch_id, row.scheme, row.issuer, row.value),
            scheme=row.scheme,
            issuer_code=row.issuer or None,
            value=row.value,
            number=row.plant_id,
        )


@findable("alias", int, int, str, str, str)
async def _find(info: Info, parts: tuple[int, int, str, str, str]) -> BatchAlias | None:
    row = await info.load(Permission.BATCH_READ, aliases_named, parts)
    return None if row is None else BatchAlias.of(row)


@input_type
class AddBatchAliasesInput(MutationInput):
    """A batch, and the aliases to add to it."""

    batch_code: BatchCode = described("Code of the batch.")
    aliases: list[BatchAliasInput] = described("Aliases to add.")


@input_type
class RemoveBatchAliasesInput(MutationInput):
    """A batch, and the aliases to remove from it."""

    batch_code: BatchCode = described("Code of the batch.")
    aliases: list[BatchAliasInput] = described("Aliases to remove.")


@object_type
class BatchAliasesChanged(Recorded):
    """Aliases of a batch were added or removed."""

    batch: Annotated["Batch", strawberry.lazy("schema.inventory.batches")] = described(
        "Batch with its aliases as they are now."
    )


@mutation(
    "Add aliases to a batch. "
    'Example: `{ batchCode: "SH1-260314-0001P", aliases: [{ scheme: "CUSTOMER_LOT", value: "C-9", '
    'issuerCode: "C1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.BATCH_RECEIVE,
    command=aliases.alias_batch,
    refusals=(
        ALIAS_TAKEN,
        BATCH_UNKNOWN,
        LINES_INVALID,
        NOTHING_CHANGES,
    ),
)
async def add_batch_aliases(info: Info, input: Input[AddBatchAliasesInput]) -> BatchAliasesChanged:
    order = aliases.Naming(input.batch_code, tuple(one.order for one in input.aliases))
    entry = await info.write(aliases.alias_batch, order, input)
    return BatchAliasesChanged(
        entry=RecordedEntry.of(entry), batch=required(await batches.batch_coded(info, input.batch_code))
    )


@mutation(
    "Remove aliases of a batch. Another batch may use them afterwards. "
    'Example: `{ batchCode: "SH1-260314-0001P", aliases: [{ scheme: "CUSTOMER_LOT", value: "C-9", '
    'issuerCode: "C1" }] }`.',
    roles=PLANT_ONLY,
    permission=Permission.BATCH_RECEIVE,
    command=aliases.end_alias,
    refusals=(
        BATCH_UNKNOWN,
        LINES_INVALID,
        NOTHING_CHANGES,
    ),
)
async def remove_batch_aliases(info: Info, input: Input[RemoveBatchAliasesInput]) -> BatchAliasesChanged:
    order = aliases.Naming(input.batch_code, tuple(one.order for one in input.aliases))
    entry = await info.write(aliases.end_alias, order, input)
    return BatchAliasesChanged(
        entry=RecordedEntry.of(entry), batch=required(await batches.batch_coded(info, input.batch_code))
    )

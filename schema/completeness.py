"""How complete an answer is: as of when each plant was heard, and every gap that is known."""

from datetime import datetime
from typing import Self

import strawberry

from plants.store import completeness as kept
from plants.store.completeness import GapKind
from schema.batches import Batch, batch_numbered
from schema.context import Info
from schema.fields import described, field
from schema.nodes import node_id
from schema.plants import Plant, instant, owner, plant_numbered

strawberry.enum(GapKind, name="GapKind", description="What an answer may be missing, and why.")


@strawberry.type(description="How far a plant's ledger is in an answer.")
class PlantWatermark:
    """How far a plant's ledger is in an answer."""

    size: int = described("How many of its entries are in the answer.")
    root: str = described("The root hash of the tree over them, hexadecimal.")
    checkpoint_at: datetime | None = described("When the plant signed its newest checkpoint that is here.")
    lag_seconds: int | None = described("How long ago that was, in seconds; null where there never was one.")
    number: strawberry.Private[int]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, mark: kept.Watermark) -> Self:
        """Return a watermark as the contract answers it."""
        return cls(
            size=mark.size,
            root=mark.root.hex(),
            checkpoint_at=instant(mark.checkpoint_us),
            lag_seconds=mark.lag_seconds,
            number=mark.plant_id,
        )


@strawberry.type(description="One thing that an answer may be missing.")
class TraceGap:
    """One thing that an answer may be missing."""

    kind: GapKind = described("What may be missing, and why.")
    plant_code: str | None = described("The code of the plant it is about, where a label names it.")
    transfer: strawberry.ID | None = described("The id of the transfer it is about.")
    batch_count: int = described("How many batches it is about.")
    gap: strawberry.Private[kept.Gap]

    @field("The plant it is about; null when it is not known or you may not see it.")
    async def plant(self, info: Info) -> Plant | None:
        return None if self.gap.plant_id is None else await plant_numbered(info, self.gap.plant_id)

    @field("The batches it is about, those that you may see.")
    async def batches(self, info: Info) -> list[Batch]:
        found = [await batch_numbered(info, number) for number in self.gap.batches]
        return [batch for batch in found if batch is not None]

    @classmethod
    def of(cls, gap: kept.Gap) -> Self:
        """Return a gap as the contract answers it."""
        return cls(
            kind=gap.kind,
            plant_code=gap.plant_code,
            transfer=None if gap.transfer is None else node_id("transfer", gap.transfer),
            batch_count=len(gap.batches),
            gap=gap,
        )


@strawberry.type(description="Whether an answer is complete, and as of when.")
class Completeness:
    """Whether an answer is complete, and as of when."""

    complete: bool = described("True only when no gap is known.")
    as_of: list[PlantWatermark] = described("How far each plant that you may see was heard.")
    gaps: list[TraceGap] = described("What may be missing.")

    @classmethod
    def of(cls, whole: kept.Completeness) -> Self:
        """Return a statement of completeness as the contract answers it."""
        return cls(
            complete=whole.complete,
            as_of=[PlantWatermark.of(mark) for mark in whole.watermarks],
            gaps=[TraceGap.of(gap) for gap in whole.gaps],
        )

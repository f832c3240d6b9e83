"""Completeness in the contract: how far each plant was heard, and every hole that an answer is known to have."""

from asyncio import gather
from datetime import datetime
from typing import Self

import strawberry

from auth.permissions import Permission
from plants.store.materials.plants import plants_by_number
from plants.store.traceability.completeness import Completeness as Found
from plants.store.traceability.completeness import Gap, GapKind, Watermark
from schema.engine.context import Info
from schema.engine.fields import described, field
from schema.engine.nodes import node_id
from schema.engine.scalars import PlantCode
from schema.group.plants import Plant, instant, owner
from schema.traceability.traced import TracedBatch, traced_batch
from schema.traceability.walks import Walk

GapKindEnum = strawberry.enum(
    GapKind,
    name="TraceGapKind",
    description="What an answer may be missing: what a plant wrote and this node does not have, or goods on the way.",
)


@strawberry.type(description="How far a plant's ledger is in an answer.")
class PlantWatermark:
    """How far a plant's ledger is in an answer."""

    size: int = described("How many of its entries are in the answer.")
    root: str = described("The root hash of the tree over the entries that this node has, hexadecimal.")
    checkpoint_at: datetime | None = described("When the plant signed its newest checkpoint.")
    known_until: datetime | None = described(
        "Until when its ledger is known: when that was signed or came, the earlier."
    )
    lag_seconds: int | None = described("How old that is, in seconds; null where nothing was ever signed.")
    number: strawberry.Private[int]

    @field("The plant.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, mark: Watermark) -> Self:
        """Return a watermark as the contract answers it."""
        return cls(
            size=mark.size,
            root=mark.root.hex(),
            checkpoint_at=instant(mark.checkpoint_us),
            known_until=instant(mark.known_until_us),
            lag_seconds=mark.lag_seconds,
            number=mark.plant_id,
        )


@strawberry.type(description="One thing that an answer may be missing, and why.")
class TraceGap:
    """One thing that an answer may be missing, and why."""

    kind: GapKind = described("What may be missing.")
    plant_code: PlantCode | None = described("The code of the plant that it is about, where anybody has stated it.")
    transfer: strawberry.ID | None = described("The id of the transfer that it is about.")
    gap: strawberry.Private[Gap]
    walk: strawberry.Private[Walk]

    @field("The plant that it is about; null when you may not see that plant.")
    async def plant(self, info: Info) -> Plant | None:
        seen = await info.context.load(Permission.TRACE_READ, plants_by_number, self.gap.plant_id)
        return None if seen is None else Plant.of(seen)

    @field("The batches that it is about.")
    async def batches(self, info: Info) -> list[TracedBatch]:
        found = await gather(*(traced_batch(info, self.walk, number) for number in self.gap.batches))
        return [one for one in found if one is not None]

    @classmethod
    def of(cls, gap: Gap, codes: dict[int, str], walk: Walk) -> Self:
        """Return a gap as the contract answers it."""
        code = gap.plant_code or (None if gap.plant_id is None else codes.get(gap.plant_id))
        return cls(
            kind=gap.kind,
            plant_code=None if code is None else PlantCode(code),
            transfer=None if gap.transfer is None else node_id("transfer", gap.transfer),
            gap=gap,
            walk=walk,
        )


@strawberry.type(description="Whether an answer is complete, and as of when.")
class Completeness:
    """Whether an answer is complete, and as of when."""

    complete: bool = described("True only when nothing is known to be missing, and every name stood for something.")
    as_of: list[PlantWatermark] = described("How far each plant's ledger is in the answer.")
    gaps: list[TraceGap] = described("What may be missing.")

    @classmethod
    def of(cls, found: Found, codes: dict[int, str], walk: Walk) -> Self:
        """Return completeness as the contract answers it."""
        return cls(
            complete=found.complete and not walk.traced.seeds.unknown,
            as_of=[PlantWatermark.of(mark) for mark in found.watermarks],
            gaps=[TraceGap.of(gap, codes, walk) for gap in found.gaps],
        )

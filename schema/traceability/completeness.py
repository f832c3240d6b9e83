"""Completeness of an answer: the ledger sizes it is based on, and its known gaps."""

from datetime import datetime
from typing import Self

import strawberry

from auth.permissions import Permission
from plants.store.materials.plants import plants_by_number
from plants.store.traceability.completeness import Completeness as Found
from plants.store.traceability.completeness import Gap, GapKind, Watermark
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import described, enum_type, field, object_type
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.scalars import PlantCode, Sha256
from schema.group.plants import Plant, owner
from schema.traceability.trace_lists import listed
from schema.traceability.trace_queries import TraceQuery
from schema.traceability.traced import TracedBatch

enum_type(GapKind, name="TraceGapKind")


@object_type
class PlantWatermark:
    """Size of a plant's ledger that an answer is based on."""

    size: int = described("Number of the plant's entries in the answer.")
    root: Sha256 = described("Root hash of the Merkle tree over the entries at this node.")
    checkpoint_at: datetime | None = described("Time at which the plant signed its newest checkpoint.")
    known_until: datetime | None = described(
        "Time until which the ledger is known: the earlier of signature and arrival of the newest checkpoint."
    )
    lag_seconds: int | None = described("Age of that time in seconds. Null if nothing was ever signed.")
    number: strawberry.Private[int]

    @field("Plant of the ledger.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, mark: Watermark) -> Self:
        return cls(
            size=mark.size,
            root=Sha256(mark.root.hex()),
            checkpoint_at=mark.checkpoint_at,
            known_until=mark.known_until,
            lag_seconds=mark.lag_seconds,
            number=mark.plant_id,
        )


@object_type
class TraceGap:
    """A possible gap of an answer, with its cause."""

    kind: GapKind = described("Kind of gap.")
    plant_code: PlantCode | None = described("Code of the plant concerned. Null if it is unknown.")
    transfer_id: strawberry.ID | None = described("Id of the transfer concerned. Null if none is.")
    gap: strawberry.Private[Gap]
    query: strawberry.Private[TraceQuery]

    @field("Plant concerned. Null if you may not see it.")
    async def plant(self, info: Info) -> Plant | None:
        seen = await info.load(Permission.TRACE_READ, plants_by_number, self.gap.plant_id)
        return None if seen is None else Plant.of(seen)

    @field("Batches concerned, by id.", permission=Permission.TRACE_READ)
    async def batches(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TracedBatch]:
        found = await info.read(self.query.batches, self.gap.batches)
        return listed(
            info, (self.query.filters, gap_key(self.gap)), list(found.values()), (first, after),
            key=lambda row: (row.id,), make=lambda row: TracedBatch.of(row, self.query),
        )  # fmt: skip

    @classmethod
    def of(cls, gap: Gap, codes: dict[int, str], query: TraceQuery) -> Self:
        code = gap.plant_code or (None if gap.plant_id is None else codes.get(gap.plant_id))
        return cls(
            kind=gap.kind,
            plant_code=None if code is None else PlantCode(code),
            transfer_id=None if gap.transfer is None else node_id("transfer", gap.transfer),
            gap=gap,
            query=query,
        )


def gap_key(gap: Gap) -> tuple[int, int, int, str]:
    """Return the key of a gap among those of a trace."""
    kinds = list(GapKind)
    return kinds.index(gap.kind), gap.plant_id or 0, gap.transfer or 0, gap.plant_code or ""


@object_type
class Completeness:
    """Completeness of an answer, and the ledger sizes it is based on."""

    complete: bool = described("True if no gap is known and every given name was found.")
    found: strawberry.Private[Found]
    codes: strawberry.Private[dict[int, str]]
    query: strawberry.Private[TraceQuery]

    @field("Ledger sizes that the answer is based on: one for each plant.")
    def as_of(self, info: Info) -> list[PlantWatermark]:
        info.context.spend(len(self.found.watermarks))
        return [PlantWatermark.of(mark) for mark in self.found.watermarks]

    @field("Gaps, by kind, plant and transfer.")
    async def gaps(self, info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[TraceGap]:
        return listed(
            info, (self.query.filters,), self.found.gaps, (first, after),
            key=gap_key, make=lambda gap: TraceGap.of(gap, self.codes, self.query),
        )  # fmt: skip

    @classmethod
    def of(cls, found: Found, codes: dict[int, str], query: TraceQuery) -> Self:
        complete = found.complete and not query.traced.seeds.unknown
        return cls(complete=complete, found=found, codes=codes, query=query)

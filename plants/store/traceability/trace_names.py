"""Names of the nodes of a trace for users: process records, plants, materials."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.sql.arrays import as_array, in_list, in_scope


@dataclass(frozen=True, slots=True)
class ProcessName:
    """A process record as its own plant states it, or else the lowest plant number in the scope."""

    id: int
    plant_id: int
    kind: str
    segment: str | None
    customer: str | None
    source_plant: str | None
    destination_plant: str | None
    opened_us: int


def process_names(reads: ReadSession, scope: PlantScope, ids: Collection[int]) -> Iterator[ProcessName]:
    """Yield what is stated of these process records, each once."""
    sql = (
        "SELECT id, plant_id, kind, segment, customer, source_plant, destination_plant, opened_us"
        f" FROM process_records WHERE {in_list(reads, 'id', 'ids')} AND {in_scope(reads, 'plant_id')}"
        " ORDER BY id, CASE WHEN plant_id = (id >> 40) THEN 0 ELSE plant_id END"
    )
    last = None
    for row in reads.rows(sql, {"ids": as_array(reads, ids), "scope": as_array(reads, scope)}):
        if row[0] != last:
            last = row[0]
            yield ProcessName(*row)


def plant_codes(reads: ReadSession, scope: PlantScope, ids: Collection[int]) -> Mapping[int, str]:
    """Return the codes of plants by number: as they state them, else as the transfers among these records do."""
    sql = (
        f"SELECT DISTINCT id >> 40, source_plant FROM process_records WHERE {in_list(reads, 'id', 'ids')}"
        f" AND {in_scope(reads, 'plant_id')} AND source_plant IS NOT NULL"
    )
    codes: dict[int, str] = dict(reads.rows(sql, {"ids": as_array(reads, ids), "scope": as_array(reads, scope)}))
    stated = f"SELECT plant_id, code FROM plants WHERE {in_scope(reads, 'plant_id')}"
    return {**codes, **dict(reads.rows(stated, {"scope": as_array(reads, scope)}))}


def material_names(reads: ReadSession, scope: PlantScope) -> Mapping[str, str]:
    """Return the names of materials by code, as the plants in the scope call them."""
    sql = f"SELECT code, min(name) FROM materials WHERE {in_scope(reads, 'plant_id')} GROUP BY code"
    return dict(reads.rows(sql, {"scope": as_array(reads, scope)}))

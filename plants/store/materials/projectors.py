"""Projectors of master data: plants, materials, units, partners, locations, equipment and number series."""

from typing import Final

from plants.rules.ledger.events import Entry, canonical
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.events import MASTER_DEFINED, MATERIAL_DEFINED, PLANT_OPENED
from plants.rules.values.search_forms import search_form
from plants.store.materials.definitions import MasterRecord, Material
from plants.store.materials.plants import Plant
from plants.store.materials.series import Series
from plants.store.sql.rows import Parts, Projector, Projectors, RowWrites, TableSpec

PLANTS = TableSpec.of(Plant)
MATERIALS = TableSpec.of(Material)
MASTER_RECORDS = TableSpec.of(MasterRecord)
SERIES = TableSpec.of(Series)


def project_plant(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the plant."""
    payload = entry.payload
    columns = ("code", "name", "time_zone", "origin")
    writes.upsert(PLANTS, {"plant_id": log_id, **{name: payload[name] for name in columns}})


def project_material(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the material definition."""
    payload = entry.payload
    conversions = canonical(payload["conversions"]).decode()
    writes.upsert(
        MATERIALS,
        {
            **payload,
            "plant_id": log_id,
            "conversions": conversions,
            "version": entry.index,
            "name_search": search_form(payload["name"]),
        },
    )


def project_master(kind: MasterKind) -> Projector:
    """Return the projector of definitions of this kind."""

    def project(writes: RowWrites, log_id: int, entry: Entry) -> None:
        payload = dict(entry.payload)
        values = {"plant_id": log_id, "kind": kind.value, "code": payload.pop("code"), "name": payload.pop("name")}
        detail = canonical(payload).decode()
        writes.upsert(
            MASTER_RECORDS,
            {**values, "detail": detail, "version": entry.index, "name_search": search_form(values["name"])},
        )

    return project


def state_series(writes: RowWrites, log_id: int, _entry: Entry, series: dict[str, int]) -> None:
    """Upsert the next numbers of the series."""
    for name, following in series.items():
        writes.upsert(SERIES, {"plant_id": log_id, "name": name, "next": following})


PROJECTORS: Final[Projectors] = {
    PLANT_OPENED: project_plant,
    MATERIAL_DEFINED: project_material,
    **{event: project_master(kind) for kind, event in MASTER_DEFINED.items()},
}
PARTS: Final[Parts] = (("series", state_series),)

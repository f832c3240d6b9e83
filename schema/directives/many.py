"""Saving many rows at plants from headquarters: the mutations of a plant, with the plants that they address."""

from datetime import datetime
from functools import partial
from typing import Any

from auth.permissions import Permission
from infra.database import Session
from plants.commands.directives.directives import direct_master
from plants.commands.directives.saves import advance_directed_save, begin_directed_save
from plants.commands.materials.saves import ROWS_MAX, AuthorCheck
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import LINES_INVALID
from schema.directives.master_data import PlantCodes
from schema.engine.context import Info
from schema.engine.inputs import Input
from schema.engine.operations import HUB_ONLY, mutation
from schema.materials.many import ANSWER, KINDS, JobAccepted, Kind, input_of, rows_of, run_job


def _declare(kind: Kind) -> None:
    given: Any = input_of(kind)

    async def save(info: Info, input: Input[given], plant_codes: PlantCodes) -> JobAccepted:
        rows = rows_of(kind, input, tuple(plant_codes))
        begin = partial(begin_directed_save, rows=rows, validates=info.validating)
        return await run_job(info, direct_master, input, begin, _advance)

    save.__name__ = kind.mutation
    mutation(
        f"Save many {kind.things} at plants, at most {ROWS_MAX:,}. {ANSWER} "
        "Each row is a directive to each plant, which applies or rejects it. "
        f"{kind.example_sentence}",
        roles=HUB_ONLY,
        permission=Permission.DIRECTIVE_SEND,
        command=direct_master,
        order=kind.order,
        refusals=(LINES_INVALID, NOT_DEFINED),
        bulk=True,
    )(save)


def _advance(session: Session, plant: int, now: datetime, save_id: str, *, check: AuthorCheck) -> bool:
    del plant
    return advance_directed_save(session, now, save_id, check=check)


for _kind in KINDS:
    _declare(_kind)

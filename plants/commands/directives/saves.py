"""Save many rows of master data at plants: each row is a directive of headquarters to each addressed plant."""

from datetime import datetime

from infra.database import Session
from plants.commands.directives.directives import MasterDirection, direct_master, named_plants
from plants.commands.execution import CommandContext, request_reused
from plants.commands.materials.changes import Change
from plants.commands.materials.saves import AuthorCheck, Rows, advance_save, check_rows, keep_save
from plants.rules.identification.codes import HUB
from plants.rules.materials.saves import RowOutcome
from plants.rules.values.actors import Author
from plants.store.directives.directives import earlier_directives
from plants.store.materials.saves import RowResult, Save


def begin_directed_save(
    session: Session, rows: Rows, *, actor: Author, call: CommandContext, validates: bool = False
) -> str:
    """Keep rows to be directed to their plants, and return the id of their save.

    Raises what `begin_save` raises, and Refusal for a code of no plant.
    """
    check_rows(rows, call)
    assert call.request is not None
    if earlier_directives(session, call.request):
        raise request_reused(call.request)
    named_plants(session, rows.plants)
    return keep_save(session, rows, actor=actor, call=call, validates=validates)


def advance_directed_save(session: Session, now: datetime, save_id: str | None = None, *, check: AuthorCheck) -> bool:
    """Direct the next rows of a save of headquarters, as `advance_save` runs those of a plant."""
    return advance_save(session, HUB, now, save_id, check=check, record=_direct)


def _direct(session: Session, save: Save, change: Change, *, actor: Author, call: CommandContext) -> RowResult:
    entries = direct_master(session, MasterDirection(save.plant_codes, change), actor=actor, call=call)
    places = tuple((-entry.envelope["plant"], entry.index) for entry in entries)
    return RowResult(RowOutcome.RECORDED, directives=places)

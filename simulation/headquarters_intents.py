"""Intents of headquarters: directives to plants, and decisions on parked entries."""

from typing import Any

from plants.commands.directives.directives import (
    HoldDirection,
    MasterDirection,
    RecallDirection,
    ReleaseDirection,
    direct_hold,
    direct_master,
    direct_recall,
    direct_release,
)
from plants.commands.replication.parked_entries import ParkedEntry, retry_entry
from simulation.master_data_intents import change_of
from simulation.workload import HEADQUARTERS, Intent, View


def _plants(view: View) -> tuple[str, ...]:
    """Return this plant alone, all plants, or none named."""
    chance = view.chance
    return chance.choice(((view.codes[view.plant - 1],), (view.codes[view.plant - 1],), view.codes, ()))


def direct(view: View) -> Intent | None:
    """Direct something to plants: master data, a hold, a recall, a release."""
    chance, person = view.chance, view.chance.choice(HEADQUARTERS)
    kind = chance.randrange(7)
    if kind < 2:  # noqa: PLR2004 -- two of the kinds.
        order: Any = MasterDirection(_plants(view), change_of(chance, view.versions))
        return Intent(direct_master, order, person, at_hub=True)
    if kind <= 3 and view.directed:  # noqa: PLR2004 -- as many releases as holds, or nothing could be used at last.
        order = ReleaseDirection(chance.choice(view.directed), "tested 已检验")
        return Intent(direct_release, order, person, at_hub=True)
    codes = [one for one in view.everywhere if one]
    if not codes:
        return None
    if kind == 4:  # noqa: PLR2004 -- the fifth kind.
        order = RecallDirection(tuple(chance.sample(codes, min(2, len(codes)))), "recall 召回", _plants(view))
        return Intent(direct_recall, order, person, at_hub=True)
    return Intent(
        direct_hold, HoldDirection(chance.choice(codes), "suspect 可疑", plants=_plants(view)), person, at_hub=True
    )


def retry(view: View) -> Intent | None:
    """Have an entry that the hub cannot apply tried again."""
    if not view.parked:
        return None
    order = ParkedEntry(*view.chance.choice(view.parked))
    person = view.chance.choice(HEADQUARTERS)
    return Intent(retry_entry, order, person, reason="upgraded 已升级", at_hub=True, of_hub=True)

"""Intents about master data at a plant: saves of one row and of many."""

from random import Random
from typing import Final

from infra.database import Session
from plants.commands.execution import Command, CommandContext
from plants.commands.materials.changes import Change, MasterChange, MaterialChange, UnitChange, kind_of
from plants.commands.materials.definitions import define_master, define_material, define_unit
from plants.commands.materials.saves import Rows, advance_save, begin_save
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import DEFINITION_AS_GIVEN
from plants.rules.materials.saves import OnRefusal
from plants.rules.values.actors import Author
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal
from plants.store.ledger.entries import entry_at
from simulation.workload import STAFF, Intent, View

KINDS: Final = (MasterKind.SUPPLIER, MasterKind.CUSTOMER, MasterKind.LOCATION, MasterKind.EQUIPMENT)
COMMANDS: Final[dict[type[Change], Command[Change]]] = {
    MaterialChange: define_material,  # type: ignore[dict-item]  # it takes materials only
    UnitChange: define_unit,  # type: ignore[dict-item]  # it takes units only
    MasterChange: define_master,  # type: ignore[dict-item]  # it takes the other kinds only
}
SELECT_ROWS: Final = "SELECT entry_idx FROM save_rows WHERE save_id = :save AND entry_idx IS NOT NULL ORDER BY number"


def admitted(_session: Session, _author: Author) -> None:
    """Admit everybody: roles do not change in a run."""


class SaveRows:
    """Saves many rows as one operation: kept, then run in portions until none is left."""

    name = "save_rows"

    def __call__(self, session: Session, order: Rows, *, actor: Author, call: CommandContext) -> list[Entry]:
        """Return the entries of the rows. Raises Refusal where no row is recorded."""
        save = begin_save(session, order, actor=actor, call=call)
        while advance_save(session, call.plant, call.now, save, check=admitted):
            pass
        found = [entry_at(session, call.plant, index) for (index,) in session.rows(SELECT_ROWS, {"save": save})]
        if not found:
            raise Refusal(NOTHING_CHANGES, why=DEFINITION_AS_GIVEN(code=order.changes[0].code))
        return [entry for entry in found if entry is not None]


save_rows: Final = SaveRows()


def change_of(chance: Random, versions: dict[tuple[str, str], int], kind: int | None = None) -> Change:
    """Return a change of a new definition or of an existing one, now and then of a version that is not the current."""
    drawn = chance.randrange(4) if kind is None else kind
    name, number = f"Name {chance.randrange(9)} 名", chance.randrange(4)
    if drawn == 0:
        return _material(chance, versions, name, number)
    if drawn == 1:
        factor = chance.choice(("12.5", "1/3", "0", "20"))
        return UnitChange(
            f"U{number}", name, "KGM", factor, expected_version=_version(chance, versions, "UNIT", number)
        )
    which = chance.choice(KINDS)
    code = f"{which.value[0]}{number}"
    cleared = frozenset({"name"}) if chance.randrange(12) == 0 else frozenset[str]()
    expected = versions.get((which.value, code)) if chance.randrange(4) == 0 else None
    return MasterChange(which, code, None if cleared else name, cleared, expected)


def _version(chance: Random, versions: dict[tuple[str, str], int], kind: str, number: int) -> int | None:
    current = versions.get((kind, f"U{number}"))
    return None if current is None or chance.randrange(3) else current - chance.randrange(2)


def _material(chance: Random, versions: dict[tuple[str, str], int], name: str, number: int) -> Change:
    if chance.randrange(3) == 0:
        return MaterialChange(f"M{number}", name, "KGM", retest_days=chance.choice((None, 5)))
    draw = chance.randrange(4)
    expected = versions.get(("MATERIAL", "MILK")) if chance.randrange(3) == 0 else None
    if draw == 0:
        return MaterialChange("SUGAR", conversions=(("BG", chance.choice(("25", "24"))),))
    if draw == 1:
        return MaterialChange("MILK", shelf_life_days=chance.randint(28, 31), expected_version=expected)
    if draw == 2:  # noqa: PLR2004 -- the third kind.
        return MaterialChange("YOG", cleared=frozenset({"retest_days"}))
    return MaterialChange("MILK", name, expected_version=expected)


def save(view: View) -> Intent:
    change = change_of(view.chance, view.versions)
    return Intent(COMMANDS[type(change)], change, view.chance.choice(STAFF))


def save_many(view: View) -> Intent:
    chance = view.chance
    kind = chance.randrange(4)
    first = change_of(chance, view.versions, kind)
    more = [change_of(chance, view.versions, kind) for _ in range(chance.randint(1, 4))]
    rows = (first, *(one for one in more if kind_of(one) == kind_of(first)))
    order = Rows(kind_of(first), rows, chance.choice(list(OnRefusal)))
    return Intent(save_rows, order, chance.choice(STAFF))

"""Headquarters changes some fields of master data: each plant adds them to its own definition."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.ids import new_id
from plants.commands.directives.directives import MasterDirection, direct_master
from plants.commands.execution import CommandContext
from plants.commands.materials.changes import Change, MasterChange, MaterialChange, UnitChange
from plants.commands.materials.definitions import MaterialDefinition, define_material
from plants.commands.replication.rebuild import rebuild
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import FIELD_REQUIRED, NOT_DEFINED
from plants.rules.values.refusals import AMOUNT_NOT_POSITIVE, TEXT_INVALID, UNIT_UNKNOWN, Refusal, RefusalCode
from plants.store.projection.rebuilding import table_digests
from tests.factories import Plant
from tests.plants.replicas import DIRECTOR, Hub, answer_next, hub_beside, pending

BOTH = ("NB1", "SH1")
GOAT: dict[str, Any] = {"code": "RM-GOAT", "name": "Goat milk 羊奶", "unit": "KGM"}


@pytest.fixture
def hub(tmp_path: Path, here: Plant, there: Plant) -> Iterator[Hub]:
    """A hub that has all entries of two plants, SH1 and NB1."""
    with hub_beside(tmp_path, here, there) as hub:
        yield hub


def directs(hub: Hub, at: Plant, change: Change, plants: tuple[str, ...] = BOTH, **given: Any) -> list[Entry]:
    with hub.store.transaction() as session:
        call = CommandContext(0, at.clock.now(), **given)
        return direct_master(session, MasterDirection(plants, change), actor=DIRECTOR, call=call)


def obeys(hub: Hub, plant: Plant) -> Entry:
    """Bring the directives to a plant, let it answer them all, and return its last answer."""
    hub.tells(plant)
    answer = answer_next(plant)
    while pending(plant) is not None:
        answer = answer_next(plant)
    hub.hears(plant)
    return answer


def stated(plant: Plant, code: str = "RM-GOAT") -> list[Any]:
    """Return the definitions of a material that the ledger states, in order."""
    entries = (one for one in plant.entries() if one.type == "MaterialDefined" and one.envelope["key"] == code)
    return [one.payload for one in entries]


def test_some_fields_then_each_plant_keeps_its_own_others(hub: Hub, here: Plant, there: Plant) -> None:
    here.do(define_material, MaterialDefinition(**GOAT, shelf_life_days=20, conversions={"BG": "25"}))
    there.do(define_material, MaterialDefinition(**GOAT | {"name": "Goats' milk"}, retest_days=5))

    change = MaterialChange("RM-GOAT", shelf_life_days=12, conversions=(("DR", "1/3"),))
    (to_there, *_) = directs(hub, here, change)
    answers = [obeys(hub, plant) for plant in (here, there)]

    assert to_there.type == "MasterChangeDirected"
    assert to_there.payload == {
        "kind": "MATERIAL", "code": "RM-GOAT", "given": {"shelf_life_days": 12, "conversions": {"DR": "1/3"}},
    }  # fmt: skip
    assert [one.type for one in answers] == ["DirectiveApplied"] * 2
    whole = {**GOAT, "shelf_life_days": 12, "conversions": {"DR": "1/3"}}
    assert stated(here)[-1] == {**whole, "retest_days": None}
    assert stated(there)[-1] == {**whole, "name": "Goats' milk", "retest_days": 5}
    for plant in (here, there):
        assert table_digests(hub.store, plant=plant.number) == table_digests(plant.store, plant=plant.number)
        with plant.store.transaction() as session:
            before = table_digests(plant.store, plant=plant.number)
            rebuild(session)
        assert table_digests(plant.store, plant=plant.number) == before


def test_fields_emptied_and_new_things_then_as_at_the_plant_itself(hub: Hub, here: Plant) -> None:
    here.do(define_material, MaterialDefinition(**GOAT, shelf_life_days=20, conversions={"BG": "25"}))
    directs(hub, here, MaterialChange("RM-GOAT", cleared=frozenset({"shelf_life_days", "conversions"})), ("SH1",))
    directs(hub, here, UnitChange("SACK", "Sack", "KGM", "25.0"), ("SH1",))
    directs(hub, here, MasterChange(MasterKind.CUSTOMER, "C9", "New"), ("SH1",))

    assert obeys(hub, here).type == "DirectiveApplied"

    assert stated(here)[-1] == {**GOAT, "shelf_life_days": None, "retest_days": None, "conversions": {}}
    names = here.rows("SELECT kind, name FROM master_records WHERE code IN ('SACK', 'C9') ORDER BY kind")
    assert names == [("CUSTOMER", "New"), ("UNIT", "Sack")]


def test_as_it_is_already_then_applied_without_a_new_definition(hub: Hub, here: Plant) -> None:
    here.do(define_material, MaterialDefinition(**GOAT))
    directs(hub, here, MaterialChange("RM-GOAT", "Goat milk 羊奶"), ("SH1",))

    assert obeys(hub, here).type == "DirectiveApplied"
    assert len(stated(here)) == 1


def test_version_of_the_plant_another_then_it_rejects_and_keeps_its_own(hub: Hub, here: Plant) -> None:
    first = here.do(define_material, MaterialDefinition(**GOAT)).index
    later = here.do(define_material, MaterialDefinition(**GOAT, retest_days=5)).index
    change = MaterialChange("RM-GOAT", shelf_life_days=12, expected_version=first)
    (sent,) = directs(hub, here, change, ("SH1",))

    rejected = obeys(hub, here)

    assert sent.payload["expected_version"] == first
    data = {"thing": "material", "code": "RM-GOAT", "expected": str(first), "current": str(later)}
    assert (rejected.type, rejected.payload["refusal"]) == ("DirectiveRejected", "STALE_VERSION")
    assert rejected.payload["data"] == data
    assert len(stated(here)) == 2


def test_new_thing_without_what_it_must_have_then_the_plant_that_lacks_it_rejects(
    hub: Hub, here: Plant, there: Plant
) -> None:
    here.do(define_material, MaterialDefinition(**GOAT))
    directs(hub, here, MaterialChange("RM-GOAT", shelf_life_days=12))

    assert obeys(hub, here).type == "DirectiveApplied"
    assert obeys(hub, there).payload["refusal"] == "FIELD_REQUIRED"
    assert stated(there) == []


@pytest.mark.parametrize(
    "change, code, path",
    [
        (MaterialChange("rm goat", "Goat"), CODE_INVALID, ("code",)),
        (MaterialChange("RM-GOAT", " "), TEXT_INVALID, ("name",)),
        (MaterialChange("RM-GOAT", retest_days=0), TEXT_INVALID, ("retestDays",)),
        (MaterialChange("RM-GOAT", conversions=(("BG", "0"),)), AMOUNT_NOT_POSITIVE, ("conversions", "0", "factor")),
        (MaterialChange("RM-GOAT", conversions=(("A", "1"),) * 2), CODE_TAKEN, ("conversions", "1", "unitCode")),
        (MaterialChange("RM-GOAT", cleared=frozenset({"unit"})), FIELD_REQUIRED, ("unitCode",)),
        (UnitChange("KGM", "Kilo"), CODE_TAKEN, ("code",)),
        (UnitChange("SACK", of="STONE"), UNIT_UNKNOWN, ("baseUnitCode",)),
        (UnitChange("SACK", factor="0"), AMOUNT_NOT_POSITIVE, ("factor",)),
    ],
)  # fmt: skip
def test_wrong_then_headquarters_is_refused_at_once(
    hub: Hub, here: Plant, change: Change, code: RefusalCode, path: tuple[str, ...]
) -> None:
    before = hub.desk(here).everything()
    with pytest.raises(Refusal) as caught:
        directs(hub, here, change)
    assert (caught.value.code, caught.value.path) == (code, path)
    with pytest.raises(Refusal) as unknown:
        directs(hub, here, MaterialChange("RM-GOAT", "Goat"), ("SH1", "ZZ9"))
    assert (unknown.value.code, unknown.value.path) == (NOT_DEFINED, ("plantCodes", "1"))
    assert hub.desk(here).everything() == before


def test_same_request_again_then_the_same_directives(hub: Hub, here: Plant) -> None:
    request, change = new_id(), MaterialChange("RM-GOAT", "Goat", cleared=frozenset({"retest_days"}))
    first = directs(hub, here, change, request=request)
    before = hub.desk(here).everything()
    assert directs(hub, here, change, request=request) == first
    assert hub.desk(here).everything() == before

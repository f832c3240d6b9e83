"""A plant's ledger begins with which plant it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.clock import FixedClock
from plants.commands.group.plants import NewPlant, open_plant
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.values.refusals import TEXT_INVALID, Refusal
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import plant_store

NEW = NewPlant(7, "GZ2", "Guangzhou 2 广州二厂", "Asia/Shanghai", "acme.example/plant/GZ2/i1")


def test_opened_then_first_entry_and_row_say_which_plant(tmp_path: Path) -> None:
    plant = plant_store(tmp_path, 7, "GZ2")
    first = plant.entries()[0]
    assert (first.type, first.envelope["plant"], first.envelope["actor"], first.index) == (
        "PlantOpened",
        7,
        "system",
        0,
    )
    assert plant.rows("SELECT * FROM plants") == [(7, "GZ2", "Plant GZ2", "Asia/Shanghai", "acme.example/plant/GZ2/i1")]
    before = plant.everything()
    with pytest.raises(Refusal) as caught, plant.store.transaction() as session:
        open_plant(session, NEW, now=plant.clock.now())
    assert caught.value.code is CODE_TAKEN
    assert plant.everything() == before
    plant.close()


@pytest.mark.parametrize(
    "wrong,code",
    [
        ({"number": 0}, CODE_INVALID),
        ({"number": 8192}, CODE_INVALID),
        ({"code": "gz2"}, CODE_INVALID),
        ({"code": "ABCDE"}, CODE_INVALID),
        ({"name": " "}, TEXT_INVALID),
        ({"time_zone": "Beijing"}, TEXT_INVALID),
    ],
)
def test_wrong_then_refused(tmp_path: Path, wrong: dict[str, object], code: R) -> None:
    plant = plant_store(tmp_path)
    before = plant.everything()
    with pytest.raises(Refusal) as caught, plant.store.transaction() as session:
        open_plant(session, replace(NEW, **wrong), now=FixedClock().now())  # type: ignore[arg-type]
    assert caught.value.code is code
    assert plant.everything() == before
    plant.close()

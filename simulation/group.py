"""The group that every run begins with: a hub and three plants, enrolled and opened, made once and copied by bytes."""

import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

import pysqlite3.dbapi2 as sqlite

from auth.actors import Role, system_actor
from auth.keys import public_key_text
from infra.database import Store
from infra.ids import owned_chance
from infra.settings import directive_origin, hub_origin, plant_origin
from migrations import upgrade
from plants.commands.execution import CommandContext
from plants.commands.group.enrolment import Enrolment, open_hub
from plants.commands.group.plants import NewPlant, open_plant
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from simulation.clocks import BEGINNING
from simulation.disks import Disk, Image
from simulation.nodes import CODES, GROUP, assertion_key, signer
from sync_jobs.hub.enrolment import enrol

MATERIALS: Final = (
    MaterialDefinition("MILK", "Raw milk 生乳", "KGM", shelf_life_days=30),
    MaterialDefinition("SUGAR", "Sugar 白糖", "KGM", conversions={"BG": "25"}),
    MaterialDefinition("M0", "Salt 食盐", "KGM", retest_days=1),
    MaterialDefinition("YOG", "Yoghurt 酸奶", "KGM", shelf_life_days=21, retest_days=14),
)
MASTERS: Final = (
    MasterDefinition(MasterKind.LOCATION, "A1", "Cold store 冷库"),
    MasterDefinition(MasterKind.LOCATION, "B1", "Line side 线边"),
    MasterDefinition(MasterKind.SUPPLIER, "S1", "Green farm 绿地牧场"),
    MasterDefinition(MasterKind.CUSTOMER, "C1", "Corner shop 便利店"),
    MasterDefinition(MasterKind.EQUIPMENT, "MIX1", "Mixer 搅拌机"),
)
KEEPER: Final = Author("keeper", "Zhao Min 赵敏")


@dataclass(frozen=True, slots=True)
class Template:
    """What the disks hold at the beginning: the hub's, and each plant's by its number."""

    hub: Image
    plants: dict[int, Image]


class IdSource:
    """Identifiers in the form of UUIDs, version 7, that a seed gives again."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._count = count(1)

    def __call__(self) -> str:
        """Return the next one."""
        low = self._chance.getrandbits(60)
        text = f"{next(self._count):012x}7{low & 0xFFF:03x}8{low:015x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


@cache
def template() -> Template:
    """Return the group as every run begins; made once in a process."""
    chance = Random(1)
    empty = _migrated()
    with owned_chance(IdSource(chance), chance):
        return Template(_hub(empty), {number: _plant(empty, number) for number in CODES})


def _migrated() -> Image:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "empty.db"
        store = Store(f"sqlite:///{path}")
        upgrade(store)
        store.close()
        with sqlite.connect(str(path)) as source:
            return Image(source)


def _hub(empty: Image) -> Image:
    disk = Disk()
    disk.put_back(empty)
    with disk.transaction() as session:
        open_hub(session, group=GROUP, origin=hub_origin(GROUP), now=BEGINNING)
    for number, code in CODES.items():
        origin = plant_origin(GROUP, code)
        order = Enrolment(
            number=number,
            code=code,
            name=f"Plant {code}",
            origin=origin,
            directive_origin=directive_origin(GROUP, code),
            ledger_key=str(signer(origin, code).key),
            assertion_key=public_key_text(assertion_key(code).public_key),
        )
        with disk.transaction() as session:
            enrol(session, order, actor=system_actor("cli", Role.ADMINISTRATOR), now=BEGINNING)
    return disk.image()


def _plant(empty: Image, number: int) -> Image:
    disk, code = Disk(), CODES[number]
    disk.put_back(empty)
    call = CommandContext(number, BEGINNING)
    with disk.transaction() as session:
        new = NewPlant(number, code, f"Plant {code}", "Asia/Shanghai", plant_origin(GROUP, code))
        open_plant(session, new, now=BEGINNING)
        for material in MATERIALS:
            define_material(session, material, actor=KEEPER, call=call)
        for master in MASTERS:
            define_master(session, master, actor=KEEPER, call=call)
    return disk.image()

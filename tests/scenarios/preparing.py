"""The homes of a small group, made once a run through the command line and copied for each test that starts it."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner, Result

import api.cli.tree
from auth.actors import Grant, Role, system_actor
from auth.passwords import hash_password
from auth.people import add_person, grant_role, set_password
from infra.clock import SystemClock
from infra.database import Session, Store
from infra.postgres import EmbeddedPostgres
from plants.commands.execution import CommandContext
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from tests.databases import fresh_database
from tests.scenarios.processes import HUB, PASSWORD, Group

GROUP_DOMAIN: Final = "acme.example"
PLANTS: Final = {"SH1": 1, "SZ2": 2}
TEMPLATE: Final = "scenario_hub"
OPERATORS: Final = tuple(f"op.{number:02}" for number in range(10))
LI, WANG, CHEN, ZHAO, STRANGER = "li.wei", "wang.fang", "chen.jing", "zhao.min", "stranger"

MATERIALS: Final = (
    MaterialDefinition("MILK", "Raw milk 生乳", "KGM", shelf_life_days=30),
    MaterialDefinition("SUGAR", "Sugar 白糖", "KGM", conversions={"BG": "25"}),
    MaterialDefinition("YOGURT", "Yoghurt 酸奶", "KGM", shelf_life_days=21),
)
MASTERS: Final = (
    MasterDefinition(MasterKind.LOCATION, "A1", "Cold store 冷库"),
    MasterDefinition(MasterKind.LOCATION, "B1", "Line side 线边"),
    MasterDefinition(MasterKind.SUPPLIER, "S1", "Green farm 绿地牧场"),
    MasterDefinition(MasterKind.CUSTOMER, "C1", "Corner shop 便利店"),
    MasterDefinition(MasterKind.EQUIPMENT, "MIX1", "Mixer 搅拌机"),
)
# Who signs in where: id -> (home, plant of the roles or None for the home's own, roles).
STAFF: Final[Mapping[str, tuple[tuple[str, int | None, tuple[Role, ...]], ...]]] = {
    LI: (("SH1", None, (Role.OPERATOR, Role.QUALITY)), (HUB, 0, (Role.HEADQUARTERS,))),
    WANG: (("SH1", None, (Role.MANAGER,)), ("SZ2", None, (Role.MANAGER,))),
    CHEN: ((HUB, 0, (Role.HEADQUARTERS,)),),
    ZHAO: ((HUB, 1, (Role.MANAGER,)),),
    STRANGER: (("SH1", 2, (Role.MANAGER,)), (HUB, None, ())),
    **dict.fromkeys(OPERATORS, (("SH1", None, (Role.OPERATOR,)),)),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Where the homes are that tests copy, and the cluster with the hub's database that they copy."""

    folder: Path
    server: EmbeddedPostgres


def prepare(folder: Path, server: EmbeddedPostgres) -> Prepared:
    """Make a hub and two plants by the command line, enrol them, and add people and master data."""
    server.create_database(TEMPLATE)
    hub = {"BATCHLOOM_DATABASE_URL": server.url(TEMPLATE)}
    _cli("hub", "init", "--home", folder / HUB, "--group", GROUP_DOMAIN, given=hub)
    card = folder / "hub-card.json"
    card.write_text(_cli("hub", "card", "--home", folder / HUB, given=hub))
    for code, number in PLANTS.items():
        name = ("--name", f"Plant {code}", "--time-zone", "Asia/Shanghai")
        known = ("--hub-card", card, "--hub-url", "http://127.0.0.1:8700")
        _cli("plant", "init", "--home", folder / code, "--number", number, "--code", code, *name, *known)
        (folder / f"{code}.json").write_text(_cli("plant", "card", "--home", folder / code))
    cards = [folder / f"{code}.json" for code in PLANTS]
    _cli("hub", "enrol", "--home", folder / HUB, *cards, given=hub)
    for code in (HUB, *PLANTS):
        store = Store(server.url(TEMPLATE) if code == HUB else f"sqlite:///{folder / code / 'plant.db'}")
        with store.transaction() as session:
            _add_staff(session, code)
            if code != HUB:
                _define(session, PLANTS[code])
        store.close()
    _cli_people(folder)
    return Prepared(folder, server)


def copy_group(prepared: Prepared, folder: Path, more: Mapping[str, Mapping[str, str]] | None = None) -> Group:
    """Return a group of its own, not yet running; `more` are settings by the code of a node."""
    extra = more or {}
    group = Group(folder)
    for code in (HUB, *PLANTS):
        home = folder / code
        shutil.copytree(prepared.folder / code, home)
        url = f"sqlite:///{home / 'plant.db'}"
        if code == HUB:
            url = fresh_database(prepared.server, template=TEMPLATE)
        group.add(code, home, url, extra.get(code))
    return group


def command(*arguments: object, given: Mapping[str, str] | None = None) -> Result:
    """Run the command line to its end, within this process, which is quicker than a new one."""
    return CliRunner().invoke(api.cli.tree.app, [str(one) for one in arguments], env=given)


def _cli(*arguments: object, given: Mapping[str, str] | None = None) -> str:
    done = command(*arguments, given=given)
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.stdout


def _cli_people(folder: Path) -> None:
    """Give one person a role and a password the way that a person at the console does."""
    home = folder / "SZ2"
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n")
    person = ("--name", "Sun Hao 孙浩", "--role", "operator", "--language", "zh")
    _cli("person", "add", "--home", home, "sun.hao", *person, "--password-file", secret)


def _add_staff(session: Session, code: str) -> None:
    actor, now = system_actor("console", Role.ADMINISTRATOR), SystemClock().now()
    own = PLANTS.get(code, 0)
    for person, places in STAFF.items():
        for place, plant, roles in places:
            if place != code:
                continue
            named: dict[str, Any] = {"printed_name": person.replace(".", " ").title(), "language": "en"}
            add_person(session, actor=actor, person_id=person, plant_number=own, at=now, **named)
            for role in roles:
                grant = Grant(own if plant is None else plant, role)
                grant_role(session, actor=actor, person_id=person, grant=grant, at=now)
            password = hash_password(PASSWORD, person_id=person)
            set_password(session, actor=actor, person_id=person, password=password, at=now)


def _define(session: Session, number: int) -> None:
    call, author = CommandContext(number, SystemClock().now()), Author(WANG, "Wang Fang")
    for material in MATERIALS:
        define_material(session, material, actor=author, call=call)
    for master in MASTERS:
        define_master(session, master, actor=author, call=call)


def plant_of(card: Path) -> dict[str, Any]:
    """Return what a card says."""
    return dict(json.loads(card.read_text()))

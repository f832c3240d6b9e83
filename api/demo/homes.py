"""The homes of the demonstration's nodes: a hub and three plants, with people who can sign in."""

import json
import shutil
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.cli.nodes import console_actor
from api.cli.person import generate_password_text
from api.node.node import Node, NodeKeys, make_home
from auth.actors import GROUP, Grant, Role
from auth.keys import public_key_text
from auth.passwords import hash_password
from auth.people import add_person, grant_role, set_password
from infra import roles
from infra.database import Session
from infra.messages import Failure, Language, message
from infra.postgres import EmbeddedPostgres, PostgresUnavailable
from infra.settings import Settings, directive_origin
from plants.commands.group.enrolment import Enrolment, open_hub
from plants.commands.group.plants import NewPlant, open_plant
from sync_jobs.hub.enrolment import enrol

GROUP_DOMAIN: Final = "weaver.example"
TIME_ZONE: Final = "Asia/Shanghai"
MARK: Final = "demo"
"""The file that says that a directory was made by the demonstration, and may be made anew by it."""

DIRECTORY: Final = "demo.json"
"""The file in the home of the demonstration that lets programs sign in."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody of the demonstration: employee number, printed name, roles and language."""

    id: str
    name: str
    roles: tuple[Role, ...]
    language: Language = "zh"


@dataclass(frozen=True, slots=True)
class DemoNode:
    """One node of the demonstration: its address, its people and their passwords."""

    code: str
    name: str
    home: Path
    port: int
    people: tuple[DemoPerson, ...]
    passwords: dict[str, str]

    @property
    def url(self) -> str:
        """The URL of the node."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def room(self) -> str:
        """The sub-command that runs it."""
        return "plant" if self.code else "hub"


HUB_PEOPLE: Final = (
    DemoPerson("chen.jing", "Chen Jing 陈静", (Role.HEADQUARTERS,)),
    DemoPerson("sun.hao", "Sun Hao 孙浩", (Role.AUDITOR,)),
)
PLANTS: Final = (
    ("QD1", "Qingdao: nuts 青岛", "liu"),
    ("WH1", "Wuhan: bakery 武汉", "zhao"),
    ("SH1", "Shanghai: packing 上海", "wang"),
)


def make_homes(folder: Path) -> tuple[DemoNode, ...]:
    """Make the homes anew, opened and enrolled, and return the hub and the plants in the order of their numbers.

    Raises Failure where the directory holds anything that the demonstration did not make.
    """
    _remove_old_homes(folder)
    ports = _free_ports(1 + len(PLANTS))
    hub = DemoNode("", "Hub 总部", folder / "hub", ports[0], HUB_PEOPLE, {})
    settings = Settings(
        home=hub.home, role=roles.Role.HUB, group=GROUP_DOMAIN, port=hub.port, push_seconds=1, checkpoint_seconds=5
    )
    make_home(settings)
    plants = tuple(
        DemoNode(code, name, folder / code.lower(), port, _plant_people(family), {})
        for (code, name, family), port in zip(PLANTS, ports[1:], strict=True)
    )
    hub_key = str(NodeKeys.load(settings).ledger.key)
    orders = [_make_plant(plant, number, hub.url, hub_key) for number, plant in enumerate(plants, 1)]
    _make_hub(hub, settings, orders)
    return (hub, *plants)


def write_directory(folder: Path, nodes: Sequence[DemoNode]) -> None:
    """Write DIRECTORY into the folder: nodes with their URLs, people, roles and passwords, readable by the owner alone.

    A program signs in with it. A user with several roles is listed once for each role.
    """
    place = folder / DIRECTORY
    place.touch(mode=0o600)
    place.chmod(0o600)
    listed = [
        {
            "code": node.code,
            "role": node.room,
            "url": node.url,
            "people": [
                {"person": person.id, "role": role.value, "password": node.passwords[person.id]}
                for person in node.people
                for role in person.roles
            ],
        }
        for node in nodes
    ]
    place.write_text(json.dumps({"nodes": listed}, indent=2) + "\n", encoding="utf-8")


def _plant_people(family: str) -> tuple[DemoPerson, ...]:
    names = {"liu": "Liu 刘", "zhao": "Zhao 赵", "wang": "Wang 王"}
    return (
        DemoPerson(f"{family}.min", f"{names[family]} Min", (Role.OPERATOR,)),
        DemoPerson(f"{family}.lan", f"{names[family]} Lan", (Role.QUALITY,)),
        DemoPerson(f"{family}.gang", f"{names[family]} Gang", (Role.MANAGER,)),
    )


def _remove_old_homes(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise Failure(
            message(
                "DEMO_HOME_TAKEN", "{folder} holds files that the demonstration did not make. Choose another --home."
            ),
            folder=folder,
        )
    database = folder / "hub" / "postgresql"
    if (database / "data" / "postmaster.pid").exists():
        # Left by a demonstration that was killed: taken over, and stopped.
        with suppress(PostgresUnavailable), EmbeddedPostgres(database):
            pass
    elsewhere = database / "place"
    if elsewhere.exists():
        # The database's user cannot reach the home, so its files are in this directory.
        _remove_cluster(Path(elsewhere.read_text(encoding="utf-8").strip()), database)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("Made anew by `batchloom demo` each time.\n", encoding="utf-8")


def _remove_cluster(place: Path, database: Path) -> None:
    """Remove a cluster if it is this home's own."""
    owner = place / "home"
    if owner.exists() and Path(owner.read_text(encoding="utf-8").strip()) == database.resolve():
        shutil.rmtree(place, ignore_errors=True)


def _make_plant(plant: DemoNode, number: int, hub_url: str, hub_key: str) -> Enrolment:
    settings = Settings(
        home=plant.home,
        role=roles.Role.PLANT,
        group=GROUP_DOMAIN,
        plant_number=number,
        plant_code=plant.code,
        hub_url=hub_url,
        hub_key=hub_key,
        port=plant.port,
        push_seconds=1,
        checkpoint_seconds=5,
    )
    make_home(settings)
    order = NewPlant(number, plant.code, plant.name, TIME_ZONE, settings.origin)
    with Node(settings) as node:
        with node.store.transaction() as session:
            open_plant(session, order, now=node.clock.now())
            _add_people(session, node, plant, number)
        return Enrolment(
            number=number,
            code=plant.code,
            name=plant.name,
            origin=settings.origin,
            directive_origin=directive_origin(GROUP_DOMAIN, plant.code),
            ledger_key=str(node.keys.ledger.key),
            assertion_key=public_key_text(node.keys.assertion.public_key),
        )


def _make_hub(hub: DemoNode, settings: Settings, orders: Sequence[Enrolment]) -> None:
    with Node(settings) as node, node.store.transaction() as session:
        now = node.clock.now()
        open_hub(session, group=GROUP_DOMAIN, origin=settings.origin, now=now)
        for order in orders:
            enrol(session, order, actor=console_actor(Role.ADMINISTRATOR), now=now)
        _add_people(session, node, hub, GROUP)


def _add_people(session: Session, node: Node, demo: DemoNode, number: int) -> None:
    actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()
    for person in demo.people:
        made = demo.passwords[person.id] = generate_password_text()
        hashed = hash_password(made, person_id=person.id)
        add_person(
            session,
            actor=actor,
            person_id=person.id,
            printed_name=person.name,
            plant_number=number,
            language=person.language,
            at=now,
        )
        for role in person.roles:
            grant_role(session, actor=actor, person_id=person.id, grant=Grant(number, role), at=now)
        set_password(session, actor=actor, person_id=person.id, password=hashed, at=now)


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; all are held until the last is found, so that they differ."""
    with ExitStack() as holding:
        probes = [holding.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]

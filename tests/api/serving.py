"""Nodes that really serve: a plant on SQLite and a hub on PostgreSQL behind uvicorn, with people who are signed in."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

import migrations
from api.http.serve import listen, server
from api.node.node import Node, make_home
from auth.actors import GROUP as WHOLE_GROUP
from auth.actors import Grant, system_actor
from auth.actors import Role as Trust
from auth.passwords import HashedPassword, hash_password
from auth.people import add_person, grant_role, set_password
from infra.clock import FixedClock
from infra.database import Session, Store
from infra.ids import new_id
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import Settings, directive_origin, hub_origin, plant_origin
from plants.commands.group.enrolment import Enrolment, enrol_plant, open_hub
from plants.commands.group.plants import NewPlant, open_plant
from plants.commands.materials.definitions import define_master, define_material
from plants.rules.values.actors import SYSTEM
from tests.coded import check_codes
from tests.databases import file_content, fresh_database, template_of
from tests.factories import GROUP, MASTERS, MATERIALS, Plant
from tests.patience import patient, wait_until
from tests.schema.paths import check_paths, mutation_text

PASSWORD = "correct horse battery"
SETUP = system_actor("setup", Trust.ADMINISTRATOR)

PLANT_STAFF = {"wang": Trust.OPERATOR, "li": Trust.MANAGER, "zhao": Trust.QUALITY, "chen": Trust.AUDITOR}
PLANTS_OF_HUB = {1: "SH1", 2: "BJ2"}
HUB_STAFF = {
    "hq": Grant(WHOLE_GROUP, Trust.HEADQUARTERS),
    "auditor": Grant(WHOLE_GROUP, Trust.AUDITOR),
    **{f"manager-{number}": Grant(number, Trust.MANAGER) for number in PLANTS_OF_HUB},
}


@cache
def password(person: str) -> HashedPassword:
    return hash_password(PASSWORD, person_id=person)


@dataclass
class Person:
    """Somebody who is signed in and asks over HTTP."""

    name: str
    client: httpx2.Client
    token: str
    role: Role
    language: str = "en"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept-Language": self.language}

    def send(self, query: str, **variables: Any) -> httpx2.Response:
        """Post an operation and return the answer as it came."""
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}, headers=self.headers)
        check_codes(answer.json())
        return answer

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the data of an operation that goes well."""
        answer = self.send(query, **variables)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        assert "errors" not in content, content["errors"]
        return content["data"]

    def do(self, mutation: str, selection: str = "__typename", **given: Any) -> Any:
        """Do a mutation with a new request id unless one is given, and return its answer."""
        sent = {"requestId": new_id(), **given}
        query, variables = mutation_text(self.role, mutation, selection, sent)
        answer: dict[str, Any] = self.ask(query, **variables)[mutation]
        check_paths(self.role, mutation, sent, answer)
        return answer


@dataclass
class Serving:
    """A node that serves, its clock, and how its people get in."""

    node: Node
    clock: FixedClock
    url: str
    client: httpx2.Client
    people: dict[str, Person] = field(default_factory=dict)

    def plant(self, number: int = 1, code: str = "SH1") -> Plant:
        """Return a plant of the node's store, to write and read without the contract."""
        return Plant(self.node.store, number, code, self.clock)

    def person(self, name: str, *grants: Grant) -> Person:
        """Return a new user with these roles and a fresh token."""
        self.node.writer.write(lambda session: add_user(session, name, *grants, at=self.clock.now()))
        return self.sign_in(name)

    def sign_in(self, name: str) -> Person:
        """Return a user of the node with a fresh token."""
        token = self.node.tokens.issue(name, authenticated_s=int(self.clock.now().timestamp()))
        self.people[name] = Person(name, self.client, token, self.node.settings.role)
        return self.people[name]


def add_user(session: Session, name: str, *grants: Grant, at: datetime) -> None:
    """Add a user with these roles and a password."""
    printed = name.title()
    add_person(session, actor=SETUP, person_id=name, printed_name=printed, plant_number=0, language="en", at=at)
    for grant in grants:
        grant_role(session, actor=SETUP, person_id=name, grant=grant, at=at)
    set_password(session, actor=SETUP, person_id=name, password=password("anyone"), at=at)


@contextmanager
def serving(node: Node, clock: FixedClock) -> Iterator[Serving]:
    """Serve a node on a free port of this machine for the length of the block."""
    listener = listen("127.0.0.1", 0)
    running = server(node, jobs=False)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: running.started or not thread.is_alive(), "the node's server has started")
    assert thread.is_alive()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx2.Client(base_url=url, timeout=patient(30), trust_env=False, verify=False) as client:
            yield Serving(node, clock, url, client)
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def plant_node(folder: Path, **settings: Any) -> Iterator[Serving]:
    """Serve a plant on SQLite with MATERIALS and MASTERS and one person for each role."""
    given: Mapping[str, Any] = {"home": folder / "SH1", "plant_number": 1, "plant_code": "SH1", **settings}
    home = Settings(role=Role.PLANT, group=GROUP, **given)
    make_home(home)
    (home.home / "plant.db").write_bytes(_plant_file())
    clock = FixedClock()
    with Node(home, clock=clock) as node, serving(node, clock) as served:
        for name in PLANT_STAFF:
            served.sign_in(name)
        yield served


@contextmanager
def hub_node(folder: Path, server: EmbeddedPostgres) -> Iterator[Serving]:
    """Serve a hub on PostgreSQL that holds two plants, SH1 and BJ2, with people of each and of the group."""
    url = fresh_database(server, template=template_of(server, "served_hub", _fill_hub))
    home = Settings(home=folder / "hub", role=Role.HUB, group=GROUP, database_url=SecretStr(url))
    make_home(home)
    clock = FixedClock()
    with Node(home, clock=clock) as node, serving(node, clock) as served:
        for name in HUB_STAFF:
            served.sign_in(name)
        yield served


@cache
def _plant_file() -> bytes:
    return file_content(_fill_plant)


def _fill_plant(store: Store) -> None:
    migrations.upgrade(store)
    plant = Plant(store)
    with store.transaction() as session:
        fill(session, plant)
        for name, role in PLANT_STAFF.items():
            add_user(session, name, Grant(plant.number, role), at=plant.clock.now())


def _fill_hub(store: Store) -> None:
    migrations.upgrade(store)
    now = FixedClock().now()
    with store.transaction() as session:
        open_hub(session, group=GROUP, origin=hub_origin(GROUP), now=now)
        for number, code in PLANTS_OF_HUB.items():
            enrol_plant(session, _enrolment(number, code), actor=SYSTEM, now=now)
            fill(session, Plant(store, number, code))
        for name, grant in HUB_STAFF.items():
            add_user(session, name, grant, at=now)


def fill(session: Session, plant: Plant) -> None:
    """Open a plant's ledger in a store and define its master data."""
    new = NewPlant(plant.number, plant.code, f"Plant {plant.code}", "Asia/Shanghai", plant.origin)
    open_plant(session, new, now=plant.clock.now())
    for material in MATERIALS:
        define_material(session, material, actor=plant.actor, call=plant.call())
    for master in MASTERS:
        define_master(session, master, actor=plant.actor, call=plant.call())


def _enrolment(number: int, code: str) -> Enrolment:
    return Enrolment(
        number=number,
        code=code,
        name=f"Plant {code}",
        origin=plant_origin(GROUP, code),
        directive_origin=directive_origin(GROUP, code),
        ledger_key="key",
        assertion_key="key",
    )

"""Fixtures of the auth room: a fixed clock, a real store and its writer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.actors import Actor, Grant, Role, system_actor
from auth.passwords import HashedPassword, hash_password
from infra.clock import FixedClock
from infra.database import Store
from infra.writer import Writer
from tests.auth.staff import add
from tests.databases import migrated_database, migrated_file

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = Store(migrated_file(tmp_path / "node.db"))
    else:
        opened = Store(migrated_database(request.getfixturevalue("postgres_18")))
    yield opened
    opened.close()


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    started = Writer(store)
    yield started
    started.close()


@pytest.fixture
def administrator() -> Actor:
    return system_actor("cli", Role.ADMINISTRATOR)


@pytest.fixture(scope="session")
def hashed() -> HashedPassword:
    return hash_password(PASSWORD, person_id="nobody")


@pytest.fixture
def li(writer: Writer, administrator: Actor, clock: FixedClock, hashed: HashedPassword) -> str:
    """An operator of plant 1 who has a password."""
    return add(writer, administrator, clock, "li.wei", 1, Grant(1, Role.OPERATOR), password=hashed)

"""Stores for the tests of the tables: an empty one on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import migrations
from infra.database import Store
from tests.databases import fresh_database


@pytest.fixture(params=["sqlite", "postgres_15", "postgres_18"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with its tables and nothing in them."""
    kind = request.param
    url = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite" else fresh_database(request.getfixturevalue(kind))
    store = Store(url)
    migrations.upgrade(store)
    yield store
    store.close()

"""Plants and empty stores, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.database import Store
from tests.databases import migrated_database, migrated_file
from tests.factories import Plant, plant_store, postgres_plant


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Plant]:
    """A plant on SQLite, for what no database decides."""
    plant = plant_store(tmp_path)
    yield plant
    plant.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Plant]:
    """A second plant on SQLite, in a store of its own."""
    plant = plant_store(tmp_path, 2, "NB1")
    yield plant
    plant.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    """A plant on each database in turn."""
    if request.param == "sqlite":
        plant = plant_store(tmp_path)
    else:
        plant = postgres_plant(request.getfixturevalue("postgres_18"))
    yield plant
    plant.close()


@pytest.fixture(params=["sqlite", "postgres_15", "postgres_18"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with its tables and nothing in them."""
    kind = request.param
    url = migrated_file(tmp_path / "store.db") if kind == "sqlite" else migrated_database(request.getfixturevalue(kind))
    store = Store(url)
    yield store
    store.close()

"""Nodes whose GraphQL is asked: a plant on SQLite, and a hub over two plants on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.postgres import EmbeddedPostgres
from tests.factories import Plant, plant_store
from tests.schema.asking import Served, served
from tests.schema.group import Group, group_of_two


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Plant]:
    """A plant on SQLite."""
    plant = plant_store(tmp_path)
    yield plant
    plant.close()


@pytest.fixture
def node(here: Plant) -> Iterator[Served]:
    """That plant's node."""
    node = served(here)
    yield node
    node.close()


@pytest.fixture
def group(tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[Group]:
    """Two plants on SQLite, and the hub on PostgreSQL."""
    with group_of_two(tmp_path, postgres_18) as group:
        yield group


@pytest.fixture
def hub(group: Group) -> Iterator[Served]:
    """The hub's node."""
    node = Served(group.hub.store, group.here.clock, 0)
    yield node
    node.close()

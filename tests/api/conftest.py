"""Nodes that serve, for the tests of the HTTP routes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.postgres import EmbeddedPostgres
from tests.api.serving import Serving, hub_node, plant_node


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Serving]:
    """A plant on SQLite that serves."""
    with plant_node(tmp_path) as served:
        yield served


@pytest.fixture
def hub(tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[Serving]:
    """A hub on PostgreSQL that serves, with two plants in it."""
    with hub_node(tmp_path, postgres_18) as served:
        yield served

"""A running group on a fresh database for each test that requests one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.postgres import EmbeddedPostgres
from tests.databases import migrated_database
from tests.sync_jobs.group import Group, running_group


@pytest.fixture
def group(postgres_18: EmbeddedPostgres, tmp_path: Path) -> Iterator[Group]:
    with running_group(migrated_database(postgres_18), tmp_path) as running:
        yield running

"""Tables: each says in which roles it exists and how it comes by its rows, and migrations make exactly them."""

from pathlib import Path

import pytest
from alembic.command import check
from alembic.script import ScriptDirectory
from sqlalchemy import Table
from sqlmodel import SQLModel

import migrations
from auth import store as people
from infra.database import Store
from infra.discovery import modules
from infra.postgres import EmbeddedPostgres
from infra.roles import Keeping, Role
from plants import store as store_room
from tests.databases import fresh_database

ROOMS = (people, *modules(store_room))
TABLES = tuple(SQLModel.metadata.tables.values())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_declares_its_roles_and_its_keeping(table: Table) -> None:
    assert isinstance(table.info.get("keeping"), Keeping), "use infra.roles.table_options"
    assert table.info["roles"]
    assert table.info["roles"] <= set(Role)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_projected_row_names_the_plant_that_stated_it(table: Table) -> None:
    if table.info["keeping"] is Keeping.PROJECTION:
        assert {"plant_id", "log_id"} & {column.name for column in table.primary_key}


def test_the_revision_that_the_program_needs_is_the_head_of_the_history(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    assert ScriptDirectory.from_config(migrations.config(store)).get_current_head() == migrations.head()
    assert (migrations.revision(store), migrations.pending(store)) == (None, f"None -> {migrations.head()}")
    migrations.upgrade(store)
    assert (migrations.revision(store), migrations.pending(store)) == (migrations.head(), "")
    store.close()


def test_migrations_make_the_tables_that_the_code_declares_on_sqlite(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    migrations.upgrade(store)

    check(migrations.config(store))
    store.close()


def test_migrations_make_the_tables_that_the_code_declares_on_postgresql(postgres: EmbeddedPostgres) -> None:
    store = Store(fresh_database(postgres))
    migrations.upgrade(store)

    check(migrations.config(store))
    store.close()

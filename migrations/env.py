"""The environment that Alembic runs: the tables of all rooms, and the connection of the caller."""

from typing import Any

from alembic import context
from alembic.operations.ops import CreateTableOp
from sqlmodel import SQLModel

import auth.store
import plants.store
from infra.discovery import modules

TABLES = (auth.store, *modules(plants.store))
"""Imported for the tables that they declare."""


def leave_out_declarations(_context: object, _revision: object, scripts: list[Any]) -> None:
    """Keep what tables declare of themselves (roles, keeping) out of generated revisions: it is no part of a schema."""
    for operation in scripts[0].upgrade_ops.ops:
        if isinstance(operation, CreateTableOp):
            operation.info.clear()


def run() -> None:
    """Run the migrations in one transaction, so that a store is at one revision or the other, never between."""
    engine = context.config.attributes["engine"]
    with engine.begin() as connection:
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            compare_type=True,
            process_revision_directives=leave_out_declarations,
        )
        with context.begin_transaction():
            context.run_migrations()


run()

"""Databases that no other test uses: empty, migrated, or copies of a prepared one."""

import secrets
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql
from sqlalchemy import make_url

import migrations
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from infra.postgres_programs import PostgresUnavailable

MIGRATED: Final = "migrated"
_TEMPLATES: Final[WeakKeyDictionary[EmbeddedPostgres, set[str]]] = WeakKeyDictionary()
_MADE: Final[WeakKeyDictionary[EmbeddedPostgres, list[str]]] = WeakKeyDictionary()


def fresh_database(server: EmbeddedPostgres, *, template: str = "template1") -> str:
    """Create a database as a copy of the template and return its URL; it is dropped after the test module."""
    name = f"test_{secrets.token_hex(6)}"
    # Copying files writes no WAL, and takes half the time of PostgreSQL's default here.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with _connected(server.url("postgres")) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    _MADE.setdefault(server, []).append(name)
    return server.url(name)


def migrated_database(server: EmbeddedPostgres) -> str:
    """Create a database with empty tables and return its URL; it is dropped after the test module."""
    return fresh_database(server, template=template_of(server, MIGRATED, migrations.upgrade))


def template_of(server: EmbeddedPostgres, name: str, fill: Callable[[Store], None]) -> str:
    """Create and fill a template at its first use in this process, and return its name."""
    names = _TEMPLATES.setdefault(server, set())
    if name not in names:
        server.create_database(name)
        store = Store(server.url(name))
        fill(store)
        store.close()
        names.add(name)
    return name


def drop_databases() -> None:
    """Drop the databases made so far, except templates.

    A worker makes more than a thousand; kept until its end, they need 9 MB of disk each and a minute to delete.
    A server that its test has stopped keeps none.
    """
    for server, names in list(_MADE.items()):
        try:
            url = server.url("postgres")
        except PostgresUnavailable:
            del _MADE[server]
            continue
        with _connected(url) as connection:
            while names:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(names.pop())))


def _connected(url: str) -> psycopg.Connection:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


def migrated_file(path: Path) -> str:
    """Create a SQLite file with empty tables and return its URL."""
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


def file_content(fill: Callable[[Store], None]) -> bytes:
    """Return the content of a SQLite file that was filled and closed."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.db"
        store = Store(f"sqlite:///{path}")
        fill(store)
        store.close()
        return path.read_bytes()


@cache
def _migrated() -> bytes:
    return file_content(migrations.upgrade)

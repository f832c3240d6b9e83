"""Opens a node's store: by URL, in the node's home, or on an embedded PostgreSQL server."""

from contextlib import ExitStack, closing, suppress
from pathlib import Path

from sqlalchemy import URL

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from infra.postgres_keeper import PostgresKeeper
from infra.roles import Role
from infra.settings import Settings

DATABASE = "batchloom"
PROBE = "CREATE TEMPORARY TABLE probe AS SELECT repeat('x', 1000) AS line FROM generate_series(1, 2000)"


class _RolledBack(Exception):
    """Rolls the probe's transaction back."""


def probe_writes(store: Store) -> None:
    """Write 2 MB to a temporary PostgreSQL table, and roll back. Raises the driver's error where the disk is full.

    The size is more than the files of a database have to spare, unless the disk has room.
    """
    with suppress(_RolledBack), store.transaction() as session:
        session.run(PROBE)
        raise _RolledBack


def run_server(settings: Settings, opening: ExitStack) -> EmbeddedPostgres | None:
    """Start or join the embedded PostgreSQL server of a node, and keep it running until the stack is closed.

    Returns None for a node without one; raises PostgresUnavailable.
    """
    if settings.database_url is not None or settings.role is Role.PLANT:
        return None
    server = EmbeddedPostgres(settings.home / "postgresql", binaries=settings.postgresql_bin)
    opening.enter_context(server)
    opening.enter_context(PostgresKeeper(server))
    return server


def plant_store(home: Path) -> URL:
    """Return the address of the store in a plant's home, which may have any path.

    The text of an address decodes `%20` and ends its path at `?`, so the address is built from its parts.
    """
    return URL.create("sqlite", database=str(home.resolve() / "plant.db"))


def open_store(settings: Settings, opening: ExitStack) -> Store:
    """Return the node's store, closed with the stack; starts or joins the embedded PostgreSQL server if needed.

    Raises StoreUnfit, or PostgresUnavailable.
    """
    if settings.database_url is not None:
        return opening.enter_context(closing(Store(settings.database_url.get_secret_value())))
    server = run_server(settings, opening)
    if server is None:
        return opening.enter_context(closing(Store(plant_store(settings.home))))
    server.create_database(DATABASE)
    return opening.enter_context(closing(Store(server.url(DATABASE))))

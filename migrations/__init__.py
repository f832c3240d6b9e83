"""The history of the store's tables: one for both roles, applied in order, never edited once released.

Alembic is loaded where there is something to do: nearly always a store is there already, and every command asks.
"""

import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect

from infra.database import Store

if TYPE_CHECKING:
    from alembic.config import Config

REVISION: Final = re.compile(r'^revision = "(\d{4})"$', re.MULTILINE)
SELECT_REVISION: Final = "SELECT version_num FROM alembic_version"


@cache
def head() -> str:
    """Return the newest revision, at which this program finds its tables.

    Revisions are numbered 0001, 0002 and so on.
    """
    scripts = (path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "versions").glob("*.py"))
    return max(found[1] for script in scripts if (found := REVISION.search(script)))


def config(store: Store) -> "Config":
    """Return Alembic's configuration for a store."""
    from alembic.config import Config  # noqa: PLC0415 -- as said above.

    settings = Config(stdout=sys.stdout)  # Its own default is the output at the time of its import.
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["engine"] = store.engine
    return settings


def upgrade(store: Store) -> None:
    """Bring a store's tables to the newest revision; a store that is there already is left as it is."""
    if revision(store) == head():
        return
    from alembic import command  # noqa: PLC0415 -- as said above.

    command.upgrade(config(store), "head")


def pending(store: Store) -> str:
    """Return how a store's tables differ from what this program needs, as “revision -> revision”; empty if not."""
    there = revision(store)
    return "" if there == head() else f"{there} -> {head()}"


def revision(store: Store) -> str | None:
    """Return the revision of a store's tables; None for a store without any."""
    with store.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql(SELECT_REVISION).scalar_one_or_none()

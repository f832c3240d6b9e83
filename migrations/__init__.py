"""The history of the store's tables: one for both roles, applied in order, never edited once released.

Alembic is loaded where there is something to do: nearly always a store is there already, and every command asks.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect

from infra.database import Store

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS: Final = Path(__file__).parent / "versions"
DECLARED: Final = re.compile(r'^(down_)?revision = (?:"(\w+)"|None)$', re.MULTILINE)


def _head() -> str:
    """Return the head of the history, which no other revision follows, without loading Alembic."""
    declared = [one for script in VERSIONS.glob("*.py") for one in DECLARED.findall(script.read_text(encoding="utf-8"))]
    names: set[str] = {name for down, name in declared if not down}
    (head,) = names - {name for down, name in declared if down}
    return head


NEWEST: Final = _head()
"""The revision at which this program finds its tables: the head of the history."""
SELECT_REVISION: Final = "SELECT version_num FROM alembic_version"


def config(store: Store) -> "Config":
    """Return Alembic's configuration for a store."""
    from alembic.config import Config  # noqa: PLC0415 -- as said above.

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("path_separator", "os")
    settings.attributes["engine"] = store.engine
    return settings


def upgrade(store: Store) -> None:
    """Bring a store's tables to the newest revision; a store that is there already is left as it is."""
    if revision(store) == NEWEST:
        return
    from alembic import command  # noqa: PLC0415 -- as said above.

    command.upgrade(config(store), "head")


def pending(store: Store) -> str:
    """Return how a store's tables differ from what this program needs, as “revision -> revision”; empty if not."""
    there = revision(store)
    return "" if there == NEWEST else f"{there} -> {NEWEST}"


def revision(store: Store) -> str | None:
    """Return the revision of a store's tables; None for a store without any."""
    with store.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql(SELECT_REVISION).scalar_one_or_none()

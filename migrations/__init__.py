"""The history of the store's tables: one for both roles, applied in order, never edited once released."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from infra.database import Store


def config(store: Store) -> Config:
    """Return Alembic's configuration for a store."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("path_separator", "os")
    settings.attributes["engine"] = store.engine
    return settings


def upgrade(store: Store) -> None:
    """Bring a store's tables to the newest revision; a store that is there already is left as it is."""
    command.upgrade(config(store), "head")


def pending(store: Store) -> str:
    """Return how a store's tables differ from what this program needs, as “revision -> revision”; empty if not."""
    newest = ScriptDirectory.from_config(config(store)).get_current_head()
    with store.engine.connect() as connection:
        there = MigrationContext.configure(connection).get_current_revision()
    return "" if there == newest else f"{there} -> {newest}"

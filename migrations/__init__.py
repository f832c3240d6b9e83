"""The history of the store's tables: one for both roles, applied in order, never edited once released."""

from pathlib import Path

from alembic import command
from alembic.config import Config

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

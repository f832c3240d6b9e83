"""Copies of a plant's store: restored backups and clones."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pysqlite3.dbapi2 as sqlite

from infra.database import Store
from infra.writer import Writer
from plants.store.ledger import mirrors
from sync_jobs.nodes import PlantNode
from tests.sync_jobs.group import Group


def backup(node: PlantNode, path: Path) -> Path:
    """Copy a plant's SQLite store."""
    source = node.store.engine.url.database
    assert source is not None
    with closing(sqlite.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(path),))
    return path


def on_copy(group: Group, node: PlantNode, path: Path) -> PlantNode:
    """Return the plant on another copy of its store."""
    store = group.opening.enter_context(closing(Store(f"sqlite:///{path}")))
    return replace(node, store=store, writer=group.opening.enter_context(closing(Writer(store))))


def cut_hub(group: Group, log_id: int, size: int) -> None:
    """Truncate a ledger at the hub to an earlier size, as a restore from an old backup does."""
    with group.hub.node.store.transaction() as session:
        frontier = mirrors.frontier_at(session, log_id, size)
        span = {"log_id": log_id, "size": size}
        session.run("DELETE FROM entries WHERE log_id = :log_id AND idx >= :size", span)
        session.run("DELETE FROM checkpoints WHERE log_id = :log_id AND size > :size", span)
        sql = "UPDATE logs SET size = :size, frontier = :frontier, projected = :size WHERE log_id = :log_id"
        session.run(sql, span | {"frontier": frontier.to_bytes()})
        row = session.row("SELECT note FROM checkpoints WHERE log_id = :log_id AND size = :size", span)
        note = None if row is None else row[0]
        sql = "UPDATE replication SET acknowledged = :size, checkpoint_size = :size, checkpoint = :note"
        session.run(f"{sql} WHERE log_id = :log_id", span | {"note": note})

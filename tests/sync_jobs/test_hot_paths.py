"""A plant's write and the hub's intake and projection run on the driver, because models would cost most of the time."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from infra.database import Session
from plants.store.replication.disputes import open_disputes
from sync_jobs.hub import intake
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection import projecting
from sync_jobs.projection.projecting import project_behind
from tests.sync_jobs.group import CLOCK, Group, receive


@contextmanager
def users_of_models() -> Iterator[list[set[str]]]:
    """Yield a list that gets the modules on the stack each time a write session begins to use SQLModel's part."""
    found: list[set[str]] = []

    def note(*_: Any) -> None:
        found.append({str(frame.f_globals["__name__"]) for frame, _ in traceback.walk_stack(None)})

    event.listen(Session, "after_begin", note)
    try:
        yield found
    finally:
        event.remove(Session, "after_begin", note)


def test_a_plant_writes_and_the_hub_takes_and_applies_then_no_models_are_used(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    exchange(node)
    with users_of_models() as used:
        receive(node, 3)
        assert used == []
        assert exchange(node).sent == 3
        assert project_behind(hub.store, CLOCK, "test") > 0
        assert not {intake.__name__, projecting.__name__} & set().union(*used)
        before = len(used)
        with node.store.transaction() as session:
            assert open_disputes(session, 1) == 0
        assert len(used) == before + 1, "the listener notices models"

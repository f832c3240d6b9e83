"""A hub for the plants of a test, and ledgers copied between their stores as replication would."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.database import Store
from infra.ids import new_id
from infra.settings import directive_origin
from plants.commands.directives.outcomes import apply_directive, due_directive
from plants.commands.group.enrolment import open_hub
from plants.rules.ledger.events import Entry
from plants.rules.values.actors import Author
from plants.rules.values.instants import format_instant
from plants.store.ledger import mirrors
from plants.store.ledger.entries import Head, entries_between, open_log
from plants.store.projection import applying
from tests.databases import migrated_file
from tests.factories import GROUP, Plant

DIRECTOR = Author("person-9", "Han Mei 韩梅")


@dataclass
class Hub:
    """A hub's store, seen by one person of headquarters."""

    store: Store

    def takes_in(self, plant: Plant) -> None:
        """Open the ledger of directives to a plant, on both sides."""
        for store in (self.store, plant.store):
            with store.transaction() as session:
                open_log(session, -plant.number, directive_origin(GROUP, plant.code))

    def hears(self, plant: Plant) -> None:
        """Bring the plant's ledger to the hub, and apply it to the hub's tables."""
        carry(plant.store, self.store, plant.number, apply=True)

    def tells(self, plant: Plant) -> None:
        """Bring the hub's directives to the plant."""
        carry(self.store, plant.store, -plant.number)

    def desk(self, plant: Plant, actor: Author = DIRECTOR) -> Plant:
        """Return a place at the hub from which that plant is seen and decided for."""
        return Plant(self.store, plant.number, plant.code, plant.clock, actor)

    def directs(self, plant: Plant, event: str, payload: dict[str, Any], actor: Author = DIRECTOR) -> None:
        """Append a directive that no command of the hub would make."""
        now = plant.clock.now()
        with self.store.transaction() as session:
            Head(session, -plant.number).append(
                {
                    "id": new_id(),
                    "type": event,
                    "version": 1,
                    "plant": -plant.number,
                    "index": 0,
                    "hlc": "",
                    "occurred_at": format_instant(now),
                    "recorded_at": "",
                    "actor": actor.person,
                    "key": "?",
                    "payload": payload,
                },
                now,
            )


@contextmanager
def hub_beside(tmp_path: Path, *plants: Plant) -> Iterator[Hub]:
    """Yield a hub on SQLite that has enrolled the plants and has all of their entries."""
    hub = Hub(Store(migrated_file(tmp_path / "hub.db")))
    with hub.store.transaction() as session:
        open_hub(session, group=GROUP, origin=f"{GROUP}/hub/i1", now=plants[0].clock.now())
    for plant in plants:
        hub.takes_in(plant)
        hub.hears(plant)
    yield hub
    hub.store.close()


def carry(source: Store, target: Store, log_id: int, *, apply: bool = False) -> None:
    """Copy what a ledger has grown by to another store, and apply it to the tables there where asked."""
    with source.transaction() as session:
        head = Head(session, log_id)
        entries = list(entries_between(session, log_id, 0, head.size))
    with target.transaction() as session:
        open_log(session, log_id, head.origin)
        known = Head(session, log_id)
        new = entries[known.size :]
        mirrors.extend(session, known, new, known.frontier.extend(entry.leaf for entry in new))
        if apply:
            applying.apply(session, log_id, new)
            session.run("UPDATE logs SET projected = size WHERE log_id = :log", {"log": log_id})


def answer_next(plant: Plant) -> Entry:
    """Let the plant answer the next directive that it has and commit; returns its answer."""
    with plant.store.transaction() as session:
        directive = due_directive(session, plant.number)
        assert directive is not None
        return apply_directive(session, directive, plant=plant.number, now=plant.clock.now())


def pending(plant: Plant) -> int | None:
    """Return the index of the directive that the plant has to answer next, if it has one."""
    with plant.store.transaction() as session:
        directive = due_directive(session, plant.number)
        return None if directive is None else directive.index

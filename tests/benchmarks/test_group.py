"""The synthetic group: its rows equal the projection of its ledgers, and its seed determines all of it."""

from collections import defaultdict
from pathlib import Path

from benchmarks.group import Group
from benchmarks.group_ledgers import Ledgers
from benchmarks.group_rows import Rows
from infra.database import Store
from plants.rules.ledger.events import Entry, decode
from plants.rules.ledger.merkle import leaf_hash
from plants.store.projection import applying
from tests.databases import migrated_file

EDGES, SEED = 3000, 7


def test_ledgers_applied_then_the_rows_that_are_loaded(tmp_path: Path) -> None:
    group, rows = Group(EDGES, SEED), Rows()
    for step in group.steps():
        rows.add(group, step)
    ledgers: dict[int, list[Entry]] = defaultdict(list)
    for plant, body in Ledgers(Group(EDGES, SEED)).entries():
        ledgers[plant].append(Entry(decode(body), body, leaf_hash(body)))
    store = Store(migrated_file(tmp_path / "store.db"))
    with store.transaction() as session:
        for plant, entries in ledgers.items():
            assert [entry.index for entry in entries] == list(range(len(entries)))
            applying.apply(session, plant, entries)
        for shape, content in rows.tables():
            found = session.rows(f"SELECT {', '.join(shape.columns)} FROM {shape.name}")
            assert sorted(found, key=repr) == sorted(map(tuple, content), key=repr), shape.name
    store.close()
    assert {step.kind for step in Group(EDGES, SEED).steps()} >= {"RECEIPT", "PRODUCTION", "DISPATCH", "SHIPMENT"}


def test_same_seed_then_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = (list(Ledgers(Group(500, seed)).entries()) for seed in (1, 1, 2))
    assert first == again
    assert first != other

"""Row writes: set-wise gives what row by row gives, whatever the texts hold, and wrong values are errors."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.database import Store
from plants.store.genealogy.edges import EDGES
from plants.store.inventory.projectors import ALIASES, BATCHES, MOVEMENTS, STOCK
from plants.store.sql.rows import RowWrites
from tests.plants.genealogy.graphs import Genealogy

AWKWARD = 'a "quoted" \\ {brace}, NULL, ,\'; -- \t\n 牛奶 🧀 %(x)s :y'
ON_POSTGRESQL = pytest.mark.parametrize("store", ["postgres_15", "postgres_18"], indirect=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.just(AWKWARD)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=5), grade=st.none() | TEXTS)
def test_any_text_then_it_is_kept_as_it_was_either_way(store: Store, texts: list[str], grade: str | None) -> None:
    Genealogy().write(store)
    writes = RowWrites()
    for number, text in enumerate(texts):
        blank = dict.fromkeys(BATCHES.columns, "") | dict.fromkeys(("made", "produced_us", "version", "stated_idx"), 0)
        writes.upsert(BATCHES, blank | {"id": number, "plant_id": 1, "code": text, "grade": grade, "expires_on": None})
        key = {"plant_id": 1, "scheme": text, "issuer": "", "value": text, "batch_id": number}
        writes.pending_rows(ALIASES).append(ALIASES.row_of(key | {"value_search": text, "ended_idx": None}))
        writes.pending_sums(STOCK)[1, number, text] += number + 1
    with store.transaction() as session:
        if store.dialect == "postgresql":
            writes.write_sets(session)
        else:
            writes.write(session)
    with store.transaction() as session:
        codes = session.rows("SELECT code, grade, expires_on FROM batches ORDER BY id")
        assert codes == [(text, grade, None) for text in texts]
        assert session.rows("SELECT scheme, value, ended_idx FROM aliases ORDER BY batch_id") == [
            (text, text, None) for text in texts
        ]
        stock = session.rows("SELECT location, quantity FROM stock ORDER BY batch_id")
        assert stock == [(text, number) for number, text in enumerate(texts, 1)]


@ON_POSTGRESQL
@pytest.mark.parametrize("wrong", ["5,6", "5", "{}", 1.5, True])
def test_no_whole_number_where_one_belongs_then_an_error_and_nothing_written(store: Store, wrong: object) -> None:
    writes = RowWrites()
    writes.upsert(STOCK, {"plant_id": 1, "batch_id": wrong, "location": "A1", "quantity": 1})
    writes.upsert(STOCK, {"plant_id": 1, "batch_id": 7, "location": "A1", "quantity": 1})
    with pytest.raises(psycopg.Error), store.transaction() as session:
        writes.write_sets(session)
    with store.transaction() as session:
        assert session.rows("SELECT * FROM stock") == []


@ON_POSTGRESQL
@pytest.mark.parametrize("wrong", [5, b"a"])
def test_no_text_where_one_belongs_then_an_error(store: Store, wrong: object) -> None:
    writes = RowWrites()
    writes.upsert(STOCK, {"plant_id": 1, "batch_id": 7, "location": wrong, "quantity": 1})
    with pytest.raises(TypeError), store.transaction() as session:
        writes.write_sets(session)


def test_rows_made_as_lines_then_in_the_order_of_the_columns() -> None:
    """`move_goods` writes these rows by position, so it depends on the order of the columns."""
    ours = ("plant_id", "entry_idx", "line")
    assert MOVEMENTS.columns == (*ours, "batch_id", "quantity", "taken_from", "put_in", "occurred_us")
    assert EDGES.columns == (*ours, "source_id", "target_id", "quantity", "unit", "use", "occurred_us")


def test_sets_over_rows_that_are_there_then_as_row_by_row(store: Store) -> None:
    Genealogy().write(store)
    blank = dict.fromkeys(BATCHES.columns, "") | dict.fromkeys(("made", "produced_us", "version", "stated_idx"), 0)

    def write(writes: RowWrites) -> None:
        with store.transaction() as session:
            (writes.write_sets if store.dialect == "postgresql" else writes.write)(session)

    first, second = RowWrites(), RowWrites()
    for number in (1, 2):
        first.upsert(BATCHES, blank | {"id": number, "plant_id": 1, "code": f"old {number}", "expires_on": None})
        first.pending_sums(STOCK)[1, number, "A1"] += 10
    for number in (2, 3):
        second.upsert(BATCHES, blank | {"id": number, "plant_id": 1, "code": f"new {number}", "expires_on": None})
        second.pending_sums(STOCK)[1, number, "A1"] += 5
    second.update(BATCHES, (1, 1), version=7)
    second.pending_sums(STOCK)[1, 1, "A1"] -= 4
    write(first)
    write(second)
    with store.transaction() as session:
        found = session.rows("SELECT id, code, version FROM batches ORDER BY id")
        assert found == [(1, "old 1", 7), (2, "new 2", 0), (3, "new 3", 0)]
        assert session.rows("SELECT batch_id, quantity FROM stock ORDER BY batch_id") == [(1, 6), (2, 15), (3, 5)]


def test_versions_of_touched_rows_then_the_highest_stands_whatever_else_is_written(store: Store) -> None:
    Genealogy().write(store)
    blank = dict.fromkeys(BATCHES.columns, "") | dict.fromkeys(("made", "produced_us", "stated_idx"), 0)
    first, second = RowWrites(), RowWrites()
    for number in range(1, 5):
        first.upsert(BATCHES, blank | {"id": number, "plant_id": 1, "expires_on": None, "version": 1})
    first.versions(BATCHES)[2, 1] = 2
    second.versions(BATCHES).update({(1, 1): 5, (2, 1): 5, (3, 1): 5, (9, 1): 5})
    second.update(BATCHES, (2, 1), disposition="BLOCKED", version=7)  # changed again after it was touched
    second.upsert(BATCHES, blank | {"id": 3, "plant_id": 1, "expires_on": None, "version": 8})
    for writes in (first, second):
        with store.transaction() as session:
            (writes.write_sets if store.dialect == "postgresql" else writes.write)(session)
    with store.transaction() as session:
        found = session.rows("SELECT id, version, disposition FROM batches ORDER BY id")
    assert found == [(1, 5, ""), (2, 7, "BLOCKED"), (3, 8, ""), (4, 1, "")]

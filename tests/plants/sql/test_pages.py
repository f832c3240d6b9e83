"""Pages of the rows of each parent."""

import pytest
from sqlalchemy import literal, select, union_all

from infra.database import Store
from plants.store.sql.pages import page_of_each

ROWS = [("Z", 2), ("A", 9), ("A", 7), ("A", 8), ("B", 5)]


@pytest.mark.parametrize("store", ["sqlite", "postgres_18"], indirect=True)
@pytest.mark.parametrize("name", ["number", "place", "Place", "place_1", "row_number"])
@pytest.mark.parametrize("descending", [False, True])
def test_column_of_any_name_then_the_first_rows_of_each_parent_in_their_order(
    store: Store, name: str, *, descending: bool
) -> None:
    rows = (select(literal(parent).label("parent"), literal(value).label(name)) for parent, value in ROWS)
    goods = union_all(*rows).subquery("goods")
    number = goods.c[name]
    selected = select(goods.c.parent, number, (number + 1).label("place_"))
    statement = page_of_each(selected, (goods.c.parent,), (number,), None, 2, descending=descending)

    with store.reading() as reads:
        found = reads.connection().execute(statement).all()

    pages = {parent: [value for other, value, _ in found if other == parent] for parent, *_ in found}
    assert pages == {"Z": [2], "B": [5], "A": [9, 8] if descending else [7, 8]}

"""Criteria of lists: the same rows on SQLite and PostgreSQL, and the same as a plain program admits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.rules.quality.dispositions import Disposition
from plants.store.inventory.batches import Batch
from plants.store.inventory.projectors import BATCHES
from plants.store.sql.filters import CodeCriterion, Criterion, MemberCriterion, Span, filtered
from plants.store.sql.rows import RowWrites
from tests.databases import migrated_database, migrated_file

CODES = ("SH1-A%1", "SH1-a%2", "SH1-AB3", "NB1-_4", "NB1-x5", "漢1")
ROW = {
    "plant_id": 1, "material": "M", "unit": "KGM", "made": 1, "retest_on": None, "grade": None, "supplier": None,
    "attributes": "{}", "version": 0, "stated_idx": 0,
}  # fmt: skip
HELD, CLOSED, FREE = Disposition.RESTRICTED, Disposition.CLOSED, Disposition.UNRESTRICTED


@pytest.fixture(params=["sqlite", "postgres_18"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Six batches: codes as above, numbered from 0, expiring on successive days but for the last."""
    if request.param == "sqlite":
        opened = Store(migrated_file(tmp_path / "store.db"))
    else:
        server = request.getfixturevalue(request.param)
        assert isinstance(server, EmbeddedPostgres)
        opened = Store(migrated_database(server))
    with opened.transaction() as session:
        writes = RowWrites()
        for number, code in enumerate(CODES):
            day = None if number == 5 else f"2026-04-0{number + 1}"
            state = (FREE, FREE, HELD, CLOSED, FREE, HELD)[number]
            given = {"id": number, "code": code, "produced_us": number * 10, "expires_on": day, "disposition": state}
            writes.upsert(BATCHES, ROW | given)
        writes.write(session)
    yield opened
    opened.close()


def found(store: Store, column: Any, criterion: Criterion | None) -> list[int]:
    """Return the numbers of the batches whose column meets the criterion."""
    with store.reading() as reads:
        return sorted(reads.exec(filtered(select(Batch.id), {column: criterion})))


@pytest.mark.parametrize(
    "criterion, wanted",
    [
        (None, [0, 1, 2, 3, 4, 5]),
        (CodeCriterion(), [0, 1, 2, 3, 4, 5]),
        (CodeCriterion(eq="SH1-AB3"), [2]),
        (CodeCriterion(eq="sh1-ab3"), []),
        (CodeCriterion(among=("SH1-AB3", "漢1", "none")), [2, 5]),
        (CodeCriterion(among=()), []),
        (CodeCriterion(begins_with=""), [0, 1, 2, 3, 4, 5]),
        (CodeCriterion(begins_with="SH1-A"), [0, 2]),
        (CodeCriterion(begins_with="SH1-A%"), [0]),
        (CodeCriterion(begins_with="NB1-_"), [3]),
        (CodeCriterion(begins_with="漢"), [5]),
        (CodeCriterion(among=("SH1-A%1", "NB1-x5"), begins_with="NB1"), [4]),
    ],
)
def test_codes_then_each_part_must_match_and_case_counts(
    store: Store, criterion: CodeCriterion | None, wanted: list[int]
) -> None:
    assert found(store, Batch.code, criterion) == wanted
    if criterion is not None:
        assert [number for number, code in enumerate(CODES) if criterion.admits(code)] == wanted


@pytest.mark.parametrize(
    "criterion, wanted",
    [
        (MemberCriterion(), [0, 1, 2, 3, 4, 5]),
        (MemberCriterion(eq=HELD), [2, 5]),
        (MemberCriterion(among=(HELD, CLOSED)), [2, 3, 5]),
        (MemberCriterion(not_among=(HELD, CLOSED)), [0, 1, 4]),
        (MemberCriterion(not_among=()), [0, 1, 2, 3, 4, 5]),
        (MemberCriterion(among=(HELD, CLOSED), not_among=(CLOSED,)), [2, 5]),
    ],
)
def test_members_then_each_part_must_match(
    store: Store, criterion: MemberCriterion[Disposition], wanted: list[int]
) -> None:
    assert found(store, Batch.disposition, criterion) == wanted


@pytest.mark.parametrize(
    "span, wanted",
    [
        (Span(), [0, 1, 2, 3, 4, 5]),
        (Span(start=20), [2, 3, 4, 5]),
        (Span(before=20), [0, 1]),
        (Span(start=10, before=30), [1, 2]),
        (Span(start=30, before=30), []),
    ],
)
def test_span_then_the_start_is_in_it_and_the_end_is_not(store: Store, span: Span[int], wanted: list[int]) -> None:
    assert found(store, Batch.produced_us, span) == wanted
    assert [number for number in range(6) if span.admits(number * 10)] == wanted


def test_span_of_a_column_without_a_value_then_that_row_is_in_none(store: Store) -> None:
    assert found(store, Batch.expires_on, Span(start="2026-04-04")) == [3, 4]
    assert found(store, Batch.expires_on, Span(before="2026-04-03")) == [0, 1]
    assert found(store, Batch.expires_on, Span()) == [0, 1, 2, 3, 4, 5]


def test_criteria_of_two_columns_then_both_hold(store: Store) -> None:
    criteria: dict[Any, Criterion | None] = {
        Batch.code: CodeCriterion(begins_with="SH1"),
        Batch.produced_us: Span(start=10),
    }
    with store.reading() as reads:
        assert list(reads.exec(filtered(select(Batch.id), criteria).order_by(col(Batch.id)))) == [1, 2]

"""Sessions: models, Core statements and SQL text in one transaction, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Integer, MetaData, Text, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col

from infra.columns import EnumText, FlagInteger, JsonText, WordsText, instant
from infra.database import ReadOnlySession, ReadSession, Session, Store
from infra.postgres import EmbeddedPostgres
from infra.statements import compiled_statement
from tests.databases import fresh_database

AT = datetime(2026, 3, 14, 8, 0, 0, 123_457, tzinfo=UTC)
AT_US = 1_773_475_200_123_457


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue-ish"


class Tables(SQLModel, registry=registry(metadata=MetaData())):
    """Tables apart from the product's, which migrations and other tests look at."""


class Thing(Tables, table=True):
    __tablename__ = "things"

    name: str = Field(sa_type=Text, primary_key=True)
    amount: int = Field(default=0, sa_type=Integer)
    colour: Colour = Field(default=Colour.RED, sa_type=EnumText(Colour))
    detail: Any = Field(default=None, sa_type=JsonText, nullable=True)
    words: tuple[str, ...] = Field(default=(), sa_type=WordsText, nullable=True)
    broken: bool | None = Field(default=None, sa_type=FlagInteger)
    made_at: datetime | None = instant("made_us", optional=True)


RAW = "SELECT name, amount, colour, detail, words, broken, made_us FROM things ORDER BY name"
WHOLE: dict[str, Any] = {
    "name": "a",
    "amount": 7,
    "colour": Colour.BLUE,
    "detail": {"b": [1, None], "a": "温度 %s :x"},
    "words": ("k1", "k2"),
    "broken": False,
    "made_at": AT,
}
STORED = ("a", 7, "blue-ish", '{"a":"温度 %s :x","b":[1,null]}', "k1 k2", 0, AT_US)
COLUMNS: tuple[Any, ...] = Thing.name, Thing.colour, Thing.detail, Thing.words, Thing.broken, Thing.made_at
BY_NAME = select(*COLUMNS).where(col(Thing.name) == bindparam("name"))
INSERT = insert(Thing)


@pytest.fixture(params=["sqlite", "postgres_15", "postgres_18"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = Store(f"sqlite:///{tmp_path}/store.db")
    else:
        server = request.getfixturevalue(request.param)
        assert isinstance(server, EmbeddedPostgres)
        opened = Store(fresh_database(server))
    Tables.metadata.create_all(opened.engine)
    yield opened
    opened.close()


def raw(store: Store) -> list[Any]:
    with store.reading() as reads:
        return reads.rows(RAW)


def names(store: Store) -> list[str]:
    return [row[0] for row in raw(store)]


def everywhere(session: Session | ReadSession) -> list[Any]:
    """Return what every way of reading gives for the row `a`."""
    one = session.get_one(Thing, "a")
    mapped = one.name, one.colour, one.detail, one.words, one.broken, one.made_at
    executed = session.exec(BY_NAME, params={"name": "a"}).one()  # type: ignore[call-overload]
    return [*session.rows(BY_NAME, {"name": "a"}), tuple(executed), mapped]


def test_given_a_row_added_as_a_model_then_every_way_of_reading_gives_values_and_the_table_keeps_plain_ones(
    store: Store,
) -> None:
    values = ("a", Colour.BLUE, WHOLE["detail"], ("k1", "k2"), False, AT)
    with store.transaction() as session:
        session.add(Thing(**WHOLE))
        assert session.rows(RAW) == [STORED]  # flushed before
        assert everywhere(session) == [values] * 3
        assert session.row(BY_NAME, {"name": "a"}) == values
        assert session.row(BY_NAME, {"name": "b"}) is None

    assert raw(store) == [STORED]
    with store.reading() as reads:
        assert everywhere(reads) == [values] * 3


def test_given_no_values_then_columns_are_null(store: Store) -> None:
    with store.transaction() as session:
        session.add(Thing(name="a"))
    assert raw(store) == [("a", 0, "red", None, None, None, None)]
    with store.reading() as reads:
        assert everywhere(reads) == [("a", Colour.RED, None, (), None, None)] * 3


def test_core_statements_bind_literals_parameters_and_lists_through_the_column_types(store: Store) -> None:
    other = WHOLE | {"name": "b", "colour": Colour.RED}
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    made = {**{key: value for key, value in WHOLE.items() if key != "made_at"}, "made_us": tokyo}
    with store.transaction() as session:
        assert session.run(INSERT, made) == 1
        assert session.run_many(INSERT, [made | {"name": "b", "colour": "red"}, made | {"name": "c"}]) == 2
        given = upsert(Thing).values(name="c", amount=1, colour=Colour.RED)
        assert session.run(given.on_conflict_do_nothing()) == 0
        sums = given.on_conflict_do_update(
            index_elements=["name"], set_={"amount": col(Thing.amount) + given.excluded.amount}
        )
        assert session.run(sums) == 1
        assert session.run(update(Thing).where(col(Thing.colour) == Colour.RED).values(amount=2)) == 1
        wanted = select(col(Thing.name), col(Thing.amount)).where(
            col(Thing.colour).in_(bindparam("colours", expanding=True))
        )
        ordered = wanted.order_by(col(Thing.name))
        assert session.rows(ordered, {"colours": [Colour.BLUE]}) == [("a", 7), ("c", 8)]
        assert session.rows(ordered, {"colours": [Colour.BLUE, Colour.RED]}) == [("a", 7), ("b", 2), ("c", 8)]
        assert session.rows(ordered, {"colours": []}) == []
        assert session.rows(select(func.count()).where(col(Thing.made_at) <= AT)) == [(3,)]
        gone = delete(Thing).where(col(Thing.name).in_(["b", "c"])).returning(col(Thing.made_at))
        assert session.rows(gone) == [(AT,), (AT,)]
    assert other["made_at"] == AT
    assert raw(store) == [STORED]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_statement_object_is_compiled_once_for_each_dialect(dialect: str) -> None:
    first = compiled_statement(BY_NAME, dialect)
    assert compiled_statement(BY_NAME, dialect) is first
    assert first.bound({"name": "a"}) == (first.sql, {"name": "a"})
    assert (":name" in first.sql, "%(name)s" in first.sql) == (dialect == "sqlite", dialect == "postgresql")


def test_given_a_value_that_is_none_of_its_type_then_nothing_is_written(store: Store) -> None:
    for wrong in ({"made_at": AT.replace(tzinfo=None)}, {"colour": "green"}, {"detail": float("nan")}):
        with pytest.raises(StatementError), store.transaction() as session:
            session.add(Thing(**(WHOLE | wrong)))
    with pytest.raises(ValueError, match="green"), store.transaction() as session:
        session.run(update(Thing).values(colour="green"))
    assert raw(store) == []


def test_given_a_stored_text_that_no_member_has_then_reading_it_raises(store: Store) -> None:
    with store.transaction() as session:
        session.run("INSERT INTO things (name, amount, colour) VALUES ('a', 0, 'green')")
    with store.reading() as reads, pytest.raises(ValueError, match="green"):
        reads.rows(BY_NAME, {"name": "a"})


def test_models_and_statements_of_one_transaction_are_committed_or_undone_together(store: Store) -> None:
    with pytest.raises(RuntimeError, match="stop"), store.transaction() as session:
        session.run("INSERT INTO things (name, amount, colour) VALUES ('a', 0, 'red')")
        session.add(Thing(name="b"))
        session.get_one(Thing, "a").amount = 3
        assert session.rows("SELECT sum(amount) FROM things") == [(3,)]
        raise RuntimeError("stop")
    assert raw(store) == []

    with store.transaction() as session:
        session.run("INSERT INTO things (name, amount, colour) VALUES ('a', 0, 'red')")
        session.get_one(Thing, "a").amount = 3
        session.delete(session.get_one(Thing, "a"))
        session.add(Thing(name="b", amount=4))
    assert [row[:2] for row in raw(store)] == [("b", 4)]


def test_rows_stay_readable_after_the_commit(store: Store) -> None:
    with store.transaction() as session:
        thing = Thing(name="a", amount=5)
        session.add(thing)
    assert (thing.name, thing.amount) == ("a", 5)


def test_given_models_used_before_a_savepoint_then_it_undoes_models_and_statements_of_its_block_alone(
    store: Store,
) -> None:
    with store.transaction() as session:
        session.add(Thing(name="a"))
        with pytest.raises(RuntimeError, match="stop"), session.savepoint():
            session.run("INSERT INTO things (name, amount, colour) VALUES ('b', 0, 'red')")
            session.get_one(Thing, "a").amount = 9
            raise RuntimeError("stop")
        assert session.get_one(Thing, "a").amount == 0
        with session.savepoint():
            session.add(Thing(name="c"))
    assert [row[:2] for row in raw(store)] == [("a", 0), ("c", 0)]


def test_given_models_first_used_in_a_savepoint_then_its_end_decides_about_them(store: Store) -> None:
    with store.transaction() as session:
        session.run("INSERT INTO things (name, amount, colour) VALUES ('a', 0, 'red')")
        with pytest.raises(RuntimeError, match="stop"), session.savepoint():
            session.run("INSERT INTO things (name, amount, colour) VALUES ('b', 0, 'red')")
            session.add(Thing(name="c"))
            session.flush()
            raise RuntimeError("stop")
        with session.savepoint():
            session.add(Thing(name="d"))
        with session.savepoint():
            session.run("UPDATE things SET amount = 1")
            session.get_one(Thing, "d").colour = Colour.BLUE
    assert [row[:3] for row in raw(store)] == [("a", 1, "red"), ("d", 1, "blue-ish")]


@pytest.mark.parametrize("used_before", [False, True])
def test_given_a_flush_that_fails_in_a_savepoint_then_the_transaction_goes_on(store: Store, used_before: bool) -> None:  # noqa: FBT001 -- a case.
    with store.transaction() as session:
        session.run("INSERT INTO things (name, amount, colour) VALUES ('a', 0, 'red')")
        if used_before:
            session.add(Thing(name="b"))
        with pytest.raises(IntegrityError), session.savepoint():
            session.run("UPDATE things SET amount = 5")
            session.add(Thing(name="a"))
        with session.savepoint():
            session.add(Thing(name="c"))
        session.run("UPDATE things SET amount = amount + 1")
    assert [row[:2] for row in raw(store)] == [("a", 1), *([("b", 1)] if used_before else []), ("c", 1)]


def test_given_a_flush_that_fails_at_the_end_then_nothing_is_committed(store: Store) -> None:
    with store.transaction() as session:
        session.add(Thing(name="a"))
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.run("UPDATE things SET amount = 5")
        session.add(Thing(name="a"))
    assert [row[:2] for row in raw(store)] == [("a", 0)]
    with store.transaction() as session:  # the connection is fit for the next transaction
        session.add(Thing(name="b"))
    assert names(store) == ["a", "b"]


def test_a_command_cannot_end_its_transaction(store: Store) -> None:
    with store.transaction() as session:
        session.add(Thing(name="a"))
        with pytest.raises(TypeError, match="commits"):
            session.commit()
        with pytest.raises(TypeError, match="rolls back"):
            session.rollback()
    assert names(store) == ["a"]


def test_a_read_session_writes_nothing(store: Store) -> None:
    with store.transaction() as session:
        session.add(Thing(name="a"))
    with store.reading() as reads:
        reads.add(Thing(name="b"))
        with pytest.raises(ReadOnlySession):
            reads.flush()
        with pytest.raises(ReadOnlySession):
            reads.commit()
    with store.reading() as reads:
        reads.get_one(Thing, "a").amount = 4
        with pytest.raises(ReadOnlySession):
            reads.commit()
    for statement in (insert(Thing).values(name="b"), update(Thing).values(amount=1), delete(Thing)):
        with store.reading() as reads, pytest.raises(ReadOnlySession):
            reads.exec(statement)
    assert raw(store) == [("a", 0, "red", None, None, None, None)]


def test_given_sql_text_that_writes_through_a_read_session_then_nothing_stays(store: Store) -> None:
    with store.transaction() as session:
        session.add(Thing(name="a"))
    with store.reading() as reads:
        if store.dialect == "postgresql":
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                reads.rows("DELETE FROM things RETURNING name")
            reads.rollback()
            with pytest.raises(DBAPIError):
                reads.connection().execute(text("DELETE FROM things"))
        else:
            assert reads.rows("DELETE FROM things RETURNING name") == [("a",)]
    assert names(store) == ["a"]

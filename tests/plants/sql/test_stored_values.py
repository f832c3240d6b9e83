"""Column types: readers of a model get Python values, and the database keeps the integers and texts that it had."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Text
from sqlmodel import select

from infra.columns import COMPACT, EnumText, FlagInteger, InstantMicros, JsonText, MembersText, WordsText
from infra.database import Session, Store
from infra.messages import Notice
from infra.postgres import EmbeddedPostgres
from plants.rules.identification.codes import HUB
from plants.rules.ledger.tiles import Edge
from plants.rules.values.instants import EPOCH
from plants.store.ledger.archive import Archived, Attempts, archived, attempts_made, keep_archived, keep_attempts
from plants.store.ledger.hub_keys import keep_statement, kept_statements
from plants.store.logistics.in_transit import LabelCheckRow, keep_verdict
from plants.store.monitoring.alarms import Alarm, AlarmKind, alarms, end_alarm, open_alarms, raise_alarm
from plants.store.replication import leases, projection_faults, status
from plants.store.replication.projection_faults import ProjectionFault
from plants.store.replication.status import ReplicationState
from plants.store.sql.rows import RowWrites, TableSpec
from tests.databases import migrated_database, migrated_file
from tests.house.test_tables import ROOMS

AT = datetime(2026, 3, 14, 8, 0, 0, 123_457, tzinfo=UTC)
AT_US = 1_773_475_200_123_457
SECOND_US = 1_000_000
MODELS: list[Any] = sorted(
    {one for room in ROOMS for one in vars(room).values() if isinstance(one, type) and hasattr(one, "__table__")},
    key=str,
)
JSON_VALUE = {"b": "%s :x", "a": "温度"}
SAID = Notice("TEST", "Look at {what}.", {"what": "温度"})


@pytest.fixture(params=["sqlite", "postgres_15", "postgres_18"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = Store(migrated_file(tmp_path / "store.db"))
    else:
        server = request.getfixturevalue(request.param)
        assert isinstance(server, EmbeddedPostgres)
        opened = Store(migrated_database(server))
    yield opened
    opened.close()


def values_of(kind: Any) -> tuple[Any, Any]:
    """Return a stored value of a column type, and the Python value that readers get."""
    match kind:
        case InstantMicros():
            return AT_US, AT
        case JsonText():
            compact = kind.separators == COMPACT
            return ('{"a":"温度","b":"%s :x"}' if compact else '{"a": "温度", "b": "%s :x"}'), JSON_VALUE
        case EnumText():
            last = list(kind.kind)[-1]
            return str(last), last
        case MembersText():
            return ",".join(sorted(kind.kind)), frozenset(kind.kind)
        case WordsText():
            return "k1 k2", ("k1", "k2")
        case FlagInteger():
            return 1, True
        case LargeBinary():
            return b"\x00\xff", b"\x00\xff"
        case Text():
            return "温度 %s", "温度 %s"
        case _:
            return 7, 7


def stored(session: Session, table: TableSpec) -> list[tuple[Any, ...]]:
    """Return the rows of a table as the driver reads them."""
    return session.rows(f"SELECT {', '.join(table.columns)} FROM {table.name}")


def raw(store: Store, columns: str, table: str) -> list[tuple[Any, ...]]:
    with store.reading() as reads:
        return reads.rows(f"SELECT {columns} FROM {table}")


@pytest.mark.parametrize("nulls", [False, True])
def test_given_rows_as_they_always_were_then_models_read_values_and_write_the_same_bytes(
    store: Store,
    nulls: bool,  # noqa: FBT001 -- a case.
) -> None:
    converted = set()
    for model in MODELS:
        columns = model.__table__.columns
        kinds = {model.__mapper__.get_property_by_column(one).key: one for one in columns}
        values = {name: values_of(one.type) for name, one in kinds.items()}
        if nulls:
            values |= {name: (None, _null(one.type)) for name, one in kinds.items() if one.nullable}
        with store.transaction() as session:
            writes, table = RowWrites(), TableSpec.of(model)
            writes.upsert(table, {one.name: values[name][0] for name, one in kinds.items()})
            writes.write_sets(session) if store.dialect == "postgresql" else writes.write(session)
            before = stored(session, table)
            assert before == [tuple(was for was, _ in values.values())]
            (row,) = session.exec(select(model)).all()
            assert {name: getattr(row, name) for name in values} == {name: value for name, (_, value) in values.items()}
            session.delete(row)
            assert stored(session, table) == []
            session.add(model(**{name: value for name, (_, value) in values.items()}))
            assert stored(session, table) == before
        converted |= {type(one.type) for one in columns}
    assert {InstantMicros, JsonText, EnumText, MembersText, WordsText, FlagInteger} <= converted


def _null(kind: Any) -> Any:
    """Return what readers get for SQL NULL."""
    return () if isinstance(kind, WordsText) else None


def test_given_an_alarm_then_it_is_counted_ended_and_begun_again(store: Store) -> None:
    alarm, columns = (
        Alarm(AlarmKind.CLOCKS_DIFFER, "SH1", SAID),
        "kind, about, text, code, data, first_us, last_us, times, over_us",
    )
    said = ("CLOCKS_DIFFER", "SH1", "Look at 温度.", "TEST", '{"what": "温度"}')
    later = AT + timedelta(seconds=1)
    with store.transaction() as session:
        raise_alarm(session, alarm, AT, times=2)
        raise_alarm(session, alarm, later)
        assert open_alarms(session, AlarmKind.CLOCKS_DIFFER) == {"SH1": later}
        assert open_alarms(session, AlarmKind.MARKS_LOST) == {}
    assert raw(store, columns, "alarms") == [(*said, AT_US, AT_US + SECOND_US, 3, None)]
    with store.reading() as reads:
        (row,) = alarms(reads)
        assert (row.kind, row.data, row.first_at, row.over_at) == (AlarmKind.CLOCKS_DIFFER, SAID.data, AT, None)
    with store.transaction() as session:
        assert end_alarm(session, alarm.kind, alarm.about, later)
        assert not end_alarm(session, alarm.kind, alarm.about, AT)
    assert raw(store, columns, "alarms") == [(*said, AT_US, AT_US + SECOND_US, 3, AT_US + SECOND_US)]
    with store.transaction() as session:
        raise_alarm(session, alarm, later)
    assert raw(store, columns, "alarms") == [(*said, AT_US + SECOND_US, AT_US + SECOND_US, 1, None)]


def test_given_a_lease_then_it_is_renewed_taken_over_and_ended(store: Store) -> None:
    past, lasting_us = AT + leases.LASTING, leases.LASTING // timedelta(microseconds=1)
    with store.transaction() as session:
        first = leases.take(session, "push", "one", now=AT)
        assert leases.take(session, "push", "two", now=AT) is None
        assert first is not None
        first.renew(session, AT)
        second = leases.take(session, "push", "two", now=past)
        assert second is not None
        with pytest.raises(leases.LeaseLost):
            first.renew(session, past)
        first.end(session)
    assert raw(store, "name, holder, token, until_us", "leases") == [("push", "two", 2, AT_US + 2 * lasting_us)]
    with store.transaction() as session:
        second.end(session)
    assert raw(store, "token, until_us", "leases") == [(2, 0)]
    with store.transaction() as session:
        assert leases.take(session, "push", "two", now=AT) is not None
        leases.end_all(session, "two")
    assert raw(store, "token, until_us", "leases") == [(4, 0)]


def test_given_a_fault_then_only_what_may_change_does(store: Store) -> None:
    columns = "idx, key, type, error, attempts, parked_us, next_attempt_us, needs_version"
    later, hour = AT + timedelta(seconds=1), timedelta(hours=1)
    fault = ProjectionFault(log_id=1, idx=3, key="k", type="T", error="no", parked_at=AT, next_attempt_at=later)
    with store.transaction() as session:
        projection_faults.put_fault(session, fault)
        projection_faults.put_fault(
            session, ProjectionFault(**fault.model_dump() | {"parked_at": later, "error": "on"})
        )
    assert raw(store, columns, "projection_faults") == [(3, "k", "T", "on", 0, AT_US, AT_US + SECOND_US, None)]
    with store.transaction() as session:
        assert projection_faults.ledgers_due(session, AT, hour) == []
        assert projection_faults.ledgers_due(session, later, hour) == [1]
        assert projection_faults.ledgers_due(session, AT - 2 * hour, hour) == [1]  # a wrong clock set it
        assert projection_faults.count_attempt(session, 1, 3, AT)
        assert projection_faults.faults_of(session, 1) == [(3, "on", 1, AT)]
    assert raw(store, "attempts, next_attempt_us", "projection_faults") == [(1, AT_US)]


def test_given_the_status_of_a_ledger_then_changes_are_stored_in_place(store: Store) -> None:
    columns = "state, alarm, alarm_code, alarm_data, alarm_us, session_next, take_over, supported, next_attempt_us"
    with store.transaction() as session:
        assert status.ledger_status(session, 1) == status.ReplicationStatus()
        given = {"session_next": ("k1", "k2"), "take_over": True, "supported": {"B": 2, "A": 1}, "next_attempt_at": AT}
        status.amend(session, 1, state=ReplicationState.DIVERGED, **given, **status.alarm_columns(SAID, AT))
        with pytest.raises(KeyError, match="next_attempt_us"):
            status.amend(session, 1, next_attempt_us=1)
        found = status.known(session, 1)
    assert (found.state, found.session_next, found.take_over, found.next_attempt_at) == (
        ReplicationState.DIVERGED, ("k1", "k2"), True, AT,
    )  # fmt: skip
    alarm = ("Look at 温度.", "TEST", '{"what": "温度"}', AT_US)
    assert raw(store, columns, "replication") == [("DIVERGED", *alarm, "k1 k2", 1, '{"A":1,"B":2}', AT_US)]
    with store.transaction() as session:
        status.amend(session, 1, session_next=(), take_over=False, next_attempt_at=EPOCH, **status.NO_ALARM)
    assert raw(store, columns, "replication") == [("DIVERGED", *[None] * 5, 0, '{"A":1,"B":2}', 0)]


def test_given_checkpoints_then_the_status_points_to_the_largest_one(store: Store) -> None:
    later = AT + timedelta(seconds=1)
    with store.transaction() as session:
        status.keep_checkpoint(session, 1, 9, b"first", signed_at=None, received_at=AT, frontier=b"f")
        status.keep_checkpoint(session, 1, 9, b"again", signed_at=AT, received_at=later)
        status.keep_checkpoint(session, 1, 4, b"older", signed_at=AT, received_at=later)
        assert status.checkpoint_at(session, 1, 9) == b"again"
    kept = raw(store, "size, note, first_us, received_us, frontier", "checkpoints ORDER BY size DESC")
    assert [tuple(map(_bytes, row)) for row in kept] == [
        (9, b"again", AT_US, AT_US + SECOND_US, b"f"),
        (4, b"older", AT_US + SECOND_US, AT_US + SECOND_US, None),
    ]
    (pointer,) = raw(store, "checkpoint_size, checkpoint, signed_us, received_us", "replication")
    assert tuple(map(_bytes, pointer)) == (9, b"again", AT_US, AT_US + SECOND_US)


def test_given_what_is_archived_then_attempts_are_counted_in_the_row_of_the_hub(store: Store) -> None:
    columns = "branch, stored, size, checkpoint, checkpoint_us, archived_us, attempts, backoff_ms, next_attempt_us"
    done = Archived(branch=2, edge=Edge(), size=5, root=b"r", checkpoint="name", checkpoint_at=AT)
    with store.transaction() as session:
        assert (archived(session, HUB), attempts_made(session)) == (None, Attempts())
        keep_attempts(session, Attempts(1, 500, AT))
        assert (archived(session, HUB), attempts_made(session)) == (None, Attempts(1, 500, AT))
    assert raw(store, columns, "archived") == [(0, 0, 0, "", 0, 0, 1, 500, AT_US)]
    with store.transaction() as session:
        keep_archived(session, HUB, done, AT + timedelta(seconds=1))
        assert archived(session, HUB) == done
    assert raw(store, columns, "archived") == [(2, 0, 5, "name", AT_US, AT_US + SECOND_US, 1, 500, AT_US)]


def test_given_the_same_key_or_receipt_again_then_one_row_stays(store: Store) -> None:
    receipt = LabelCheckRow(transfer_id=1, plant_id=2, closed_at=AT, matches=False)
    with store.transaction() as session:
        for statement in (b"first", b"second"):
            keep_statement(session, "vkey", statement, AT)
        assert kept_statements(session) == [b"first"]
        keep_verdict(session, receipt)
        keep_verdict(session, LabelCheckRow(**receipt.model_dump() | {"matches": True}))
    assert raw(store, "vkey, taken_us", "hub_keys") == [("vkey", AT_US)]
    assert raw(store, "*", "label_checks") == [(1, 2, AT_US, 1)]


def _bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value

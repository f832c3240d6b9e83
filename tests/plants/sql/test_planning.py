"""A page in the order of time is read along an index: no database sorts the whole table."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import event, insert

from infra.database import ReadSession, Store
from infra.ids import new_id
from plants.rules.approvals.change_requests import ChangeKind, ChangeLevel, ChangeState
from plants.rules.values.instants import from_micros
from plants.rules.values.scope import PlantScope
from plants.store.approvals.change_requests import (
    ChangeRequestOrderField,
    ChangeRequestRow,
    ChangesFilter,
    changes_page,
)
from plants.store.directives.directives import DirectivesFilter, HubDirectiveOrderField, directives_page
from plants.store.inventory.batch_lists import BatchesFilter, BatchOrderField, batches_page
from plants.store.inventory.batches import Batch
from plants.store.ledger.entries import LedgerEntry
from plants.store.logistics.shipments import ShipmentOrderField, ShipmentsFilter, shipments_page
from plants.store.logistics.transfers import TransferOrderField, TransfersFilter, transfers_page
from plants.store.production.process_listings import ProcessesFilter, ProcessRecordOrderField, processes_page
from plants.store.production.process_records import ProcessRow
from plants.store.sql.orders import Order, OrderDirection

SCOPE: Final = PlantScope(frozenset({0, 1, 2}))
EACH: Final = 4_000
"""Rows of each list."""
KINDS: Final = "PRODUCTION", "SHIPMENT", "TRANSFER"
LISTS: Final[dict[str, tuple[Any, Any, Any]]] = {
    "batches": (batches_page, BatchesFilter, BatchOrderField.PRODUCED_AT),
    "process records": (processes_page, ProcessesFilter, ProcessRecordOrderField.OPENED_AT),
    "shipments": (shipments_page, ShipmentsFilter, ShipmentOrderField.SHIPPED_AT),
    "transfers": (transfers_page, TransfersFilter, TransferOrderField.DISPATCHED_AT),
    "change requests": (changes_page, ChangesFilter, ChangeRequestOrderField.REQUESTED_AT),
    "directives": (directives_page, DirectivesFilter, HubDirectiveOrderField.DIRECTED_AT),
}


def number(plant: int, one: int) -> int:
    return (plant << 40) + one


def rows() -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Yield rows of two plants for each table, as a projection would write them."""
    places = [(plant, one) for plant in (1, 2) for one in range(EACH // 2)]
    yield Batch, [
        {
            "id": number(plant, one), "plant_id": plant, "code": f"SH{plant}-{one}", "material": "M", "unit": "KGM",
            "made": 1, "produced_us": one, "attributes": "{}", "disposition": "UNRESTRICTED", "version": 0,
            "stated_idx": 0,
        } for plant, one in places
    ]  # fmt: skip
    yield ProcessRow, [
        {
            "id": number(plant, len(KINDS) * one + place), "plant_id": plant, "kind": kind, "state": "OPEN",
            "opened_us": one, "loss": "{}",
        } for plant, one in places for place, kind in enumerate(KINDS)
    ]  # fmt: skip
    yield ChangeRequestRow, [
        {
            "plant_id": plant, "change_id": one, "kind": ChangeKind.EXPIRY_EXTENSION, "batch_id": 1, "version": 0,
            "differences": [], "detail": {}, "levels": frozenset({ChangeLevel.PLANT}), "reason": "R", "proposal": "",
            "requested_by": "P", "requested_us": from_micros(one), "expires_us": from_micros(one + 1),
            "state": ChangeState.REQUESTED,
        } for plant, one in places
    ]  # fmt: skip
    yield LedgerEntry, [
        {
            "log_id": -plant, "idx": one, "body": b"", "leaf": b"", "event_id": new_id(), "type": "T", "key": "K",
            "actor": "A", "occurred_us": one, "recorded_us": one,
        } for plant, one in places
    ]  # fmt: skip


@pytest.fixture
def filled(store: Store) -> Store:
    """The store with rows of two plants, and the statistics of PostgreSQL."""
    with store.transaction() as session:
        for table, given in rows():
            session.connection().execute(insert(table), given)
        if store.engine.dialect.name == "postgresql":
            session.run("ANALYZE")
    return store


def plan(reads: ReadSession, page: Callable[[], object]) -> str:
    """Return the plan of the query for a page."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        sent.append((statement, parameters))

    engine = reads.connection().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        page()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    (query,) = [one for one in sent if "LIMIT" in one[0]]
    explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row[-1]) for row in reads.connection().exec_driver_sql(f"{explain} {query[0]}", query[1]))


@pytest.mark.parametrize("store", ["sqlite", "postgres_18"], indirect=True)
def test_page_in_the_order_of_time_then_no_database_sorts_the_table(filled: Store) -> None:
    with filled.reading() as reads:
        for name, (page, criteria, field) in LISTS.items():
            for direction in OrderDirection:
                filters = criteria(order=Order(field, direction))
                found = page(reads, SCOPE, filters, None, 50)
                assert len(found) == 50, name
                steps = plan(reads, partial(page, reads, SCOPE, filters, None, 50))
                assert " Sort " not in f" {steps.replace('Incremental Sort', 'Incremental')} ", (name, steps)
                assert "TEMP B-TREE FOR ORDER BY" not in steps, (name, steps)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_page_in_an_order_without_an_index_then_the_plan_shows_the_sort(filled: Store) -> None:
    filters = BatchesFilter(order=Order(BatchOrderField.EXPIRES_ON))
    with filled.reading() as reads:
        steps = plan(reads, lambda: batches_page(reads, SCOPE, filters, None, 50))
    assert "TEMP B-TREE FOR ORDER BY" in steps

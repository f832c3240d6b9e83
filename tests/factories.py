"""Fixtures of tests: a plant with master data in a store of its own, and readers of its tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlmodel import SQLModel

import migrations
from infra.clock import FixedClock
from infra.database import Row, Store
from infra.messages import word
from infra.postgres import EmbeddedPostgres
from infra.roles import Keeping
from infra.settings import plant_origin
from plants.commands.execution import Command, CommandContext
from plants.commands.group.plants import NewPlant, open_plant
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from plants.rules.values.quantities import format_micro
from plants.rules.values.refusals import Refusal, RefusalCode
from plants.store.inventory import batches
from plants.store.ledger import entries as ledger
from plants.store.production import process_records
from tests.databases import file_content, fresh_database, template_of

GROUP = "acme.example"
OPERATOR = Author("person-1", "Wang Fang 王芳")
MANAGER = Author("person-2", "Li Lei 李雷")

MATERIALS = (
    MaterialDefinition("RM-MILK", "Raw milk 生乳", "KGM", shelf_life_days=30),
    MaterialDefinition("RM-SUGAR", "Sugar 白糖", "KGM", conversions={"BG": "25"}),
    MaterialDefinition("FP-YOG", "Yoghurt 酸奶", "KGM", shelf_life_days=21, retest_days=14),
    MaterialDefinition("PK-CUP", "Cup 杯", "H87"),
)
MASTERS = (
    MasterDefinition(MasterKind.LOCATION, "A1", "Cold store 冷库"),
    MasterDefinition(MasterKind.LOCATION, "B1", "Line side 线边"),
    MasterDefinition(MasterKind.SUPPLIER, "S1", "Green farm 绿地牧场"),
    MasterDefinition(MasterKind.CUSTOMER, "C1", "Corner shop 便利店"),
    MasterDefinition(MasterKind.EQUIPMENT, "MIX1", "Mixer 搅拌机"),
)

Order = TypeVar("Order")


@dataclass
class Plant:
    """A plant that tests write at: commands are done in a transaction each, at the time that its clock shows."""

    store: Store
    number: int = 1
    code: str = "SH1"
    clock: FixedClock = field(default_factory=FixedClock)
    actor: Author = OPERATOR

    @property
    def origin(self) -> str:
        return plant_origin(GROUP, self.code)

    def call(
        self,
        *,
        occurred_at: datetime | None = None,
        request: str | None = None,
        reason: str | None = None,
        history: bool = False,
    ) -> CommandContext:
        return CommandContext(self.number, self.clock.now(), occurred_at, request, reason, history)

    def do(self, command: Command[Order], order: Order, *, actor: Author | None = None, **circumstances: Any) -> Entry:
        """Do a command and commit it; `circumstances` are those of `call`."""
        with self.store.transaction() as session:
            return command(session, order, actor=actor or self.actor, call=self.call(**circumstances))

    def refuses(
        self, command: Command[Order], order: Order, code: RefusalCode, *, actor: Author | None = None, **given: Any
    ) -> Mapping[str, str]:
        """Check that a command is refused with this code and changes nothing at all; return the refusal's data."""
        refusal = self.refusal(command, order, actor=actor, **given)
        assert refusal.code is code, refusal
        return refusal.data

    def refusal(self, command: Command[Order], order: Order, *, actor: Author | None = None, **given: Any) -> Refusal:
        """Return the refusal of a command, after a check that it changes nothing at all."""
        before = self.everything()
        with pytest.raises(Refusal) as caught:
            self.do(command, order, actor=actor, **given)
        for one in (caught.value, *caught.value.further):
            assert "{" not in word(one, "en") + word(one, "zh")
        assert self.everything() == before
        return caught.value

    def receive(self, material: str = "RM-MILK", amount: str = "100", location: str = "A1", **more: Any) -> str:
        """Receive goods without a supplier, in the material's own unit, and return the batch's code."""
        unit = "H87" if material == "PK-CUP" else "KGM"
        return str(self.do(receive_batch, Delivery(material, amount, unit, location, **more)).envelope["key"])

    def rows(self, sql: str, **parameters: Any) -> list[Row]:
        """Return the rows of a query."""
        with self.store.transaction() as session:
            return session.rows(sql, parameters)

    def entry(self, index: int = -1) -> Entry:
        """Return an entry of the plant's ledger, by default the last."""
        with self.store.transaction() as session:
            size = ledger.Head(session, self.number).size
            found = ledger.entry_at(session, self.number, index % size)
            assert found is not None
            return found

    def entries(self) -> list[Entry]:
        """Return the plant's whole ledger."""
        with self.store.transaction() as session:
            return list(ledger.entries_between(session, self.number, 0, ledger.Head(session, self.number).size))

    def batch_id(self, code: str) -> int:
        ((batch,),) = self.rows("SELECT id FROM batches WHERE plant_id = :p AND code = :c", p=self.number, c=code)
        return int(batch)

    def batch(self, code: str) -> dict[str, Any]:
        """Return the row of a batch as this plant knows it."""
        columns = tuple(batches.Batch.model_fields)
        sql = f"SELECT {', '.join(columns)} FROM batches WHERE plant_id = :p AND code = :c"
        (row,) = self.rows(sql, p=self.number, c=code)
        return dict(zip(columns, row, strict=True))

    def process(self, process: int) -> dict[str, Any]:
        """Return the row of a process record as this plant states it."""
        columns = tuple(process_records.ProcessRow.model_fields)
        sql = f"SELECT {', '.join(columns)} FROM process_records WHERE plant_id = :p AND id = :i"
        (row,) = self.rows(sql, p=self.number, i=process)
        return dict(zip(columns, row, strict=True))

    def stock(self) -> dict[tuple[str, str], str]:
        """Return what is on hand, where there is any: (batch code, location) -> amount."""
        sql = (
            "SELECT code, location, quantity FROM stock JOIN batches ON batches.id = stock.batch_id"
            " AND batches.plant_id = stock.plant_id WHERE stock.plant_id = :p AND quantity <> 0"
        )
        return {(code, location): format_micro(micro) for code, location, micro in self.rows(sql, p=self.number)}

    def movements(self, entry: Entry) -> list[tuple[int, str, str, str]]:
        """Return the movements of an entry in order: batch id, amount, place taken from, place put in."""
        sql = (
            "SELECT batch_id, quantity, taken_from, put_in FROM movements"
            " WHERE plant_id = :p AND entry_idx = :i ORDER BY line"
        )
        return [
            (batch, format_micro(micro), *places)
            for batch, micro, *places in self.rows(sql, p=self.number, i=entry.index)
        ]

    def edges(self, entry: Entry) -> list[tuple[int, int, str, str, str]]:
        """Return the edges of an entry in order: source id, target id, amount, unit, use."""
        sql = (
            "SELECT source_id, target_id, quantity, unit, use FROM edges"
            " WHERE plant_id = :p AND entry_idx = :i ORDER BY line"
        )
        return [
            (source, target, format_micro(micro), unit, use)
            for source, target, micro, unit, use in self.rows(sql, p=self.number, i=entry.index)
        ]

    def projection(self) -> dict[str, list[Row]]:
        """Return every row of every table that is made from the ledger."""
        return self._rows_of(Keeping.PROJECTION)

    def everything(self) -> dict[str, list[Row]]:
        """Return every row of the ledger and of every table made from it."""
        return {**self._rows_of(Keeping.LEDGER), **self.projection()}

    def close(self) -> None:
        self.store.close()

    def _rows_of(self, keeping: Keeping) -> dict[str, list[Row]]:
        return rows_of(self.store, keeping)


def rows_of(store: Store, *keeping: Keeping) -> dict[str, list[Row]]:
    """Return every row of every table of a store, or of the tables that are kept in these ways."""
    with store.transaction() as session:
        return {
            table.name: sorted((_plain(row) for row in session.rows(f"SELECT * FROM {table.name}")), key=repr)
            for table in SQLModel.metadata.sorted_tables
            if not keeping or table.info.get("keeping") in keeping
        }


def plant_store(tmp_path: Path, number: int = 1, code: str = "SH1") -> Plant:
    """Return a plant in a SQLite file of its own, opened, with MATERIALS and MASTERS; close it after the test."""
    path = tmp_path / f"{code}.db"
    path.write_bytes(_opened_file(number, code))
    return Plant(Store(f"sqlite:///{path}"), number, code)


def postgres_plant(server: EmbeddedPostgres, number: int = 1, code: str = "SH1") -> Plant:
    """Return such a plant in a PostgreSQL database of its own."""
    template = template_of(server, f"plant_{number}_{code}", partial(_open, number, code))
    return Plant(Store(fresh_database(server, template=template)), number, code)


@cache
def _opened_file(number: int, code: str) -> bytes:
    return file_content(partial(_open, number, code))


def _open(number: int, code: str, store: Store) -> None:
    migrations.upgrade(store)
    plant = Plant(store, number, code)
    with store.transaction() as session:
        new = NewPlant(plant.number, plant.code, f"Plant {plant.code}", "Asia/Shanghai", plant.origin)
        open_plant(session, new, now=plant.clock.now())
        for material in MATERIALS:
            define_material(session, material, actor=plant.actor, call=plant.call())
        for master in MASTERS:
            define_master(session, master, actor=plant.actor, call=plant.call())


def _plain(row: Row) -> Row:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)

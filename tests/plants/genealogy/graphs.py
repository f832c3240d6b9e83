"""Genealogies for tests, written into the tables as the projection would write them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from sqlmodel import SQLModel

from infra.database import Store
from plants.rules.genealogy.walks import Link
from plants.rules.identification.codes import node_id
from plants.rules.inventory.aliases import alias_form
from plants.rules.values.search_forms import search_form
from plants.store.genealogy.edges import EDGES
from plants.store.inventory.projectors import ALIASES, BATCHES, MOVEMENTS, STOCK
from plants.store.ledger import entries
from plants.store.logistics.projectors import TRANSFER_LINES
from plants.store.materials.projectors import PLANTS
from plants.store.production.projectors import PROCESSES
from plants.store.replication import status
from plants.store.sql.rows import RowWrites, TableSpec

LOGS = TableSpec.of(entries.Log)
REPLICATION = TableSpec.of(status.ReplicationRow)
NAMED = {"customer": "C1", "job_order": "PO-1", "source_plant": "SH1", "destination_plant": "DE2"}
CODES = {1: "SH1", 2: "DE2", 3: "US3"}
USES = ("CONSUMED", "PRODUCED", "RETURNED", "TRANSFERRED", "SHIPPED", "SAMPLE")
PLACES = ("supplier:S1", "stock:A1", "stock:B1", f"process:{node_id(1, 100)}", "count", "scrap")


@dataclass
class Genealogy:
    """Rows of plants, batches, process records and edges; every node is made known with its first mention."""

    rows: list[tuple[TableSpec, dict[str, Any]]] = field(default_factory=list)
    links: list[tuple[int, Link]] = field(default_factory=list)

    def plant(self, number: int) -> None:
        self._add(PLANTS, plant_id=number, code=CODES[number], name="", time_zone="UTC", origin="")

    def batch(self, node: int, plant: int, **values: Any) -> int:
        blank = dict.fromkeys(BATCHES.columns) | {
            "code": f"B{node & 0xFFFF}", "material": "MILK", "unit": "KGM", "made": 100, "produced_us": 5,
            "attributes": "{}", "disposition": "UNRESTRICTED", "version": 0, "stated_idx": 0,
        }  # fmt: skip
        self._add(BATCHES, **blank | {"id": node, "plant_id": plant} | values)
        return node

    def run(self, node: int, plant: int, kind: str = "PRODUCTION", **values: Any) -> int:
        blank = dict.fromkeys(PROCESSES.columns) | {"state": "OPEN", "opened_us": 5, "loss": "{}"}
        order = values.get("job_order")
        values["job_order_search"] = None if order is None else search_form(order)
        self._add(PROCESSES, **blank | {"id": node, "plant_id": plant, "kind": kind} | values)
        return node

    def edge(self, source: int, target: int, plant: int, use: str = "CONSUMED", quantity: int = 10) -> None:
        self.links.append((plant, (source, target, use)))
        self._add(
            EDGES,
            plant_id=plant,
            entry_idx=len(self.links),
            line=0,
            source_id=source,
            target_id=target,
            quantity=quantity,
            unit="KGM",
            use=use,
            occurred_us=7,
        )

    def stock(self, batch: int, plant: int, location: str, quantity: int) -> None:
        self._add(STOCK, plant_id=plant, batch_id=batch, location=location, quantity=quantity)

    def alias(self, batch: int, plant: int, scheme: str, value: str, *, ended: bool = False) -> None:
        ended_idx = 9 if ended else None
        found_by = {"value_search": alias_form(scheme, value), "ended_idx": ended_idx}
        self._add(ALIASES, plant_id=plant, scheme=scheme, issuer="S1", value=value, batch_id=batch, **found_by)

    def movement(self, batch: int, plant: int, taken_from: str, put_in: str, quantity: int) -> None:
        place = {"taken_from": taken_from, "put_in": put_in, "quantity": quantity, "occurred_us": 7}
        self._add(MOVEMENTS, plant_id=plant, entry_idx=len(self.rows), line=0, batch_id=batch, **place)

    def receipt(self, plant: int, transfer: int, batch: int, received: int = 0) -> None:
        stated = {"batch_id": batch, "unit": "KGM", "dispatched": 10, "received": received}
        self._add(TRANSFER_LINES, transfer_id=transfer, plant_id=plant, line=0, **stated)

    def heard(
        self,
        plant: int,
        *,
        size: int = 9,
        projected: int = 9,
        signed_us: int | None = 0,
        received_us: int | None = None,
        state: str = "IN_SYNC",
    ) -> None:
        """Say how far a plant's ledger has arrived; times are microseconds since the epoch."""
        frontier = bytes(32 * size.bit_count())
        log = entries.Log(log_id=plant, origin="", size=size, frontier=frontier, hlc="", projected=projected)
        self._add(LOGS, **log.model_dump())
        counts = "acknowledged", "take_over", "attempts", "backoff_ms", "next_attempt_us", "batch_entries"
        blank = dict.fromkeys(REPLICATION.columns) | dict.fromkeys(counts, 0) | {"frontier": b""}
        given = {"log_id": plant, "state": state, "signed_us": signed_us, "received_us": received_us}
        self._add(REPLICATION, **blank | given)

    def at(self, plants: Collection[int]) -> "Genealogy":
        """Return the part that these plants state."""
        rows = [row for row in self.rows if row[1].get("plant_id", row[1].get("log_id")) in plants]
        return Genealogy(rows, [link for link in self.links if link[0] in plants])

    def write(self, store: Store) -> None:
        """Replace the content of all tables with the rows."""
        writes = RowWrites()
        for table, values in self.rows:
            writes.upsert(table, values)
        with store.transaction() as session:
            for name in SQLModel.metadata.tables:
                session.run(f"DELETE FROM {name}")
            writes.write(session)

    def _add(self, table: TableSpec, **values: Any) -> None:
        self.rows.append((table, values))


@st.composite
def genealogies(draw: st.DrawFn, plants: int = 3) -> Genealogy:
    """Draw any bipartite graph over a few nodes and plants: circles, double edges, and rows by several plants."""
    graph = Genealogy()
    plant = st.integers(1, plants)
    for number in range(1, plants + 1):
        graph.plant(number)
    batches = [node_id(draw(plant), number) for number in range(1, draw(st.integers(2, 8)))]
    runs = [node_id(draw(plant), number) for number in range(100, 100 + draw(st.integers(1, 6)))]
    for node in batches:
        for stating in draw(st.sets(plant)):
            goods = {"material": ["MILK", "WHEY"], "disposition": ["UNRESTRICTED", "RESTRICTED"]}
            graph.batch(node, stating, **{name: draw(st.sampled_from(values)) for name, values in goods.items()})
        for stating in draw(st.sets(plant)):
            graph.stock(node, stating, "A1", draw(st.integers(0, 50)))
            graph.alias(node, stating, "SUPPLIER_LOT", draw(st.sampled_from(["L1", "L2"])))
            taken_from, put_in, *_ = draw(st.permutations(PLACES))
            graph.movement(node, stating, taken_from, put_in, draw(st.integers(1, 50)))
    for node in runs:
        for stating in draw(st.sets(plant)):
            named: dict[str, Any] = {name: draw(st.sampled_from([None, code])) for name, code in NAMED.items()}
            graph.run(node, stating, **named)
    for _ in range(draw(st.integers(0, 20))):
        batch, run = draw(st.sampled_from(batches)), draw(st.sampled_from(runs))
        source, target = (batch, run) if draw(st.booleans()) else (run, batch)
        graph.edge(source, target, draw(plant), draw(st.sampled_from(USES)), draw(st.integers(1, 50)))
    return graph

"""Two plants and their hub, with goods of one plant used at the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.commands.directives.directives import HoldDirection, direct_hold
from plants.commands.execution import CommandContext
from plants.commands.group.enrolment import open_hub
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.production.process_records import ProcessOrder
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.yields import Output
from plants.rules.identification.codes import HUB
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.production.process_records import RunKind
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from tests.databases import migrated_database, migrated_file
from tests.factories import GROUP, Plant, plant_store
from tests.plants.replicas import DIRECTOR, Hub


@dataclass
class Group:
    """The hub and two plants whose ledgers it has received completely."""

    hub: Hub
    here: Plant  # SH1
    there: Plant  # NB1

    def hears(self) -> None:
        """Bring both ledgers to the hub."""
        for plant in (self.here, self.there):
            self.hub.hears(plant)

    def checkpointed(self) -> None:
        """Let the hub have a checkpoint that each plant signed just now."""
        with self.hub.store.transaction() as session:
            for plant in (self.here, self.there):
                status.amend(session, plant.number, state=ReplicationState.IN_SYNC, signed_at=plant.clock.now())


@dataclass(frozen=True)
class Chain:
    """Milk received at SH1 (lot L-7), made into yoghurt there, sent to NB1, and shipped from there to C1."""

    milk: str
    yoghurt: str
    run: int
    transfer: int
    shipment: int


@contextmanager
def group_of_two(folder: Path, server: EmbeddedPostgres | None) -> Iterator[Group]:
    """Yield two plants on SQLite, and the hub on PostgreSQL where a server is given."""
    here, there = plant_store(folder), plant_store(folder, 2, "NB1")
    store = Store(migrated_file(folder / "hub.db") if server is None else migrated_database(server))
    with store.transaction() as session:
        open_hub(session, group=GROUP, origin=f"{GROUP}/hub/i1", now=here.clock.now())
    group = Group(Hub(store), here, there)
    for plant in (here, there):
        group.hub.takes_in(plant)
    group.hears()
    yield group
    for one in (here.store, there.store, store):
        one.close()


def send(group: Group, batch: str, amount: str) -> int:
    """Dispatch goods from SH1 to NB1, receive them there, and return the transfer's number."""
    lines = (StockLine(batch, amount, "KGM", "A1"),)
    entry = group.here.do(dispatch_transfer, Dispatch("NB1", lines))
    group.there.do(receive_transfer, TransferReceipt(transfer_manifest(entry, group.here.origin), "A1"))
    return int(entry.envelope["key"])


def hold_at_hub(group: Group, batch: str) -> str:
    """Let headquarters hold a batch at the one plant that has goods of it, and return the hold's id there."""
    call = CommandContext(HUB, group.here.clock.now())
    with group.hub.store.transaction() as session:
        (entry,) = direct_hold(session, HoldDirection(batch, "Glass found"), actor=DIRECTOR, call=call)
    return str(entry.payload["hold"])


def chain(group: Group) -> Chain:
    """Let the goods go their way, and the hub hear of it."""
    here, there = group.here, group.there
    milk = here.do(receive_batch, Delivery("RM-MILK", "100", "KGM", "A1", supplier="S1", supplier_lot="L-7"))
    code = str(milk.envelope["key"])
    run = here.do(
        record_production,
        ProductionRun(
            ProcessOrder(RunKind.PRODUCTION, job_order="JO-1"),
            (StockLine(code, "80", "KGM", "A1"),),
            (Output("FP-YOG", "60", "KGM", "A1"),),
        ),
    )
    yoghurt = str(run.payload["batches"][0]["code"])
    transfer = send(group, yoghurt, "40")
    shipped = there.do(ship_batch, Shipment("C1", (StockLine(yoghurt, "15", "KGM", "A1"),), "PO-9"))
    group.hears()
    return Chain(code, yoghurt, int(run.envelope["key"]), transfer, int(shipped.envelope["key"]))

"""A seafood chain that others wrote down, whole: imported over its sites as plants, replicated, traced at the hub.

The document is `gdst/FullData.json`: 21 events at eight sites. What stands here as expected was worked out from it by
hand. It contradicts itself twice, and both are kept as it has them: the farm harvests on 19 January with feed that only
reaches it on 3 February, and the processor uses 10,000 kg of a catch of 9,876 kg.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.cli.import_.epcis import run_import
from api.node.node import Node, make_home
from api.trace.reader import TraceReport, read_trace
from auth.actors import Role as PersonRole
from auth.actors import system_actor
from auth.keys import public_key_text
from auth.permissions import Permission
from auth.scope import plants_for
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import Settings, directive_origin
from plants.commands.epcis.imports import StepOutcome
from plants.commands.group.enrolment import Enrolment, open_hub
from plants.commands.group.plants import NewPlant, open_plant
from plants.commands.replication.rebuild import rebuild
from plants.rules.epcis.documents import read_epcis
from plants.rules.epcis.planning import plan_epcis
from plants.rules.epcis.sites import propose_plants
from plants.rules.epcis.steps import EpcisPlan
from plants.rules.epcis.wording import amount_text
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.ledger.verification import Verified
from plants.rules.values.quantities import format_micro
from plants.store.ledger.verification import verify
from plants.store.materials.plants import known_plants
from plants.store.projection.rebuilding import table_digests
from sync_jobs.assembly import hub_node, plant_node
from sync_jobs.hub.enrolment import enrol
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind
from tests.databases import fresh_database
from tests.plants.epcis.documents import GDST
from tests.sync_jobs.group import Hub, free_port, stand

pytestmark = [
    pytest.mark.skipif(not GDST.exists(), reason="NOT RUN: the seafood chain, because its document is not here"),
    pytest.mark.timeout(240),
]

GROUP = "seafood.example"
PLANTS = ("FEED", "FISH", "HATC", "IMPO", "PORT", "PROC", "TRAN", "VESS")

# Each lot by a short name: the class under which the document speaks of it.
LOTS = {
    "feed": "urn:gdst:example.org:product:lot:class:feedmill.1u.ff11252021",
    "fry": "urn:gdst:example.org:product:lot:class:hatchery.1u.tf12012021",
    "farmed tuna": "urn:gdst:example.org:product:lot:class:fishfarm.1u.farmed-tuna-01192022",
    "wild tuna": "urn:gdst:example.org:product:lot:class:fisherman01.tunau.v1-0122-2022",
    "mixed tuna": "urn:gdst:example.org:product:lot:class:processor.10u.commingle-01232022",
    "cans": "urn:gdst:example.org:product:lot:class:processor.2u.v1-0122-2022",
}
MADE = {
    "feed": ("FEED", "10000 KGM"),
    "fry": ("HATC", "1000 KGM"),
    "farmed tuna": ("FISH", "12000 KGM"),
    "wild tuna": ("VESS", "9876 KGM"),
    "mixed tuna": ("PROC", "22000 KGM"),
    "cans": ("PROC", "5000 KGM"),
}


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Lot into or out of a process record, with amount and time; records by their segment, transfers by their two plants.
HARVEST, MIXING, CANNING = when("2022-01-19T11:09:54.549"), when("2022-01-23T11:10:47.285"), when("2022-01-28T08:00:00")
PRODUCTION = {
    ("feed", "farmHarvest", "10000 KGM", HARVEST),
    ("fry", "farmHarvest", "1000 KGM", HARVEST),
    ("farmHarvest", "farmed tuna", "12000 KGM", HARVEST),
    ("farmed tuna", "commingling", "12000 KGM", MIXING),
    ("wild tuna", "commingling", "10000 KGM", MIXING),
    ("commingling", "mixed tuna", "22000 KGM", MIXING),
    ("mixed tuna", "commissioning", "9876 KGM", CANNING),
    ("commissioning", "cans", "5000 KGM", CANNING),
}
ROADS = {
    ("feed", "FEED>FISH", "10000 KGM", when("2022-02-03T08:12:04.488"), when("2022-02-03T11:12:14.921")),
    ("fry", "HATC>FISH", "1000 KGM", when("2021-12-02T11:09:40.793"), when("2021-12-03T11:09:40.793")),
    ("farmed tuna", "FISH>PROC", "12000 KGM", when("2022-01-20T11:10:14.025"), when("2022-01-21T11:10:18.037")),
    ("wild tuna", "VESS>TRAN", "9876 KGM", when("2022-01-22T10:58:15.154"), when("2022-01-22T10:58:15.154")),
    ("wild tuna", "TRAN>PORT", "9876 KGM", when("2022-01-22T11:00:25.191"), when("2022-01-22T11:00:25.191")),
    ("wild tuna", "PORT>PROC", "9876 KGM", when("2022-01-23T08:30:00"), when("2022-01-23T08:30:00")),
    ("cans", "PROC>IMPO", "5000 KGM", when("2022-01-29T11:12:04.488"), when("2022-02-03T11:12:14.921")),
}
TRANSFERS = {(lot, road, amount, left) for lot, road, amount, left, _ in ROADS} | {
    (road, lot, amount, came) for lot, road, amount, _, came in ROADS
}


@dataclass
class Chain:
    """The chain at rest: imported, replicated and applied."""

    hub: Node
    plants: dict[str, Node]
    plan: EpcisPlan
    outcomes: tuple[StepOutcome, ...]

    def trace(self, lot: str, direction: TraceDirection) -> TraceReport:
        """Trace at the hub from the name under which the document speaks of a lot."""
        with self.hub.store.reading() as reads:
            actor = system_actor("test", PersonRole.AUDITOR)
            scope = plants_for(actor, Permission.TRACE_READ, known_plants(reads))
            report = read_trace(reads, scope, LOTS[lot], direction, now=self.hub.clock.now(), own=None)
        assert report is not None
        return report

    def lots(self) -> dict[str, str]:
        """Return the short name of each batch by its code, found at the hub by the document's own name."""
        found = {}
        for lot in LOTS:
            report = self.trace(lot, TraceDirection.FORWARD)
            (seed,) = report.shown.seeds
            found[report.shown.batches[seed].code] = lot
        return found

    def edges(self, report: TraceReport) -> set[tuple[str, str, str, datetime]]:
        """Return the edges of a trace by short names; as many as there are, so that none is there twice."""
        lots, shown = self.lots(), report.shown
        names = {key: lots[batch.code] for key, batch in shown.batches.items()}
        for key, process in shown.processes.items():
            transfer = process.kind == "TRANSFER"
            names[key] = f"{process.source}>{process.destination}" if transfer else process.about
        edges = []
        for edge in shown.edges:
            assert edge.at is not None
            amount = f"{format_micro(edge.quantity)} {edge.unit}"
            edges.append((names[edge.source], names[edge.target], amount, edge.at))
        assert len(edges) == len(set(edges))
        return set(edges)


def _hub(folder: Path, database_url: str, port: int) -> Node:
    settings = Settings(
        home=folder / "hub", role=Role.HUB, group=GROUP, database_url=SecretStr(database_url), port=port
    )
    make_home(settings)
    node = Node(settings)
    with node.store.transaction() as session:
        open_hub(session, group=GROUP, origin=settings.origin, now=node.clock.now())
    return node


def _plant(folder: Path, number: int, code: str, hub: Node) -> Node:
    settings = Settings(
        home=folder / code,
        role=Role.PLANT,
        group=GROUP,
        plant_number=number,
        plant_code=code,
        hub_url=f"http://127.0.0.1:{hub.settings.port}",
        hub_key=str(hub.keys.ledger.key),
    )
    make_home(settings)
    node = Node(settings)
    now = node.clock.now()
    with node.store.transaction() as session:
        open_plant(session, NewPlant(number, code, code.title(), "UTC", settings.origin), now=now)
    order = Enrolment(
        number=number,
        code=code,
        name=code.title(),
        origin=settings.origin,
        directive_origin=directive_origin(GROUP, code),
        ledger_key=str(node.keys.ledger.key),
        assertion_key=public_key_text(node.keys.assertion.public_key),
    )
    with hub.store.transaction() as session:
        enrol(session, order, actor=system_actor("test", PersonRole.ADMINISTRATOR), now=now)
    return node


def _replicate(node: Node) -> None:
    """Exchange with the hub over HTTP until there is nothing more to say."""
    plant = plant_node(node.settings, node.store, node.writer, node.clock)
    for _ in range(20):
        if not exchange(plant).more:
            return
    pytest.fail("replication does not come to rest")


@pytest.fixture(scope="module")
def chain(postgres_18: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("seafood")
    with ExitStack() as opening:
        hub = opening.enter_context(_hub(folder, fresh_database(postgres_18), free_port()))
        sides = hub_node(hub.settings, hub.store, hub.clock)
        server = Hub(sides, hub.settings.port)
        server.start()
        opening.callback(server.stop)
        plants = {
            code: opening.enter_context(_plant(folder, number, code, hub)) for number, code in enumerate(PLANTS, 1)
        }
        document = read_epcis(GDST.read_bytes(), now=hub.clock.now())
        plan = plan_epcis(document, propose_plants(document))
        outcomes, written = run_import(plan, plants)
        assert written
        for node in plants.values():
            _replicate(node)
        while project_behind(hub.store, hub.clock, "test"):
            pass
        yield Chain(hub, plants, plan, outcomes)


def test_document_then_every_event_is_done_and_its_contradictions_are_named(chain: Chain) -> None:
    assert all(outcome.is_done for outcome in chain.outcomes)
    assert {event.outcome.value for event in chain.plan.report} == {"DONE"}
    odd = {
        (event.event, found.kind.value, amount_text(found.quantity, found.unit) if found.quantity else "")
        for event in chain.plan.report
        for found in event.discrepancies
    }
    assert odd == {
        (14, "PRODUCED_LATER", ""),
        (15, "USED_BEFORE_ARRIVAL", ""),
        (16, "SHORT", "124 KGM"),
    }


def test_replicated_then_sizes_and_roots_are_equal_on_both_sides(chain: Chain) -> None:
    for node in chain.plants.values():
        number = node.settings.plant_number
        assert stand(chain.hub.store, number) == stand(node.store, number)
    assert all(isinstance(one.finding, Verified) for one in verify(chain.hub.store))


def test_each_lot_then_it_is_one_batch_made_where_the_document_says(chain: Chain) -> None:
    found = {}
    for lot in LOTS:
        report = chain.trace(lot, TraceDirection.FORWARD)
        (seed,) = report.shown.seeds
        batch = report.shown.batches[seed]
        assert batch.made is not None
        found[lot] = (batch.plant, f"{format_micro(batch.made)} {batch.unit}")
    assert found == MADE


def test_final_lot_then_it_leads_back_to_hatchery_and_vessel(chain: Chain) -> None:
    report = chain.trace("cans", TraceDirection.BACKWARD)
    lots = chain.lots()
    assert {lots[batch.code] for batch in report.shown.batches.values()} == set(LOTS)
    assert chain.edges(report) == PRODUCTION | TRANSFERS
    assert report.depth == 3
    assert report.complete
    assert report.gaps == ()
    assert {one.plant: one.size for one in report.watermarks} == {
        code: stand(node.store, node.settings.plant_number)[0] for code, node in chain.plants.items()
    }


@pytest.mark.parametrize(
    "lot, reached",
    [
        ("fry", {"fry", "farmed tuna", "mixed tuna", "cans"}),
        ("feed", {"feed", "farmed tuna", "mixed tuna", "cans"}),
        ("wild tuna", {"wild tuna", "mixed tuna", "cans"}),
    ],
)
def test_first_lot_then_it_leads_to_every_lot_it_reached(chain: Chain, lot: str, reached: set[str]) -> None:
    report = chain.trace(lot, TraceDirection.FORWARD)
    lots = chain.lots()
    assert {lots[batch.code] for batch in report.shown.batches.values()} == reached
    inside = {edge for edge in PRODUCTION if edge[0] in reached}
    runs = {edge[1] for edge in inside}
    inside |= {edge for edge in PRODUCTION if edge[0] in runs}
    inside |= {edge for edge in TRANSFERS if {edge[0], edge[1]} & reached}
    assert chain.edges(report) == inside
    assert report.complete


def test_all_done_then_what_is_left_is_what_the_document_leaves(chain: Chain) -> None:
    lots = chain.lots()
    with chain.hub.store.transaction() as session:
        rows = session.rows(
            "SELECT plants.code, batches.code, quantity FROM stock JOIN plants ON plants.plant_id = stock.plant_id"
            " JOIN batches ON batches.id = batch_id AND batches.plant_id = stock.plant_id WHERE quantity <> 0"
        )
    assert {(plant, lots[code], format_micro(micro)) for plant, code, micro in rows} == {
        ("PROC", "mixed tuna", "12124"),
        ("IMPO", "cans", "5000"),
    }


def test_imported_again_then_nothing_happens(chain: Chain) -> None:
    before = {code: stand(node.store, node.settings.plant_number) for code, node in chain.plants.items()}
    outcomes, written = run_import(chain.plan, chain.plants)
    assert written
    assert all(outcome.is_done and outcome.new == 0 for outcome in outcomes)
    assert {code: stand(node.store, node.settings.plant_number) for code, node in chain.plants.items()} == before


def test_rebuilt_then_every_table_is_equal_at_every_node(chain: Chain) -> None:
    for node in (chain.hub, *chain.plants.values()):
        before = table_digests(node.store)
        with node.store.transaction() as session:
            rebuild(session)
        assert table_digests(node.store) == before
    for node in chain.plants.values():
        number = node.settings.plant_number
        assert table_digests(chain.hub.store, plant=number) == table_digests(node.store, plant=number)

"""Importing EPCIS documents: the plants' ledgers agree with the plan afterwards, or the report says why not."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.database import Store
from infra.settings import plant_origin
from plants.commands.epcis import imports
from plants.commands.epcis.imports import ImportingPlant, StepOutcome, import_epcis
from plants.commands.group.plants import NewPlant, open_plant
from plants.rules.epcis.documents import read_epcis
from plants.rules.epcis.planning import plan_epcis
from plants.rules.epcis.refusals import DOCUMENT_INVALID
from plants.rules.epcis.sites import propose_plants
from plants.rules.epcis.steps import Adjust, DispatchTransfer, EpcisPlan, Move, Produce, ReceiveTransfer
from plants.rules.values.actors import Author
from plants.rules.values.quantities import format_micro
from plants.rules.values.refusals import Refusal
from plants.store.ledger.entries import Head
from tests.databases import migrated_file
from tests.factories import Plant
from tests.plants.epcis.documents import CORPUS, event, plan, some
from tests.plants.recorded_requests import FORMS, writing_in
from tests.plants.renamed_orders import Intake, take_in

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GROUP = "acme.example"
IMPORTER = Author("system:import", "Import")
CORPUS_FILES = sorted(CORPUS.rglob("*.json"))
CHAIN = (
    event(0, action="ADD", bizStep="commissioning", quantityList=[some("flour.1", 100)]),
    event(1, bizStep="shipping", quantityList=[some("flour.1", 60)]),
    event(2, "bakery", bizStep="receiving", quantityList=[some("flour.1", 55)]),
    event(
        3,
        "bakery",
        type="TransformationEvent",
        inputQuantityList=[some("flour.1", 50)],
        outputQuantityList=[some("bread.1", 48.5)],
    ),
)


class Plants:
    """The plants of a plan, each on a SQLite file of its own."""

    def __init__(self, folder: Path, plan: EpcisPlan) -> None:
        self.plan = plan
        self.stores: dict[str, Store] = {}
        for number, code in enumerate(sorted({site.plant for site in plan.sites}), 1):
            self.stores[code] = Store(migrated_file(folder / f"{code}.db"))
            with self.stores[code].transaction() as session:
                open_plant(session, NewPlant(number, code, code, "UTC", plant_origin(GROUP, code)), now=NOW)

    def do(self) -> tuple[StepOutcome, ...]:
        """Import the plan and commit whatever could be done."""
        with ExitStack() as stack:
            plants = {}
            for number, code in enumerate(sorted(self.stores), 1):
                session = stack.enter_context(self.stores[code].transaction())
                plants[code] = ImportingPlant(number, plant_origin(GROUP, code), Head(session, number).size, session)
            return import_epcis(self.plan, plants, actor=IMPORTER, now=NOW)

    def rows(self, code: str, sql: str) -> list[tuple[Any, ...]]:
        with self.stores[code].transaction() as session:
            return session.rows(sql)

    def everything(self) -> dict[str, Any]:
        """Return every row of the ledgers and of the tables made from them, by plant."""
        return {
            code: Plant(store, number, code).everything()
            for number, (code, store) in enumerate(sorted(self.stores.items()), 1)
        }

    def size(self, code: str) -> int:
        ((size,),) = self.rows(code, "SELECT size FROM logs WHERE log_id > 0")
        return int(size)

    def stock(self, code: str) -> dict[str, str]:
        """Return what is on hand by the last part of its class."""
        sql = (
            "SELECT value, quantity FROM stock JOIN aliases USING (plant_id, batch_id)"
            " WHERE quantity <> 0 AND scheme = 'EPC_CLASS' AND ended_idx IS NULL"
        )
        return {value.rpartition(":")[2]: format_micro(micro) for value, micro in self.rows(code, sql)}


@contextmanager
def plants_of(plan: EpcisPlan, folder: Path) -> Iterator[Plants]:
    plants = Plants(folder, plan)
    try:
        yield plants
    finally:
        for store in plants.stores.values():
            store.close()


def kinds(plan: EpcisPlan, outcomes: Sequence[StepOutcome]) -> list[str]:
    """Return what became of each step, without the definitions."""
    return [
        f"{type(step).__name__} {'done' if one.is_done else one.refusal.code if one.refusal else one.waits_for}"
        for step, one in zip(plan.steps, outcomes, strict=True)
        if not type(step).__name__.startswith("Define")
    ]


def test_chain_over_two_plants_then_goods_are_where_the_document_leaves_them(tmp_path: Path) -> None:
    document = plan(*CHAIN, plants={"mill": "MILL", "bakery": "BAKE"})
    with plants_of(document, tmp_path) as plants:
        outcomes = plants.do()
        assert all(one.is_done for one in outcomes)
        assert plants.stock("MILL") == {"flour.1": "40"}
        assert plants.stock("BAKE") == {"flour.1": "5", "bread.1": "48.5"}
        reasons = plants.rows("BAKE", "SELECT count(*) FROM entries WHERE actor = 'system:import'")
        assert reasons == [
            (sum(one.new for s, one in zip(document.steps, outcomes, strict=True) if s.plant == "BAKE"),)
        ]
        again = plants.do()
        assert all(one.is_done and one.new == 0 for one in again)


@pytest.mark.parametrize("form", FORMS)
def test_imported_before_then_not_again_by_a_program_with_other_names(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plants_of(plan(*CHAIN, plants={"mill": "MILL", "bakery": "BAKE"}), tmp_path) as plants:
        with writing_in(form):
            first = plants.do()
        assert sum(one.new for one in first) == 10
        before = plants.everything()
        monkeypatch.setattr(imports, "receive_batch", take_in)
        monkeypatch.setattr(imports, "Delivery", Intake)
        again = plants.do()
        for step, one, same in zip(plants.plan.steps, first, again, strict=True):
            # The import defines nothing twice.
            assert same.entries == (() if type(step).__name__.startswith("Define") else one.entries)
        assert all(one.is_done and one.new == 0 for one in again)
        assert plants.everything() == before


def test_two_sites_of_one_plant_then_goods_move(tmp_path: Path) -> None:
    document = plan(
        event(0, action="ADD", bizStep="commissioning", quantityList=[some("flour.1", 100)]),
        event(1, bizStep="shipping", quantityList=[some("flour.1", 60)]),
        event(2, "bakery", bizStep="receiving", quantityList=[some("flour.1", 60)]),
        plants={"mill": "ONE", "bakery": "ONE"},
    )
    with plants_of(document, tmp_path) as plants:
        assert [type(step) for step in document.steps if isinstance(step, Move | DispatchTransfer)] == [Move]
        assert all(one.is_done for one in plants.do())
        sql = "SELECT location, quantity FROM stock ORDER BY location"
        assert plants.rows("ONE", sql) == [("BAKERY", 60_000_000), ("MILL", 40_000_000)]


def test_refused_step_then_its_plant_is_unchanged_and_what_needs_it_says_so(tmp_path: Path) -> None:
    expired = {"cbvmda:itemExpirationDate": "2026-03-13", "cbvmda:lotNumber": "flour.1"}
    context = ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"cbvmda": "urn:epcglobal:cbv:mda:"}]
    document = plan(
        event(0, action="ADD", bizStep="commissioning", quantityList=[some("flour.1", 100)], ilmd=expired),
        event(
            1,
            type="TransformationEvent",
            inputQuantityList=[some("flour.1", 50)],
            outputQuantityList=[some("bread.1", 48)],
        ),
        event(2, bizStep="shipping", quantityList=[some("bread.1", 40)]),
        event(3, "shop", bizStep="receiving", quantityList=[some("bread.1", 40)]),
        plants={"mill": "MILL", "shop": "SHOP"},
        **{"@context": context},
    )
    with plants_of(document, tmp_path) as plants:
        outcomes = plants.do()
        assert kinds(document, outcomes) == [
            "ReceiveBatch done",
            "Produce BATCH_EXPIRED",
            "DispatchTransfer 2",
            "ReceiveTransfer 2",
            "AddAliases 2",
        ]
        assert plants.stock("MILL") == {"flour.1": "100"}
        assert plants.rows("MILL", "SELECT count(*) FROM process_records") == [(0,)]
        assert plants.rows("SHOP", "SELECT count(*) FROM batches") == [(0,)]


def test_plant_that_has_the_material_then_its_own_definition_stays(tmp_path: Path) -> None:
    document = plan(
        event(0, action="ADD", bizStep="commissioning", quantityList=[some("flour.1", 100)]), plants={"mill": "MILL"}
    )
    with plants_of(document, tmp_path) as plants:
        plants.do()
        before = plants.rows("MILL", "SELECT code, name, unit FROM materials")
        size = plants.size("MILL")
        outcomes = plants.do()
        assert plants.rows("MILL", "SELECT code, name, unit FROM materials") == before
        assert plants.size("MILL") == size
        assert [one.entries for one in outcomes[:2]] == [(), ()]


def test_more_lines_than_a_command_holds_then_they_go_in_parts(tmp_path: Path) -> None:
    lots = [f"egg.{number}" for number in range(120)]
    document = plan(
        *(event(number, action="ADD", quantityList=[some(lot, 1)]) for number, lot in enumerate(lots)),
        event(
            200,
            type="TransformationEvent",
            inputQuantityList=[some(lot, 1) for lot in lots],
            outputQuantityList=[some("cake.1", 90)],
        ),
        plants={"mill": "MILL"},
    )
    with plants_of(document, tmp_path) as plants:
        outcomes = plants.do()
        assert all(one.is_done for one in outcomes)
        (produced,) = (one for s, one in zip(document.steps, outcomes, strict=True) if isinstance(s, Produce))
        assert [entry.type for entry in produced.entries] == [
            "ProcessOpened", "ProcessFed", "ProcessFed", "ProcessYielded", "ProcessClosed",
        ]  # fmt: skip
        assert plants.stock("MILL") == {"cake.1": "90"}
        assert all(one.new == 0 for one in plants.do())


@pytest.mark.skipif(not CORPUS_FILES, reason="NOT RUN: the conformance corpus, because it is not here")
def test_conformance_corpus_then_every_plan_can_be_done_and_done_again(tmp_path: Path) -> None:
    tried = 0
    for number, path in enumerate(CORPUS_FILES):
        try:
            document = read_epcis(path.read_bytes(), now=NOW)
        except Refusal as refusal:
            assert refusal.code is DOCUMENT_INVALID  # noqa: PT017 -- most documents raise nothing.
            continue
        tried += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        with plants_of(plan_epcis(document, propose_plants(document)), folder) as plants:
            outcomes = plants.do()
            assert [one.refusal for one in outcomes if not one.is_done] == [], path
            sent = sum(isinstance(step, DispatchTransfer) for step in plants.plan.steps)
            came = sum(isinstance(step, ReceiveTransfer) for step in plants.plan.steps)
            roads = {code: plants.rows(code, "SELECT id FROM process_records WHERE kind = 'TRANSFER'")
                     for code in plants.stores}  # fmt: skip
            assert sum(map(len, roads.values())) == sent + came
            assert all(one.is_done and one.new == 0 for one in plants.do()), path
    assert tried > 0


def test_count_difference_then_the_entry_says_which_event_asked_for_it(tmp_path: Path) -> None:
    document = plan(
        event(0, action="ADD", quantityList=[some("flour.1", 100)]),
        event(
            1,
            type="TransformationEvent",
            inputQuantityList=[some("flour.1", 110)],
            outputQuantityList=[some("bread.1", 100)],
        ),
        plants={"mill": "MILL"},
    )
    with plants_of(document, tmp_path) as plants:
        outcomes = plants.do()
        (found,) = (one for s, one in zip(document.steps, outcomes, strict=True) if isinstance(s, Adjust))
        assert found.entries[0].envelope["reason"].startswith("EPCIS event 2 (")
        assert plants.stock("MILL") == {"bread.1": "100"}

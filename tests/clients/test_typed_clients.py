"""Typed clients in TypeScript and Python, generated from both contracts, play over HTTP against a group of nodes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from graphql import DocumentNode, FieldNode, InlineFragmentNode, Node, build_schema, parse, validate

from infra.roles import Role
from schema.engine.sdl import committed_file
from tests.clients.programs import (
    CLIENTS,
    NODE,
    PYTHON,
    check_python,
    checkout,
    finished,
    follow,
    needs_packages,
)
from tests.house.contract_rules import MARKERS
from tests.scenarios.preparing import Prepared, copy_group
from tests.scenarios.processes import PASSWORD, Group

pytestmark = pytest.mark.timeout(240)

WEEK: Final = """\
SupplierDefined
CustomerDefined
LocationDefined
EquipmentDefined
MaterialDefined
MaterialDefined
refused STALE_VERSION expectedVersion
material Cream 12 5
BatchReceived
BatchReceived
EntryCorrected
ProcessOpened
ProcessFed
ProcessYielded
ProcessClosed
BatchMoved
submitted BatchMoved
submitted STOCK_SHORT
StockAdjusted
BatchQuarantined
stock SH1 389.9 KGM BATCH_ON_HOLD
refused BATCH_ON_HOLD lines.0.batchCode
stock SH1 389.9 KGM BATCH_ON_HOLD
ChangeRequested
may decide CHANGE_OWN_REQUEST
may decide yes
refused CHANGE_OWN_REQUEST changeRequestId
ChangeDecided
stock SH1 389.9 KGM usable
shipment validated
BatchShipped
TransferDispatched
SZ2 TransferReceived
ChangeRequested
stock SH1 239.9 KGM usable
trace 2 batches 2 processes
streamed li.wei BatchReceived
streamed li.wei BatchReceived
streamed li.wei ProcessOpened
"""
DAY: Final = """\
SH1 IN_SYNC
SZ2 IN_SYNC
parked 0
alarms 0
trace 2 batches 2 processes
MasterChangeDirected
material SH1 20 5
material SZ2 20 none
ChangeDecided
change request APPLIED
HoldDirected
directives 2
stock SH1 BATCH_ON_HOLD
stock SZ2 BATCH_ON_HOLD
"""
DOCUMENTS: Final = [
    pytest.param(role, path, id=f"{role.value}/{path.stem}")
    for role in Role
    for path in sorted((CLIENTS / "documents" / role.value).glob("*.graphql"))
]


@dataclass(frozen=True, slots=True)
class Stage:
    """A running group, and the folder in which the clients were generated."""

    group: Group
    folder: Path

    def play(self, *program: str | Path, mark: str) -> str:
        """Run a program against the group and return what it prints. Its batches and orders begin with the mark."""
        nodes = {code: node.url for code, node in self.group.nodes.items()}
        settings = self.folder / f"{mark}.json"
        settings.write_text(json.dumps({"mark": mark, "nodes": nodes, "password": PASSWORD}))
        return finished(*program, settings, folder=self.folder)


@pytest.fixture(scope="module")
def stage(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A hub and two plants that run, with the clients generated from their contracts."""
    folder = checkout(tmp_path_factory.mktemp("clients"))
    with copy_group(prepared, tmp_path_factory.mktemp("group")) as group:
        group.start()
        follow("Get the contract", folder)
        yield Stage(group, folder)


@needs_packages
def test_typescript_then_it_plays_a_week_at_a_plant_and_a_day_at_headquarters(stage: Stage) -> None:
    follow("Generate types for TypeScript", stage.folder)

    assert stage.play(NODE, "built/plant_week.js", mark="TS") == WEEK
    assert stage.play(NODE, "built/hub_day.js", mark="TS") == DAY


@needs_packages
def test_python_then_it_plays_a_week_at_a_plant_and_a_day_at_headquarters(stage: Stage) -> None:
    follow("Generate types for Python", stage.folder)
    check_python(stage.folder)

    assert stage.play(PYTHON, "plant_week.py", mark="PY") == WEEK
    assert stage.play(PYTHON, "hub_day.py", mark="PY") == DAY


@pytest.mark.parametrize("role, path", DOCUMENTS)
def test_documents_then_results_are_selected_by_the_two_interfaces_without_an_alias(role: Role, path: Path) -> None:
    schema = build_schema(committed_file(role).read_text(encoding="utf-8"))
    document = parse(path.read_text(encoding="utf-8"))

    assert [error.message for error in validate(schema, document)] == []
    assert list(liberties(document)) == []


def test_alias_or_a_type_of_a_result_planted_then_it_is_found() -> None:
    document = parse(
        """mutation Move($input: MoveBatchInput!) { moveBatch(input: $input) {
          __typename ... on Recorded { entry { index } } ... on BatchMoved { batch { code } }
        } }
        query Batches { all: batches { nodes { code } } }"""
    )
    assert sorted(liberties(document)) == ["... on BatchMoved", "all: batches"]


def liberties(document: DocumentNode) -> Iterator[str]:
    """Yield the aliases of a document, and the fragments on other types than the two interfaces of results."""
    waiting: list[Node] = [*document.definitions]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, InlineFragmentNode) and node.type_condition is not None:
            name = node.type_condition.name.value
            if name not in MARKERS:
                yield f"... on {name}"
        if isinstance(node, FieldNode) and node.alias is not None:
            yield f"{node.alias.value}: {node.name.value}"
        selected = getattr(node, "selection_set", None)
        waiting += selected.selections if selected is not None else ()

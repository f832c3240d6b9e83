"""Every field with a permission, asked by those who lack it: a thing is null, and all else is refused with its path."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from strawberry.types.base import StrawberryObjectDefinition

from auth.actors import Actor, Grant
from auth.actors import Role as Trust
from auth.permissions import Permission, may
from infra.roles import Role
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import Dispatch, dispatch_transfer
from plants.commands.materials.definitions import UnitDefinition, define_unit
from plants.commands.production.process_records import ProcessOrder, open_process
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.identification.codes import HUB
from schema.engine.access import declared_access
from schema.engine.contracts import contract
from schema.engine.node_ids import node_id
from schema.engine.operations import Operation, OperationKind, operations
from schema.engine.sdl import sdl
from tests.factories import Plant
from tests.schema.asking import JSON, Served, person
from tests.schema.group import Group

NOBODY: Final = person(6)
PEOPLE: Final[Mapping[str, Actor]] = {
    "nobody": NOBODY,
    **{role.value: person(7, (HUB, role)) for role in Trust if role is not Trust.PLANT_NODE},
}
CODES: Final = {"batch": "SH1-260314-0001P", "material": "RM-MILK", "customer": "C1", "supplier": "S1",
    "location": "A1", "equipment": "MIX1", "plant": "SH1", "unit": "BAG"}  # fmt: skip
"""A code for each query that looks up a thing by its code. The unit is not built in."""
KINDS: Final = {"processRecord": "process", "changeRequest": "change", "conflictingEntry": "dispute",
    "hubDirective": "directive", "ledgerEntry": "entry"}  # fmt: skip
TRACE: Final = '{ batchCodes: ["SH1-260314-0001P"], direction: BACKWARD }'
LISTS: Final = {
    "Batch": "batches(first: 1)",
    "Customer": "customers(first: 1)",
    "Equipment": "equipmentItems(first: 1)",
    "Location": "locations(first: 1)",
    "Material": "materials(first: 1)",
    "ProcessRecord": "processRecords(first: 1)",
    "Shipment": "shipments(first: 1)",
    "Supplier": "suppliers(first: 1)",
    "Transfer": "transfers(first: 1)",
    "Unit": 'units(filter: {code: {eq: "TUB"}})',
}
"""The root field that lists the things of a type."""
NESTED: Final = {
    **{f"{kind}.history": ("history { totalCount }", True) for kind in LISTS},
    **{f"{kind}.correction": ("correction { reason }", False) for kind in ("Batch", "ProcessRecord", "Shipment")},
    "Transfer.manifest": ("manifest", False),
}
"""The selection of each field below the roots that declares a permission, and whether it is a list."""
BELOW_ROOTS: Final = ("Trace", "TransfersInTransit")
"""The types whose fields need the permission of the root field that leads to them."""
ROOTS: Final = [one for one in operations() if one.permissions and one.kind is OperationKind.QUERY]
STREAMS: Final = [one for one in operations() if one.permissions and one.kind is OperationKind.SUBSCRIPTION]


def lacking(permissions: tuple[Permission, ...]) -> Iterator[tuple[str, Actor]]:
    yield from ((name, one) for name, one in PEOPLE.items() if not any(may(one, each, HUB) for each in permissions))


@cache
def built(role: Role) -> GraphQLSchema:
    return build_schema(sdl(role), assume_valid=True)


def document(operation: Operation, role: Role) -> tuple[str, bool]:
    """Return the document that selects a root field, and whether the field looks one thing up."""
    root = built(role).type_map[operation.kind.value]
    assert isinstance(root, GraphQLObjectType)
    field = root.fields[operation.name]
    needed = {name: one for name, one in field.args.items() if is_required_argument(one)}
    given = {name: _value(operation.name, name, str(one.type)) for name, one in needed.items()}
    written = f"({', '.join(f'{name}: {value}' for name, value in given.items())})" if given else ""
    return f"{operation.name}{written} {_selection(field)}", bool({"id", "code"} & needed.keys())


def _value(operation: str, name: str, kind: str) -> str:
    if name == "id":
        return f'"{node_id(KINDS.get(operation, operation), 1, 0)}"'
    return {"input": TRACE, "code": f'"{CODES.get(operation)}"'}.get(name, kind)


def _selection(field: GraphQLField) -> str:
    return "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"


async def check_roots(node: Served, role: Role) -> None:
    for operation in (one for one in ROOTS if role in one.roles):
        field, looks_up = document(operation, role)
        for name, actor in lacking(operation.permissions):
            answer = await node.answer(actor, f"{{ {field} }}")
            asked = f"{role} {name}: {field}"
            if looks_up:
                assert answer == {"data": {operation.name: None}}, asked
            else:
                assert refused(answer) == [("NOT_PERMITTED", [operation.name])], (asked, answer)
        allowed = next(one for one in PEOPLE.values() if any(may(one, each, HUB) for each in operation.permissions))
        assert "errors" not in await node.answer(allowed, f"{{ {field} }}"), field


async def check_streams(node: Served, role: Role) -> None:
    for operation in (one for one in STREAMS if role in one.roles):
        for name, actor in lacking(operation.permissions):
            context_answers = node.follow(actor, f"subscription {{ {document(operation, role)[0]} }}")
            answer = await anext(context_answers)
            assert answer["errors"], (role, name, operation.name)
            assert answer["data"] is None, (role, name, operation.name)
            await context_answers.aclose()


def refused(answer: JSON) -> list[tuple[str, list[Any]]]:
    return [
        (one.get("extensions", {}).get("code", one["message"]), one.get("path")) for one in answer.get("errors", ())
    ]


async def test_person_without_the_permission_at_a_plant_then_each_field_answers_by_the_rule(
    here: Plant, node: Served
) -> None:
    here.receive()
    await check_roots(node, Role.PLANT)
    await check_streams(node, Role.PLANT)


async def test_person_without_the_permission_at_the_hub_then_each_field_answers_by_the_rule(
    group: Group, hub: Served
) -> None:
    group.here.receive()
    group.hears()
    await check_roots(hub, Role.HUB)
    await check_streams(hub, Role.HUB)


@pytest.mark.parametrize("role", Role)
def test_fields_below_the_roots_then_each_with_a_permission_is_known_here(role: Role) -> None:
    kinds = [getattr(kind, "definition", None) for kind in contract(role).schema_converter.type_map.values()]
    name_of = contract(role).config.name_converter.from_field
    found = {
        f"{kind.name}.{name_of(field)}"
        for kind in kinds
        if isinstance(kind, StrawberryObjectDefinition) and kind.name not in {one.value for one in OperationKind}
        for field in kind.fields
        if declared_access(field.metadata).permissions
    }
    assert {one for one in found if not one.startswith(BELOW_ROOTS)} == set(NESTED)


def worked(plant: Plant, kind: str) -> None:
    """Write the first thing of a kind, and correct it where it can be corrected."""
    received = plant.do(receive_batch, Delivery("RM-MILK", "100", "KGM", "A1"))
    line = StockLine(str(received.envelope["key"]), "5", "KGM", "A1")
    if kind == "Transfer":
        plant.do(dispatch_transfer, Dispatch("NB1", (line,)))
        return
    if kind == "Unit":
        plant.do(define_unit, UnitDefinition("TUB", "Tub", "KGM", "2"))
        return
    wrong = received
    if kind == "Shipment":
        wrong = plant.do(ship_batch, Shipment("C1", (line,)))
    if kind == "ProcessRecord":
        wrong = plant.do(open_process, ProcessOrder())
    plant.do(correct_entry, Correction(wrong.index, CorrectionReason.DID_NOT_OCCUR, "Typed twice"))


@pytest.mark.parametrize("name", NESTED)
async def test_nested_field_without_the_permission_then_null_and_a_list_says_why(
    here: Plant, node: Served, name: str
) -> None:
    kind, field = name.split(".")
    wanted, is_list = NESTED[name]
    root = LISTS[kind].partition("(")[0]
    written = f"{{ {LISTS[kind]} {{ nodes {{ id {wanted} }} }} }}"
    worked(here, kind)
    lacks = PEOPLE["auditor" if field == "manifest" else "operator"]

    answer = await node.answer(lacks, written)

    assert [one[field] for one in answer["data"][root]["nodes"]] == [None]
    assert refused(answer) == ([("NOT_PERMITTED", [root, "nodes", 0, field])] if is_list else [])
    allowed = (await node.ask(PEOPLE["manager"], written))[root]["nodes"][0][field]
    assert allowed["totalCount"] > 0 if is_list else allowed


async def test_role_at_another_plant_alone_then_a_list_here_is_refused_too(here: Plant, node: Served) -> None:
    here.receive()
    stranger = person(5, (2, Trust.MANAGER))
    assert Grant(2, Trust.MANAGER) in stranger.grants
    assert refused(await node.answer(stranger, "{ batches { totalCount } }")) == [("NOT_PERMITTED", ["batches"])]

"""Somebody of one plant at the hub: of the other plant there is no trace in any field, id, total or error text."""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_required_argument,
    parse,
)

from auth.actors import Grant, Role
from infra.ids import new_id
from infra.messages import Notice
from infra.roles import Role as NodeRole
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.directives.directives import HoldDirection, direct_hold
from plants.commands.execution import CommandContext
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import Dispatch, dispatch_transfer
from plants.commands.materials.definitions import MasterDefinition, MaterialDefinition, define_master, define_material
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.identification.codes import HUB
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.actors import Author
from plants.store.ledger.entries import open_log, origin_of
from plants.store.monitoring.alarms import Alarm, AlarmKind, raise_alarm
from schema.engine.contracts import contract
from schema.engine.costs import operation_cost
from schema.engine.limits import COST_MAX
from schema.engine.node_ids import node_id
from tests.api.serving import Person, Serving
from tests.factories import Plant

SPY = Author("secret-person", "Secret Person", "secret-device")
REQUEST = "0190b0a0-0000-7000-8000-00000000000"  # and the number of the plant
SAYING_NOTHING = (
    "viewer",
    "server",
    "parkedEntries",
    "skippedEntries",
    "conflictingEntries",
    "ledgerExport",
    "eventCursor",
    "_service",
    "units",
)
"""Queries that have nothing to say of BJ2 here; those of worklists are asked about other plants' in their own tests."""


@dataclass(frozen=True)
class Hidden:
    """Facts of the other plant that users of this one may not learn."""

    batch: str
    batch_id: int
    process: int
    shipment: int
    transfer: int
    change: int
    proposal: str


def worked(plant: Plant) -> Hidden:
    """Let a plant do a bit of everything."""
    plant.actor = SPY if plant.number == 2 else plant.actor
    word = "SECRET" if plant.number == 2 else "OPEN"
    plant.do(define_material, MaterialDefinition(f"{word}-M", f"{word} material", "KGM", 30))
    plant.do(define_master, MasterDefinition(MasterKind.CUSTOMER, f"{word}-C", f"{word} customer"))
    code = plant.receive(
        f"{word}-M", supplier="S1", supplier_lot=f"{word}-LOT", attributes={word: word},
        aliases=(AliasOrder(word, f"{word}-ALIAS"),),
    )  # fmt: skip
    line = StockLine(code, "10", "KGM", "A1")
    process = plant.do(open_process, ProcessOrder(job_order=f"{word}-JOB", segment=word)).payload["process"]["id"]
    plant.do(feed_process, Feed(process, (line,)))
    shipment = plant.do(ship_batch, Shipment(f"{word}-C", (line,), f"{word}-ORDER")).payload["process"]["id"]
    transfer = plant.do(dispatch_transfer, Dispatch("ZZ1", (line,))).payload["transfer"]
    plant.do(adjust_stock, Count(code, "A1", "69.5"), reason=f"{word} count", request=f"{REQUEST}{plant.number}")
    plant.do(quarantine_batch, Quarantine(code, f"{word} reason"))
    asked = plant.do(request_change, ReleaseRequest(code, f"{word} reason"))
    return Hidden(code, plant.batch_id(code), process, shipment, transfer, asked.index, asked.leaf.hex())


@pytest.fixture
def hidden(hub: Serving) -> Hidden:
    """Both plants have worked, and headquarters and the hub have something to say to BJ2; returns what BJ2 has."""
    worked(hub.plant(1, "SH1"))
    found, now = worked(hub.plant(2, "BJ2")), hub.clock.now()
    with hub.node.store.transaction() as session:
        open_log(session, -2, "acme.example/hub/to/BJ2/i1")
        direct_hold(session, HoldDirection(found.batch, "SECRET hold"), actor=SPY, call=CommandContext(HUB, now))
        origin = origin_of(session, 2)
        raise_alarm(session, Alarm(AlarmKind.CLOCKS_DIFFER, origin, Notice("TEST", "BJ2: SECRET alarm")), now)
    return found


def selection(schema: GraphQLSchema, kind: Any, depth: int, renamed: Container[str] = ()) -> str:
    """Return every field that needs no argument, that many levels deep. Fields in `renamed` get an alias."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLUnionType):
        return (
            "{ __typename "
            + " ".join(f"... on {one.name} {selection(schema, one, depth)}" for one in named.types)
            + " }"
        )
    if isinstance(named, GraphQLInterfaceType):
        members = schema.get_possible_types(named)
        others = _of_other_types(members)
        parts = [f"... on {one.name} {selection(schema, one, depth, others)}" for one in members]
        return "{ __typename " + (" ".join(parts) if named.name == "Node" and depth > 1 else "") + " }"
    if not isinstance(named, GraphQLObjectType):
        return ""
    fields = [
        f"{_alias(f'{named.name}.{name}', renamed)}{name} {selection(schema, field.type, depth - 1)}"
        for name, field in named.fields.items()
        if not _needs(field) and (depth > 1 or not _is_object(field))
    ]
    return "{ __typename " + " ".join(fields) + " }"


def _of_other_types(members: Sequence[GraphQLObjectType]) -> frozenset[str]:
    """Return the fields with another type than most members give the name: one document selects them with aliases."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for member in members:
        for name, field in member.fields.items():
            kinds[name][str(field.type)] += 1
    usual = {name: counted.most_common(1)[0][0] for name, counted in kinds.items()}
    return frozenset(
        f"{member.name}.{name}"
        for member in members
        for name, field in member.fields.items()
        if str(field.type) != usual[name]
    )


def _alias(field: str, renamed: Container[str]) -> str:
    return f"{field.replace('.', '_')}: " if field in renamed else ""


def _is_object(field: GraphQLField) -> bool:
    return isinstance(get_named_type(field.type), GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)


def _needs(field: GraphQLField) -> bool:
    return any(is_required_argument(one) for one in field.args.values())


def _in_pages(name: str, field: GraphQLField, wanted: str) -> Iterator[str]:
    """Yield the query with pages of the usual size and with smaller ones, for lists of which each row costs much."""
    yield f"{{ {name} {wanted} }}"
    if "first" in field.args:
        yield from (f"{{ {name}(first: {size}) {wanted} }}" for size in (20, 5))


def _cost(schema: GraphQLSchema, document: str) -> int:
    return operation_cost(schema, parse(document), None, {})


def whole_queries(depth: int) -> Iterator[str]:
    schema = contract(NodeRole.HUB)._schema  # noqa: SLF001 -- the built schema.
    assert schema.query_type is not None
    for name, field in schema.query_type.fields.items():
        if not _needs(field):
            wanted = selection(schema, field.type, depth)
            yield next(one for one in _in_pages(name, field, wanted) if _cost(schema, one) <= COST_MAX)
    assert schema.query_type.fields.keys() >= {"ledger", "transfers", "changeRequests", "stock"}
    trace = selection(schema, schema.query_type.fields["trace"].type, depth)
    for direction in ("FORWARD", "BACKWARD", "BOTH"):
        given = f'direction: {direction}, supplierLots: ["SECRET-LOT", "OPEN-LOT"], customerCodes: ["OPEN-C"]'
        yield f"{{ trace(input: {{{given}}}) {trace} }}"


@pytest.mark.parametrize("document", list(whole_queries(4)), ids=lambda document: document.split()[1])
def test_everything_asked_for_then_nothing_of_the_other_plant_is_in_it(
    hub: Serving, hidden: Hidden, document: str
) -> None:
    answer = hub.people["manager-1"].send(document)

    assert answer.status_code == 200, answer.text[:500]
    assert "errors" not in answer.json(), answer.json()["errors"][:2]
    # The names that were asked for come back as unknown; that is all.
    text = answer.text.replace('"unknownNames":["SECRET-LOT"]', "")
    numbers = hidden.batch_id, hidden.transfer
    hints = *map(str, numbers), node_id("batch", hidden.batch_id), node_id("transfer", hidden.transfer)
    for word in ("BJ2", "SECRET", "secret", "Secret", hidden.proposal, *hints):
        assert word not in text
    if "trace" not in document:
        named = any(word in document for word in SAYING_NOTHING)
        assert "BJ2" in hub.people["hq"].send(document).text or named


def same(person: Person, document: str, real: Any, absent: Any) -> None:
    """Check that what is hidden and what does not exist are answered alike, to the byte but for what was asked."""
    answers = []
    spent = person.send("{ __typename }").json()["extensions"]["cost"]["spent"]
    for value in (real, absent):
        answer = person.send(document, x=value)
        assert "errors" not in answer.json(), (document, answer.text[:300])
        before, spent = spent, answer.json()["extensions"]["cost"]["spent"]
        # The amount spent in this minute grows with each answer: compare by how much.
        text = SPENT.sub("", answer.text)
        answers.append((answer.status_code, text.replace(str(value), "…") if value else text, spent - before))
    assert answers[0] == answers[1]


SPENT: Final = re.compile(r'"spent":\d+,"left":\d+,')


def names(hidden: Hidden) -> dict[str, tuple[str, str]]:
    """Return, by the field of a filter, a value that names a thing of BJ2 and one that names nothing."""
    batch = hidden.batch, hidden.batch[:-1] + ("0" if hidden.batch[-1] != "0" else "1")
    plant, alias, customer = ("BJ2", "XX9"), ("SECRET-ALIAS", "ABSENT-ALIAS"), ("SECRET-C", "ABSENT-C")
    actor, order = ("secret-person", "absent-person"), ("SECRET-ORDER", "ABSENT-ORDER")
    return {
        "code": batch, "batch": batch, "batchCode": batch, "codes": batch, "batchCodes": batch, "key": batch,
        "plant": plant, "plantCode": plant, "sourceCode": plant, "destinationCode": plant,
        "materialCode": ("SECRET-M", "ABSENT-M"), "supplierCode": ("SECRET-S", "ABSENT-S"),
        "customerCode": customer, "customers": customer, "customerCodes": customer,
        "equipmentCode": ("SECRET-E", "ABSENT-E"), "locationCode": ("SECRET-L", "ABSENT-L"),
        "value": alias, "aliases": alias, "scheme": ("SECRET", "ABSENT"), "issuerCode": ("SECRET", "ABSENT"),
        "supplierLots": ("SECRET-LOT", "ABSENT-LOT"), "orders": order, "customerOrder": order,
        "customerOrders": order, "purchaseOrder": order, "purchaseOrders": order,
        "jobOrder": ("SECRET-JOB", "ABSENT-JOB"), "jobOrders": ("SECRET-JOB", "ABSENT-JOB"),
        "segment": ("SECRET", "ABSENT"), "type": ("SecretDone", "AbsentDone"),
        "requestId": (f"{REQUEST}2", f"{REQUEST}7"), "grade": ("SECRET", "ABSENT"), "text": ("SECRET", "ABSENT"),
        "actor": actor, "actorCode": actor, "requestedBy": actor, "requestedByCode": actor,
    }  # fmt: skip


NAMING: Final = {"String", "BatchCode", "PlantCode", "Code"}
"""The types of what names a thing. Numbers, enums, times and ids name nothing by themselves."""


def criteria_of(given: GraphQLInputObjectType) -> Iterator[tuple[str, str, str]]:
    """Yield what a filter can be asked with: the name of the field, the type of the variable $x, and the literal."""
    for name, field in given.fields.items():
        kind = get_named_type(field.type)
        many = isinstance(get_nullable_type(field.type), GraphQLList)
        if kind.name in NAMING:
            yield name, f"{kind.name}!", f"{name}: {'[$x]' if many else '$x'}"
        elif kind.name == "CodeFilter":
            for test in ("eq: $x", "in: [$x]", "beginsWith: $x"):
                yield name, "String!", f"{name}: {{{test}}}"
        elif isinstance(kind, GraphQLInputObjectType):
            yield from ((inner, type_, f"{name}: {{{text}}}") for inner, type_, text in criteria_of(kind))


def asked_by_name() -> Iterator[tuple[str, str, str]]:
    """Yield each list asked with each name that its filter takes, and the trace from each: name, type and document."""
    schema = contract(NodeRole.HUB)._schema  # noqa: SLF001 -- the built schema.
    assert schema.query_type is not None
    for listing, field in schema.query_type.fields.items():
        kind = None if "filter" not in field.args else get_named_type(field.args["filter"].type)
        if isinstance(kind, GraphQLInputObjectType) and "totalCount" in getattr(
            get_named_type(field.type), "fields", {}
        ):
            for name, type_, text in criteria_of(kind):
                yield name, type_, f"{listing}(filter: {{{text}}}) {{ {SHOWN} }}"
    field = schema.query_type.fields["trace"]
    start = get_named_type(field.args["input"].type)
    assert isinstance(start, GraphQLInputObjectType)
    for name, type_, text in criteria_of(start):
        yield name, type_, f"trace(input: {{direction: BOTH, {text}}}) {selection(schema, field.type, 3)}"


SHOWN = "totalCount nodes { __typename } pageInfo { hasNextPage endCursor }"


def test_things_asked_for_by_name_then_hidden_and_absent_are_answered_alike(hub: Serving, hidden: Hidden) -> None:
    person, named = hub.people["manager-1"], names(hidden)
    documents = list(asked_by_name())
    assert {"batches", "transfers", "ledger", "trace"} <= {one.partition("(")[0] for _, _, one in documents}
    for name, kind, field in documents:
        pair = named["actorCode"] if name.endswith("ByCode") else named.get(name, ("SECRET", "ABSENT"))
        same(person, f"query($x: {kind}) {{ {field} }}", *pair)
    for kind, field, real, absent in (
        ("BatchCode!", "batch(code: $x) { code history { totalCount } }", *named["code"]),
        ("PlantCode!", "plant(code: $x) { code }", *named["plantCode"]),
        ("Code!", "material(code: $x) { name }", *named["materialCode"]),
        ("PlantCode!", 'material(code: "RM-MILK", plantCode: $x) { name }', *named["plantCode"]),
    ):
        same(person, f"query($x: {kind}) {{ {field} }}", real, absent)


@pytest.mark.parametrize("kind", ["batch", "process", "shipment", "transfer", "change", "entry", "hold", "plant"])
def test_ids_of_the_other_plant_then_they_are_as_unknown_as_any(hub: Serving, hidden: Hidden, kind: str) -> None:
    real, other = {
        "batch": (node_id("batch", hidden.batch_id), node_id("batch", 9999)),
        "process": (node_id("process", hidden.process), node_id("process", 9999)),
        "shipment": (node_id("shipment", hidden.shipment), node_id("shipment", 9999)),
        "transfer": (node_id("transfer", hidden.transfer), node_id("transfer", 9999)),
        "change": (node_id("change", 2, hidden.change), node_id("change", 2, 9999)),
        "entry": (node_id("entry", 2, 5), node_id("entry", 7, 5)),
        "hold": (node_id("hold", 2, hidden.batch_id, str(hidden.change - 1)), node_id("hold", 2, 9, "9")),
        "plant": (node_id("plant", 2), node_id("plant", 7)),
    }[kind]
    others = "", "/", "batch", node_id("nothing", 1), node_id("batch", 1, 2), node_id("batch", 10**400), "批次/1"
    for absent in (other, *others):
        same(hub.people["manager-1"], "query($x: ID!) { node(id: $x) { id __typename } }", real, absent)
    assert hub.people["hq"].ask("query($x: ID!) { node(id: $x) { id } }", x=real) == {"node": {"id": real}}


def test_request_of_the_other_plant_then_deciding_it_is_refused_like_an_absent_one(
    hub: Serving, hidden: Hidden
) -> None:
    quality = hub.person("quality-1", Grant(1, Role.QUALITY))
    document = (
        "mutation($x: ID!, $r: UUID!, $p: Sha256!) { decideChangeRequest(input:"
        " {requestId: $r, changeRequestId: $x, proposal: $p, verdict: APPROVED}) { __typename"
        " ... on Refusal { code message } } }"
    )
    before = hub.plant().everything()

    answers = [
        quality.ask(document, x=node_id("change", plant, change), r=new_id(), p=hidden.proposal)
        for plant in (2, 7)
        for change in (hidden.change, 9999)
    ]

    assert {str(answer) for answer in answers} == {str(answers[0])}
    assert answers[0]["decideChangeRequest"]["code"] == "NOT_PERMITTED"
    assert hub.plant().everything() == before


def test_role_without_reading_then_lists_are_refused_and_say_nothing(hub: Serving, hidden: Hidden) -> None:
    clerk = hub.person("clerk", Grant(0, Role.ADMINISTRATOR))
    lists = "batches", "stock", "ledger", "transfers", "changeRequests"

    for name in lists:
        answer = clerk.send(f"{{ {name} {{ totalCount }} }}").json()
        assert answer["data"] is None, name
        assert [(one["extensions"]["code"], one["path"]) for one in answer["errors"]] == [("NOT_PERMITTED", [name])]
        assert hidden.batch not in str(answer)
    seen = clerk.ask("{ plants { code replication { state } } }")
    assert [one["code"] for one in seen["plants"]] == ["SH1", "BJ2"]

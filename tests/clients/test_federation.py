"""The hub is a subgraph: it composes with a CRM's by Apollo's own library, and returns entities by their keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, build_schema
from sqlalchemy import event

from auth.actors import Grant
from auth.actors import Role as Trust
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from schema.engine.limits import REPRESENTATIONS_MAX
from tests.api.serving import Person, Serving, hub_node
from tests.clients.programs import CLIENTS, NODE, checkout, follow, needs_packages, run

SDL = "{ _service { sdl } }"
ENTITIES = """query Entities($representations: [_Any!]!) {
  _entities(representations: $representations) {
    __typename
    ... on Batch { grade }
    ... on Material { name plant { code } }
    ... on Plant { name }
  }
}"""
COMPOSE, CRM = (CLIENTS / "federation" / name for name in ("compose.js", "crm.graphql"))


def entities(person: Person, *representations: dict[str, Any]) -> list[dict[str, Any] | None]:
    found: list[dict[str, Any] | None] = person.ask(ENTITIES, representations=representations)["_entities"]
    return found


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """Yield the statements that a store runs in the block."""
    run: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        run.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, postgres_18: EmbeddedPostgres) -> Iterator[Serving]:
    """A hub on PostgreSQL that serves, with two plants in it."""
    with hub_node(tmp_path_factory.mktemp("hub"), postgres_18) as served:
        yield served


@pytest.fixture(scope="module")
def buyer(hub: Serving) -> Person:
    """A user who sees plant SH1 alone."""
    return hub.person("buyer", Grant(1, Trust.MANAGER))


@needs_packages
def test_hub_and_crm_then_they_compose_and_each_extends_the_others_entities(hub: Serving, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    (folder / "hub.graphql").write_text(hub.people["auditor"].ask(SDL)["_service"]["sdl"])

    supergraph = build_schema(follow("Join the hub to a supergraph", folder))

    for name, from_crm in {"Batch": "complaints", "Plant": "complaintsThisYear", "Material": "productManager"}.items():
        one = supergraph.type_map[name]
        assert isinstance(one, GraphQLObjectType)
        assert {from_crm, "code"} < set(one.fields)
    assert {"_Entity", "_Any", "_Service"}.isdisjoint(supergraph.type_map)


@needs_packages
def test_subgraph_without_a_key_then_composition_names_it(hub: Serving, tmp_path: Path) -> None:
    text = hub.people["auditor"].ask(SDL)["_service"]["sdl"]
    subgraph = tmp_path / "hub.graphql"
    subgraph.write_text(text.replace(" @shareable", ""))

    done = run(NODE, COMPOSE, f"hub={subgraph}", f"crm={CRM}", folder=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert 'Non-shareable field "PageInfo.hasNextPage" is resolved from multiple subgraphs' in done.stderr


def test_keys_then_the_entities_come_in_their_order_and_what_may_not_be_seen_is_null(
    hub: Serving, buyer: Person
) -> None:
    mine, theirs = hub.plant().receive(grade="A"), hub.plant(2, "BJ2").receive(grade="B")
    asked: list[dict[str, Any]] = [
        {"__typename": "Batch", "code": theirs},
        {"__typename": "Plant", "code": "SH1"},
        {"__typename": "Material", "code": "RM-MILK", "plant": {"code": "SH1"}},
        {"__typename": "Batch", "code": mine},
        {"__typename": "Material", "code": "RM-MILK", "plant": {"code": "BJ2"}},
        {"__typename": "Plant", "code": "BJ2"},
    ]

    other, plant, material, batch, *others = entities(buyer, *asked)

    assert [other, *others] == [None, None, None]
    assert plant == {"__typename": "Plant", "name": "Plant SH1"}
    assert batch == {"__typename": "Batch", "grade": "A"}
    assert material == {"__typename": "Material", "name": "Raw milk 生乳", "plant": {"code": "SH1"}}
    assert entities(hub.people["auditor"], *asked) == [
        {"__typename": "Batch", "grade": "B"},
        plant,
        material,
        batch,
        {"__typename": "Material", "name": "Raw milk 生乳", "plant": {"code": "BJ2"}},
        {"__typename": "Plant", "name": "Plant BJ2"},
    ]


def test_keys_that_name_nothing_then_each_is_null_as_if_it_could_not_be_seen(buyer: Person) -> None:
    nothing: list[dict[str, Any]] = [
        {"__typename": "Batch", "code": "SH1-NOTHING"},
        {"__typename": "Batch", "code": "not a code at all, too long"},
        {"__typename": "Plant", "code": "XX9"},
        {"__typename": "Material", "code": "NOTHING", "plant": {"code": "SH1"}},
    ]
    assert entities(buyer, *nothing) == [None] * len(nothing)


@pytest.mark.parametrize(
    "wrong",
    [
        {"__typename": "Stock", "code": "SH1"},
        {"__typename": "Batch"},
        {"__typename": "Plant", "code": 7},
        {"__typename": "Material", "code": "RM-MILK", "plant": "SH1"},
        {"__typename": ["Plant"], "code": "SH1"},
        {"code": "SH1"},
        "Plant",
        7,
    ],
    ids=repr,
)
def test_malformed_representation_then_its_place_has_an_error_and_the_others_answer(
    buyer: Person, wrong: object
) -> None:
    content = buyer.send(ENTITIES, representations=[wrong, {"__typename": "Plant", "code": "SH1"}]).json()

    found, (error,) = content["data"]["_entities"], content["errors"]
    assert found == [None, {"__typename": "Plant", "name": "Plant SH1"}]
    assert error["path"] == ["_entities", 0]
    assert error["extensions"] == {"code": "REPRESENTATION_WRONG"}


def test_more_representations_than_allowed_then_none_is_read(buyer: Person) -> None:
    one = {"__typename": "Plant", "code": "SH1"}
    content = buyer.send(ENTITIES, representations=[one] * (REPRESENTATIONS_MAX + 1)).json()

    assert content["data"] is None
    assert content["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED", "limitName": "REPRESENTATIONS_MAX", "limit": REPRESENTATIONS_MAX,
    }  # fmt: skip


def test_many_representations_then_all_batches_are_one_query(hub: Serving, buyer: Person) -> None:
    codes = [hub.plant().receive(grade=str(number)) for number in range(20)]
    asked = [{"__typename": "Batch", "code": code} for code in codes]
    counts = []

    for some in (asked[:1], asked):
        with counted(hub.node.store) as statements:
            found = entities(buyer, *some)
        assert found == [{"__typename": "Batch", "grade": str(number)} for number in range(len(some))]
        counts.append(len(statements))

    assert counts[0] == counts[1] > 0


def test_caller_without_the_schema_permission_then_the_sdl_is_not_given(hub: Serving) -> None:
    stranger = hub.person("stranger")

    content = stranger.send(SDL).json()

    assert content["data"] is None
    assert content["errors"][0]["extensions"] == {"code": "NOT_PERMITTED"}

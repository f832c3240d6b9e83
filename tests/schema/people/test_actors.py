"""Actors: the kind by the code that a ledger holds, and the name where the node knows it."""

import pytest

from auth.actors import Role, system_actor
from auth.people import add_person
from plants.rules.values.actors import AuthorKind
from schema.engine.node_ids import node_id
from schema.people.actors import Actor
from tests.factories import Plant
from tests.schema.asking import MANAGER, OPERATOR, Served


@pytest.mark.parametrize(
    "code, kind",
    [
        ("li.wei", AuthorKind.PERSON),
        ("system", AuthorKind.NODE),
        (system_actor("console").author.person, AuthorKind.SYSTEM),
        ("acme.example/plant/SH1/i1", AuthorKind.MACHINE),
    ],
)
def test_code_then_the_kind_of_its_actor(code: str, kind: AuthorKind) -> None:
    assert (Actor.of(code).kind, Actor.of(code).code) == (kind, code)


async def test_viewer_then_named_as_the_node_knows_them(here: Plant, node: Served) -> None:
    document = "{ viewer { actor { id code kind name } } }"
    at, administrator = here.clock.now(), system_actor("console", Role.ADMINISTRATOR)
    with here.store.transaction() as session:
        add_person(
            session, actor=administrator, person_id=OPERATOR.actor_id, printed_name="Wang Fang 王芳",
            plant_number=1, language="zh", at=at,
        )  # fmt: skip
    known = {"id": node_id("actor", "person-1"), "code": "person-1", "kind": "PERSON", "name": "Wang Fang 王芳"}
    assert await node.ask(OPERATOR, document) == {"viewer": {"actor": known}}
    unknown = {"id": node_id("actor", "person-3"), "code": "person-3", "kind": "PERSON", "name": None}
    assert await node.ask(MANAGER, document) == {"viewer": {"actor": unknown}}


async def test_entries_of_the_node_itself_then_their_actor_is_the_node(node: Served) -> None:
    document = "{ ledger(first: 500) { nodes { type actor { code kind name } } } }"
    found = (await node.ask(MANAGER, document))["ledger"]["nodes"]
    (opened,) = (one["actor"] for one in found if one["type"] == "PlantOpened")
    assert opened == {"code": "system", "kind": "NODE", "name": "Batchloom"}

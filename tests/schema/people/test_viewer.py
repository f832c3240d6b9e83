"""The first questions of a client: the node that answers, the permissions of its user, several nodes at once."""

import pytest

from auth.actors import Actor
from auth.permissions import Permission, may
from infra.messages import languages
from schema.engine.limits import DEPTH_MAX, IDS_MAX, PAGE_MAX, ROWS_MAX
from schema.engine.node_ids import node_id
from tests.factories import Plant
from tests.schema.asking import MANAGER, OPERATOR, Served

SERVER = "{ server { role version time languages plant { code } limits { depthMax pageNodesMax rowsMax } } }"


async def test_plant_asked_then_it_says_what_it_is(node: Served) -> None:
    server = (await node.ask(OPERATOR, SERVER))["server"]
    assert server.pop("version")
    assert server == {
        "role": "PLANT",
        "time": "2026-03-14T08:00:00.000000Z",
        "languages": [one.replace("_", "-") for one in languages()],
        "plant": {"code": "SH1"},
        "limits": {"depthMax": DEPTH_MAX, "pageNodesMax": PAGE_MAX, "rowsMax": ROWS_MAX},
    }


async def test_hub_asked_then_it_has_no_plant(hub: Served) -> None:
    server = (await hub.ask(MANAGER, "{ server { role plant { code } } }"))["server"]
    assert server == {"role": "HUB", "plant": None}


@pytest.mark.parametrize("actor", [OPERATOR, MANAGER], ids=["operator", "manager"])
async def test_user_asked_then_the_permissions_at_a_plant_are_those_that_are_enforced(
    hub: Served, node: Served, actor: Actor
) -> None:
    document = "query($plant: PlantCode) { viewer { permissions(plantCode: $plant) } }"
    at_home = sorted(one for one in Permission if may(actor, one, 1))
    assert at_home
    assert (await node.ask(actor, document))["viewer"]["permissions"] == at_home
    assert (await hub.ask(actor, document, plant="SH1"))["viewer"]["permissions"] == at_home
    assert (await hub.ask(actor, document))["viewer"]["permissions"] == [], "no role in the whole group"
    assert (await hub.ask(actor, document, plant="NB1"))["viewer"]["permissions"] == [], "a plant that it may not see"


async def test_several_ids_then_their_nodes_in_order_and_null_for_unknown_ones(here: Plant, node: Served) -> None:
    first, second = here.receive(), here.receive()
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Batch { code } } }"
    ids = [node_id("batch", here.batch_id(code)) for code in (second, first)]
    found = await node.ask(OPERATOR, document, ids=[ids[0], node_id("batch", 1), "nothing", ids[1]])
    assert found["nodes"] == [{"id": ids[0], "code": second}, None, None, {"id": ids[1], "code": first}]
    answer = await node.answer(OPERATOR, document, ids=ids * 51)
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert str(IDS_MAX) in answer["errors"][0]["message"]

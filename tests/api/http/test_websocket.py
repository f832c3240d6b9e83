"""WebSocket connections: their users, their protocol, their lifetime and their number."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from auth.people import disable_person
from infra.database import Session
from schema.engine import limits
from tests.api.serving import SETUP, Person, Serving
from tests.coded import check_codes

PROTOCOL = "graphql-transport-ws"
ENTRIES = "subscription($after: String) { ledgerEntries(after: $after) { cursor entry { index type } } }"
STATUS = "subscription { replicationStatus { status { plant { code } } } }"


@asynccontextmanager
async def connected(served: Serving, *, protocol: str = PROTOCOL, **more: Any) -> AsyncIterator[ClientConnection]:
    address = served.url.replace("http", "ws") + "/graphql"
    async with connect(address, subprotocols=[protocol], **more) as connection:  # type: ignore[list-item]
        yield connection


async def say(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(message))


async def hear(connection: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        message = json.loads(await connection.recv())
        check_codes(message)
        return message


async def enter(connection: ClientConnection, person: Person) -> None:
    await say(connection, type="connection_init", payload={"authorization": f"Bearer {person.token}"})
    assert await hear(connection) == {"type": "connection_ack"}


async def subscribe(connection: ClientConnection, query: str, number: int = 1, **variables: Any) -> None:
    await say(connection, id=str(number), type="subscribe", payload={"query": query, "variables": variables})


async def closed(connection: ClientConnection) -> int:
    """Return the code with which the other side closes the connection."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            while True:
                await connection.recv()
    assert connection.close_code is not None
    return connection.close_code


async def test_token_given_then_entries_come_as_they_are_written(plant: Serving) -> None:
    li = plant.people["li"]
    size, after = plant.plant().entry().index + 1, li.ask("{ eventCursor }")["eventCursor"]
    async with connected(plant) as connection:
        await enter(connection, li)
        await subscribe(connection, ENTRIES, after=after)
        found = []
        for _ in range(2):
            await asyncio.to_thread(li.do, "openProcess")
            found.append((await hear(connection))["payload"])
    entries = [one["data"]["ledgerEntries"]["entry"] for one in found]
    assert entries == [{"index": size + number, "type": "ProcessOpened"} for number in range(2)]
    # Each event has the cost of the subscription, which counts once.
    assert [one["extensions"]["cost"]["requested"] for one in found] == [2, 2]


@pytest.mark.parametrize(
    "payload", [None, {}, {"authorization": "x"}, {"authorization": "Bearer x"}, {"authorization": ["Bearer"]}]
)
async def test_token_wrong_then_the_connection_is_closed(plant: Serving, payload: Any) -> None:
    async with connected(plant) as connection:
        message = {"type": "connection_init"} | ({} if payload is None else {"payload": payload})
        await say(connection, **message)
        assert await closed(connection) == 4403


async def test_nothing_said_first_then_subscribing_closes_it(plant: Serving) -> None:
    async with connected(plant) as connection:
        await subscribe(connection, ENTRIES)
        assert await closed(connection) == 4401


async def test_token_expires_then_the_connection_ends(plant: Serving) -> None:
    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        await subscribe(connection, STATUS)
        await hear(connection)
        plant.clock.advance(seconds=601)
        assert await closed(connection) == 4401


async def test_person_disabled_then_the_connection_ends(plant: Serving) -> None:
    def work(session: Session) -> None:
        disable_person(session, actor=SETUP, person_id="li", at=plant.clock.now())

    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        plant.node.writer.write(work)
        assert await closed(connection) == 4401


async def test_legacy_protocol_then_it_is_not_spoken(plant: Serving) -> None:
    with pytest.raises(Exception, match=r"subprotocol|4406"):
        async with connected(plant, protocol="graphql-ws") as connection:
            code = await closed(connection)
            raise AssertionError(f"{code}")


async def test_page_of_another_origin_then_the_handshake_is_refused(plant: Serving) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(plant, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_query_or_mutation_over_the_socket_then_it_is_refused(plant: Serving) -> None:
    before = plant.plant().everything()
    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        for number, query in enumerate(("{ viewer { name } }", "mutation { openProcess(input: {}) { __typename } }")):
            await subscribe(connection, query, number)
            answer = await hear(connection)
            assert answer["type"] == "error"
            assert "viewer" not in str(answer.get("payload", [{}])[0].get("data"))
    assert plant.plant().everything() == before


async def test_subscriptions_without_end_then_those_above_the_limit_are_refused(plant: Serving) -> None:
    most = limits.SUBSCRIPTIONS_PER_CONNECTION_MAX
    waiting = "subscription { ledgerEntries { cursor } }"
    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        for number in range(most + 1):
            await subscribe(connection, waiting, number)
        answer = await hear(connection)
    assert (answer["type"], answer["id"]) == ("error", str(most))


async def test_connection_ended_then_there_is_room_for_another(plant: Serving) -> None:
    li = plant.people["li"]
    connections = [connected(plant) for _ in range(limits.CONNECTIONS_PER_PERSON_MAX)]
    try:
        for one in connections:
            await enter(await one.__aenter__(), li)
        async with connected(plant) as connection:
            await say(connection, type="connection_init", payload={"authorization": f"Bearer {li.token}"})
            assert await closed(connection) == 4429
    finally:
        for one in connections:
            await one.__aexit__(None, None, None)
    async with connected(plant) as connection:
        await enter(connection, li)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"x"', "7", "[" * 5000, '{"type": 7}', '{"id": "1"}', '{"type": "subscribe"}']
)
async def test_message_of_the_wrong_form_then_the_connection_ends_and_the_node_stays(plant: Serving, text: str) -> None:
    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        await connection.send(text)
        assert 4400 <= await closed(connection) < 4500
    assert plant.people["wang"].ask("{ viewer { actor { code } } }") == {"viewer": {"actor": {"code": "wang"}}}


async def test_first_message_of_very_many_values_then_refused_before_it_is_read(plant: Serving) -> None:
    values = "{}," * limits.BODY_COMMAS_MAX + "{},{}"
    async with connected(plant) as connection:
        await connection.send('{"type": "connection_init", "payload": {"a": [' + values + "]}}")
        assert 4400 <= await closed(connection) < 4500


async def test_message_too_long_then_the_connection_ends(plant: Serving) -> None:
    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        await connection.send(" " * (limits.BODY_BYTES_MAX + 1))
        assert await closed(connection) == 1009


async def test_bad_document_then_the_subscription_is_refused_and_the_connection_stays(plant: Serving) -> None:
    async with connected(plant) as connection:
        await enter(connection, plant.people["wang"])
        await subscribe(connection, "subscription { ledgerEntriess { cursor } }")
        unknown = await hear(connection)
        await subscribe(connection, "subscription { ledgerEntries { cursor } }", 2)
        hidden = await hear(connection)
    assert (unknown["type"], "Did you mean" in str(unknown)) == ("error", False)
    assert "NOT_PERMITTED" in str(hidden)

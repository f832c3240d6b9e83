"""A subscription whose server is killed and started again: resumed after its last event, it misses and repeats none."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.patience import patient
from tests.scenarios.preparing import CHEN, PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import HUB, Group, Person, leaves

pytestmark = pytest.mark.timeout(300)

ENTRIES: Final = """subscription($filter: LedgerEntryFilter, $after: String) {
  ledgerEntries(filter: $filter, after: $after) { cursor entry { index leafHash } } }"""
WRITTEN, KILLS = 60, (12, 35)  # entries, and the numbers of events after which the server is killed
SECONDS_MAX = 60


@pytest.fixture
def group(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A group of its own, running."""
    with copy_group(prepared, tmp_path_factory.mktemp("subscribed")) as made:
        made.start(HUB, "SH1")
        yield made


async def followed(reader: Person, after: str, most: int, kill: Any) -> list[tuple[str, int, str]]:
    """Return cursor, index and hash of events of SH1: `most`, or after `kill` all until the connection ends."""
    found: list[tuple[str, int, str]] = []
    authorization = reader.http.headers["Authorization"]
    address = reader.node.url.replace("http", "ws") + "/graphql"
    variables = {"after": after, "filter": {"plantCode": {"eq": "SH1"}, "ledger": {"eq": "PLANT"}}}
    subscription = {"query": ENTRIES, "variables": variables}
    async with asyncio.timeout(patient(SECONDS_MAX)), connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": authorization}}))
        await socket.recv()
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscription}))
        killing: asyncio.Future[None] | None = None
        with suppress(ConnectionClosed):
            while killing is not None or len(found) < most:
                said = json.loads(await socket.recv())
                assert said["type"] == "next", said
                event = said["payload"]["data"]["ledgerEntries"]
                found.append((event["cursor"], event["entry"]["index"], event["entry"]["leafHash"]))
                if kill is not None and len(found) == most:
                    killing = asyncio.ensure_future(asyncio.to_thread(kill))
    if killing is not None:
        await killing
    return found


@pytest.mark.parametrize("killed", [HUB, "SH1"])
async def test_server_killed_twice_then_every_entry_comes_once_and_in_order(group: Group, killed: str) -> None:
    reader, writer = group.at(killed, CHEN if killed == HUB else WANG), group.at("SH1", WANG)
    begin = len(leaves(group.store("SH1"), PLANTS["SH1"]))
    after = str(reader.ask("{ eventCursor }")["eventCursor"])
    if killed == HUB:
        begin = _applied(reader, "SH1")
    found: list[tuple[str, int, str]] = []
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_write, writer)
        for number in KILLS:
            found += await followed(reader, found[-1][0] if found else after, number, lambda: group.kill(killed))
            await asyncio.to_thread(group.start, killed)
        await asyncio.to_thread(writing.result)
    expected = leaves(group.store("SH1"), PLANTS["SH1"])[begin:]
    found += await followed(reader, found[-1][0], len(expected) - len(found), None)
    assert [(index, leaf) for _, index, leaf in found] == [(index, leaf) for index, leaf, _ in expected]
    assert len(expected) >= WRITTEN


def _applied(reader: Person, plant: str) -> int:
    """Return the number of a plant's entries that are applied at the reader's node. There is no other writer."""
    plants = reader.ask("{ plants { code replication { projected } } }")["plants"]
    return int(next(one["replication"]["projected"] for one in plants if one["code"] == plant))


def _write(writer: Person) -> None:
    """Receive goods, each again under its request id until its server answers."""
    quantity = {"amount": "1", "unit": "KGM"}
    for number in range(WRITTEN):
        request = f"0190d6a1-0000-7000-8000-{number:012}"
        order = {"materialCode": "MILK", "quantity": quantity, "locationCode": "A1"}
        done: dict[str, Any] = {}
        while not done:
            # A killed server answers again after its start.
            with suppress(httpx2.TransportError):
                done = writer.do("receiveBatch", "... on Recorded { entry { index } }", request=request, **order)

"""Users at a running node: a revoked role and a disabled user lose access at once."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from infra.database import Store
from tests.api.cli.commands import Commands, batchloom, make_plant
from tests.api.cli.test_tree import running
from tests.patience import patient
from tests.sync_jobs.group import free_port

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("commands")]

PASSWORD: Final = "seven geese over the lake"
LEDGER: Final = "{ ledger(first: 1) { nodes { type } } }"
STREAM: Final = "subscription { ledgerEntries { cursor } }"
NAME: Final = "{ viewer { name } }"


@dataclass(frozen=True)
class Mill:
    """A plant that runs, with its home and address."""

    home: Path
    url: str

    def person(self, *words: str, given: str = "") -> None:
        said = batchloom("person", *words, "--home", self.home, given=given)
        assert said.status == 0, said.err

    def refuses(self, *words: str) -> str:
        before = self.people()
        said = batchloom("person", *words, "--home", self.home)
        assert (said.status, said.err.startswith("Error: ")) == (1, True), said
        assert self.people() == before
        return said.err

    def people(self) -> list[list[Any]]:
        with closing(Store(f"sqlite:///{self.home / 'plant.db'}")) as store, store.transaction() as session:
            return [session.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ("people", "role_grants")]

    def sign_in(self, person: str) -> httpx2.Response:
        given = {"person": person, "password": PASSWORD}
        return httpx2.post(f"{self.url}/auth/token", json=given)

    def token(self, person: str) -> str:
        answer = self.sign_in(person)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    def ask(self, token: str, query: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.post(f"{self.url}/graphql", json={"query": query}, headers=headers)

    async def follow(self, connection: ClientConnection, token: str) -> None:
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
        await connection.send(json.dumps(init))
        assert await received(connection) == {"type": "connection_ack"}
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": STREAM}}))

    def socket(self) -> connect:
        return connect(f"{self.url.replace('http', 'ws')}/graphql", subprotocols=["graphql-transport-ws"])  # type: ignore[list-item]


async def received(connection: ClientConnection) -> Any:
    async with asyncio.timeout(patient(30)):
        return json.loads(await connection.recv())


@pytest.fixture(scope="module")
def mill(
    commands: Commands,  # noqa: ARG001 -- it runs make_plant.
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mill]:
    home, port = tmp_path_factory.mktemp("people") / "SH1", free_port()
    make_plant(home, "SH1", 1, "--group", "acme.example")
    with running(home, port):
        yield Mill(home, f"http://127.0.0.1:{port}")


def add(mill: Mill, person: str, *roles: str) -> str:
    """Add a user with these roles and return a token."""
    given = [word for role in roles for word in ("--role", role)]
    mill.person("add", person, "--name", person, *given, "--password-file", "-", given=PASSWORD + "\n")
    return mill.token(person)


def codes(answer: httpx2.Response) -> list[str]:
    return [one["extensions"]["code"] for one in answer.json().get("errors", ())]


async def test_role_revoked_while_signed_in_then_the_next_request_is_refused_and_the_subscription_ends(
    mill: Mill,
) -> None:
    token = add(mill, "li.wei", "quality", "operator")
    link = mill.ask(token, "{ ledgerExport { url } }").json()["data"]["ledgerExport"]["url"]
    assert httpx2.get(mill.url + link).text
    async with mill.socket() as connection:
        await mill.follow(connection, token)
        assert codes(mill.ask(token, LEDGER)) == []

        await asyncio.to_thread(mill.person, "revoke", "li.wei", "--role", "quality")

        assert codes(mill.ask(token, LEDGER)) == ["NOT_PERMITTED"]
        ended = await received(connection)
        (error,) = ended["payload"]["errors"]
        assert (ended["type"], ended["payload"]["data"]) == ("next", None)
        assert error["extensions"]["code"] == "NOT_PERMITTED"
        assert (await received(connection))["type"] == "complete"
    assert httpx2.get(mill.url + link).status_code == 404
    assert mill.ask(token, NAME).json()["data"] == {"viewer": {"name": "li.wei"}}
    assert "change nothing" in mill.refuses("revoke", "li.wei", "--role", "quality")
    mill.person("grant", "li.wei", "--role", "quality")
    assert codes(mill.ask(token, LEDGER)) == []


async def test_person_disabled_while_signed_in_then_nothing_is_answered_until_enabled_again(mill: Mill) -> None:
    token = add(mill, "zhou.min", "quality")
    link = mill.ask(token, "{ ledgerExport { url } }").json()["data"]["ledgerExport"]["url"]
    async with mill.socket() as connection:
        await mill.follow(connection, token)

        await asyncio.to_thread(mill.person, "disable", "zhou.min")

        assert mill.ask(token, NAME).status_code == 401
        async with asyncio.timeout(patient(30)):
            with suppress(ConnectionClosed):
                while True:
                    await connection.recv()
        assert connection.close_code == 4401
    assert mill.sign_in("zhou.min").status_code == 401
    assert httpx2.get(mill.url + link).status_code == 404
    assert "change nothing" in mill.refuses("disable", "zhou.min")

    mill.person("enable", "zhou.min")

    assert mill.ask(mill.token("zhou.min"), LEDGER).json()["data"]["ledger"]["nodes"]
    assert "change nothing" in mill.refuses("enable", "zhou.min")


@pytest.mark.parametrize("words", [("revoke", "--role", "quality"), ("disable",), ("enable",)])
def test_person_unknown_then_refused(mill: Mill, words: tuple[str, ...]) -> None:
    assert "nobody" in mill.refuses(words[0], "nobody", *words[1:])


@pytest.mark.parametrize(
    "command, words",
    [("revoke", ("next request", "subscription", "download")), ("disable", ("Tokens", "roles are kept"))],
)
def test_help_then_it_says_what_ends(command: str, words: tuple[str, ...]) -> None:
    said = " ".join(batchloom("person", command, "--help").out.split())
    assert all(word in said for word in words), said
    assert f"batchloom person {command}" in said

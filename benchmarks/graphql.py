"""Traces as whole GraphQL requests: a hub in its own process, asked over HTTP by a signed-in user."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from pydantic import SecretStr

from api.http.serve import listen
from api.node.client import NodeClient
from api.node.node import Node, make_home
from auth.actors import GROUP as WHOLE_GROUP
from auth.actors import Grant, Role, system_actor
from auth.passwords import hash_password
from auth.people import add_person, grant_role, set_password
from benchmarks.enrolment import GROUP, draw_keys, enrol_plants
from benchmarks.group import PLANTS, plant_code
from benchmarks.programs import Program, running
from benchmarks.trace_answers import Answer, Request
from infra import roles
from infra.database import Session, Store
from infra.settings import Settings
from plants.rules.identification.codes import plant_of
from plants.rules.values.instants import instant_micros
from plants.rules.values.quantities import parse_micro
from schema.engine.node_ids import read_kind, read_parts

USER: Final = "bench"
READY_SECONDS_MAX: Final = 300
FIRST: Final = """
query First($code: BatchCode!, $first: Int!) { trace(input: {batchCodes: [$code], direction: FORWARD}) {
  batches(first: $first) { nodes {
    batchId code materialCode disposition producedAt quantityMade { amount unit } } }
  links(first: $first) { pageInfo { hasNextPage endCursor } nodes {
    sourceId targetId use quantity { amount unit } } }
} }
"""
MORE: Final = """
query More($code: BatchCode!, $first: Int!, $after: String) { trace(input: {batchCodes: [$code], direction: FORWARD}) {
  links(first: $first, after: $after) { pageInfo { hasNextPage endCursor } nodes {
    sourceId targetId use quantity { amount unit } } }
} }
"""
PAGE: Final = 500


@contextmanager
def over_http(store: Store, database_url: str) -> Iterator[Request]:
    """Run a hub over the store and yield a request that asks it for the forward trace of a batch.

    Raises ProgramEnded at once when the hub ends, with its last log lines.
    """
    with tempfile.TemporaryDirectory(prefix="batchloom-bench-") as name:
        home, password = Path(name) / "hub", secrets.token_urlsafe(16)
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        settings = Settings(
            home=home, role=roles.Role.HUB, group=GROUP, port=port, database_url=SecretStr(database_url)
        )
        make_home(settings)
        with Node(settings) as node:
            node.writer.write(lambda session: _prepare(session, node, password))
        command = [sys.executable, "-m", "api", "hub", "run", "--home", str(home)]
        environment = {**os.environ, "BATCHLOOM_DATABASE_URL": database_url}
        hub = Program("the hub", command, Path(name) / "hub.log", environment=environment)
        url = f"http://127.0.0.1:{port}"
        with running(hub):
            hub.wait_until(lambda: _is_ready(url), "readiness", READY_SECONDS_MAX)
            with NodeClient(url) as client:
                client.sign_in(USER, password)
                yield lambda seed: _ask(client, _code(store, seed))


def _prepare(session: Session, node: Node, password: str) -> None:
    """Enrol the plants of the group, as a hub expects of every plant whose ledger it has, and add a user."""
    now, console = node.clock.now(), system_actor("bench", Role.ADMINISTRATOR)
    enrol_plants(session, {plant: (plant_code(plant), draw_keys()) for plant in range(1, PLANTS + 1)}, now=now)
    add_person(
        session, actor=console, person_id=USER, printed_name="Bench", plant_number=WHOLE_GROUP, language="en", at=now
    )
    grant_role(session, actor=console, person_id=USER, grant=Grant(WHOLE_GROUP, Role.HEADQUARTERS), at=now)
    hashed = hash_password(password, person_id=USER)
    set_password(session, actor=console, person_id=USER, password=hashed, at=now)


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def _code(store: Store, batch: int) -> str:
    with store.reading() as session:
        (row,) = session.rows("SELECT DISTINCT code FROM batches WHERE id = :id", {"id": batch})
    return str(row[0])


def _ask(client: NodeClient, code: str) -> Answer:
    found = client.ask(FIRST, {"code": code, "first": PAGE})["trace"]
    batches, page = found["batches"]["nodes"], found["links"]
    edges = page["nodes"]
    while page["pageInfo"]["hasNextPage"]:
        after = page["pageInfo"]["endCursor"]
        page = client.ask(MORE, {"code": code, "first": PAGE, "after": after})["trace"]["links"]
        edges += page["nodes"]
    return {"batches": [_batch(one) for one in batches], "edges": [_edge(one) for one in edges]}


def _batch(shown: dict[str, Any]) -> tuple[object, ...]:
    number, made = _number(shown["batchId"]), shown["quantityMade"]
    micro, produced_us = parse_micro(made["amount"]), instant_micros(shown["producedAt"])
    kind = (shown["code"], plant_of(number), shown["materialCode"], made["unit"])
    return (number, *kind, micro, produced_us, shown["disposition"])


def _edge(shown: dict[str, Any]) -> tuple[object, ...]:
    quantity = shown["quantity"]
    ends = _number(shown["sourceId"]), _number(shown["targetId"])
    return (*ends, parse_micro(quantity["amount"]), quantity["unit"], shown["use"])


def _number(node: str) -> int:
    """Return the number in the id of a batch, process record, transfer or shipment."""
    parts = read_parts(read_kind(node) or "", (int,), node)
    assert parts is not None
    return int(parts[0])

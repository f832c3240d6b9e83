"""A store or broker that cannot be used is one sentence on the command line, without a password or a traceback."""

import json
from pathlib import Path
from typing import Final

import pytest

from infra.postgres import EmbeddedPostgres
from tests.api.cli.commands import Commands, batchloom, make_plant

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("commands")]

NOBODY: Final = "postgresql://bob:hunter2@127.0.0.1:1/x"
BROKER: Final = "redis://:hunter2@127.0.0.1:1/0"


@pytest.fixture(scope="module")
def home(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 -- it runs make_plant.
    home = tmp_path_factory.mktemp("plants") / "sh1"
    make_plant(home, "SH1", 1, "--group", "acme.example")
    return home


@pytest.mark.parametrize("command", ["alarms", "verify", "plant run", "worker", "beat"])
def test_server_does_not_answer_then_one_sentence(home: Path, command: str) -> None:
    said = batchloom(*command.split(), "--home", home, BATCHLOOM_DATABASE_URL=NOBODY, BATCHLOOM_BROKER_URL=BROKER)
    assert said.status == 1
    assert said.err == (
        "Error: The node's store cannot be used: its server does not answer. Check database_url, and the server or "
        "disk that holds the store.\n"
    )


def test_server_refuses_the_node_then_its_reason_in_the_language(home: Path, postgres_18: EmbeddedPostgres) -> None:
    url = postgres_18.url("nowhere").replace("postgres@", "postgres:hunter2@")
    assert "hunter2" in url
    said = batchloom("alarms", "--home", home, "--json", BATCHLOOM_DATABASE_URL=url, LC_ALL="zh_CN.UTF-8")
    assert said.status == 1
    assert json.loads(said.err)["error"] == {
        "code": "STORE_REFUSES_NODE",
        "message": '数据库服务器拒绝本节点：database "nowhere" does not exist。请检查 database_url。',
    }


@pytest.mark.parametrize(
    "given",
    [
        {"BATCHLOOM_DATABASE_URL": "postgresql://bob:hunter2@[::1/x"},
        {"BATCHLOOM_BROKER_URL": "redis://:hunter2@127.0.0.1:notaport/0"},
        {"BATCHLOOM_BROKER_URL": "redis://:hunter2/x@127.0.0.1:1/0"},
    ],
)
def test_address_is_malformed_then_one_sentence_without_the_password(home: Path, given: dict[str, str]) -> None:
    said = batchloom("beat", "--home", home, **{"BATCHLOOM_BROKER_URL": BROKER, **given})
    assert (said.status, len(said.err.splitlines())) == (1, 1)
    assert "address" in said.err
    assert "hunter2" not in said.err

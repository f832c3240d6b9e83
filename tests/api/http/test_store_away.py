"""A node whose store is away: every door answers 503 in plain words, and the log has no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from infra.postgres import EmbeddedPostgres
from tests.api.serving import hub_node


@contextmanager
def away(server: EmbeddedPostgres, database: str) -> Iterator[None]:
    """Close a database and end its connections for the length of the block."""
    address = make_url(server.url("postgres")).set(drivername="postgresql").render_as_string(hide_password=False)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(allow.format(sql.Identifier(database), sql.SQL("false")))
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [database]
        )
        yield
        connection.execute(allow.format(sql.Identifier(database), sql.SQL("true")))


def test_store_is_away_then_each_door_says_so_without_a_traceback(
    tmp_path: Path, postgres_18: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    with hub_node(tmp_path, postgres_18) as served:
        database = served.node.store.engine.url.database
        query = {"query": "{ viewer { name } }"}
        headers = served.people["auditor"].headers
        sign_in = {"person": "auditor", "password": "wrong horse battery"}
        assert served.client.get("/metrics").status_code == 200
        with away(postgres_18, str(database)):
            ready = served.client.get("/readyz")
            figures = served.client.get("/metrics")
            entered = served.client.post("/auth/token", json=sign_in, headers={"Accept-Language": "zh-CN"})
            asked = served.client.post("/graphql", json=query, headers=headers)
            assert served.client.get("/healthz").status_code == 200
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert (figures.status_code, entered.status_code, asked.status_code) == (503, 503, 503)
        assert figures.json()["message"] == (
            "This node's store does not answer: its server does not answer. Try again later."
        )
        assert entered.json()["message"] == "本节点的数据库没有响应：数据库服务器没有响应。请稍后重试。"
        assert asked.json()["errors"][0]["extensions"] == {"code": "STORE_UNAVAILABLE", "fault": "UNREACHABLE"}
        assert [record.getMessage() for record in caplog.records if record.exc_info] == []

        assert served.client.get("/readyz").json() == {"ready": True}
        assert served.client.get("/metrics").status_code == 200
        assert served.people["auditor"].ask(query["query"]) == {"viewer": {"name": "Auditor"}}

"""A plant one version ahead of its hub: unknown entries are kept, wait, and are applied after the hub's upgrade."""

import json
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auth.tokens import issue_assertion
from infra.clock import FixedClock
from infra.database import Store
from infra.ids import new_id
from infra.postgres import EmbeddedPostgres
from plants.commands.replication.rebuild import rebuild
from plants.rules.values.instants import format_instant
from plants.store.ledger.entries import Head
from plants.store.projection.rebuilding import table_digests
from plants.store.projection.registry import PROJECTORS, SUPPORTED
from plants.store.replication.status import ReplicationState
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_behind, project_pending
from tests.databases import migrated_database
from tests.sync_jobs.group import CLOCK, column, receive, running_group, stand

UNHEARD_OF = "BatchWeighed"


def append(node: PlantNode, event: str, version: int, key: str, payload: Any) -> None:
    """Write an entry as a program would that knows more than this one."""
    now = CLOCK.now()
    with node.store.transaction() as session:
        Head(session, node.number).append(
            {
                "id": new_id(), "type": event, "version": version, "plant": node.number, "index": 0, "hlc": "",
                "occurred_at": format_instant(now), "recorded_at": "", "actor": "li.wei", "key": key,
                "payload": payload, "lane": {"of": ["a", "later", "version"]},
            },  # type: ignore[typeddict-unknown-key]
            now,
        )  # fmt: skip


def waiting(store: Store) -> list[tuple[int, str]]:
    with store.transaction() as session:
        return [(index, kind) for index, kind in session.rows("SELECT idx, type FROM projection_faults ORDER BY idx")]


def batches(store: Store) -> int:
    with store.transaction() as session:
        ((count,),) = session.rows("SELECT count(*) FROM batches")
    return int(count)


def test_newer_plant_then_parked_by_key_and_replayed_after_the_upgrade(
    postgres_18: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_group(migrated_database(postgres_18), tmp_path) as group:
        node, hub = group.plant(1, "SH1"), group.hub.node.store
        one, two = receive(node, 2)
        append(node, UNHEARD_OF, 1, one.envelope["key"], {"grams": "12500"})
        append(node, "BatchMoved", 9, two.envelope["key"], {"movements": [], "by": "robot"})
        receive(node, 3)
        assert exchange(node).state is ReplicationState.IN_SYNC
        assert stand(hub, 1) == stand(node.store, 1), "intake looks at no content"
        assert column(node.store, 1, "alarm") is None
        project_pending(hub, 1, clock=CLOCK, holder="test")
        size = stand(hub, 1)[0]
        assert waiting(hub) == [(size - 5, UNHEARD_OF), (size - 4, "BatchMoved")]
        assert batches(hub) == 5, "other batches go on"
        before = table_digests(hub)

        done: list[tuple[str, int]] = []
        for kind in ((UNHEARD_OF, 1), ("BatchMoved", 9)):
            monkeypatch.setitem(PROJECTORS, kind, lambda _writes, _log, entry: done.append((entry.type, entry.index)))
            monkeypatch.setitem(SUPPORTED, *kind)
        later = FixedClock(CLOCK.now() + timedelta(days=1))
        project_behind(hub, later, "test")
        assert waiting(hub) == []
        assert done == [(UNHEARD_OF, size - 5), ("BatchMoved", size - 4)]
        assert table_digests(hub) == before, "they make no rows, and nothing else was disturbed"
        with hub.transaction() as session:
            assert rebuild(session) > size
        assert table_digests(hub) == before


def test_greeting_of_a_newer_plant_then_unknown_members_are_passed_over(
    postgres_18: EmbeddedPostgres, tmp_path: Path
) -> None:
    with running_group(migrated_database(postgres_18), tmp_path) as group:
        node = group.plant(1, "SH1")
        receive(node)
        exchange(node)
        size, _ = stand(node.store, 1)
        greeting = {
            "protocol": 2, "version": "99.0", "clock": format_instant(CLOCK.now()),
            "ledger": {"origin": node.origin, "size": size, "root": root_text(node), "shape": "TREE"},
            "session": column(node.store, 1, "session"),
            "supported": {**SUPPORTED, UNHEARD_OF: 3}, "capabilities": {"delta": True, "codecs": ["zstd", "brotli"]},
        }  # fmt: skip
        assertion = issue_assertion(node.assertion_key, origin=node.origin, hub_issuer=node.hub_key.name, clock=CLOCK)
        headers = {"Authorization": f"Bearer {assertion}", "Batchloom-Protocol": "2", "Batchloom-Trace": "x"}
        answer = httpx2.post(
            f"{group.hub.url}/sync/v1/hello", content=json.dumps(greeting), headers=headers, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["ledger"]["size"] == size
        assert answer.json()["min_protocol"] <= 2
        assert column(group.hub.node.store, 1, "version") == "99.0"


def root_text(node: PlantNode) -> str:
    return b64encode(stand(node.store, 1)[1]).decode()

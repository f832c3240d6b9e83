"""Rotation of a ledger's key while the plant runs: old signatures remain valid, and a rejected key changes nothing."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from auth.actors import Role, system_actor
from auth.machines import enrolled_machines, revoke_machine
from auth.notes import NoteSigner, generate_key, load_key, save_key
from infra.database import Store
from infra.objects import FileObjects
from infra.postgres import EmbeddedPostgres
from plants.store.ledger.archive import Archive
from plants.store.replication.status import ReplicationState
from sync_jobs.archive.checks import check_archive
from sync_jobs.archive.recover_hub import recover_hub
from sync_jobs.keys import ledger_key_files
from sync_jobs.keys.chains import rotation_statements
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import ledger_key_rotation
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.protocol.wire import Problem
from tests.databases import migrated_database
from tests.sync_jobs.archive.test_archiving import archive_all
from tests.sync_jobs.copies import backup, on_copy
from tests.sync_jobs.group import CLOCK, Group, column, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, level, types


def another(node: PlantNode) -> NoteSigner:
    return NoteSigner(node.origin, generate_key())


def test_key_rotated_then_the_hub_takes_the_new_one_and_the_old_one_no_more(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    following = another(node)
    ledger_key_rotation.rotate_ledger_key(node, following)
    assert types(node)[-1] == "LedgerKeyRotated"
    old, node = node, replace(node, signer=following)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    receive(node, 2)
    assert exchange(node, forced=True).sent == 2
    level(group, node)
    receive(node, 1)
    before = stand(group.hub.node.store, 1)
    assert exchange(old, forced=True).state is ReplicationState.REFUSED
    assert stand(group.hub.node.store, 1) == before
    assert kinds(node.store) == {"REPLICATION_REFUSED"}
    assert exchange(node, forced=True).sent == 1
    assert kinds(node.store) == set()


def test_parcel_on_its_way_under_the_old_key_then_it_is_taken_in(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 2)
    following = another(node)
    statement = ledger_key_rotation.rotate_ledger_key(node, following)
    with HttpHubClient(node) as client:
        client.rotate(node.origin, statement)
        client.rotate(node.origin, statement)
    assert exchange(node, forced=True).sent == 3, "up to the entry that rotates it, the old key counts"
    level(group, node)
    receive(node, 1)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    assert exchange(replace(node, signer=following), forced=True).sent == 1


def test_rotated_twice_for_the_same_key_then_recorded_once(group: Group) -> None:
    node = group.plant(1, "SH1")
    following = another(node)
    assert ledger_key_rotation.rotate_ledger_key(node, following) == ledger_key_rotation.rotate_ledger_key(
        node, following
    )
    assert types(node).count("LedgerKeyRotated") == 1


def test_statement_that_the_old_key_did_not_sign_then_refused(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    thief = replace(node, signer=another(node))
    statement = ledger_key_rotation.rotate_ledger_key(thief, another(node))
    with HttpHubClient(node) as client, pytest.raises(Problem, match="403 KEY_REFUSED"):
        client.rotate(node.origin, statement)
    for text in (b"", b"x", statement.replace(b"/v1\n", b"/v2\n"), statement.replace(b"SH1", b"SZ2")):
        with HttpHubClient(node) as client, pytest.raises(Problem, match="422 STATEMENT_INVALID"):
            client.rotate(node.origin, text)
    with group.hub.node.store.transaction() as session:
        rows = session.rows("SELECT ledger_vkey, ledger_vkey_before FROM machines")
    assert rows == [(str(node.signer.key), None)]


def test_keys_revoked_then_refused_with_an_alarm_and_nothing_changes(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    hub = group.hub.node.store
    with hub.transaction() as session:
        actor = system_actor("cli", Role.ADMINISTRATOR)
        revoke_machine(session, actor=actor, origin=node.origin, at=CLOCK.now())
    receive(node, 1)
    before = stand(hub, 1)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    assert stand(hub, 1) == before
    assert "401 NOT_RECOGNISED" in str(column(node.store, 1, "alarm"))
    assert kinds(node.store) == {"REPLICATION_REFUSED"}


def test_key_files_then_switched_only_when_the_ledger_says_so(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    save_key(tmp_path / "ledger.pem", node.signer.private_key)
    following = ledger_key_files.prepare_key(tmp_path, node.origin)
    assert ledger_key_files.prepare_key(tmp_path, node.origin).key == following.key

    def switch() -> bool:
        with node.store.reading() as reads:
            return ledger_key_files.switch_key(tmp_path, reads, 1, node.origin)

    assert not switch()
    statement = ledger_key_rotation.rotate_ledger_key(node, following)
    assert switch()
    assert not switch()
    assert NoteSigner(node.origin, load_key(tmp_path / "ledger.pem")).key == following.key
    (kept,) = set(tmp_path.glob("ledger.*.pem"))
    assert NoteSigner(node.origin, load_key(kept)).key == node.signer.key
    assert rotation_statements(tmp_path) == (statement,)


def test_ledger_key_rotated_twice_then_all_of_it_comes_back_from_the_archive(
    group: Group, tmp_path: Path, postgres_18: EmbeddedPostgres
) -> None:
    node = group.plant(1, "SH1")
    archive = Archive(FileObjects(tmp_path / "archive"))
    hub = replace(group.hub.node, archive=archive)
    exchange(node)
    archive_all(hub)
    for _ in range(2):
        receive(node, 2)
        following = another(node)
        ledger_key_rotation.rotate_ledger_key(node, following)
        node = replace(node, signer=following)
        receive(node, 1)
        exchange(node, forced=True)
    archive_all(hub)
    assert [one.wrong for one in check_archive(hub, archive)] == [None, None]
    with closing(Store(migrated_database(postgres_18))) as store:
        again = replace(hub, store=store)
        recover_hub(again, archive)
        assert stand(store, 1) == stand(hub.store, 1)
        with store.reading() as reads:
            (known,) = enrolled_machines(reads)
        assert known.ledger_vkey == str(node.signer.key)


@pytest.mark.parametrize("told", [0, 1], ids=["the hub heard of no rotation", "the hub heard of the first"])
def test_store_back_to_before_rotations_that_the_hub_did_not_hear_of_then_stated_again(
    group: Group, tmp_path: Path, told: int
) -> None:
    node = group.plant(1, "SH1")
    receive(node, 1)
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    for turn in range(2):
        following = another(node)
        statement = ledger_key_rotation.rotate_ledger_key(node, following)
        if turn < told:
            with HttpHubClient(node) as client:
                client.rotate(node.origin, statement)
        node = replace(node, signer=following, statements=(*node.statements, statement))
    node = on_copy(group, node, old)
    receive(node, 2)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store) == set()
    assert types(node).count("LedgerKeyRotated") == 2
    receive(node, 1)
    assert exchange(node, forced=True).sent == 1
    assert types(node).count("LedgerKeyRotated") == 2
    with group.hub.node.store.reading() as reads:
        (known,) = enrolled_machines(reads)
    assert known.ledger_vkey == str(node.signer.key)


def test_rotated_again_though_the_store_lost_the_last_rotation_then_both_are_stated(
    group: Group, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    receive(node, 1)
    old = backup(node, tmp_path / "old.db")
    lost, following = another(node), another(node)
    statement = ledger_key_rotation.rotate_ledger_key(node, lost)
    node = replace(on_copy(group, node, old), signer=lost, statements=(statement,))
    statement = ledger_key_rotation.rotate_ledger_key(node, following)
    assert types(node)[-2:] == ["LedgerKeyRotated"] * 2
    node = replace(node, signer=following, statements=(*node.statements, statement))
    assert exchange(node).state is ReplicationState.IN_SYNC
    level(group, node)
    receive(node, 1)
    assert exchange(node, forced=True).sent == 1


def test_keys_put_back_though_the_ledger_gave_them_up_then_refused_and_nothing_is_stated(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    following = another(node)
    statement = ledger_key_rotation.rotate_ledger_key(node, following)
    node = replace(node, statements=(statement,))
    exchange(replace(node, signer=following), forced=True)
    receive(node, 1)
    before = types(node), stand(group.hub.node.store, 1)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    assert (types(node), stand(group.hub.node.store, 1)) == before
    assert kinds(node.store) == {"REPLICATION_REFUSED"}

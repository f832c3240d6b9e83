"""The hub's key replaced by the command, and every check that knows both keys afterwards."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.node.node import Node, NodeBusy, claim
from auth.notes import NoteSigner, load_key, save_key
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from plants.rules.ledger.notes import NoteKey
from plants.store.replication.status import ReplicationState
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.keys import hub_keys, ledger_key_files
from sync_jobs.keys.chains import rotation_statements
from sync_jobs.plant.exchange import exchange
from tests.api.cli.test_worklists import YES, Home, home_of, plant_home
from tests.databases import migrated_database
from tests.sync_jobs.group import Group, receive, running_group, stand
from tests.sync_jobs.keys.test_hub_keys import becomes, directed
from tests.sync_jobs.plant.test_restoring import kinds, level

ROTATE = ("hub", "rotate-key")


@pytest.fixture
def database(postgres_18: EmbeddedPostgres) -> str:
    return migrated_database(postgres_18)


@pytest.fixture
def group(database: str, tmp_path: Path) -> Iterator[Group]:
    with running_group(database, tmp_path) as group:
        yield group


@pytest.fixture
def hub(group: Group, database: str, tmp_path: Path) -> Home:
    """The hub's home, with the keys of the hub that answers."""
    keys = tmp_path / "hub" / "keys"
    keys.mkdir(parents=True, mode=0o700)
    save_key(keys / "ledger.pem", group.hub.node.signer.private_key)
    return home_of(tmp_path / "hub", database, role=Role.HUB)


def key_of(home: Home, origin: str) -> NoteKey:
    return NoteSigner(origin, load_key(home.settings.keys / "ledger.pem")).key


def starts_again(group: Group, home: Home) -> None:
    """Let the hub that answers be stopped and started with the keys in its home."""
    node = group.hub.node
    signer = NoteSigner(node.origin, load_key(home.settings.keys / "ledger.pem"))
    becomes(group, replace(node, signer=signer, statements=rotation_statements(home.settings.keys)))


def verified(home: Home) -> dict[str, tuple[bool, int]]:
    """Return of each ledger whether it is whole, and how many signed checkpoints were held against it."""
    found: list[dict[str, Any]] = home.listed("verify")
    return {one["origin"].rpartition("/")[0]: (one["ok"], one["checkpoints"]) for one in found}


def test_rotated_by_a_person_then_plants_go_on_and_every_ledger_is_verified_under_both_keys(
    group: Group, hub: Home, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    plant = plant_home(tmp_path / "SH1", node)
    directed(group, node)
    sign_own_ledgers(group.hub.node)
    exchange(node, forced=True)
    origin, old = group.hub.node.origin, group.hub.node.signer.key
    before = (hub.settings.keys / "ledger.pem").read_bytes(), stand(group.hub.node.store, 0)
    with claim(hub.settings.home):
        assert isinstance(hub.run(*ROTATE, YES).exception, NodeBusy)
    assert "Nothing was changed" in hub.says_no(*ROTATE, given="n\n")
    assert "This node is a plant" in plant.says_no(*ROTATE, YES)
    assert ((hub.settings.keys / "ledger.pem").read_bytes(), stand(group.hub.node.store, 0)) == before

    group.hub.stop()
    said = hub.does(*ROTATE, given="y\n")
    new = key_of(hub, origin)
    assert new != old
    assert str(new) in said
    assert str(new) in hub.does("hub", "card")
    starts_again(group, hub)
    receive(node, 2)
    plant.does("plant", "sync-now")
    plant.does("plant", "sync-now")
    sign_own_ledgers(group.hub.node)
    plant.does("plant", "sync-now")
    level(group, node)
    assert kinds(node.store) == set()
    assert hub_keys.newest_at(node) == new
    for home in (hub, plant):
        found = verified(home)
        assert all(ok for ok, _ in found.values()), found
        assert found["acme.example/hub/to/SH1"][1] > 0
    assert verified(hub)["acme.example/hub"][1] > 1


@pytest.mark.parametrize("step", ["prepared", "recorded", "kept"])
def test_command_cut_off_then_given_again_or_the_hub_opened_it_goes_on_with_the_same_key(
    group: Group, hub: Home, step: str
) -> None:
    node, keys = group.plant(1, "SH1"), hub.settings.keys
    exchange(node)
    origin, old = group.hub.node.origin, group.hub.node.signer
    following = ledger_key_files.prepare_key(keys, origin)
    if step != "prepared":
        hub_keys.rotate_hub_key(group.hub.node, following)
    if step == "kept":
        (keys / f"ledger.{old.key.key_id.hex()}.pem").hardlink_to(keys / "ledger.pem")
    if step == "prepared":
        hub.does("hub", "card")
        assert key_of(hub, origin) == old.key, "nothing has happened"
        hub.does(*ROTATE, YES)
    else:
        hub.does("hub", "card")  # any opening of the node ends it
    assert key_of(hub, origin) == following.key
    with group.hub.node.store.transaction() as session:
        ((count,),) = session.rows("SELECT COUNT(*) FROM entries WHERE log_id = 0 AND type = 'LedgerKeyRotated'")
    assert count == 1
    assert not (keys / "ledger.next.pem").exists()
    assert len(rotation_statements(keys)) == 1
    starts_again(group, hub)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)


def test_plants_own_ledger_key_rotated_then_its_checkpoints_are_verified_under_both(
    group: Group, hub: Home, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    plant = plant_home(tmp_path / "SH1", node)
    receive(node)
    exchange(node, forced=True)
    plant.does("plant", "rotate-key", YES)
    plant.does("plant", "sync-now")
    before = [verified(home)["acme.example/plant/SH1"] for home in (hub, plant)]
    assert all(ok for ok, _ in before)
    assert all(checked > 1 for _, checked in before)
    with node.store.transaction() as session:
        # As pruning leaves it: the statement's body is at the hub and in the archive alone.
        session.run("UPDATE entries SET body = :none WHERE type = 'LedgerKeyRotated'", {"none": b""})
    shown = json.loads(plant.run("verify", "--json").output)
    (own,) = [one for one in shown if one["origin"] == node.origin]
    assert own["forgedCheckpoints"] == [], "the old keys are kept with the one in use"
    assert own["checkpoints"] == before[1][1]


def test_node_of_the_hub_opened_then_it_signs_with_the_new_key_and_knows_the_statement(
    group: Group, hub: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOOM_DATABASE_URL", hub.environment["BATCHLOOM_DATABASE_URL"])
    following = ledger_key_files.prepare_key(hub.settings.keys, group.hub.node.origin)
    statement = hub_keys.rotate_hub_key(group.hub.node, following)
    with Node(hub.settings) as node:
        assert node.keys.ledger.key == following.key
        with node.store.reading() as reads:
            assert hub_keys.statements_of_hub(reads, replace(group.hub.node, signer=node.keys.ledger)) == [statement]

"""Worklists, settled by the commands: on real homes, with a hub that answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

import api.cli.tree
from api.cli.fingerprints import fingerprint_of_keys
from api.node.node import NodeBusy, claim, make_home
from auth.keys import SigningKey, public_key_text
from auth.notes import NoteSigner, load_key, save_key
from infra.database import Store
from infra.messages import Failure
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import Settings
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.replication.refusals import DISPUTE_SETTLED, DISPUTE_UNKNOWN, ENTRY_NOT_PARKED, PLANT_FENCED
from plants.rules.values.refusals import TEXT_INVALID, Refusal, RefusalCode
from plants.store.ledger import entries
from plants.store.projection.rebuilding import table_digests
from plants.store.replication.status import ReplicationState
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.keys.ledger_key_files import prepare_key
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import assertion_key_rotation
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.ledger_key_rotation import rotate_ledger_key
from sync_jobs.projection.projecting import project_behind
from tests.databases import migrated_database
from tests.sync_jobs.group import CLOCK, GROUP, Group, receive, running_group, stand
from tests.sync_jobs.plant.test_rebasing import part
from tests.sync_jobs.plant.test_restoring import kinds, level, types
from tests.sync_jobs.projection.test_parking import poison
from tests.sync_jobs.projection.test_projecting import faults
from tests.sync_jobs.test_witnessing import held, hub_ledger, restore_to, write_something

YES = "--yes"


@dataclass
class Home:
    """A node's home over the store of a group's node, and its command line."""

    settings: Settings
    environment: Mapping[str, str]

    def run(self, *words: object, given: str | None = None) -> Result:
        home = ("--home", str(self.settings.home))
        return CliRunner().invoke(api.cli.tree.app, [*map(str, words), *home], given, env=self.environment)

    def does(self, *words: object, given: str | None = None) -> str:
        done = self.run(*words, given=given)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    def listed(self, *words: object) -> list[dict[str, Any]]:
        return list(json.loads(self.does(*words, "--json")))

    def says_no(self, *words: object, given: str | None = None) -> str:
        done = self.run(*words, given=given)
        assert isinstance(done.exception, Failure), (done.output, done.exception)
        return str(done.exception)

    def refuses(self, *words: object) -> RefusalCode:
        done = self.run(*words)
        assert isinstance(done.exception, Refusal), (done.output, done.exception)
        return done.exception.code


def home_of(folder: Path, database_url: str, **more: Any) -> Home:
    settings = Settings(home=folder, group=GROUP, database_url=SecretStr(database_url), **more)
    make_home(settings)
    return Home(settings, {"BATCHLOOM_DATABASE_URL": database_url, "LC_ALL": "C.UTF-8", "COLUMNS": "300"})


def plant_home(folder: Path, node: PlantNode) -> Home:
    """Return the home of a plant's node, with its own keys."""
    keys = folder / "keys"
    keys.mkdir(parents=True, mode=0o700)
    save_key(keys / "ledger.pem", node.signer.private_key)
    save_key(keys / "assertion.pem", node.assertion_key._private_key)  # noqa: SLF001 -- a key leaves no other way.
    more: dict[str, Any] = {"role": Role.PLANT, "plant_number": 1, "plant_code": "SH1"}
    url = node.store.engine.url.render_as_string(hide_password=False)
    return home_of(folder, url, hub_url=node.hub_url, hub_key=str(node.hub_key), **more)


@pytest.fixture
def database(postgres_18: EmbeddedPostgres) -> str:
    return migrated_database(postgres_18)


@pytest.fixture
def group(database: str, tmp_path: Path) -> Iterator[Group]:
    """A hub that answers, and no plant yet."""
    with running_group(database, tmp_path) as group:
        yield group


def untouched(store: Store) -> tuple[Any, ...]:
    with store.transaction() as session:
        sizes = session.rows("SELECT log_id, size FROM logs ORDER BY log_id")
        waiting = session.rows("SELECT idx, error, attempts, next_attempt_us FROM projection_faults ORDER BY idx")
    return sizes, waiting, table_digests(store)


def test_parked_entry_then_listed_tried_again_and_passed_over(group: Group, database: str, tmp_path: Path) -> None:
    node, store = group.plant(1, "SH1"), group.hub.node.store
    broken, behind = poison(node)
    exchange(node)
    project_behind(store, CLOCK, "test")
    hub = home_of(tmp_path / "hub", database, role=Role.HUB)
    skip, retry = ("hub", "parked", "skip"), ("hub", "parked", "retry")

    shown = hub.does("hub", "parked", "list")
    assert f"SH1 {broken.index} BatchMoved elsewhere" in shown
    assert "waits for an earlier entry" in shown
    first, second = hub.listed("hub", "parked", "list")
    assert (first["plant"], first["index"], first["state"]) == ("SH1", broken.index, "FAILED")
    assert first["leafHash"] == broken.leaf.hex()
    assert (second["index"], second["state"], second["error"]) == (behind.index, "WAITS_BEHIND", None)

    before = untouched(store)
    for plant, index in (("SH1", behind.index + 50), ("SZ2", broken.index)):
        assert "parked list" in hub.says_no(*skip, plant, index, "--reason", "x", YES)
    assert hub.refuses(*skip, "SH1", behind.index, "--reason", "x", YES) is ENTRY_NOT_PARKED
    assert hub.refuses(*retry, "SH1", broken.index, "--reason", " ") is TEXT_INVALID
    assert "Nothing was changed" in hub.says_no(*skip, "SH1", broken.index, "--reason", "x", given="n\n")
    assert untouched(store) == before

    assert "will retry" in hub.does(*retry, "SH1", broken.index, "--reason", "Scale mended")
    assert hub.listed("hub", "parked", "list")[0]["attempts"] == 0
    assert "is skipped" in hub.does(*skip, "SH1", broken.index, "--reason", "Wrong scale", given="y\n")
    assert project_behind(store, CLOCK, "test") == 1
    assert faults(group, 1) == []
    assert "none" in hub.does("hub", "parked", "list")
    (gone,) = hub.listed("hub", "parked", "list", "--skipped")
    assert (gone["plant"], gone["index"], gone["reason"]) == ("SH1", broken.index, "Wrong scale")
    assert gone["skippedBy"] == "system:console"
    assert "Wrong scale" in hub.does("hub", "parked", "list", "--skipped")


def test_asked_for_at_the_wrong_node_then_told_where(group: Group, database: str, tmp_path: Path) -> None:
    plant = plant_home(tmp_path / "home", group.plant(1, "SH1"))
    assert "This node is a plant" in plant.says_no("hub", "parked", "list")
    hub = home_of(tmp_path / "hub", database, role=Role.HUB)
    assert "Run this command at a plant" in hub.says_no("plant", "disputes", "settle", 6, "--reason", "x")


def test_disputes_then_listed_and_settled_with_a_reason(group: Group, tmp_path: Path) -> None:
    node = part(group, tmp_path, lost=2).node
    receive(node, 2)
    exchange(node, forced=True)
    exchange(node, forced=True)
    level(group, node)
    plant = plant_home(tmp_path / "home", node)
    listing, settle = ("plant", "disputes", "list"), ("plant", "disputes", "settle")

    shown = plant.does(*listing)
    assert "6 BatchReceived SH1-" in shown
    assert "CODE_TAKEN SH1-" in shown
    assert [one["dispute"] for one in plant.listed(*listing)] == [6, 7]
    before = table_digests(node.store), kinds(node.store)
    assert plant.refuses(*settle, 5, "--reason", "x") is DISPUTE_UNKNOWN
    assert plant.refuses(*settle, 6, "--reason", " ") is TEXT_INVALID
    assert (table_digests(node.store), kinds(node.store)) == before
    for dispute in (6, 7):
        assert "settled" in plant.does(*settle, dispute, "--reason", f"Counted again, {dispute}")
    assert plant.refuses(*settle, 6, "--reason", "x") is DISPUTE_SETTLED
    assert "none" in plant.does(*listing)
    assert "ENTRY_DISPUTED" not in kinds(node.store)
    (first, _) = plant.listed(*listing, "--all")
    assert (first["open"], first["settlement"], first["settledBy"]) == (False, "Counted again, 6", "system:console")
    exchange(node, forced=True)
    level(group, node)


def test_key_rotated_then_the_hub_takes_the_new_one_at_the_next_contact(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    plant = plant_home(tmp_path / "SH1", node)
    file = plant.settings.keys / "ledger.pem"
    before = file.read_bytes(), stand(node.store, 1)
    with claim(plant.settings.home):
        done = plant.run("plant", "rotate-key", YES)
    assert isinstance(done.exception, NodeBusy)
    assert "Nothing was changed" in plant.says_no("plant", "rotate-key", given="n\n")
    assert (file.read_bytes(), stand(node.store, 1)) == before

    assert "fingerprint" in plant.does("plant", "rotate-key", given="y\n")
    following = NoteSigner(node.origin, load_key(file))
    assert following.key != node.signer.key
    assert types(node)[-1] == "LedgerKeyRotated"
    receive(node, 1)
    plant.does("plant", "sync-now")
    with group.hub.node.store.transaction() as session:
        rows = session.rows("SELECT ledger_vkey, ledger_vkey_before FROM machines")
    assert rows == [(str(following.key), str(node.signer.key))]
    level(group, replace(node, signer=following))


def test_rotation_that_broke_off_then_goes_on_with_the_same_key(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    plant = plant_home(tmp_path / "SH1", node)
    following = prepare_key(plant.settings.keys, node.origin)
    assert "fingerprint" in plant.does("plant", "rotate-key", YES)
    assert NoteSigner(node.origin, load_key(plant.settings.keys / "ledger.pem")).key == following.key
    assert types(node).count("LedgerKeyRotated") == 1
    # Recorded, and ended before the file was put in its place: the next opening does that.
    node = replace(node, signer=following)
    last = prepare_key(plant.settings.keys, node.origin)
    rotate_ledger_key(node, last)
    plant.does("plant", "sync-now")
    assert NoteSigner(node.origin, load_key(plant.settings.keys / "ledger.pem")).key == last.key
    assert types(node).count("LedgerKeyRotated") == 2


def test_assertion_key_rotated_then_the_hub_takes_it_at_once_and_the_old_one_no_more(
    group: Group, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    plant, hub = plant_home(tmp_path / "SH1", node), group.hub.node.store
    keys, rotate = plant.settings.keys, ("plant", "rotate-key", "--assertion")

    def enrolled() -> list[Any]:
        with hub.transaction() as session:
            return session.rows("SELECT kid, kid_before FROM machines")

    before = (keys / "assertion.pem").read_bytes(), stand(hub, 0), enrolled()
    with claim(plant.settings.home):
        assert isinstance(plant.run(*rotate, YES).exception, NodeBusy)
    assert "Nothing was changed" in plant.says_no(*rotate, given="n\n")
    group.hub.stop()
    assert "did not accept the new key" in plant.says_no(*rotate, YES)
    assert ((keys / "assertion.pem").read_bytes(), stand(hub, 0), enrolled()) == before
    following = SigningKey(load_key(keys / "assertion.next.pem"))
    group.hub.start()

    assert "fingerprint" in plant.does(*rotate, given="y\n")
    assert SigningKey(load_key(keys / "assertion.pem")).kid == following.kid
    assert enrolled() == [(following.kid, node.assertion_key.kid)]
    plant.does("plant", "sync-now")
    assert enrolled() == [(following.kid, None)]
    receive(node, 1)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    plant.does("plant", "sync-now")
    level(group, replace(node, assertion_key=following))


def test_both_keys_rotated_while_the_plant_is_stopped_then_the_hub_takes_both(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    plant = plant_home(tmp_path / "SH1", node)
    for words in ((), ("--assertion",), (), ("--assertion",)):
        assert "fingerprint" in plant.does("plant", "rotate-key", *words, YES)
    keys = plant.settings.keys
    assert not (keys / "assertion.next.pem").exists()
    following = replace(
        node,
        signer=NoteSigner(node.origin, load_key(keys / "ledger.pem")),
        assertion_key=SigningKey(load_key(keys / "assertion.pem")),
    )
    receive(following, 1)
    plant.does("plant", "sync-now")
    with group.hub.node.store.transaction() as session:
        rows = session.rows("SELECT kid, ledger_vkey FROM machines")
    assert rows == [(following.assertion_key.kid, str(following.signer.key))]
    level(group, following)
    plant.does("verify")


def test_assertion_key_stated_and_the_command_cut_off_then_given_again(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    plant = plant_home(tmp_path / "SH1", node)
    following = assertion_key_rotation.prepare_key(plant.settings.keys)
    assertion_key_rotation.announce_assertion_key(node, following)
    plant.does("plant", "sync-now")
    exchange(replace(node, assertion_key=following), forced=True)  # the old one is invalid, our files do not say so
    assert "fingerprint" in plant.does("plant", "rotate-key", "--assertion", YES)
    assert SigningKey(load_key(plant.settings.keys / "assertion.pem")).kid == following.kid
    plant.does("plant", "sync-now")
    assert not (plant.settings.keys / "assertion.next.pem").exists()


def test_plant_revoked_then_it_comes_back_under_new_keys_that_a_person_has_compared(
    group: Group, database: str, tmp_path: Path
) -> None:
    node, store = group.plant(1, "SH1"), group.hub.node.store
    exchange(node)
    hub, plant = home_of(tmp_path / "hub", database, role=Role.HUB), plant_home(tmp_path / "SH1", node)
    card = tmp_path / "card.json"
    why = ("--reason", "server stolen")

    def enrolled() -> list[Any]:
        with store.transaction() as session:
            return session.rows("SELECT kid, ledger_vkey FROM machines WHERE revoked_us IS NULL")

    def verified() -> tuple[bool, int]:
        # The home of this hub has another key of its own than the hub that signed, so the whole is not in order.
        shown = json.loads(hub.run("verify", "--json").output)
        (found,) = (one for one in shown if one["origin"] == node.origin)
        return found["ok"], found["checkpoints"]

    counted, checked = (enrolled(), stand(store, 0)), verified()
    assert checked[0]
    assert checked[1] > 0
    assert "SZ2 has no valid keys" in hub.says_no("hub", "revoke", "SZ2", *why, YES)
    assert "This node is a plant" in plant.says_no("hub", "revoke", "SH1", *why, YES)
    assert "Nothing was changed" in hub.says_no("hub", "revoke", "SH1", *why, given="n\n")
    assert hub.refuses("hub", "revoke", "SH1", "--reason", " ", YES) is TEXT_INVALID
    card.write_text(plant.does("plant", "card"))
    mark = fingerprint_of_keys(node.signer.key, public_key_text(node.assertion_key.public_key))
    done = hub.run("hub", "readmit", card, given="y\n")
    assert (done.output, str(done.exception)) == ("", "Plant SH1 is not revoked. Nothing was changed.")
    assert (enrolled(), stand(store, 0)) == counted

    assert "renew-keys" in hub.does("hub", "revoke", "SH1", *why, given="y\n")
    assert enrolled() == []
    assert verified() == checked, "its checkpoints stay signed"
    assert hub.refuses("hub", "readmit", card, "--fingerprint", mark) is CODE_TAKEN, "the stolen keys"
    assert "Nothing was changed" in plant.says_no("plant", "renew-keys", given="n\n")
    receive(node, 2)
    shown = plant.does("plant", "renew-keys", given="y\n")
    card.write_text(plant.does("plant", "card"))
    before = stand(store, 0), stand(store, 1)
    assert "not the one given" in hub.says_no("hub", "readmit", card, "--fingerprint", mark)
    asked = hub.run("hub", "readmit", card, given="n\n").output
    new = asked.split("Plant SH1:")[1].split()[0]
    assert new in shown
    assert "401 NOT_RECOGNISED" in plant.says_no("plant", "sync-now")
    assert (stand(store, 0), stand(store, 1)) == before
    assert "continues under its new keys" in hub.does("hub", "readmit", card, "--fingerprint", new.lower())
    assert verified() == checked, "also before the plant has stated its new key"
    plant.does("plant", "sync-now")
    keys = plant.settings.keys
    following = replace(
        node,
        signer=NoteSigner(node.origin, load_key(keys / "ledger.pem")),
        assertion_key=SigningKey(load_key(keys / "assertion.pem")),
    )
    assert enrolled() == [(following.assertion_key.kid, str(following.signer.key))]
    level(group, following)
    plant.does("verify")


def test_fenced_copy_then_it_cannot_lock_the_other_one_out(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    plant = plant_home(tmp_path / "SH1", node)
    with node.store.transaction() as session:
        entries.fence(session, 1, fenced=True)
    before = stand(group.hub.node.store, 0)
    assert plant.refuses("plant", "rotate-key", "--assertion", YES) is PLANT_FENCED
    assert stand(group.hub.node.store, 0) == before
    assert SigningKey(load_key(plant.settings.keys / "assertion.pem")).kid == node.assertion_key.kid


def test_other_history_of_the_hub_then_accepted_by_a_person_once(group: Group, tmp_path: Path) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    old = len(hub_ledger(group))
    write_something(group, "first history")
    sign_own_ledgers(hub)
    exchange(node)
    plant, seen = plant_home(tmp_path / "SH1", node), held(node)
    assert "nothing to accept" in plant.says_no("plant", "accept-hub-ledger", YES)
    restore_to(group, old)
    for one in range(3):
        write_something(group, f"second history {one}")
    sign_own_ledgers(hub)
    exchange(node, forced=True)
    assert "HUB_LEDGER_FORKED" in kinds(node.store)
    assert "Nothing was changed" in plant.says_no("plant", "accept-hub-ledger", given="n\n")
    assert held(node) == seen
    assert "evidence is kept" in plant.does("plant", "accept-hub-ledger", given="y\n")
    accepted = held(node)
    assert accepted is not None
    assert (accepted.size, accepted.root) == stand(hub.store, 0)
    assert "HUB_LEDGER_FORKED" not in kinds(node.store)
    assert "nothing to accept" in plant.says_no("plant", "accept-hub-ledger", YES)
    assert held(node) == accepted

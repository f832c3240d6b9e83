"""Rotation of an assertion key: announced under the ledger's key; the old key is valid until the new one was used."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auth.actors import Role, system_actor
from auth.enrolment import invite, present_keys
from auth.keys import SigningKey, key_id, public_key_text
from auth.machines import enrol_machine, find_machine, revoke_machine
from auth.notes import NoteSigner, generate_key, load_key, save_key
from infra.database import Store
from infra.objects import FileObjects
from infra.postgres import EmbeddedPostgres
from plants.rules.ledger.events import decode
from plants.rules.ledger.notes import Note, NoteKey, SignatureType
from plants.rules.values.refusals import Refusal
from plants.store.ledger.archive import Archive
from plants.store.replication.status import ReplicationState
from sync_jobs.archive.recover_hub import recover_hub
from sync_jobs.keys import assertion_statements
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import assertion_key_rotation, ledger_key_rotation
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.protocol.wire import Problem
from tests.databases import migrated_database
from tests.sync_jobs.archive.test_archiving import archive_all
from tests.sync_jobs.copies import backup, on_copy
from tests.sync_jobs.group import CLOCK, GROUP, Group, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, level

ADMIN = system_actor("cli", Role.ADMINISTRATOR)


def another() -> SigningKey:
    return SigningKey(generate_key())


def states(node: PlantNode, following: SigningKey) -> None:
    """Let the plant announce its next key to the hub, authenticated with its current one."""
    assertion_key_rotation.announce_assertion_key(node, following)


def machine(store: Store) -> tuple[object, ...]:
    with store.transaction() as session:
        (row,) = session.rows("SELECT kid, kid_before, kids_past FROM machines")
    return row


def text_of(key: SigningKey) -> str:
    return public_key_text(key.public_key)


def everything(store: Store) -> tuple[object, ...]:
    with store.transaction() as session:
        return session.rows("SELECT * FROM machines"), stand(store, 0)


def kinds_at_hub(group: Group) -> list[str]:
    with group.hub.node.store.transaction() as session:
        return [kind for (kind,) in session.rows("SELECT type FROM entries WHERE log_id = 0 ORDER BY idx")]


def test_stated_then_both_sign_in_until_the_new_one_has_and_the_old_one_never_again(group: Group) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node.store
    exchange(node)
    old, new = node.assertion_key, another()
    states(node, new)
    states(node, new)
    assert machine(hub) == (new.kid, old.kid, old.kid)
    assert kinds_at_hub(group).count("AssertionKeyRotated") == 1
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC, "the hub has not seen the new one yet"
    after = replace(node, assertion_key=new)
    receive(after)
    assert exchange(after, forced=True).sent == 1
    assert machine(hub) == (new.kid, None, old.kid)
    level(group, after)
    receive(node)
    before = stand(hub, 1)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    assert stand(hub, 1) == before
    assert exchange(after, forced=True).sent == 1


def test_stated_then_the_hubs_ledger_says_which_key_and_under_which_signature(group: Group) -> None:
    node, new = group.plant(1, "SH1"), another()
    states(node, new)
    with group.hub.node.store.transaction() as session:
        rows = session.rows("SELECT key, body FROM entries WHERE log_id = 0 AND type = 'AssertionKeyRotated'")
    ((key, body),) = rows
    said = decode(bytes(body))["payload"]
    statement = Note.parse(said.pop("statement").encode())
    assert (key, said) == (
        "SH1",
        {"number": 1, "origin": node.origin, "old": text_of(node.assertion_key), "new": text_of(new)},
    )
    assert {line.key_id for line in statement.signatures} == {
        node.signer.key.key_id,
        NoteKey(node.origin, SignatureType.ED25519, new.public_key.public_bytes_raw()).key_id,
    }


def test_answer_lost_then_stated_again_with_the_new_key(group: Group) -> None:
    node, new = group.plant(1, "SH1"), another()
    states(node, new)
    exchange(replace(node, assertion_key=new), forced=True)
    before = everything(group.hub.node.store)
    states(node, new)
    assert everything(group.hub.node.store) == before


def test_rotated_three_times_then_only_the_last_signs_in(group: Group) -> None:
    node, used = group.plant(1, "SH1"), []
    for _ in range(3):
        new = another()
        states(node, new)
        used.append(node.assertion_key)
        node = replace(node, assertion_key=new)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    assert machine(group.hub.node.store) == (node.assertion_key.kid, None, " ".join(key.kid for key in used))
    for key in used:
        assert exchange(replace(node, assertion_key=key), forced=True).state is ReplicationState.REFUSED
    assert kinds(node.store) == {"REPLICATION_REFUSED"}


@pytest.mark.parametrize("signers", ["new", "thief new", "ledger", "ledger thief"])
def test_statement_without_both_signatures_then_refused_and_nothing_changes(group: Group, signers: str) -> None:
    node, new = group.plant(1, "SH1"), another()
    text = assertion_statements.statement_text(node.origin, text_of(node.assertion_key), text_of(new))
    lines = {
        "ledger": node.signer,
        "new": NoteSigner(node.origin, new.reveal()),
        "thief": NoteSigner(node.origin, generate_key()),
    }
    statement = bytes(Note(text, tuple(lines[name].sign(text) for name in signers.split())))
    before = everything(group.hub.node.store)
    with HttpHubClient(node) as client, pytest.raises(Problem, match="403 KEY_REFUSED"):
        client.rotate(node.origin, statement)
    assert everything(group.hub.node.store) == before
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC


def test_statement_that_cannot_be_read_then_refused(group: Group) -> None:
    node, new = group.plant(1, "SH1"), another()
    good = assertion_key_rotation.statement_of(node, node.assertion_key, new)
    before = everything(group.hub.node.store)
    for wrong in (
        good.replace(b"/v1\n", b"/v2\n"),
        good.replace(b"plant/SH1", b"plant/SZ2"),
        good.replace(text_of(new).encode(), b"A" * 42),
        good.replace(text_of(new).encode() + b"\n", b""),
    ):
        with HttpHubClient(node) as client, pytest.raises(Problem, match="422 STATEMENT_INVALID"):
            client.rotate(node.origin, wrong)
    assert everything(group.hub.node.store) == before


def test_statement_of_the_past_once_more_then_it_brings_no_old_key_back(group: Group) -> None:
    node, new, last = group.plant(1, "SH1"), another(), another()
    past = assertion_key_rotation.statement_of(node, node.assertion_key, new)
    states(node, new)
    node = replace(node, assertion_key=new)
    states(node, last)
    node = replace(node, assertion_key=last)
    exchange(node, forced=True)
    before = everything(group.hub.node.store)
    back = assertion_key_rotation.statement_of(
        node, last, new
    )  # even freshly signed: a key that was given up stays so.
    for statement in (past, back):
        with HttpHubClient(node) as client, pytest.raises(Problem, match="403 KEY_REFUSED"):
            client.rotate(node.origin, statement)
    assert everything(group.hub.node.store) == before


def test_key_of_another_plant_or_of_the_ledger_then_refused(group: Group) -> None:
    node, other = group.plant(1, "SH1"), group.plant(2, "SZ2")
    before = everything(group.hub.node.store)
    for key in (other.assertion_key, SigningKey(node.signer.private_key), node.assertion_key):
        statement = assertion_key_rotation.statement_of(node, node.assertion_key, key)
        with HttpHubClient(node) as client:
            if key is node.assertion_key:
                client.rotate(node.origin, statement)
                continue
            with pytest.raises(Problem, match="403 KEY_REFUSED"):
                client.rotate(node.origin, statement)
    with HttpHubClient(node) as client, pytest.raises(Problem, match="403 FOREIGN_LEDGER"):
        client.rotate(other.origin, assertion_key_rotation.statement_of(other, other.assertion_key, another()))
    assert everything(group.hub.node.store) == before


def test_key_given_up_then_no_plant_is_enrolled_or_invited_with_it(group: Group) -> None:
    node, new, last = group.plant(1, "SH1"), another(), another()
    first = node.assertion_key
    states(node, new)
    node = replace(node, assertion_key=new)
    states(node, last)
    hub, ledger = group.hub.node, NoteSigner(f"{GROUP}/plant/SZ2/i1", generate_key())
    with hub.store.transaction() as session:
        code, _ = invite(
            session, actor=ADMIN, code="SZ2", number=2, name="Suzhou", hub_key=str(hub.signer.key), now=CLOCK.now()
        )
    before = everything(hub.store)
    for key in (first, new, last):
        given: dict[str, Any] = {
            "plant_number": 2,
            "code": "SZ2",
            "origin": ledger.name,
            "ledger_vkey": str(ledger.key),
        }
        with pytest.raises(Refusal), hub.store.transaction() as session:
            enrol_machine(session, actor=ADMIN, assertion_key=text_of(key), at=CLOCK.now(), **given)
        keys = public_key_text(ledger.private_key.public_key()), text_of(key)
        with pytest.raises(ValueError, match="presented before"), hub.store.transaction() as session:
            present_keys(session, "SZ2", code.secret, keys, CLOCK.now())
    assert everything(hub.store) == before


@pytest.mark.parametrize("used", [False, True])
def test_plant_revoked_then_neither_key_signs_in_nor_states_another(group: Group, *, used: bool) -> None:
    node, new = group.plant(1, "SH1"), another()
    states(node, new)
    if used:
        exchange(replace(node, assertion_key=new), forced=True)
    hub = group.hub.node.store
    with hub.transaction() as session:
        revoke_machine(session, actor=ADMIN, origin=node.origin, at=CLOCK.now())
    before = everything(hub)
    for key in (node.assertion_key, new):
        plant = replace(node, assertion_key=key)
        assert exchange(plant, forced=True).state is ReplicationState.REFUSED
        with pytest.raises(Problem, match="401 NOT_RECOGNISED"):
            states(plant, another())
    assert everything(hub) == before


def test_hub_restored_to_before_the_rotation_then_told_again_in_the_same_exchange(group: Group) -> None:
    node, new, last = group.plant(1, "SH1"), another(), another()
    exchange(node)
    hub = group.hub.node.store
    with hub.transaction() as session:
        (row,) = session.rows("SELECT kid, assertion_key FROM machines")
    first = node.assertion_key
    for key in (new, last):
        states(node, key)
        node = replace(
            node, assertion_key=key, earlier_assertion_keys=(*node.earlier_assertion_keys, node.assertion_key)
        )
    following = NoteSigner(node.origin, generate_key())
    ledger_key_rotation.rotate_ledger_key(node, following)
    node = replace(node, signer=following)
    exchange(node, forced=True)
    with hub.transaction() as session:
        session.run(
            "UPDATE machines SET kid = :kid, assertion_key = :key, kid_before = NULL, assertion_key_before = NULL,"
            " kids_past = NULL, ledger_vkey = ledger_vkey_before, ledger_vkey_before = NULL",
            {"kid": row[0], "key": row[1]},
        )
    receive(node)
    done = exchange(node, forced=True)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 1)
    assert machine(hub) == (last.kid, None, first.kid)
    level(group, node)
    assert kinds(node.store) == set()


def test_hub_and_plant_back_to_before_both_keys_changed_then_both_are_stated_again(
    group: Group, tmp_path: Path
) -> None:
    node, new = group.plant(1, "SH1"), another()
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    following = NoteSigner(node.origin, generate_key())
    statement = ledger_key_rotation.rotate_ledger_key(node, following)
    renewed = replace(
        on_copy(group, node, old),
        signer=following,
        statements=(statement,),
        assertion_key=new,
        earlier_assertion_keys=(node.assertion_key,),
    )
    receive(renewed, 2)
    done = exchange(renewed, forced=True)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 3)
    assert machine(group.hub.node.store) == (new.kid, None, node.assertion_key.kid)
    level(group, renewed)
    assert kinds(renewed.store) == set()
    assert exchange(replace(renewed, signer=node.signer), forced=True).state is ReplicationState.IN_SYNC
    receive(renewed)
    assert exchange(replace(renewed, signer=node.signer), forced=True).state is ReplicationState.REFUSED
    assert exchange(renewed, forced=True).sent == 1


def test_hub_back_from_the_archive_then_it_knows_the_last_key_and_no_earlier_one_for_long(
    group: Group, tmp_path: Path, postgres_18: EmbeddedPostgres
) -> None:
    node, last = group.plant(1, "SH1"), another()
    first = node.assertion_key
    hub = replace(group.hub.node, archive=Archive(FileObjects(tmp_path / "archive")))
    for key in (another(), last):
        states(node, key)
        node = replace(node, assertion_key=key)
    exchange(node, forced=True)
    level(group, node)
    archive_all(hub)
    with closing(Store(migrated_database(postgres_18))) as store:
        assert hub.archive is not None
        recover_hub(replace(hub, store=store), hub.archive)
        kid, before, past = machine(store)
        assert (kid, str(past).split()[0]) == (last.kid, first.kid)
        with store.reading() as reads:
            found = find_machine(reads, last.kid)
            assert found is not None
            assert found.confirms
            assert find_machine(reads, first.kid) is None
            assert find_machine(reads, str(before)) is not None


def test_key_files_then_cut_anywhere_and_given_again_the_same_key_comes_into_use(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    first = node.assertion_key
    save_key(tmp_path / "assertion.pem", first.reveal())
    assert assertion_key_rotation.earlier_keys(tmp_path) == ()
    new = assertion_key_rotation.prepare_key(tmp_path)
    assert assertion_key_rotation.prepare_key(tmp_path).kid == new.kid
    assert SigningKey(load_key(tmp_path / "assertion.pem")).kid == first.kid, "prepared is not in use"
    states(node, new)
    kept = tmp_path / f"assertion.{key_id(first.public_key)}.pem"
    kept.hardlink_to(tmp_path / "assertion.pem")  # cut off between the two steps of putting it in its place
    assertion_key_rotation.switch_key(tmp_path)
    assertion_key_rotation.switch_key(tmp_path)
    assert SigningKey(load_key(tmp_path / "assertion.pem")).kid == new.kid
    assert [key.kid for key in assertion_key_rotation.earlier_keys(tmp_path)] == [first.kid]
    assert {path.name for path in tmp_path.glob("assertion*.pem")} == {"assertion.pem", kept.name}
    kept.chmod(0o644)
    assert assertion_key_rotation.earlier_keys(tmp_path) == (), (
        "a key of the past that is unfit keeps nobody from running"
    )

"""Compromised keys of a plant: the hub revokes them for good, and the plant continues under new keys."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from auth.actors import Actor, ActorKind, Grant, Role, system_actor
from auth.keys import SigningKey, public_key_text
from auth.machines import active_machine, enrolled_machines
from auth.notes import NoteSigner, generate_key
from auth.permissions import NotPermitted
from infra.database import Store
from infra.objects import FileObjects
from infra.postgres import EmbeddedPostgres
from migrations import upgrade
from plants.commands.group.enrolment import Enrolment
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.ledger.events import decode
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import TEXT_INVALID, Refusal
from plants.store.ledger.archive import FIRST_BRANCH, Archive, checkpoint_name, folder
from plants.store.replication.status import ReplicationState
from sync_jobs.archive.recover_hub import recover_hub
from sync_jobs.archive.recover_plant import restore_from_archive
from sync_jobs.hub.enrolment import readmit, revoke
from sync_jobs.keys.plant_keys import PlantKey, ledger_keys
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import ledger_key_rotation
from sync_jobs.plant.exchange import exchange
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Position
from tests.databases import migrated_database
from tests.sync_jobs.archive.test_archiving import archive_all
from tests.sync_jobs.copies import on_copy
from tests.sync_jobs.group import CLOCK, Group, receive, stand
from tests.sync_jobs.plant.test_rebasing import part
from tests.sync_jobs.plant.test_restoring import kinds, level, types
from tests.sync_jobs.test_assertion_key_rotation import everything

ADMIN = system_actor("cli", Role.ADMINISTRATOR)
WHY = "server stolen"


def withdraw(group: Group, code: str = "SH1", reason: str = WHY, actor: Actor = ADMIN) -> None:
    with group.hub.node.store.transaction() as session:
        revoke(session, code, reason, actor=actor, now=CLOCK.now())


def renewed(node: PlantNode) -> PlantNode:
    """Return the plant with new keys, which its ledger and its files contain."""
    following = NoteSigner(node.origin, generate_key())
    ledger_key_rotation.rotate_ledger_key(node, following)
    earlier = (*node.earlier_assertion_keys, node.assertion_key)
    return replace(node, signer=following, assertion_key=SigningKey(generate_key()), earlier_assertion_keys=earlier)


def let_in(group: Group, node: PlantNode, actor: Actor = ADMIN) -> None:
    order = Enrolment(
        number=node.number,
        code="SH1",
        name="Plant SH1",
        origin=node.origin,
        directive_origin=node.directive_origin,
        ledger_key=str(node.signer.key),
        assertion_key=public_key_text(node.assertion_key.public_key),
    )
    with group.hub.node.store.transaction() as session:
        readmit(session, order, actor=actor, now=CLOCK.now())


def test_revoked_then_the_hubs_ledger_says_who_and_why_and_nothing_more_is_taken(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 2)
    hub = group.hub.node.store
    before = everything(hub)
    nobody = Actor(actor_id="x", name="X", kind=ActorKind.PERSON, grants=frozenset({Grant(1, Role.ADMINISTRATOR)}))
    for code, reason, refused in (("SH1", " ", TEXT_INVALID), ("SZ2", WHY, NOT_DEFINED)):
        with pytest.raises(Refusal) as caught:
            withdraw(group, code, reason)
        assert caught.value.code is refused
    with pytest.raises(NotPermitted):
        withdraw(group, actor=nobody)
    assert everything(hub) == before

    withdraw(group)
    with hub.transaction() as session:
        (row,) = session.rows("SELECT key, body FROM entries WHERE log_id = 0 AND type = 'PlantRevoked'")
        assert enrolled_machines(session) == []
    said = decode(bytes(row[1]))
    assert (row[0], said["reason"], said["actor"]) == ("SH1", WHY, ADMIN.actor_id)
    assert said["payload"] == {"number": 1, "origin": node.origin, "size": 3}
    after = everything(hub), stand(hub, 1)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    assert (everything(hub), stand(hub, 1)) == after
    with pytest.raises(Refusal) as again:
        withdraw(group)
    assert again.value.code is NOT_DEFINED
    assert everything(hub) == after[0]


def test_readmitted_then_the_ledger_goes_on_under_the_new_keys_and_the_old_ones_are_nobodys(group: Group) -> None:
    node = group.plant(1, "SH1")
    receive(node, 2)
    exchange(node)
    hub = group.hub.node.store
    withdraw(group)
    receive(node, 3)
    old, node = node, renewed(node)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    before = everything(hub)
    with pytest.raises(Refusal) as shown:
        let_in(group, replace(node, assertion_key=old.assertion_key))
    assert shown.value.code is CODE_TAKEN
    for card in (replace(node, number=2), replace(node, origin="acme.example/plant/SH2/i1")):
        with pytest.raises(Refusal) as wrong:
            let_in(group, card)
        assert wrong.value.code is NOT_DEFINED
    assert everything(hub) == before
    let_in(group, node)
    done = exchange(node, forced=True)
    assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 4), "three receipts, and the change of the key"
    level(group, node)
    assert kinds(node.store) == set()
    assert types(node)[-1] == "LedgerKeyRotated"
    receive(node)
    before = everything(hub), stand(hub, 1)
    for signer, key in ((old.signer, old.assertion_key), (node.signer, old.assertion_key)):
        thief = replace(node, signer=signer, assertion_key=key, earlier_assertion_keys=())
        assert exchange(thief, forced=True).state is ReplicationState.REFUSED
    assert exchange(replace(node, signer=old.signer), forced=True).state is ReplicationState.REFUSED
    assert everything(hub)[0] == before[0][0]
    assert stand(hub, 1) == before[1]
    assert exchange(node, forced=True).sent == 1


def test_keys_renewed_though_nobody_revoked_the_old_ones_then_the_hub_takes_them_on(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    node = renewed(node)
    receive(node)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    with group.hub.node.store.reading() as reads:
        known = active_machine(reads, "SH1")
    assert known is not None
    assert known.ledger_vkey == str(node.signer.key)


def test_thief_wrote_before_he_was_revoked_then_the_plant_goes_on_with_a_worklist(group: Group, tmp_path: Path) -> None:
    parted = part(group, tmp_path, lost=2)
    receive(parted.node, 2)
    withdraw(group)
    node = renewed(parted.node)
    let_in(group, node)
    exchange(node, forced=True)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store) == {"ENTRY_DISPUTED"}
    assert types(node).count("EntryDisputed") == 2


@pytest.mark.parametrize("older", [False, True], ids=["nothing left", "an older copy"])
def test_hub_back_from_the_archive_then_who_was_revoked_stays_so_and_who_was_readmitted_counts(
    group: Group, tmp_path: Path, postgres_18: EmbeddedPostgres, *, older: bool
) -> None:
    node, other = group.plant(1, "SH1"), group.plant(2, "SZ2")
    archive = Archive(FileObjects(tmp_path / "archive"))
    hub = replace(group.hub.node, archive=archive)
    receive(node, 2)
    for plant in (node, other):
        exchange(plant)
    archive_all(hub)
    with closing(Store(migrated_database(postgres_18))) as store:
        again = replace(hub, store=store)
        if older:
            recover_hub(again, archive)
            with store.reading() as reads:
                assert [one.code for one in enrolled_machines(reads)] == ["SH1", "SZ2"]
        withdraw(group)
        withdraw(group, "SZ2")
        node = renewed(node)
        let_in(group, node)
        receive(node, 2)
        exchange(node, forced=True)
        archive_all(hub)
        recover_hub(again, archive)
        for log_id in (0, 1, -1, 2, -2):
            assert stand(store, log_id) == stand(hub.store, log_id)
        with store.reading() as reads:
            assert active_machine(reads, "SZ2") is None
            known = active_machine(reads, "SH1")
        assert known is not None
        assert (known.ledger_vkey, known.ledger_vkey_size) == (str(node.signer.key), 5)


@pytest.mark.parametrize("back", [True, False], ids=["readmitted", "revoked"])
def test_thief_with_the_old_key_and_the_archive_then_his_checkpoint_is_not_believed(
    group: Group, tmp_path: Path, postgres_18: EmbeddedPostgres, *, back: bool
) -> None:
    node = group.plant(1, "SH1")
    objects = FileObjects(tmp_path / "archive")
    hub = replace(group.hub.node, archive=Archive(objects))
    exchange(node)
    withdraw(group)
    old = node
    if back:
        node = renewed(node)
        let_in(group, node)
        exchange(node, forced=True)
    archive_all(hub)
    with hub.store.transaction() as session:
        new = [PlantKey(str(node.signer.key))] if back else []
        assert ledger_keys(session, 1) == [PlantKey(str(old.signer.key), 3), *new]
    size, root = stand(node.store, 1)
    forged = checkpoints.sign(old.origin, Position(size + 9, root), old.signer, CLOCK.now())
    name = checkpoint_name(folder(old.origin, FIRST_BRANCH), size + 9, bytes(forged))
    objects.put_new(name, bytes(forged), retain_until=CLOCK.now())
    with closing(Store(migrated_database(postgres_18))) as store:
        recover_hub(replace(hub, store=store), Archive(objects))
        assert stand(store, 1) == (size, root)


def test_plant_lost_after_its_key_changed_then_what_was_archived_under_the_old_key_comes_back(
    group: Group, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    objects = FileObjects(tmp_path / "archive")
    hub = replace(group.hub.node, archive=Archive(objects))
    receive(node, 4)
    exchange(node)
    archive_all(hub)
    following = NoteSigner(node.origin, generate_key())
    statement = ledger_key_rotation.rotate_ledger_key(node, following)
    fresh = on_copy(group, replace(node, signer=following, statements=(statement,)), tmp_path / "new.db")
    upgrade(fresh.store)
    assert restore_from_archive(fresh, objects).size == 7 + 1

"""Rotation of the hub's key while plants run: the known key proves the new one, old signatures remain valid."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from auth.notes import NoteSigner, generate_key, load_key, save_key
from infra.database import Store
from infra.objects import FileObjects
from infra.postgres import EmbeddedPostgres
from migrations import upgrade
from plants.commands.directives.directives import HoldDirection, direct_hold
from plants.rules.ledger.events import decode
from plants.rules.ledger.notes import Note, NoteError, NoteKey
from plants.store.ledger.archive import Archive
from plants.store.ledger.hub_keys import kept_statements
from plants.store.replication.status import ReplicationState, ledger_status
from sync_jobs.archive.archiving import archive_behind
from sync_jobs.archive.recover_hub import recover_hub
from sync_jobs.archive.recover_plant import restore_from_archive
from sync_jobs.hub.ledger_reads import sign_own_ledgers
from sync_jobs.hub.witnessing import witness_plants
from sync_jobs.keys import hub_keys, ledger_key_files
from sync_jobs.keys.chains import chain, read_statement, recorded_hub_statements, rotation_statements, statement_of
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.exchange import exchange, restore_from_hub
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.plant.pruning import receipt_of
from sync_jobs.projection.projecting import project_pending
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Parcel, Receipt, Welcome
from tests.databases import migrated_database
from tests.sync_jobs.archive.test_archiving import archive_all
from tests.sync_jobs.copies import backup, cut_hub, on_copy
from tests.sync_jobs.group import CLOCK, Group, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, level, types
from tests.sync_jobs.test_directing import directs, open_holds
from tests.sync_jobs.test_witnessing import held

NAME = "acme.example/hub/i1"


def signer() -> NoteSigner:
    return NoteSigner(NAME, generate_key())


def becomes(group: Group, hub: HubNode) -> None:
    """Replace the hub's process by another one."""
    group.hub.stop()
    group.hub.node = hub
    group.hub.start()


def rotates(group: Group) -> NoteSigner:
    """Stop the hub, rotate its key, and start it again; returns the key that it had."""
    before, following = group.hub.node, NoteSigner(group.hub.node.origin, generate_key())
    hub_keys.rotate_hub_key(before, following)
    becomes(group, replace(before, signer=following))
    return before.signer


def directed(group: Group, node: PlantNode) -> str:
    """Let headquarters hold goods of the plant; returns the hold."""
    (goods,) = receive(node)
    exchange(node, forced=True)
    project_pending(group.hub.node.store, node.number, clock=CLOCK, holder="test")
    (told,) = directs(group, direct_hold, HoldDirection(str(goods.envelope["key"]), "Glass"))
    return str(told.payload["hold"])


def in_sync(group: Group, node: PlantNode) -> None:
    assert exchange(node, forced=True).state in {ReplicationState.IN_SYNC, ReplicationState.BEHIND}
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store, over=True) == set()


def signed_by(node: PlantNode, log_id: int, key: NoteKey) -> bool:
    """Tell whether the newest stored note of a ledger has a signature line of this key."""
    with node.store.transaction() as session:
        note = Note.parse(ledger_status(session, log_id).checkpoint or b"")
    known = {(one.name, one.key_id) for name in (NAME, node.directive_origin) for one in checkpoints.keys_of(key, name)}
    return any((line.name, line.key_id) in known for line in note.signatures)


def rows(store: Store, sql: str) -> list[Any]:
    with store.transaction() as session:
        return session.rows(sql)


def test_rotated_then_plants_take_the_new_key_on_and_everything_goes_on(group: Group) -> None:
    node, away = group.plant(1, "SH1"), group.plant(2, "SZ2")
    exchange(node)
    first = rotates(group)
    second = group.hub.node.signer
    hold = directed(group, node)
    sign_own_ledgers(group.hub.node)
    in_sync(group, node)
    assert open_holds(node) == [("QUALITY", hold)]
    for log_id in (1, -1, 0):
        assert signed_by(node, log_id, second.key)
        assert not signed_by(node, log_id, first.key)
    assert hub_keys.newest_at(node) == second.key
    assert node.hub_key == first.key, "the setting stays what a person has compared"
    rotates(group)
    third = group.hub.node.signer
    in_sync(group, node)
    assert exchange(away, forced=True).state is ReplicationState.IN_SYNC, "it was away through both"
    for plant in (node, away):
        assert hub_keys.newest_at(plant) == third.key
        assert len(rows(plant.store, "SELECT vkey FROM hub_keys")) == 2
        assert kinds(plant.store, over=True) == set()


def test_rotated_then_the_hubs_ledger_says_so_once(group: Group) -> None:
    hub, following = group.hub.node, signer()
    statement = hub_keys.rotate_hub_key(hub, following)
    size, _ = stand(hub.store, 0)
    assert hub_keys.rotate_hub_key(hub, following) == statement
    assert stand(hub.store, 0)[0] == size
    (row,) = rows(hub.store, "SELECT idx, body FROM entries WHERE log_id = 0 AND type = 'LedgerKeyRotated'")
    assert decode(bytes(row[1]))["payload"] == {
        "old": str(hub.signer.key), "new": str(following.key), "statement": statement.decode(),
    }  # fmt: skip
    one = read_statement(statement)
    assert (one.old, one.new, one.size) == (hub.signer.key, following.key, row[0] + 1)


class Interrupted(HttpHubClient):
    """The real client of the hub, with an interruption at the hub before or after one of the plant's requests."""

    def __init__(self, node: PlantNode, work: Callable[[], object], behind: str) -> None:
        super().__init__(node)
        self._work, self._behind = work, behind

    def hello(self, greeting: Any) -> Welcome:
        welcome = super().hello(greeting)
        self._do("hello")
        return welcome

    def send(self, origin: str, start: int, session: str, parcel: Parcel) -> Receipt:
        receipt = super().send(origin, start, session, parcel)
        self._do("send")
        return receipt

    def _do(self, behind: str) -> None:
        if self._behind == behind:
            self._behind = ""
            self._work()

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)


@pytest.mark.parametrize("behind", ["hello", "send"])
def test_rotated_with_a_parcel_and_directives_on_their_way_then_the_same_exchange_ends_well(
    group: Group, behind: str
) -> None:
    node = group.plant(1, "SH1")
    hold = directed(group, node)
    receive(node, 3)
    done = exchange(
        replace(node, open_hub_client=lambda plant: Interrupted(plant, lambda: rotates(group), behind)), forced=True
    )
    assert done.state in {ReplicationState.IN_SYNC, ReplicationState.BEHIND}
    assert done.received == 1
    assert hub_keys.newest_at(node) == group.hub.node.signer.key
    assert open_holds(node) == [("QUALITY", hold)]
    in_sync(group, node)


def test_somebody_with_the_old_key_then_nothing_new_of_his_is_believed(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    first = rotates(group)
    in_sync(group, node)
    hub = group.hub.node
    directed(group, node)
    becomes(group, replace(hub, signer=first, statements=()))
    receive(node)
    before = heard(node)
    done = exchange(node, forced=True)
    assert done.state is ReplicationState.REFUSED
    assert heard(node) == before
    assert "REPLICATION_REFUSED" in kinds(node.store)
    becomes(group, hub)
    exchange(node, forced=True)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store) == set()


def heard(node: PlantNode) -> tuple[object, ...]:
    """Return the data of the hub that the plant has accepted: directives, receipts and keys."""
    directives = rows(node.store, "SELECT idx, leaf FROM entries WHERE log_id = -1")
    return directives, standing_of(node), rows(node.store, "SELECT * FROM hub_keys")


def standing_of(node: PlantNode) -> int:
    """Return the size for which the plant has a receipt."""
    with node.store.transaction() as session:
        return ledger_status(session, 1).acknowledged


@pytest.mark.parametrize("forger", ["stranger", "new key alone", "old key alone"])
def test_statement_that_no_known_key_has_proven_then_the_plant_keeps_to_the_one_it_knows(
    group: Group, forger: str
) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    real, mine = group.hub.node, signer()
    stranger = signer()
    statement = statement_of(stranger if forger == "stranger" else real.signer, mine, 3)
    lines = statement.decode().splitlines(keepends=True)
    if forger == "new key alone":
        statement = "".join(lines[:-2] + lines[-1:]).encode()
    elif forger == "old key alone":
        statement = "".join(lines[:-1]).encode()
    becomes(group, replace(real, signer=mine, statements=(statement,)))
    receive(node)
    before = standing_of(node)
    assert exchange(node, forced=True).state is ReplicationState.REFUSED
    assert (standing_of(node), rows(node.store, "SELECT * FROM hub_keys")) == (before, [])
    assert hub_keys.newest_at(node) == node.hub_key
    becomes(group, real)
    exchange(node, forced=True)
    level(group, node)


def test_receipts_and_directives_under_the_old_key_then_they_count_for_what_they_covered(
    group: Group, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    directed(group, node)
    in_sync(group, node)
    covered, before = standing_of(node), stand(node.store, -1)
    rotates(group)
    cut_hub(group, -1, 0)
    with node.store.reading() as reads:
        receipt = receipt_of(reads, node)
    assert receipt is not None
    assert receipt.size == covered
    exchange(node, forced=True)
    assert stand(group.hub.node.store, -1) == before, "the hub takes back what its old key had signed"
    with node.store.reading() as reads:
        again = receipt_of(reads, node)
    assert again is not None
    fresh = on_copy(group, node, tmp_path / "new.db")
    upgrade(fresh.store)
    restore_from_hub(fresh)
    exchange(fresh, forced=True)
    level(group, fresh)


def test_new_hardware_with_the_old_setting_then_the_receipt_of_the_old_key_brings_everything_back(
    group: Group, tmp_path: Path
) -> None:
    node = group.plant(1, "SH1")
    receive(node, 5)
    in_sync(group, node)
    rotates(group)
    for number, key in enumerate((node.hub_key, group.hub.node.signer.key)):
        fresh = replace(on_copy(group, node, tmp_path / f"new{number}.db"), hub_key=key)
        upgrade(fresh.store)
        restore_from_hub(fresh)
        assert types(fresh)[-1] == "PlantRestored"
        assert hub_keys.newest_at(fresh) == group.hub.node.signer.key
        with fresh.store.reading() as reads:
            assert [one.statement for one in hub_keys.chain_at(reads, key).rotations] == kept_statements(reads)


def test_plant_restored_to_before_it_heard_then_it_hears_again(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    old = backup(node, tmp_path / "old.db")
    rotates(group)
    rotates(group)
    receive(node, 2)
    in_sync(group, node)
    node = on_copy(group, node, old)
    assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    assert hub_keys.newest_at(node) == group.hub.node.signer.key
    level(group, node)
    assert kinds(node.store) == set()


def test_hubs_store_restored_to_before_the_rotation_then_the_statement_beside_its_keys_says_why(
    group: Group, tmp_path: Path
) -> None:
    node, hub = group.plant(1, "SH1"), group.hub.node
    exchange(node)
    save_key(tmp_path / "ledger.pem", hub.signer.private_key)
    following = ledger_key_files.prepare_key(tmp_path, hub.origin)
    size, _ = stand(hub.store, 0)
    hub_keys.rotate_hub_key(hub, following)
    with hub.store.reading() as reads:
        assert ledger_key_files.switch_key(tmp_path, reads, 0, hub.origin)
    assert NoteSigner(hub.origin, load_key(tmp_path / "ledger.pem")).key == following.key
    cut_hub(group, 0, size)
    with hub.store.reading() as reads:
        assert recorded_hub_statements(reads) == []
    becomes(group, replace(hub, signer=following, statements=rotation_statements(tmp_path)))
    receive(node)
    in_sync(group, node)
    assert hub_keys.newest_at(node) == following.key


def test_archive_of_both_keys_then_hub_and_plant_come_back_from_it(
    group: Group, tmp_path: Path, postgres_18: EmbeddedPostgres
) -> None:
    node = group.plant(1, "SH1")
    hold = directed(group, node)
    in_sync(group, node)
    archive = Archive(FileObjects(tmp_path / "archive"))
    witness_plants(group.hub.node)
    archive_all(replace(group.hub.node, archive=archive))
    rotates(group)
    hub = replace(group.hub.node, archive=archive)
    assert not archive_behind(hub, "test")
    archive_all(hub)
    with closing(Store(migrated_database(postgres_18))) as store:
        recover_hub(replace(hub, store=store), archive)
        for log_id in (0, 1, -1):
            assert stand(store, log_id) == stand(hub.store, log_id)
    exchange(node, forced=True)
    fresh = on_copy(group, node, tmp_path / "new.db")
    upgrade(fresh.store)
    done = restore_from_archive(fresh, archive.objects)
    assert done.directives == 1
    assert open_holds(fresh) == [("QUALITY", hold)]


def test_checkpoint_of_the_old_key_beyond_its_end_then_the_plant_does_not_cosign_it(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    first = rotates(group)
    in_sync(group, node)
    before = held(node)
    with group.hub.node.store.transaction() as session:
        known = chain(first.key, recorded_hub_statements(session))
    assert known.at(known.rotations[0].size) == (first.key, group.hub.node.signer.key)
    assert known.at(known.rotations[0].size + 1) == (group.hub.node.signer.key,)
    witness_plants(group.hub.node)
    sign_own_ledgers(replace(group.hub.node, signer=first))
    exchange(node, forced=True)
    assert held(node) == before
    assert kinds(node.store) == {"HUB_LEDGER_FORKED"}
    sign_own_ledgers(group.hub.node)
    exchange(node, forced=True)
    assert kinds(node.store) == set()


def test_chain_then_forward_and_back_and_never_elsewhere() -> None:
    one, two, three, thief = (signer() for _ in range(4))
    first, second = statement_of(one, two, 3), statement_of(two, three, 9)
    keys = (one.key, two.key, three.key)
    for anchor in keys:
        assert chain(anchor, (second, first)).keys == keys
    assert chain(thief.key, (first, second)).keys == (thief.key,)
    assert chain(one.key, (first, statement_of(one, thief, 4), second)).keys == keys
    assert chain(two.key, (statement_of(two, one, 4), first)).keys == (one.key, two.key)
    assert chain(one.key, ()).at(10**9) == (one.key,)
    other = NoteSigner("acme.example/hub/i2", generate_key())
    for wrong in (
        b"",
        b"x",
        first.replace(b"\n3\n", b"\n4\n"),
        first.replace(b"/v1", b"/v2"),
        statement_of(one, one, 3),
    ):
        assert chain(one.key, (wrong,)).keys == (one.key,)
        with pytest.raises(NoteError):
            read_statement(wrong)
    with pytest.raises(NoteError):
        read_statement(statement_of(one, other, 3))
    with pytest.raises(NoteError):
        read_statement(statement_of(one, two, 0))

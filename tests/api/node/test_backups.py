"""Backups: made while the node writes, checked before they are used, and never put over what is there."""

import json
import shutil
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.node.backups import RECORD, last_backup, make_backup, restore_home, verify_restored
from api.node.node import Node, NodeBusy, make_home
from infra.backup import MANIFEST, BackupUnfit, Manifest, unpacked
from infra.clock import FixedClock
from infra.postgres import EmbeddedPostgres
from infra.roles import Role
from infra.settings import FILE_NAME, Settings
from plants.commands.inventory.receipts import Delivery, receive_batch
from tests.api.serving import fill
from tests.databases import fresh_database
from tests.factories import GROUP, Plant
from tests.sync_jobs.group import stand

ORDER = Delivery("RM-MILK", "12.5", "KGM", "A1")


def home_of(folder: Path, database_url: str | None = None) -> Settings:
    given: dict[str, Any] = {} if database_url is None else {"database_url": SecretStr(database_url)}
    return Settings(home=folder, role=Role.PLANT, group=GROUP, plant_number=1, plant_code="SH1", **given)


@pytest.fixture(params=["sqlite", "postgres_15", "postgres_18"])
def server(request: pytest.FixtureRequest) -> EmbeddedPostgres | None:
    if request.param == "sqlite":
        return None
    found = request.getfixturevalue(request.param)
    assert isinstance(found, EmbeddedPostgres)
    return found


def url_of(server: EmbeddedPostgres | None) -> str | None:
    return None if server is None else fresh_database(server)


def opened(settings: Settings) -> Node:
    make_home(settings)
    node = Node(settings, clock=FixedClock())
    plant = Plant(node.store, 1, "SH1", FixedClock())
    node.writer.write(lambda session: fill(session, plant))
    return node


def receive(node: Node) -> None:
    plant = Plant(node.store, 1, "SH1", FixedClock())
    node.writer.write(lambda session: receive_batch(session, ORDER, actor=plant.actor, call=plant.call()))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A backup with keys, of a plant on SQLite whose home is gone."""
    with opened(home_of(tmp_path / "lost")) as node:
        receive(node)
        make_backup(node, tmp_path / "copy", with_keys=True)
    shutil.rmtree(tmp_path / "lost")
    return tmp_path / "copy"


def test_backup_while_others_write_then_a_whole_ledger_comes_back(
    tmp_path: Path, server: EmbeddedPostgres | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    with opened(home_of(tmp_path / "home", url_of(server))) as node:

        def work() -> None:
            while not done.is_set():
                receive(node)

        people = threading.Thread(target=work)
        people.start()
        try:
            before = stand(node.store, 1)[0]
            manifest = make_backup(node, tmp_path / "copy", with_keys=False)
        finally:
            done.set()
            people.join()
        said = manifest.ledgers[node.settings.origin]
        assert before <= said["size"] <= stand(node.store, 1)[0]
        assert last_backup(node.settings.home) == node.clock.now()
    files = {path.name for path in (tmp_path / "copy").rglob("*")}
    assert files == {MANIFEST, FILE_NAME, "store.db" if server is None else "store.pgdump"}

    again = tmp_path / "again"
    again.mkdir()
    shutil.copytree(tmp_path / "home" / "keys", again / "keys")
    url = url_of(server)
    if url is not None:
        monkeypatch.setenv("BATCHLOOM_DATABASE_URL", url)
    restored = restore_home(again, tmp_path / "copy", replace=False)
    with Node(home_of(again, url), clock=FixedClock()) as node:
        assert all(one.whole for one in verify_restored(node, restored))
        assert stand(node.store, 1)[0] >= said["size"]
        receive(node)


def test_packed_backup_then_settings_and_keys_come_back_closed_to_others(tmp_path: Path) -> None:
    with opened(home_of(tmp_path / "home")) as node:
        receive(node)
        (node.settings.keys / "ledger.0badcafe.note").write_bytes(b"how a key handed over\n")
        make_backup(node, tmp_path / "copy.tar", with_keys=True)
        kept = stand(node.store, 1)
    assert (tmp_path / "copy.tar").stat().st_mode & 0o077 == 0
    with tarfile.open(tmp_path / "copy.tar") as tar:
        assert not [name for name in tar.getnames() if "marks" in name]
    again = tmp_path / "again"
    with unpacked(tmp_path / "copy.tar", again) as folder:
        restore_home(again, folder, replace=False)
    assert not list(tmp_path.glob(".again*"))
    for key in ("keys/ledger.pem", "keys/ledger.0badcafe.note"):
        assert (again / key).read_bytes() == (tmp_path / "home" / key).read_bytes()
        assert (again / key).stat().st_mode & 0o777 == 0o600
    with Node(home_of(again), clock=FixedClock()) as node:
        assert stand(node.store, 1)[0] >= kept[0]


@pytest.mark.parametrize("name", ["store.db", FILE_NAME, "keys/ledger.pem"])
def test_changed_or_missing_file_then_refused_and_nothing_made(tmp_path: Path, made: Path, name: str) -> None:
    content = (made / name).read_bytes()
    (made / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BackupUnfit, match=name):
        restore_home(tmp_path / "again", made, replace=False)
    (made / name).unlink()
    with pytest.raises(BackupUnfit, match=name):
        restore_home(tmp_path / "again", made, replace=False)
    assert not (tmp_path / "again").exists()


def test_added_file_or_manifest_of_the_future_then_refused(tmp_path: Path, made: Path) -> None:
    (made / "more").touch()
    with pytest.raises(BackupUnfit, match="more"):
        restore_home(tmp_path / "again", made, replace=False)
    manifest = json.loads((made / MANIFEST).read_text())
    (made / MANIFEST).write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(BackupUnfit, match="newer"):
        Manifest.read(made)
    (made / MANIFEST).write_text("{")
    with pytest.raises(BackupUnfit, match="no backup"):
        restore_home(tmp_path / "again", made, replace=False)
    assert not (tmp_path / "again").exists()


def test_store_that_is_there_then_refused_and_with_replace_set_aside(tmp_path: Path, made: Path) -> None:
    home = tmp_path / "again"
    restore_home(home, made, replace=False)
    with Node(home_of(home), clock=FixedClock()) as node:
        receive(node)
        size = stand(node.store, 1)[0]
    with pytest.raises(BackupUnfit, match="--replace"):
        restore_home(home, made, replace=False)
    with Node(home_of(home), clock=FixedClock()) as node:
        assert stand(node.store, 1)[0] == size
    restore_home(home, made, replace=True, clock=FixedClock())
    (aside,) = (path for path in home.glob("plant.db.before-*") if path.suffix not in {"-wal", "-shm"})
    assert aside.name == "plant.db.before-20260314T080000Z"


def test_living_node_and_home_of_another_then_refused(tmp_path: Path, made: Path) -> None:
    home = tmp_path / "again"
    restore_home(home, made, replace=False)
    with Node(home_of(home), clock=FixedClock(), serving=True) as node:
        size = stand(node.store, 1)[0]
        with pytest.raises(NodeBusy):
            restore_home(home, made, replace=True)
        assert stand(node.store, 1)[0] == size
    other = Settings(home=tmp_path / "SZ2", role=Role.PLANT, group=GROUP, plant_number=2, plant_code="SZ2")
    make_home(other)
    with pytest.raises(BackupUnfit, match="SZ2"):
        restore_home(other.home, made, replace=True)
    assert not (other.home / "plant.db").exists()


def test_without_keys_anywhere_then_refused(tmp_path: Path) -> None:
    with opened(home_of(tmp_path / "home")) as node:
        make_backup(node, tmp_path / "copy", with_keys=False)
    with pytest.raises(BackupUnfit, match=r"ledger\.pem"):
        restore_home(tmp_path / "again", tmp_path / "copy", replace=False)
    assert not (tmp_path / "again" / "plant.db").exists()


def test_target_that_is_there_then_it_is_left_alone(tmp_path: Path) -> None:
    with opened(home_of(tmp_path / "home")) as node:
        (tmp_path / "copy").mkdir()
        with pytest.raises(BackupUnfit, match="exists already"):
            make_backup(node, tmp_path / "copy", with_keys=False)
        assert not list((tmp_path / "copy").iterdir())
        assert not (node.settings.home / RECORD).exists()

"""Disks that are full, read-only, failing or slow under real processes: refused clearly, nothing lost, and going on."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from infra.ids import new_id
from tests.scenarios.faults.disks import Disk, injected, small_disk
from tests.scenarios.preparing import PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import Group, mutation_document
from tests.scenarios.shop_floor import amount, check_equal, replication, wait_level
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(240)

WRITES_MAX = 3_000  # until a full disk is noticed
DISK_MEGABYTES = 24
SYNCHRONISE = "fsync,fdatasync"  # whichever of them this SQLite was built with


@pytest.fixture(scope="module")
def small(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Group, Disk]]:
    """A group that runs, its plant SH1 on a small disk of its own."""
    group = copy_group(prepared, tmp_path_factory.mktemp("disks"))
    # The group ends before the disk is taken away.
    with small_disk(group.nodes["SH1"].home, DISK_MEGABYTES) as disk, group:
        group.start()
        yield group, disk


def order(group: Group, request: str | None = None, language: str = "en") -> dict[str, Any]:
    """Send one delivery at SH1 and return the whole answer."""
    wanted = "... on BatchReceived { entry { index leafHash } }"
    given = {"requestId": request or new_id(), "materialCode": "MILK", "quantity": amount("1"), "locationCode": "A1"}
    answer = group.at("SH1", WANG, language=language).post(mutation_document("receiveBatch", wanted), {"input": given})
    assert answer.status_code == httpx2.codes.OK, answer.text
    return dict(answer.json())


def is_refused(answer: dict[str, Any], *faults: str) -> bool:
    """Tell whether the store did not take an order, and check that the answer says why."""
    if not answer.get("errors"):
        return False
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "STORE_UNAVAILABLE", answer
    assert error["extensions"]["fault"] in faults, answer
    assert "requestId" in error["message"]
    return True


@contextmanager
def nothing_lost(group: Group) -> Iterator[dict[str, dict[str, Any]]]:
    """Check at the end that every answered request stands where its answer said, once, at plant and hub."""
    began, answered = stand(group.store("SH1"), PLANTS["SH1"])[0], dict[str, dict[str, Any]]()
    yield answered
    with group.store("SH1").transaction() as session:
        rows = session.rows("SELECT idx, leaf, request FROM entries WHERE log_id = 1 AND idx >= :low", {"low": began})
    kept = {str(request): (index, bytes(leaf).hex()) for index, leaf, request in rows}
    assert kept == {request: (int(entry["index"]), entry["leafHash"]) for request, entry in answered.items()}
    wait_level(group)
    check_equal(group)


def entry_of(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(answer["data"]["receiveBatch"]["entry"])


def test_plants_disk_full_then_writes_are_refused_and_nothing_is_lost(small: tuple[Group, Disk]) -> None:
    group, disk = small
    with nothing_lost(group) as answered:
        disk.fill()
        for _ in range(WRITES_MAX):
            request = new_id()
            answer = order(group, request)
            if is_refused(answer, "DISK_FULL", "DISK_FAILING"):
                break
            answered[request] = entry_of(answer)
        else:
            pytest.fail("a full disk was never noticed")
        assert "the disk is full" in answer["errors"][0]["message"]
        chinese = order(group, request, language="zh")
        assert "磁盘已满" in chinese["errors"][0]["message"]
        assert not group.nodes["SH1"].is_ready(), "writing does not go on; reading does:"
        assert replication(group, "SH1")["SH1"]["size"] == stand(group.store("SH1"), 1)[0]
        disk.free()
        answered[request] = entry_of(order(group, request))
        for _ in range(5):
            request = new_id()
            answered[request] = entry_of(order(group, request))


@pytest.mark.parametrize(
    "calls, effect, faults",
    [
        (SYNCHRONISE, "error=EIO", ("DISK_FAILING",)),
        ("pwrite64", "error=EROFS", ("READ_ONLY", "DISK_FAILING")),
        ("pwrite64", "error=ENOSPC", ("DISK_FULL",)),
    ],
)
def test_disk_fails_under_the_running_plant_then_refused_and_goes_on(
    small: tuple[Group, Disk], calls: str, effect: str, faults: tuple[str, ...]
) -> None:
    group, _ = small
    running = group.nodes["SH1"].process.running
    assert running is not None
    with nothing_lost(group) as answered:
        again = [new_id() for _ in range(3)]
        with injected(running.pid, calls, effect):
            refused = [is_refused(order(group, request), *faults) for request in again]
        assert refused == [True, True, True]
        for request in again:
            answered[request] = entry_of(order(group, request))


def test_disk_is_slow_then_answers_are_late_and_right(small: tuple[Group, Disk]) -> None:
    """Half a second for each synchronisation: many people share one, so that nobody waits for all the others."""
    group, _ = small
    running = group.nodes["SH1"].process.running
    assert running is not None
    with nothing_lost(group) as answered:
        began = time.monotonic()
        with injected(running.pid, SYNCHRONISE, "delay_enter=500000"):
            for request in (new_id(), new_id()):
                answered[request] = entry_of(order(group, request))
        assert time.monotonic() - began > 0.5 * 2


def test_another_program_holds_the_store_then_writes_wait_for_it(small: tuple[Group, Disk]) -> None:
    """A storm of locks from a second process: each is shorter than the patience of a write."""
    group, _ = small
    path = group.nodes["SH1"].home / "plant.db"
    storm = (
        "import sys, time; import pysqlite3.dbapi2 as s; c = s.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
        "for _ in range(12):\n"
        "    c.execute('BEGIN IMMEDIATE'); time.sleep(0.25); c.execute('ROLLBACK')\n"
    )
    with nothing_lost(group) as answered, holding(path, storm) as other:
        while other.poll() is None or len(answered) < 5:
            request = new_id()
            answered[request] = entry_of(order(group, request))
        assert other.returncode == 0


@contextmanager
def holding(path: Path, text: str) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", text, str(path)]) as other:
        yield other


def test_home_on_a_read_only_disk_then_the_plant_says_so_and_starts_when_it_is_mended(
    small: tuple[Group, Disk],
) -> None:
    group, disk = small
    with nothing_lost(group) as answered:
        request = new_id()
        answered[request] = entry_of(order(group, request))
        group.stop("SH1")
        group.forget_store("SH1")
        disk.remount("ro")
        try:
            done = group.run("plant", "run", "--home", str(group.nodes["SH1"].home), code="SH1", expected=None)
        finally:
            disk.remount("rw")
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        assert "read-only" in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
        group.start("SH1")

"""The hub's disk is full, under its tables and then under its database's log: plants write on, and all is caught up."""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg
import pytest

from infra.ids import new_id
from infra.postgres import EmbeddedPostgres
from tests.campaigns.checking import check, counted
from tests.campaigns.operators import Operator
from tests.patience import wait_until
from tests.scenarios.faults.disks import Disk, small_disk
from tests.scenarios.preparing import CHEN, PLANTS, WANG, command, copy_group, prepare
from tests.scenarios.processes import HUB, Group, mutation_document
from tests.scenarios.shop_floor import replication
from tests.sync_jobs.group import column

pytestmark = pytest.mark.timeout(300)

DISK_MEGABYTES: Final = 192
PAUSE_SECONDS: Final = 0.2
MEANWHILE: Final = 5  # operations at each plant while the disk is full
SWITCHES_MAX: Final = 30  # of the files of PostgreSQL's log, until there is no room for another
LEVEL_SECONDS_MAX: Final = 90
DISK_FULL: Final = {"en": "the disk is full", "zh": "磁盘已满"}
LOCALES: Final = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}


@dataclass
class Cramped:
    """A group whose hub keeps everything on a small disk, and a person who writes at each plant all the time."""

    group: Group
    disk: Disk
    server: EmbeddedPostgres
    operators: list[Operator]

    def sizes(self, at: str = "") -> dict[str, int]:
        """Return how long the plants' ledgers are at a node; unless one is named each at its own plant."""
        return {code: counted(self.group.store(at or code), number) for code, number in PLANTS.items()}

    def receipts(self) -> dict[str, int]:
        """Return how many entries each plant has the hub's receipt for."""
        found = {code: column(self.group.store(code), number, "acknowledged") for code, number in PLANTS.items()}
        return {code: size if isinstance(size, int) else 0 for code, size in found.items()}

    def people_write_on(self) -> None:
        """Return when people have done some more at every plant."""
        wanted = [len(one.acknowledged) + MEANWHILE for one in self.operators]
        wait_until(
            lambda: all(len(one.acknowledged) >= count for one, count in zip(self.operators, wanted, strict=True)),
            "people write on",
        )

    def catches_up(self) -> None:
        """Return when the plants have receipts for all that they hold now."""
        owed = self.sizes()
        wait_until(lambda: all(self.receipts()[code] >= size for code, size in owed.items()), "all is signed for")

    def is_told(self, code: str, fault: str) -> bool:
        """Tell whether a plant was told why the hub takes nothing, which is no alarm of the plant."""
        store, number = self.group.store(code), PLANTS[code]
        assert column(store, number, "alarm") is None
        said = str(column(store, number, "error"))
        return said.startswith("503 STORE_UNAVAILABLE") and fault in said


@pytest.fixture
def cramped() -> Iterator[Cramped]:
    with ExitStack() as opening:
        # Not below pytest's own directory, which is closed to the user that PostgreSQL runs as.
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="batchloom-")))
        folder.chmod(0o711)
        disk = opening.enter_context(small_disk(folder / "disk", DISK_MEGABYTES))
        server = opening.enter_context(EmbeddedPostgres(folder / "disk" / "pg", state=folder / "state"))
        for name in ("made", "run"):
            (folder / name).mkdir()
        group = opening.enter_context(copy_group(prepare(folder / "made", server), folder / "run"))
        group.start()
        operators = [
            Operator(group.nodes[code], WANG, random.Random(code), time.monotonic, PAUSE_SECONDS) for code in PLANTS
        ]
        yield Cramped(group, disk, server, operators)


@contextmanager
def people_write(operators: list[Operator]) -> Iterator[None]:
    with ThreadPoolExecutor(len(operators)) as pool:
        working = [pool.submit(one.work) for one in operators]
        try:
            yield
        finally:
            for one in operators:
                one.stopping.set()
        for done in working:
            done.result()


def direct(group: Group, request: str, language: str = "en") -> dict[str, Any]:
    """Have headquarters send a material to a plant, and return the whole answer."""
    order = {"requestId": request, "code": "GOAT", "name": "Goat milk 羊奶", "unitCode": "KGM"}
    document = mutation_document("saveMaterial", "", at_plants=True)
    sent = {"input": order, "plantCodes": ["SH1"]}
    answer = group.at(HUB, CHEN, language=language).post(document, sent)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return dict(answer.json())


def check_said(group: Group, request: str) -> None:
    """Check that the hub refuses what is to be written, and says why in both languages."""
    for language, text in DISK_FULL.items():
        (error,) = direct(group, request, language)["errors"]
        assert (error["extensions"]["code"], error["extensions"]["fault"]) == ("STORE_UNAVAILABLE", "DISK_FULL")
        assert text in error["message"]


def check_doctor(group: Group) -> None:
    """Check that the doctor finds that the database takes nothing, and what to do."""
    hub = group.nodes[HUB]
    for language, words in DISK_FULL.items():
        given = {"BATCHLOOM_DATABASE_URL": hub.database_url, "LC_ALL": LOCALES[language]}
        done = command("doctor", "--home", hub.home, "--json", given=given)
        (found,) = [one for one in json.loads(done.stdout) if one["check"] == "writing"]
        assert (done.exit_code, found["level"], words in found["message"]) == (1, "BROKEN", True), found


def fill_log(server: EmbeddedPostgres) -> None:
    """Have PostgreSQL begin new files of its log until it finds no room for one, and ends."""
    with pytest.raises(psycopg.OperationalError), psycopg.connect(address(server), autocommit=True) as connection:
        for _ in range(SWITCHES_MAX):
            connection.execute("SELECT pg_logical_emit_message(false, 'batchloom', 'full')")
            connection.execute("SELECT pg_switch_wal()")


def address(server: EmbeddedPostgres) -> str:
    return server.url("postgres").replace("+psycopg", "")


def test_hubs_disk_full_then_plants_write_on_and_all_is_caught_up_when_there_is_room(cramped: Cramped) -> None:
    group, disk, before, request = cramped.group, cramped.disk, cramped.sizes(), new_id()
    with people_write(cramped.operators):
        cramped.people_write_on()
        cramped.catches_up()

        disk.fill()
        for code in PLANTS:
            wait_until(partial(cramped.is_told, code, "DISK_FULL"), f"the hub tells {code} that its disk is full")
        had = cramped.sizes(HUB)
        check_said(group, request)
        check_doctor(group)
        assert not group.nodes[HUB].is_ready(), "writing does not go on; reading does:"
        assert {code: one["size"] for code, one in replication(group, HUB).items()} == had
        cramped.people_write_on()
        assert cramped.sizes(HUB) == had
        disk.free()
        cramped.catches_up()
        assert direct(group, request)["data"]["saveMaterial"]["__typename"] == "DirectivesSent"

        disk.fill()
        fill_log(cramped.server)
        for code in PLANTS:
            wait_until(partial(cramped.is_told, code, "UNREACHABLE"), f"the hub tells {code} that its store is away")
        cramped.people_write_on()
        disk.free()
        group.forget_store(HUB)
        cramped.server.stop()
        cramped.server.start()
        cramped.catches_up()
    found = check(group, cramped.operators, before, seconds=LEVEL_SECONDS_MAX)
    assert found.pop("operations") == sum(len(one.acknowledged) for one in cramped.operators)
    assert not any(found.values()), found
    assert [one.put_off for one in cramped.operators] == [[], []]

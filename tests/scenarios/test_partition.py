"""A plant and its hub in networks of their own, and the cable between them cut both ways and one way at a time."""

import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.campaigns.checking import counted
from tests.campaigns.operators import Operator
from tests.patience import wait_until
from tests.scenarios.faults.certificates import certificate
from tests.scenarios.faults.networks import FAR_ADDRESS, Cable, joined
from tests.scenarios.preparing import WANG
from tests.scenarios.processes import HUB, Group
from tests.scenarios.shop_floor import check_equal, replication, wait_level
from tests.sync_jobs.group import column

pytestmark = pytest.mark.timeout(300)

PLANT: Final = "SH1"
NUMBER: Final = 1
PAUSE_SECONDS: Final = 0.2
MEANWHILE: Final = 5  # operations that people do while the cable is cut
LONG: Final = {"BATCHLOOM_CHECKPOINT_SECONDS": "3600"}  # so that what the hub writes comes from its plant
# The plant as it is, but that it gives up on the hub in seconds and not in half a minute.
IMPATIENT: Final = (
    "import httpx2, sync_jobs.plant.http_hub_client as door; door.TIMEOUT = httpx2.Timeout(3.0, connect=1.0)\n"
    "from api.cli.tree import app; app()"
)
WAITING: Final = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'entries'::regclass"


@dataclass
class Parted:
    """The group, the cable between its plant and its hub, and a person who writes at the plant all the time."""

    group: Group
    cable: Cable
    operator: Operator

    @property
    def at_plant(self) -> int:
        """How long the plant's ledger is."""
        return counted(self.group.store(PLANT), NUMBER)

    @property
    def at_hub(self) -> int:
        """How much of it the hub has."""
        return counted(self.group.store(HUB), NUMBER)

    @property
    def receipt(self) -> int:
        """How much of it the plant has the hub's receipt for."""
        size = column(self.group.store(PLANT), NUMBER, "acknowledged")
        return size if isinstance(size, int) else 0

    def is_away(self) -> bool:
        """Tell whether the plant says that it cannot reach the hub."""
        return bool(replication(self.group, PLANT)[PLANT]["state"] == "UNREACHABLE")

    def people_write_on(self) -> None:
        """Return when people have done some more at the plant."""
        before = len(self.operator.acknowledged)
        wait_until(lambda: len(self.operator.acknowledged) >= before + MEANWHILE, "people write on")

    def catches_up(self) -> None:
        """Return when the plant has a receipt for all that it holds now."""
        owed = self.at_plant
        wait_until(lambda: self.receipt >= owed, f"the hub has signed for {owed} entries")


@pytest.fixture
def parted(group: Group, tmp_path: Path) -> Iterator[Parted]:
    now, year = datetime.now(UTC), timedelta(days=365)
    files = certificate(tmp_path, "hub", now - year, now + year, ["127.0.0.1", FAR_ADDRESS])
    hub, plant = group.nodes[HUB], group.nodes[PLANT]
    over_tls = {"BATCHLOOM_TLS_CERTIFICATE": str(files[0]), "BATCHLOOM_TLS_KEY": str(files[1])}
    hub.process.environment |= {"BATCHLOOM_HOST": "0.0.0.0", **over_tls, **LONG}  # noqa: S104 -- a network of its own.
    address = {"BATCHLOOM_HUB_URL": f"https://{FAR_ADDRESS}:{hub.port}", "SSL_CERT_FILE": str(files[0])}
    plant.process.environment |= address
    plant.process.command = (sys.executable, "-c", IMPATIENT, *plant.process.command[1:])
    # The group ends before its networks are taken away.
    with joined() as cable, group:
        hub.certificate, hub.network, plant.network = files[0], cable.far.entered, cable.near.entered
        group.start(HUB, PLANT)
        operator = Operator(plant, WANG, random.Random(PLANT), time.monotonic, PAUSE_SECONDS)
        yield Parted(group, cable, operator)


@contextmanager
def people_write(operator: Operator) -> Iterator[None]:
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(operator.work)
        try:
            yield
        finally:
            operator.stopping.set()
        working.result()


@contextmanager
def taking_in(group: Group) -> Iterator[None]:
    """Go on when the hub has a whole request in hand and cannot store it; it can when the block ends."""
    url = group.nodes[HUB].database_url.replace("+psycopg", "")
    with psycopg.connect(url) as connection, psycopg.connect(url, autocommit=True) as other:
        connection.execute("LOCK TABLE entries IN SHARE MODE")
        wait_until(lambda: other.execute(WAITING).fetchone() != (0,), "the hub takes something in")
        yield


def check_once(parted: Parted, before: int) -> None:
    """Check that every answer stands in the plant's ledger as it was given, and nothing else, and the hub has it."""
    wait_level(parted.group, [PLANT])
    check_equal(parted.group, [PLANT])
    operator = parted.operator
    assert (operator.unexpected, operator.put_off) == ([], [])
    with parted.group.store(PLANT).reading() as reads:
        rows = reads.rows("SELECT request, idx, leaf FROM entries WHERE log_id = 1 AND idx >= :low", {"low": before})
    kept = [(str(request), index, bytes(leaf).hex()) for request, index, leaf in rows]
    assert sorted(kept) == sorted((one.request, one.index, one.leaf) for one in operator.acknowledged)


def test_cable_cut_both_ways_and_one_way_then_people_write_on_and_all_is_level(parted: Parted) -> None:
    group, cable, before = parted.group, parted.cable, parted.at_plant
    with people_write(parted.operator):
        parted.people_write_on()
        parted.catches_up()

        cable.cut()
        wait_until(parted.is_away, "the plant misses the hub")
        had = parted.at_hub
        parted.people_write_on()
        assert parted.at_hub == had
        cable.mend()
        parted.catches_up()

        with cable.requests_lost():
            wait_until(parted.is_away, "no request goes out")
            had = parted.at_hub
            parted.people_write_on()
            assert parted.at_hub == had
        parted.catches_up()

        with ExitStack() as lost:
            with taking_in(group):
                receipt = parted.receipt
                lost.enter_context(cable.answers_lost())
            wait_until(lambda: parted.at_hub > receipt, "the hub has taken in what it cannot answer for")
            wait_until(parted.is_away, "the plant gives up")
            had = parted.at_hub
            parted.people_write_on()
            assert (parted.at_hub, parted.receipt) == (had, receipt), "the answer was lost, and nothing more arrives"
        parted.catches_up()
    check_once(parted, before)

"""The short form of `make outage`: worker, broker and archive away at the same time, for some seconds."""

from pathlib import Path
from typing import Final

import pytest

from tests.campaigns.outage import is_clean, run, running
from tests.scenarios.preparing import Prepared
from tests.sync_jobs.group import valkey

pytestmark = pytest.mark.timeout(400)

SECONDS: Final = 10
PAUSE_SECONDS: Final = 0.4
OFTEN: Final = {"BATCHLOOM_ARCHIVE_SECONDS": "4"}  # and not oftener: each failure makes the next wait longer


def test_worker_broker_and_archive_away_then_nobody_notices_and_all_is_caught_up(
    prepared: Prepared, tmp_path: Path, valkey_url: str
) -> None:
    with (
        valkey() as doomed,
        running(prepared, tmp_path, (f"{valkey_url}/4", doomed), OFTEN, PAUSE_SECONDS) as outage,
    ):
        figures = run(outage, SECONDS)
    assert is_clean(figures), figures
    assert figures["away_seconds"] >= SECONDS
    assert all(count > SECONDS for count in figures["written_meanwhile"].values())
    assert all(figures["entries_archived"][code] >= count for code, count in figures["written_meanwhile"].items())
    assert figures["operations"] == sum(figures["plants"][code]["accepted"] for code in figures["written_meanwhile"])

"""The short form of `make restarts`: a hub that is killed every few seconds does its periodic work all the same."""

from pathlib import Path
from typing import Final

import pytest

from tests.campaigns.restarts import done, forget_successes, is_clean, prepare_work, run, running
from tests.scenarios.preparing import Prepared
from tests.scenarios.processes import HUB

pytestmark = pytest.mark.timeout(300)

CYCLES: Final = 4
UP_SECONDS: Final = 4  # the periods of archive, holds and transfers are one to five minutes


def test_hub_killed_every_few_seconds_then_it_archives_sends_holds_and_reports_transfers(
    prepared: Prepared, tmp_path: Path
) -> None:
    with running(prepared, tmp_path) as group:
        group.start()
        work = prepare_work(group)
        group.kill(HUB)
        assert not all(done(group, work).values()), "the periods had not passed"
        forget_successes(group)
        figures = run(group, work, CYCLES, UP_SECONDS, print)
    assert is_clean(figures), figures

"""A hub that is killed again and again before its periods are over: `make restarts ARGS="--minutes 10"`.

It must still archive, send holds after goods and report overdue transfers, because jobs are due by their last success
in the store.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from infra.clock import SystemClock
from infra.postgres import EmbeddedPostgres
from plants.rules.values.instants import format_instant
from plants.store.ledger.archive import archived_rows
from plants.store.monitoring.alarms import AlarmKind, open_alarms
from tests.campaigns.telling import publish, say
from tests.scenarios.preparing import CHEN, PLANTS, WANG, Prepared, copy_group, prepare
from tests.scenarios.processes import HUB, Group
from tests.scenarios.shop_floor import line, receive, wait_level

AS_SHIPPED: Final = {"BATCHLOOM_PUSH_SECONDS": "5", "BATCHLOOM_CHECKPOINT_SECONDS": "60"}
SOURCE, DESTINATION = PLANTS
OVERDUE_DAYS: Final = 10  # more than the seven after which the hub raises an alarm


@dataclass(frozen=True, slots=True)
class Work:
    """Work for jobs of the hub: a batch whose hold must follow its goods, and entries to archive."""

    held: str
    entries: int


def prepare_work(group: Group) -> Work:
    """Have plants do what makes work for the jobs of the hub, and return when the hub knows it.

    Goods are dispatched ten days ago and never received. Others are put on hold everywhere before the hub knows that
    some of them were sent off.
    """
    wang = group.at(SOURCE, WANG)
    long_ago = SystemClock().now() - timedelta(days=OVERDUE_DAYS)
    lost = receive(wang, "10", occurredAt=format_instant(long_ago - timedelta(days=1)))
    _send(group, lost, occurredAt=format_instant(long_ago))
    held = receive(wang, "10")
    wait_level(group)
    group.stop(HUB)
    _send(group, held)
    group.stop(SOURCE)
    group.start(HUB)
    group.at(HUB, CHEN).do("placeHold", "... on DirectivesSent { __typename }", batchCode=held, reason="Glass")
    group.start(SOURCE)
    wait_level(group)
    return Work(held, _entries(group))


def _send(group: Group, batch: str, **more: Any) -> None:
    order = {"destinationCode": DESTINATION, "lines": [line(batch, "4")], **more}
    group.at(SOURCE, WANG).do("dispatchTransfer", "... on TransferDispatched { manifest }", **order)


def _entries(group: Group) -> int:
    with group.store(HUB).reading() as reads:
        ((size,),) = reads.rows("SELECT size FROM logs WHERE log_id = :log_id", {"log_id": PLANTS[SOURCE]})
    return int(size)


def done(group: Group, work: Work) -> dict[str, bool]:
    """Return what the jobs of the hub have done."""
    with group.store(HUB).reading() as reads:
        archived = {row.log_id: row.size for row in archived_rows(reads)}
        directed = reads.rows(
            "SELECT plant_id FROM directed_holds WHERE batch_code = :code ORDER BY plant_id", {"code": work.held}
        )
        overdue = open_alarms(reads, AlarmKind.TRANSFER_UNMATCHED)
    return {
        "archived": archived.get(PLANTS[SOURCE], 0) >= work.entries,
        "hold_followed": [plant for (plant,) in directed] == sorted(PLANTS.values()),
        "overdue_reported": bool(overdue),
    }


def run(group: Group, work: Work, cycles: int, up_seconds: float, tell: Callable[[str], object]) -> dict[str, Any]:
    """Start the hub and kill it after `up_seconds`, again and again; return after which kill what had been done."""
    figures: dict[str, Any] = {"kills": 0, "up_seconds": up_seconds}
    for cycle in range(1, cycles + 1):
        group.start(HUB)
        time.sleep(up_seconds)
        group.kill(HUB)
        figures["kills"] = cycle
        for what, is_done in done(group, work).items():
            if is_done:
                figures.setdefault(f"{what}_after_kills", cycle)
        tell(f"{cycle:3} kills  {figures}")
    return figures


def forget_successes(group: Group) -> None:
    """Age the last success of every job of the hub by an hour."""
    with group.store(HUB).transaction() as session:
        session.run("UPDATE job_runs SET succeeded_us = succeeded_us - 3600000000")


def is_clean(figures: dict[str, Any]) -> bool:
    """Tell whether the hub did all its work."""
    return all(f"{what}_after_kills" in figures for what in ("archived", "hold_followed", "overdue_reported"))


def running(prepared: Prepared, folder: Path, settings: dict[str, str] | None = None) -> Group:
    """Return a group with an archive in its folder."""
    more = {code: settings or {} for code in (HUB, *PLANTS)}
    more[HUB] = {**more[HUB], "BATCHLOOM_ARCHIVE_URL": (folder / "archive").as_uri()}
    return copy_group(prepared, folder, more)


def main() -> int:
    """Run one campaign, print its figures and write them as JSON; 1 when work of the hub was not done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--json", type=Path, default=Path("build/restarts.json"))
    options = parser.parse_args()
    with ExitStack() as opening:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="restarts-")))
        folder.chmod(0o711)
        server = opening.enter_context(EmbeddedPostgres(folder / "pg", state=folder / "state"))
        (folder / "made").mkdir()
        (folder / "run").mkdir()
        prepared = prepare(folder / "made", server)
        group = opening.enter_context(running(prepared, folder / "run", AS_SHIPPED))
        group.start()
        work = prepare_work(group)
        group.kill(HUB)
        figures = run(group, work, options.minutes, 60.0, say)
    publish(figures, options.json)
    return 0 if is_clean(figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())

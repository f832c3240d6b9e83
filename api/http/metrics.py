"""A node's metrics at /metrics, in the OpenMetrics text format. They hold no secret and no data of batches or people.

Labels have bounded sets of values, which clients cannot extend: ledgers, kinds of alarms, routes, statuses.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.http.background_jobs import BackgroundJobs
from api.http.readiness import STORE, why_unwritable
from api.http.routes import METRICS
from api.node.node import Node
from auth.actors import Role, system_actor
from auth.permissions import Permission
from auth.scope import plants_for
from plants.rules.identification.codes import HUB
from plants.store.materials.plants import known_plants
from plants.store.monitoring.alarms import AlarmKind
from plants.store.monitoring.job_runs import JobRun, job_runs
from plants.store.monitoring.overview import alarms_seen
from plants.store.replication.status import PlantReplication, replication_status

DOORS: Final = frozenset({"auth", "graphql", "graphiql", "healthz", "metrics", "readyz", "sync"})
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ALARMS_COUNTED_MAX: Final = 1_000
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
READER: Final = system_actor("metrics", Role.ADMINISTRATOR)

GAUGES: Final = (
    ("ledger_entries", "Entries of the plant's ledger at this node.", lambda one: one.size),
    ("projected_entries", "Entries of it that are in the tables.", lambda one: one.projected),
    ("acknowledged_entries", "Entries of it that the hub has cosigned.", lambda one: one.acknowledged),
    ("waiting_entries", "Entries of it that the hub has not cosigned yet.", lambda one: one.waiting),
    ("lag_seconds", "Age of its newest signed checkpoint.", lambda one: one.lag_seconds),
    ("parked_entries", "Entries of it that could not be applied, or wait behind one.", lambda one: one.parked),
    ("disputed_entries", "Entries of it that collided in a repair and wait for a person.", lambda one: one.disputed),
    ("directives", "Directives of the hub to the plant.", lambda one: one.directives),
    ("directives_acknowledged", "Directives that the plant has.", lambda one: one.directives_acknowledged),
    ("exchange_failures", "Exchanges that failed since the last that went well.", lambda one: one.attempts),
    ("clock_skew_seconds", "The other side's clock less this one.", lambda one: _seconds(one.skew_ms)),
    ("fenced", "1 while another copy of the plant is the one that counts.", lambda one: int(one.fenced)),
)


class Metrics(Collector):
    """Metrics of one node: counters of its process, and figures read from its store for each scrape."""

    def __init__(
        self, node: Node, jobs: BackgroundJobs | None = None, messages_rejected: Callable[[], int] = lambda: 0
    ) -> None:
        self._node = node
        self._jobs = jobs
        self._messages_rejected = messages_rejected
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "batchloom_requests", "Requests answered.", ("door", "status"), registry=self._registry
        )
        self._commits = Histogram(
            "batchloom_commit_seconds",
            "Seconds that a group of commands took until it was durable.",
            buckets=COMMIT_SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)
        node.writer.timed = self._commits.observe

    def answered(self, path: str, status: int) -> None:
        """Count a request."""
        door = path.strip("/").partition("/")[0]
        self._requests.labels(door if door in DOORS else "other", str(status)).inc()

    def text(self) -> bytes:
        """Return all figures as OpenMetrics text."""
        text: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return text

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registration does not read the store."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the figures in the store, and add those in memory that the store did not take."""
        node, now = self._node, self._node.clock.now()
        with node.store.reading() as reads:
            scope = plants_for(READER, Permission.REPLICATION_READ, {HUB, *known_plants(reads)})
            standing = replication_status(reads, scope, now=now)
            lasting = {(one.kind, one.about) for one in alarms_seen(reads, scope, first=ALARMS_COUNTED_MAX)}
            runs = job_runs(reads)
        lasting |= self._unstored_alarms(runs, now)
        for name, text, read in GAUGES:
            yield _gauge(name, text, standing, read)
        alarms = GaugeMetricFamily("batchloom_alarms", "Alarms that last.", labels=("kind",))
        for kind, count in sorted(Counts(kind for kind, _ in lasting).items()):
            alarms.add_metric((kind,), count)
        yield alarms
        yield from _jobs(runs, {} if self._jobs is None else self._jobs.unstored_failures(), now)
        rejected = CounterMetricFamily("batchloom_messages_rejected", "Messages at the broker that workers rejected.")
        rejected.add_metric((), self._messages_rejected())
        yield rejected

    def _unstored_alarms(self, runs: list[JobRun], now: datetime) -> set[tuple[AlarmKind, str]]:
        """Return kind and subject of the alarms that last now, whether or not the store could take them."""
        found = {(AlarmKind.JOB_OVERDUE, one.name) for one in runs if one.is_overdue(now)}
        for thread in () if self._jobs is None else self._jobs.threads:
            if thread.recent_failure() is not None:
                found.add((AlarmKind.THREAD_ENDED, thread.name))
        if why_unwritable(self._node) is not None:
            found.add((AlarmKind.STORE_UNWRITABLE, STORE))
        return found


def _jobs(runs: list[JobRun], unstored: Mapping[str, int], now: datetime) -> Iterable[Metric]:
    """Return when each job last succeeded, and how often it failed since; an instant in the future is none."""
    succeeded = GaugeMetricFamily(
        "batchloom_job_last_success_timestamp_seconds", "When the job last succeeded.", labels=("job",)
    )
    failures = GaugeMetricFamily("batchloom_job_failures", "Failures since the last success.", labels=("job",))
    for one in runs:
        last = one.last_success(now)
        if last is not None:
            succeeded.add_metric((one.name,), last.timestamp())
        failures.add_metric((one.name,), one.failures + unstored.get(one.name, 0))
    return succeeded, failures


def metrics_route(node: Node, metrics: Metrics) -> Route:
    """Return the route of /metrics. Callers that the setting `metrics` excludes get 404."""

    async def answer(request: Request) -> Response:
        who = node.settings.metrics
        if who == "nobody" or (who == "local" and not is_local(request)):
            return PlainTextResponse("Not Found", 404)
        return Response(await run_in_threadpool(metrics.text), media_type=CONTENT_TYPE_LATEST)

    return METRICS.to(answer)


def is_local(request: Request) -> bool:
    """Return whether a request comes from this machine, without a proxy."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _gauge(name: str, text: str, standing: list[PlantReplication], read: Any) -> Metric:
    family = GaugeMetricFamily(f"batchloom_{name}", text, labels=("ledger",))
    for one in standing:
        value = read(one)
        if value is not None:
            family.add_metric((one.origin,), value)
    return family


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000

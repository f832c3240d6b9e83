"""The monitor of a node's jobs: alarms for jobs, workers and threads that do not run, and for a broker that is away.

It runs in the node's process, apart from worker and beat, so that it notices when these are gone.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from celery import Celery

from infra.clock import Clock
from infra.database import Session, Store
from infra.messages import Notice, message, term
from infra.writer import Writing
from plants.rules.values.instants import readable_instant
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, open_alarms, raise_alarm
from plants.store.monitoring.job_runs import JobRun, job_runs, record_known
from sync_jobs.celery.jobs import Job
from sync_jobs.celery.message_guard import COMMAND
from sync_jobs.celery.nudges import broker_failure
from sync_jobs.celery.supervision import SupervisedThread

LOOK_SECONDS: Final = 15.0
PING_SECONDS: Final = 3.0
COUNT_SECONDS: Final = 1.0
MISSES_MIN: Final = 2  # unanswered pings in a row
STOP_SECONDS_MAX: Final = 10.0
WORKERS: Final = term("about", "workers")
BROKER: Final = term("about", "broker")
BROKER_AWAY: Final = message(
    "BROKER_AWAY",
    "The broker does not answer ({failure}): new work waits for it, and nothing is lost. Start it, or check "
    "broker_url.",
)
NEVER: Final = message("NEVER", "never")
JOB_OVERDUE: Final = message(
    "JOB_OVERDUE",
    "The job {job} runs every {period} s. Its last success: {succeeded}. Its last error: {error}. "
    "Read the log of the node or its workers, and run `batchloom doctor`.",
)
JOB_OVERDUE_AT_BROKER: Final = message(
    "JOB_OVERDUE_AT_BROKER",
    "The job {job} runs every {period} s. Its last success: {succeeded}. Its last error: {error}. "
    "Start `batchloom beat` for this node if it does not run: without it no job is due. Else read the log of its "
    "workers.",
)
WORKERS_MISSING: Final = message(
    "WORKERS_MISSING",
    "broker_url is set and no worker takes jobs. Start `batchloom worker` and `batchloom beat` for this node.",
)
THREAD_ENDED: Final = message(
    "THREAD_ENDED",
    "The thread {thread} of the node ended ({why}) and is started again. Restart the node if this alarm stays.",
)
NO_ERROR: Final = message("NO_ERROR", "none")
LOG = logging.getLogger(__name__)


class JobMonitor:
    """Looks at the jobs of a node every `look_seconds`, from `start` to `stop`.

    `threads` are those of the node's jobs. `app` is the application whose workers must answer; None where jobs run
    inside the node.
    """

    def __init__(
        self,
        store: Store,
        writer: Writing,
        clock: Clock,
        jobs: Mapping[str, Job],
        *,
        threads: Sequence[SupervisedThread],
        app: Celery | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._jobs = jobs
        self._app = app
        self._look_seconds = look_seconds
        self._missed = 0
        self._rejected: dict[str, int] = {}
        self.messages_rejected = 0  # by workers, since the monitor was made
        self.thread = SupervisedThread("job-monitor", self._serve)
        self._threads = (*threads, self.thread)

    def start(self) -> None:
        """Store which jobs the node has, and begin to look."""
        periods = {name: job.period_seconds for name, job in self._jobs.items()}
        self._writer.write(lambda session: record_known(session, periods, self._clock.now()))
        self.thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self.thread.stop(STOP_SECONDS_MAX)

    def _serve(self) -> None:
        while not self.thread.stopping.wait(self._look_seconds):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 -- each driver has its own kinds, and the next look may succeed.
                LOG.warning("the jobs could not be looked at: %s", type(error).__name__)

    def look(self) -> None:
        """Raise and end the alarms of the jobs, as they are now."""
        now = self._clock.now()
        with self._store.reading() as reads:
            runs = [one for one in job_runs(reads) if one.name in self._jobs]
            lasting = {(kind, about) for kind in KINDS for about in open_alarms(reads, kind)}
        at_broker = self._at_broker(lasting=(AlarmKind.WORKERS_MISSING, WORKERS) in lasting)
        wanted = {(one.kind, one.about): one for one in (*self._alarms(runs, now), *at_broker)}
        new = [alarm for key, alarm in wanted.items() if key not in lasting]
        over = lasting - wanted.keys()
        if new or over:
            self._writer.write(lambda session: _store(session, new, over, now))

    def _alarms(self, runs: Iterable[JobRun], now: datetime) -> Iterable[Alarm]:
        for one in runs:
            if one.is_overdue(now):
                yield Alarm(AlarmKind.JOB_OVERDUE, one.name, self._overdue(one, now))
        for thread in self._threads:
            why = thread.recent_failure()
            if why is not None:
                yield Alarm(AlarmKind.THREAD_ENDED, thread.name, THREAD_ENDED(thread=thread.name, why=why))

    def _overdue(self, run: JobRun, now: datetime) -> Notice:
        last = run.last_success(now)
        succeeded = NEVER() if last is None else readable_instant(last)
        overdue = JOB_OVERDUE if self._app is None else JOB_OVERDUE_AT_BROKER
        return overdue(
            job=run.name, period=round(run.period_ms / 1000), succeeded=succeeded, error=run.error or NO_ERROR()
        )

    def _at_broker(self, *, lasting: bool) -> list[Alarm]:
        """Return the alarm for a broker that is away, or for workers that are missing.

        Workers are missing when none answered MISSES_MIN times in a row, or once while the alarm is `lasting`.
        """
        if self._app is None:
            return []
        answered = workers_answer(self._app)
        self._missed = self._missed + 1 if answered is False else 0
        if answered is None:
            failure = broker_failure(self._app.conf.broker_url)
            return [] if failure is None else [broker_away(failure)]
        if answered:
            self._count_rejected(self._app)
        if self._missed < (1 if lasting else MISSES_MIN):
            return []
        return [Alarm(AlarmKind.WORKERS_MISSING, WORKERS, WORKERS_MISSING())]

    def _count_rejected(self, app: Celery) -> None:
        """Add what the workers rejected since they were last asked; a count that began anew has another id."""
        for count_id, count in rejected_counts(app).items():
            self.messages_rejected += max(0, count - self._rejected.get(count_id, 0))
            self._rejected[count_id] = count


KINDS: Final = (
    AlarmKind.BROKER_FAILING,
    AlarmKind.JOB_OVERDUE,
    AlarmKind.THREAD_ENDED,
    AlarmKind.WORKERS_MISSING,
)
"""The kinds that the monitor ends. BROKER_FAILING is also raised by a message that could not be sent."""


def broker_away(failure: str) -> Alarm:
    """Return the alarm that the broker does not answer."""
    return Alarm(AlarmKind.BROKER_FAILING, BROKER, BROKER_AWAY(failure=failure))


def rejected_counts(app: Celery) -> dict[str, int]:
    """Return how many messages each worker process has rejected, by the id of its count."""
    try:
        answers = app.control.broadcast(COMMAND, reply=True, timeout=COUNT_SECONDS)
    except Exception as error:  # noqa: BLE001 -- each transport has its own kinds.
        LOG.warning("no worker can be asked: %s", type(error).__name__)
        return {}
    given = [one for answer in answers or () for one in answer.values()]
    # A worker of an older program answers with an error.
    return {one["id"]: one["count"] for one in given if "count" in one}


def workers_answer(app: Celery) -> bool | None:
    """Tell whether a worker of the application answers within PING_SECONDS; None while the broker is away."""
    try:
        return bool(app.control.ping(timeout=PING_SECONDS, limit=1))
    except Exception as error:  # noqa: BLE001 -- each transport has its own kinds.
        LOG.warning("no worker can be asked: %s", type(error).__name__)
        return None


def _store(
    session: Session,
    new: Iterable[Alarm],
    over: Iterable[tuple[AlarmKind, str]],
    now: datetime,
) -> None:
    for alarm in new:
        raise_alarm(session, alarm, now)
    for kind, about in over:
        end_alarm(session, kind, about, now)

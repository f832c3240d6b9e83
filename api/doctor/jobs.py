"""Checks of a node's jobs: when each last succeeded, and whether a worker takes them from the broker."""

from collections.abc import Iterable
from datetime import datetime
from shlex import quote

from api.doctor.findings import Examination, Finding, Level, fine
from api.language import _
from plants.rules.values.instants import readable_instant
from plants.store.monitoring.job_runs import JobRun, job_runs


def last_successes(node: Examination) -> Iterable[Finding]:
    """Find jobs that have not succeeded for several of their periods."""
    now = node.clock.now()
    with node.store.reading() as reads:
        runs = job_runs(reads)
    yield from (_overdue(node, one, now) for one in runs if one.is_overdue(now))
    if runs and not any(one.is_overdue(now) for one in runs):
        yield fine(_("Every job succeeded in time: {jobs}.", jobs=", ".join(one.name for one in runs)))


def workers(node: Examination) -> Iterable[Finding]:
    """Find that no worker takes jobs from the broker.

    Finds nothing where the broker is down: `replication.broker` reports that.
    """
    settings = node.settings
    if settings.broker_url is None:
        return
    from sync_jobs.celery.app import build_app  # noqa: PLC0415 -- Celery, which no other command needs.
    from sync_jobs.celery.monitor import workers_answer  # noqa: PLC0415 -- the same.

    answer = workers_answer(build_app({}, queue=settings.origin, broker_url=settings.broker_url.get_secret_value()))
    if answer is None:
        return
    if answer:
        yield fine(_("A worker takes jobs from the broker."))
        return
    yield Finding(
        Level.PERSON,
        _("broker_url is set and no worker answers, so jobs do not run."),
        _("Run batchloom worker --home {home} and batchloom beat --home {home}.", home=quote(str(node.home))),
    )


def _overdue(node: Examination, run: JobRun, now: datetime) -> Finding:
    succeeded = run.last_success(now)
    last = _("never") if succeeded is None else readable_instant(succeeded)
    return Finding(
        Level.PERSON,
        _(
            "The job {job} runs every {seconds} s. Its last success: {last}. Its last error: {error}.",
            job=run.name,
            seconds=round(run.period_ms / 1000),
            last=last,
            error=run.error or _("none"),
        ),
        _("Start the node, or its worker and beat. If they run, read their logs.")
        if node.settings.broker_url is None
        else _(
            "Start batchloom beat --home {home} if it does not run: without it no job is due. Else read the log of its "
            "workers.",
            home=node.home,
        ),
    )

"""Checks of a node's jobs: when each last succeeded, and whether anybody takes them from the broker."""

from collections.abc import Iterable

from api.doctor.findings import Finding, Level, Look, fine
from plants.store.monitoring.job_runs import JobRun, job_runs


def last_successes(look: Look) -> Iterable[Finding]:
    """Find jobs that have not succeeded for several of their periods."""
    now = look.clock.now()
    with look.store.reading() as reads:
        runs = job_runs(reads)
    for one in runs:
        yield _overdue(one) if one.is_overdue(now) else _in_time(one)


def workers(look: Look) -> Iterable[Finding]:
    """Find that a broker is set and no worker takes jobs from it."""
    settings = look.settings
    if settings.broker_url is None:
        return
    from sync_jobs.celery.app import build_app  # noqa: PLC0415 -- Celery, which no other command needs.
    from sync_jobs.celery.monitor import workers_answer  # noqa: PLC0415 -- the same.

    app = build_app({}, queue=settings.origin, broker_url=settings.broker_url.get_secret_value())
    if workers_answer(app):
        yield fine("A worker takes jobs from the broker.", "有工作进程在处理消息代理中的作业。")
        return
    yield Finding(
        Level.PERSON,
        "broker_url is set and no worker answers: jobs do not run.",
        "已设置 broker_url，但没有工作进程应答，作业不会运行。",
        f"Run batchloom worker --home {look.home} and batchloom beat --home {look.home}, or unset broker_url.",
        f"请运行 batchloom worker --home {look.home} 和 batchloom beat --home {look.home}，或取消 broker_url。",
    )


def _overdue(run: JobRun) -> Finding:
    seconds = round(run.period_ms / 1000)
    last = "never" if run.succeeded is None else run.succeeded.isoformat(timespec="seconds")
    last_zh = "从未成功" if run.succeeded is None else last
    return Finding(
        Level.PERSON,
        f"The job {run.name} runs every {seconds} s; its last success: {last}; its last error: {run.error or 'none'}.",
        f"作业 {run.name} 每 {seconds} 秒运行一次；上次成功：{last_zh}；上次错误：{run.error or '无'}。",
        "Start the node, or its worker and beat. If they run, read their logs.",
        "请启动节点或其工作进程和调度进程；如已启动，请查看日志。",
    )


def _in_time(run: JobRun) -> Finding:
    last = "" if run.succeeded is None else run.succeeded.isoformat(timespec="seconds")
    if not last:
        return fine(f"The job {run.name} has not run yet.", f"作业 {run.name} 尚未运行。")
    return fine(f"The job {run.name} last succeeded at {last}.", f"作业 {run.name} 上次成功于 {last}。")

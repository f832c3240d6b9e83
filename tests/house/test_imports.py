"""The contracts on who may import whom hold, and would be seen to break."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from infra.catalogue import ROOMS
from tests.house.sources import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# A house of empty rooms in which each contract is broken once.
BROKEN_HOUSE = {
    "infra/clock.py": "import plants.rules",
    "plants/rules/identification/codes.py": "import pydantic",
    "plants/store/inventory/batches.py": "import plants.commands",
    "plants/store/quality/holds.py": "import plants.store.directives.outcomes",
    "plants/store/directives/outcomes.py": "",
    "plants/commands/inventory/receipts.py": "import boto3",
    "auth/scope.py": "import plants.store",
    "migrations/env.py": "import sync_jobs",
    "schema/inventory/batches.py": "import starlette",
    "api/hub.py": "import celery",
    "sync_jobs/hub/intake.py": "import strawberry",
    "sync_jobs/plant/push.py": "import sync_jobs.hub.intake",
    "api/http/graphql.py": "import strawberry",
}


def lint(folder: Path) -> tuple[int, str]:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def test_house_then_every_contract_is_kept() -> None:
    status, said = lint(ROOT)
    assert status == 0, said


def test_contracts_broken_then_each_is_named(tmp_path: Path) -> None:
    for package in (*ROOMS, "plants/rules", "plants/store", "plants/commands"):
        (tmp_path / package).mkdir(exist_ok=True)
        (tmp_path / package / "__init__.py").touch()
    for name, line in BROKEN_HOUSE.items():
        module = tmp_path / name
        module.parent.mkdir(exist_ok=True)
        (module.parent / "__init__.py").touch()
        module.write_text(line and f"{line}\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    status, said = lint(tmp_path)
    assert status == 1, said
    assert set(re.findall(r"^(.*) BROKEN\b", said, re.MULTILINE)) == {one["name"] for one in CONTRACTS}, said
    assert "api.http.graphql -> strawberry" not in said

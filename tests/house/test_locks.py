"""Lock files hold versions and hashes, and nothing of the place where they were made."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.house.sources import ROOT

PYTHON_LOCKS = ("requirements.lock", "run.lock")
PACKAGE_LOCKS = sorted(ROOT.glob("web/*/package-lock.json"))


def pins(lock: str) -> dict[str, str]:
    """Return the exact version of each package, with its condition."""
    found = re.findall(r"^([a-z0-9-]+)(\[[a-z0-9,-]+\])?==(.+?) \\$", (ROOT / lock).read_text(), re.MULTILINE)
    return {name: version for name, _, version in found}


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", one)[0] for one in requirements}


@pytest.mark.parametrize("lock", PYTHON_LOCKS)
def test_python_lock_then_it_holds_only_pins_and_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    allowed = re.compile(r"[a-z0-9-]+==\S+( ; [^/:@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not allowed.fullmatch(line)] == []


def test_project_dependencies_then_each_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    runs = wanted(project["project"]["dependencies"] + extras)
    assert runs - pins("run.lock").keys() == set()
    assert wanted(project["dependency-groups"]["dev"]) - pins("requirements.lock").keys() == set()


def test_what_runs_then_it_is_tested_in_the_same_versions() -> None:
    tested = pins("requirements.lock")
    assert {name: version for name, version in pins("run.lock").items() if tested.get(name) != version} == {}


@pytest.mark.parametrize("lock", PACKAGE_LOCKS, ids=lambda lock: lock.parent.name)
def test_package_lock_then_it_names_no_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    others = {name: package for name, package in packages.items() if name}
    assert others
    assert [name for name, package in others.items() if "resolved" in package] == []
    assert [name for name, package in others.items() if "integrity" not in package] == []
    assert "omit-lockfile-registry-resolved=true" in (lock.parent / ".npmrc").read_text()


@pytest.mark.parametrize("lock", PACKAGE_LOCKS, ids=lambda lock: lock.parent.name)
def test_package_lock_then_what_is_wanted_is_pinned_exactly(lock: Path) -> None:
    package = json.loads((lock.parent / "package.json").read_text())
    locked = json.loads(lock.read_text())["packages"]
    asked = package.get("dependencies", {}) | package.get("devDependencies", {})
    assert {name: locked[f"node_modules/{name}"]["version"] for name in asked} == asked

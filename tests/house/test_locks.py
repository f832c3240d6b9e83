"""Every third-party import is declared and locked; lock files hold versions and hashes, and no registry."""

import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from infra.catalogue import ROOMS
from tests.house.sources import ROOT, Source, read, sources

PYTHON_LOCKS = ("requirements.lock", "run.lock", "web/clients/requirements.lock")
OURS = {*ROOMS, "tests", "benchmarks"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DISTRIBUTIONS = packages_distributions()
PACKAGE_LOCKS = sorted(ROOT.glob("web/*/package-lock.json"))


def pins(lock: str) -> dict[str, str]:
    """Return the exact version of each package, with its condition."""
    found = re.findall(r"^([a-z0-9-]+)(\[[a-z0-9,-]+\])?==(.+?) \\$", (ROOT / lock).read_text(), re.MULTILINE)
    return {name: version for name, _, version in found}


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", one)[0] for one in requirements}


def declared_to_run() -> set[str]:
    extras = [one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra]
    return wanted(PROJECT["project"]["dependencies"] + extras)


def declared_to_test() -> set[str]:
    return declared_to_run() | wanted(PROJECT["dependency-groups"]["dev"])


def undeclared(source: Source, allowed: set[str]) -> list[str]:
    """Return each third-party import, at the top or in a function, whose distribution is not allowed."""
    found = []
    for line, name in source.imports():
        top = name.split(".")[0]
        providers = {re.sub(r"[-_.]+", "-", one).lower() for one in DISTRIBUTIONS.get(top, ())}
        if top not in sys.stdlib_module_names and top not in OURS and not providers & allowed:
            found.append(f"{source.name}:{line}: {name} is provided by {sorted(providers) or 'no installed package'}")
    return found


@pytest.mark.parametrize("lock", PYTHON_LOCKS)
def test_python_lock_then_it_holds_only_pins_and_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    allowed = re.compile(r"[a-z0-9-]+==\S+( ; [^/:@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not allowed.fullmatch(line)] == []


def test_project_dependencies_then_each_is_locked() -> None:
    assert declared_to_run() - pins("run.lock").keys() == set()
    assert declared_to_test() - pins("requirements.lock").keys() == set()


def test_imports_of_the_rooms_then_each_is_declared_and_locked_to_run() -> None:
    allowed = declared_to_run() & pins("run.lock").keys()
    assert [one for source in sources(*ROOMS) for one in undeclared(source, allowed)] == []


def test_imports_of_tests_and_benchmarks_then_each_is_declared_and_locked() -> None:
    allowed = declared_to_test() & pins("requirements.lock").keys()
    assert [one for source in sources("tests", "benchmarks") for one in undeclared(source, allowed)] == []


def test_undeclared_imports_planted_then_each_is_found() -> None:
    allowed = declared_to_run() & pins("run.lock").keys()
    planted = "import moto\nimport jmespath.parser\ndef lazy():\n    from nowhere.at_all import one\n"
    fine = "import json\nimport boto3, jwt\nfrom plants import rules\ndef lazy():\n    from graphql import parse\n"

    assert undeclared(read("infra/x.py", planted), allowed) == [
        "infra/x.py:1: moto is provided by ['moto']",
        "infra/x.py:2: jmespath.parser is provided by ['jmespath']",
        "infra/x.py:4: nowhere.at_all.one is provided by no installed package",
    ]
    assert undeclared(read("infra/x.py", fine), allowed) == []
    assert len(undeclared(read("infra/x.py", "import boto3\nimport botocore"), allowed - {"boto3"})) == 1


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

"""The page of faults names every fault, and only tests that there are."""

import ast
import re
from functools import cache
from typing import Final

import pytest

from tests.house.sources import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "faults.md"
FAULTS: Final = [f"F{number}" for number in range(1, 56)]
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ROWS: Final = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| F\d", line)
]


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file; raises FileNotFoundError when there is none."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def struck_by_the_simulator() -> frozenset[str]:
    """Return the numbers of the faults that the simulator strikes with and counts."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "simulation").rglob("*.py"))
    return frozenset(found for text in texts for found in re.findall(r'"(F\d+)"', text))


def test_page_then_every_fault_has_one_row_in_order() -> None:
    assert [row[0] for row in ROWS] == FAULTS
    assert {len(row) for row in ROWS} == {6}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_fault_then_its_tests_exist_or_it_says_why_there_is_none(row: list[str]) -> None:
    named = NAMED.findall(row[5])
    for path, name in named:
        assert (ROOT / path).exists(), path
        assert not name or name in names_in(path), f"{path} has no {name}"
    assert named or row[2].startswith("No test"), "neither a test nor a reason"


def test_faults_of_the_simulator_then_those_that_the_page_gives_it() -> None:
    assert struck_by_the_simulator() == {row[0] for row in ROWS if "T1" in row[3].split()}

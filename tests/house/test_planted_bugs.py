"""The page of planted bugs has one row for each bug of the simulation, and its totals are those of its rows."""

import re
from typing import Final

from simulation.mutants import BUGS
from tests.house.sources import ROOT

TEXT: Final = (ROOT / "docs" / "reference" / "planted-bugs.md").read_text(encoding="utf-8")
ROWS: Final = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in TEXT.splitlines()
    if re.match(r"\| `[\w-]+` \|", line)
]


def test_page_then_every_planted_bug_has_one_row() -> None:
    assert sorted(row[0].strip("`") for row in ROWS) == sorted(BUGS)


def test_page_then_its_totals_are_those_of_its_rows() -> None:
    found = [row for row in ROWS if re.fullmatch(r"\d+(, \d+){4}", row[-1])]
    assert f"{len(found)} of {len(BUGS)} are found from every start" in TEXT

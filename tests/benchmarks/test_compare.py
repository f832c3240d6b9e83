"""The comparison of two checkouts."""

import json
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.__main__ import main
from benchmarks.compare import Change, NoEnvironment, alternate, changes_of, quartiles, reached_round, started, write
from benchmarks.measurements import ROOT
from benchmarks.processor_time import family
from benchmarks.programs import ProgramEnded

ROUNDS = 2


@pytest.mark.timeout(600)  # Two programs start from nothing, on whatever machine this is.
def test_same_checkout_twice_then_each_claim_has_all_rounds_of_each_side(tmp_path: Path) -> None:
    changes = alternate(ROOT, ROOT, ROUNDS, ["plant_write", "--feeds=5"])
    assert len(changes) == 4
    assert all(len(change.before) == len(change.after) == ROUNDS for change in changes)
    write(tmp_path, "plant_write", ROOT, ROOT, changes)
    content = json.loads((tmp_path / "compare_plant_write.json").read_text())
    assert content["before"] == content["after"]
    assert [each["claim"] for each in content["changes"]] == [change.claim for change in changes]
    assert str(ROOT) not in json.dumps(content)


def test_benchmark_fails_in_a_checkout_then_error_with_its_last_lines() -> None:
    with pytest.raises(ProgramEnded, match=r"(?s)plant_write in .* ended with status 2.*--feeds: invalid count value"):
        alternate(ROOT, ROOT, ROUNDS, ["plant_write", "--feeds=some"])


@pytest.mark.timeout(600)  # As above.
def test_benchmark_is_stopped_before_its_round_then_its_server_ends_with_it(tmp_path: Path) -> None:
    before = set(family())
    with started(ROOT, ["hub_ingest", "--ledger-edges=500"], ROUNDS, tmp_path) as program:
        assert reached_round(program)
        during = set(family()) - before
        assert any("postgres" in Path(f"/proc/{each}/comm").read_text() for each in during)
    assert not [each for each in during if Path(f"/proc/{each}").exists()]
    assert not (tmp_path / "hub_ingest.json").exists()


def test_checkout_without_its_environment_then_error_and_no_results(tmp_path: Path) -> None:
    with pytest.raises(NoEnvironment, match=r"has no \.venv"):
        main(["compare", "--before", str(tmp_path), "--after", str(ROOT), "--results", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_benchmark_that_is_not_compared_then_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        compare.main(["catch_up", "--before", ".", "--after", "."])
    assert f"catch_up is none of {', '.join(compare.SIZES)}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "after, within, lost",
    [
        ([1.0, 1.1, 1.2, 1.3, 1.4], True, False),
        ([1.2, 1.3, 1.4, 1.5, 1.6], False, False),
        ([0.7, 0.8, 0.9, 1.0, 1.1], False, True),
    ],
)
def test_ratios_of_both_sides_then_the_verdict(after: list[float], *, within: bool, lost: bool) -> None:
    change = Change("trace", "claim", "rival", [1.0, 1.1, 1.2, 1.3, 1.4], after)
    assert (change.within_spread, change.lost) == (within, lost)


def test_more_processor_time_then_it_is_a_loss() -> None:
    assert Change("trace", "claim", "processor", [100.0], [111.0], -1).lost
    assert not Change("trace", "claim", "processor", [100.0], [50.0], -1).lost


def test_claims_that_differ_then_error() -> None:
    old = {"name": "a", "rival": "b", "rounds": []}
    with pytest.raises(LookupError, match="measures a before, and c after"):
        list(changes_of("trace", old, {**old, "name": "c"}))


def test_loss_of_a_tenth_then_it_is_still_allowed() -> None:
    assert not Change("trace", "claim", "rival", [2.0], [1.81]).lost
    assert Change("trace", "claim", "rival", [2.0], [1.79]).lost


def test_quartiles_of_a_sequence_then_those_of_its_inner_half() -> None:
    assert quartiles([5.0, 1.0, 4.0, 2.0, 3.0]) == (2.0, 4.0)
    assert quartiles([1.5]) == (1.5, 1.5)

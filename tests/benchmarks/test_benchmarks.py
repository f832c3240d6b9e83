"""Each benchmark at its smallest size: it runs to its end, and its file of results says what it must."""

import json
from pathlib import Path

import pytest

from benchmarks import measurements
from benchmarks.__main__ import main, parse
from benchmarks.measurements import BENCHMARKS

SMALL = {
    "plant_write": ["--rounds=2", "--feeds=40"],
    "hub_ingest": ["--rounds=1", "--ledger-edges=500"],
    "catch_up": ["--entries=500"],
    "trace": ["--rounds=1", "--edges=8000", "--traces=2"],
}
MACHINE = {"system", "processor", "cores", "memory_gib", "python", "sqlite", "postgresql", "load_before"}


@pytest.mark.timeout(600)  # Each takes some ten seconds on a quiet machine.
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_at_a_small_size_then_its_results_are_in_a_file(name: str, tmp_path: Path) -> None:
    assert main([name, *SMALL[name], "--results", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]
    result = measurements.read(tmp_path, name)
    assert result["benchmark"] == name
    assert set(result["machine"]) == MACHINE
    assert result["sizes"]
    assert len(result["claims"]) >= 2
    for claim in result["claims"]:
        ratios = [each["ratio"] for each in claim["rounds"]]
        assert len(ratios) == result["sizes"].get("rounds", 1)
        assert claim["ratio"]["least"] == min(ratios) > 0
        assert claim["ratio"]["most"] == max(ratios)
        if name != "catch_up":  # Its two sides are the same processes, at work together.
            assert all(each["ours_processor_us"] > 0 for each in claim["rounds"])
    assert all(value > 0 for figure in result["figures"] for value in figure["values"])
    assert str(Path.home()) not in json.dumps(result)


def test_no_names_then_all_benchmarks_and_another_name_then_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([]).names == []
    assert parse(["trace", "catch_up"]).names == ["trace", "catch_up"]
    with pytest.raises(SystemExit, match="2"):
        parse(["traces"])
    assert f"traces is none of {', '.join(BENCHMARKS)}" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["0", "-1", "few"])
def test_size_that_is_no_count_then_usage_and_no_results(
    size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["plant_write", "--feeds", size, "--results", str(tmp_path)])
    assert "argument --feeds" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_page_about_performance_then_it_shows_the_committed_results() -> None:
    shown = measurements.PAGE.read_text().partition(measurements.BEGIN)[2].partition(measurements.END)[0]
    assert shown == measurements.published()
    files = {path.stem.removeprefix("compare_") for path in measurements.RESULTS.glob("*.json")}
    assert files <= set(BENCHMARKS)

"""Run benchmarks and write their results: `python -m benchmarks [plant_write] [hub_ingest] [catch_up] [trace]`.

`python -m benchmarks compare --before DIR --after DIR` compares two checkouts instead.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import NoReturn

from benchmarks import compare, measurements
from benchmarks.measurements import BENCHMARKS
from benchmarks.options import count, one_of
from benchmarks.rounds import ROUNDS, Measurement, Rounds, immediately


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per measurement as it is made, and write a file of results per benchmark."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["compare"]:
        return compare.main(arguments[1:])
    options = parse(arguments)
    for name in options.names or BENCHMARKS:
        # Only this one: each of them imports other parts of the product, and a run starts sooner without them.
        run: Callable[..., Iterator[Measurement]] = import_module(f"benchmarks.{name}").run
        sizes = {size: getattr(options, size) or usual.default for size, usual in signature(run).parameters.items()}
        shown = {size: value.count if isinstance(value, Rounds) else value for size, value in sizes.items()}
        print(f"{name}: " + ", ".join(f"{size} {value:,}" for size, value in shown.items()), flush=True)
        load_before, measured = os.getloadavg()[0], []
        for one in run(**sizes):
            print(f"  {one.line()}", flush=True)
            measured.append(one)
        measurements.write(options.results, name, shown, measured, load_before)
    if options.results == measurements.RESULTS:
        measurements.refresh_page()
    if options.paced:
        print(compare.FINISHED, flush=True)
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; without names, all benchmarks are meant."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure each claim against its rival. Without an option, a size is the published one.",
    )
    parser.add_argument("names", nargs="*", type=one_of(BENCHMARKS), metavar="benchmark", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=count, help="rounds of each claim; ours and the rival alternate")
    parser.add_argument("--feeds", type=count, help="plant_write: feeds per round")
    parser.add_argument("--ledger-edges", type=count, help="hub_ingest: genealogy edges of the group")
    parser.add_argument("--entries", type=count, help="catch_up: entries of the offline plant")
    parser.add_argument("--edges", type=count, help="trace: genealogy edges of the group")
    parser.add_argument("--traces", type=count, help="trace: different traces per round")
    parser.add_argument("--seed", type=count, help="of the synthetic group")
    where = "folder of the JSON files; the default also refreshes docs/explanation/performance.md"
    parser.add_argument("--results", type=Path, default=measurements.RESULTS, help=where)
    parser.add_argument("--paced", action="store_true", help=argparse.SUPPRESS)  # For `compare`, over pipes.
    options = parser.parse_args(arguments)
    if options.paced or options.rounds:
        options.rounds = Rounds(options.rounds or ROUNDS.count, compare.wait_for_turn if options.paced else immediately)
    return options


def end(number: int, _frame: object) -> NoReturn:
    """Leave every block on a signal, so that no server outlives its benchmark."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    sys.exit(main())

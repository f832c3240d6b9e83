"""Run benchmarks and write their results: `python -m benchmarks [plant_write] [hub_ingest] [catch_up] [trace]`.

`python -m benchmarks compare --before DIR --after DIR` compares two checkouts instead.
"""

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import catch_up, compare, hub_ingest, measurements, plant_write, trace
from benchmarks.rounds import Measurement

BENCHMARKS: dict[str, Callable[..., Iterator[Measurement]]] = {
    "plant_write": plant_write.run,
    "hub_ingest": hub_ingest.run,
    "catch_up": catch_up.run,
    "trace": trace.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per measurement as it is made, and write a file of results per benchmark."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["compare"]:
        return compare.main(arguments[1:])
    options = _options(arguments)
    for name in options.names or BENCHMARKS:
        run = BENCHMARKS[name]
        sizes = {size: getattr(options, size) for size in inspect.signature(run).parameters}
        print(f"{name}: " + ", ".join(f"{size} {value:,}" for size, value in sizes.items()), flush=True)
        load_before, measured = os.getloadavg()[0], []
        for one in run(**sizes):
            print(f"  {one.line()}", flush=True)
            measured.append(one)
        measurements.write(options.results, name, sizes, measured, load_before)
    if options.results == measurements.RESULTS:
        measurements.refresh_page(BENCHMARKS)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure each claim against its rival.")
    parser.add_argument("names", nargs="*", choices=BENCHMARKS, metavar="benchmark", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each claim; ours and the rival alternate")
    parser.add_argument("--feeds", type=int, default=plant_write.FEEDS, help="plant_write: feeds per round")
    parser.add_argument("--ledger-edges", type=int, default=100_000, help="hub_ingest: genealogy edges of the group")
    parser.add_argument("--entries", type=int, default=500_000, help="catch_up: entries of the offline plant")
    parser.add_argument("--edges", type=int, default=1_000_000, help="trace: genealogy edges of the group")
    parser.add_argument("--traces", type=int, default=trace.TRACES, help="trace: different traces per round")
    parser.add_argument("--seed", type=int, default=20260314, help="of the synthetic group")
    where = "folder of the JSON files; the default also refreshes docs/explanation/performance.md"
    parser.add_argument("--results", type=Path, default=measurements.RESULTS, help=where)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

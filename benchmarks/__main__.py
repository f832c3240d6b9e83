"""Run the benchmarks and print their table: `python -m benchmarks [plant_write] [hub_ingest] [catch_up] [trace]`."""

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pysqlite3.dbapi2 as sqlite

from benchmarks import catch_up, graphql, hub_ingest, plant_write, trace
from benchmarks.rounds import Claim

Told = Iterator[Claim] | Iterator[catch_up.Told]


def chosen(options: argparse.Namespace) -> dict[str, Callable[[], Told]]:
    """Return the benchmarks by name, with the options that they take."""
    everything: dict[str, Callable[[], Told]] = {
        "plant_write": partial(plant_write.run, options.rounds),
        "hub_ingest": partial(hub_ingest.run, options.rounds, options.edges // 10, options.seed),
        "catch_up": partial(catch_up.run, options.entries),
        "trace": partial(
            trace.run, options.rounds, options.edges, options.seed, {"GraphQL over HTTP": graphql.over_http}
        ),
    }
    return {name: run for name, run in everything.items() if not options.names or name in options.names}


def main() -> int:
    """Print one line for each claim as it is measured, under a line that says what it was measured with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=20260314)
    options = parser.parse_args()
    print(
        f"Python {platform.python_version()}, SQLite {sqlite.sqlite_version}, seed {options.seed},"
        f" {options.edges:,} edges, {options.rounds} rounds; ratios of rates, median [least-most]",
    )
    for run in chosen(options).values():
        for claim in run():
            print(claim.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

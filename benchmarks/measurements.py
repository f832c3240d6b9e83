"""Files of results: one JSON file per benchmark, with the machine, the commit, the sizes and every round."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pysqlite3.dbapi2 as sqlite

from benchmarks.rounds import Claim, Measurement, significant
from benchmarks.servers import newest_postgresql
from infra.clock import SystemClock

BENCHMARKS: Final = ("plant_write", "hub_ingest", "catch_up", "trace")
"""The modules of the benchmarks, in the order in which they run and are published."""
ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- measured: made by make bench -->\n", "<!-- measured: end -->\n"
OWN_OUTPUT: Final = (":!benchmarks/results", ":!docs/explanation/performance.md")
GIB: Final = 2**30


def write(
    folder: Path,
    name: str,
    sizes: Mapping[str, int],
    measured: Iterable[Measurement],
    load_before: float,
) -> None:
    """Write the results of one benchmark to `<folder>/<name>.json`, in place of earlier ones."""
    measured = list(measured)
    claims = [one.as_json() for one in measured if isinstance(one, Claim)]
    figures = [one.as_json() for one in measured if not isinstance(one, Claim)]
    content = {
        "benchmark": name,
        **commit(ROOT),
        "date": SystemClock().now().date().isoformat(),
        "machine": machine() | {"load_before": significant(load_before)},
        "sizes": dict(sizes),
        "claims": claims,
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return the results of one benchmark."""
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return content


def machine() -> dict[str, Any]:
    """Return the machine facts that a ratio depends on, without names or paths."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / GIB),
        "python": platform.python_version(),
        "sqlite": sqlite.sqlite_version,
        "postgresql": newest_postgresql(),
    }


def commit(root: Path) -> dict[str, Any]:
    """Return the commit of a checkout and whether its files differ from it; None outside a Git checkout."""
    git = shutil.which("git")
    if git is None:
        return {"commit": None, "changed": None}
    asked = subprocess.run([git, "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    if asked.returncode:
        return {"commit": None, "changed": None}
    status = [git, "status", "--porcelain", "--", ".", *OWN_OUTPUT]
    changes = subprocess.run(status, cwd=root, capture_output=True, text=True, check=True)
    return {"commit": asked.stdout.strip(), "changed": bool(changes.stdout.strip())}


def table(results: Iterable[Mapping[str, Any]]) -> str:
    """Return the Markdown tables of the published claims and figures."""
    results = list(results)
    lines = ["| benchmark | claim | rival | ratio | aim |", "| --- | --- | --- | --- | --- |"]
    for result in results:
        for claim in result["claims"]:
            aim, notes = claim["aim"], f", {claim['notes']}" if claim["notes"] else ""
            met = "" if aim is None else f"{aim:g}" if claim["ratio"]["median"] >= aim else f"{aim:g}, **not met**"
            name = f"{claim['name']}{notes}"
            lines.append(f"| `{result['benchmark']}` | {name} | {claim['rival']} | {_range(claim['ratio'])} | {met} |")
    lines += ["", "| benchmark | figure | value | unit |", "| --- | --- | --- | --- |"]
    for result in results:
        for figure in result["figures"]:
            lines.append(
                f"| `{result['benchmark']}` | {figure['name']} | {_range(figure['value'])} | {figure['unit']} |"
            )
    return "\n".join(lines) + "\n"


def conditions(results: Iterable[Mapping[str, Any]]) -> str:
    """Return a Markdown table of when, where and at which sizes each file was measured."""
    lines = ["| benchmark | commit | date | sizes | machine |", "| --- | --- | --- | --- | --- |"]
    for result in results:
        sizes = ", ".join(f"{name} {value:,}" for name, value in result["sizes"].items())
        of = result["machine"]
        facts = (
            f"{of['cores']} cores, {of['memory_gib']} GiB, load {of['load_before']:g} before;"
            f" Python {of['python']}, SQLite {of['sqlite']}, PostgreSQL {of['postgresql']}"
        )
        commit_shown = str(result["commit"])[:10] + (" with changes" if result["changed"] else "")
        lines.append(f"| `{result['benchmark']}` | {commit_shown} | {result['date']} | {sizes} | {facts} |")
    return "\n".join(lines) + "\n"


def published() -> str:
    """Return the measured part of the page about performance, made from the committed files."""
    results = [read(RESULTS, name) for name in BENCHMARKS if (RESULTS / f"{name}.json").exists()]
    if not results:
        return "\nNothing is published yet.\n\n"
    return f"\n{table(results)}\n{conditions(results)}\n"


def refresh_page() -> None:
    """Replace the measured part of the page about performance."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{published()}{END}{after}")


def _range(spread: Mapping[str, float]) -> str:
    if spread["least"] == spread["most"]:
        return _short(spread["median"])
    return f"{_short(spread['median'])} [{_short(spread['least'])}-{_short(spread['most'])}]"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"

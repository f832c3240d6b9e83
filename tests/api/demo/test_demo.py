"""The whole demonstration: its output, and that it leaves nothing running, however it ends."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest

from tests.patience import patient, wait_until

pytestmark = pytest.mark.timeout(300)

SECONDS_MAX: Final = 150
PLANTS: Final = ("QD1", "WH1", "SH1")


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the database's user can enter too."""
    with tempfile.TemporaryDirectory(prefix="batchloom-demo-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder / "demo"


def demo(home: Path, *words: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLOOM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "api", "demo", "--home", str(home), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**kept, "LC_ALL": "C.UTF-8", "COLUMNS": "120"},
    )


def left_running(home: Path) -> list[str]:
    """Return the commands of the processes that have to do with this home, as the kernel lists them."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(home) in command:
                found.append(command)
    return found


def test_once_then_a_year_is_played_traced_and_nothing_runs_on(home: Path) -> None:
    with demo(home, "--once") as running:
        said, _ = running.communicate(timeout=patient(SECONDS_MAX))
    assert running.returncode == 0, said
    assert left_running(home) == []
    sizes = re.findall(r"(QD1|WH1|SH1) +(\d+) +(\d+) +[0-9a-f]{16}… ✓", said)
    assert [(code, here == there) for code, here, there in sizes] == [(code, True) for code in PLANTS]
    backward, forward = said.split("Where it came from")[1].split("Where it went")
    for words in (
        "production packing at SH1",
        "moved WH1 → SH1",
        "moved QD1 → WH1",
        "production roasting at QD1",
        "Peanuts",
    ):
        assert words in backward, words
    for words in ("production roasting at QD1", "production baking at WH1", "shipped to METRO", "on hand"):
        assert words in forward, words
    assert said.count("✓ Complete: no gap is known.") == 2
    assert re.search(r"and Chen Jing\b.* approved it at the hub", " ".join(said.split()))


def test_running_then_a_program_signs_in_as_everybody_by_what_demo_json_says(home: Path) -> None:
    place = home / "demo.json"
    with demo(home, "--speed", "1") as running:
        wait_until(place.exists, "the file is written", SECONDS_MAX)
        wait_until(lambda: place.read_text().endswith("}\n"), "the file is whole")
        nodes = json.loads(place.read_text())["nodes"]
        mode = stat.S_IMODE(place.stat().st_mode)
        answers = [
            httpx2.post(f"{node['url']}/auth/token", json={"person": one["person"], "password": one["password"]},
                        trust_env=False, timeout=patient(30)).status_code
            for node in nodes for one in node["people"]
        ]  # fmt: skip
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=patient(60))
    assert mode == 0o600
    assert [(node["code"], node["role"]) for node in nodes] == [("", "hub"), *((code, "plant") for code in PLANTS)]
    assert [one["role"] for one in nodes[0]["people"]] == ["headquarters", "auditor"]
    assert [one["role"] for one in nodes[3]["people"]] == ["operator", "quality", "manager"]
    assert answers == [200] * 11
    assert left_running(home) == []


def test_interrupted_then_every_process_ends(home: Path) -> None:
    with demo(home, "--speed", "1") as running:
        wait_until(lambda: len(left_running(home)) >= 5, "five processes run", SECONDS_MAX)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=patient(60))
    assert running.returncode != 0
    assert left_running(home) == []


def test_killed_outright_then_its_nodes_end_by_themselves(home: Path) -> None:
    with demo(home, "--speed", "1") as running:
        wait_until(lambda: len(left_running(home)) >= 6, "six processes run", SECONDS_MAX)
        running.kill()
        running.communicate(timeout=patient(60))
    wait_until(lambda: left_running(home) == [], "nothing runs on", 60)


def test_directory_of_somebody_else_then_it_is_left_alone(home: Path) -> None:
    home.mkdir()
    (home / "thesis.txt").write_text("ten years of work")
    with demo(home, "--once") as running:
        said, _ = running.communicate(timeout=patient(SECONDS_MAX))
    assert running.returncode == 1
    assert "holds files that the demonstration did not make" in said
    assert (home / "thesis.txt").read_text() == "ten years of work"

"""Commands as processes of their own, forked from one that has imported the rooms below the command line.

A new interpreter imports for a second before it does anything. A forked child imports the command line only, in the
language of its environment. It has its own environment, standard streams and exit status.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.house.sources import ROOT
from tests.patience import patient

SECONDS_MAX: Final = 120
STREAMS: Final = ("in", "out", "err")
FORKING: Final = """
import json, os, sys
import api.node.node, httpx2, plants.commands.epcis.imports, sync_jobs.plant.exchange, typer.rich_utils
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        for number, path in enumerate(order["streams"]):
            os.dup2(os.open(path, os.O_WRONLY if number else os.O_RDONLY), number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv[:] = ["batchloom", *order["words"]]
        from api.__main__ import main
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Said:
    """The output and the exit status of a command."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


class Commands:
    """Runs commands one after the other until the block ends, which kills a command that still runs."""

    def __enter__(self) -> Self:
        command = (sys.executable, "-c", FORKING)
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._parent.pid, signal.SIGKILL)
        self._parent.communicate()

    def run(self, words: Sequence[str], environment: Mapping[str, str], given: str) -> Said:
        """Run a command to its end in an environment, with an input."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            streams = [Path(name) / stream for stream in STREAMS]
            for stream in streams:
                stream.write_text("")
            streams[0].write_text(given)
            order = {"words": words, "environment": dict(environment), "streams": [*map(str, streams)]}
            self._parent.stdin.write(json.dumps(order) + "\n")
            self._parent.stdin.flush()
            ended, _, _ = select.select([self._parent.stdout], [], [], patient(SECONDS_MAX))
            out, err = (stream.read_text() for stream in streams[1:])
            assert ended, f"{words} does not end:\n{out}\n{err}"
            return Said(int(self._parent.stdout.readline()), out, err)


RUNNING: Final[list[Commands]] = []
"""The process that forks the commands of a module's tests: the fixture `commands` starts and ends it."""


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without settings of other nodes, in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATCHLOOM_")}
    return {**kept, "LC_ALL": "C.UTF-8", "COLUMNS": "120", **more}


def batchloom(*words: str | Path, given: str = "", **environ: str) -> Said:
    """Run the command line, in English unless `environ` sets another language."""
    (commands,) = RUNNING
    said = commands.run([*map(str, words)], environment(**environ), given)
    assert "Traceback" not in said.err, said.err
    return said


def make_plant(home: Path, code: str, number: int, *more: str | Path) -> None:
    said = batchloom(
        "plant", "init", "--home", home, "--code", code, "--number", str(number), "--name", f"Plant {code}", *more
    )
    assert said.status == 0, said.err

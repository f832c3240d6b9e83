"""Child processes of a benchmark. One that ends too early is an error at once, with its last log lines."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

LOG_LINES_SHOWN = 30
POLL_SECONDS = 0.01
LINE_SECONDS_MAX = 120
FINISH_SECONDS_MAX = 60
STOP_SECONDS_MAX = 150  # A benchmark stops a PostgreSQL server of its own first.
END_SECONDS_MAX = 0.5
"""How long a process may take to end after it closed a connection or its output."""


class ProgramEnded(Exception):
    """A child process ended before its work was done; the message has its status and its last log lines."""


class ProgramStuck(Exception):
    """A child process runs, but made no progress in its time; the message has its last log lines."""


class Program:
    """A child process whose standard error, and output unless `piped`, goes to a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        piped: bool = False,
    ) -> None:
        self.name = name
        self._log = log
        pipe = subprocess.PIPE if piped else None
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or file,
                stderr=file,
                env=environment,
                cwd=folder,
                text=True,
            )
        self._lines: SimpleQueue[str] = SimpleQueue()
        if piped:
            threading.Thread(target=self._read, daemon=True).start()

    def check(self) -> None:
        """Raise ProgramEnded when the process has ended, with whatever status."""
        if (status := self._process.poll()) is not None:
            raise ProgramEnded(f"{self.name} ended with status {status}.{last_lines(self._log)}")

    def succeeded(self) -> bool:
        """Tell whether the process has ended without a failure. Raises ProgramEnded when it failed."""
        status = self._process.poll()
        if status:
            self.check()
        return status == 0

    def wait_until(
        self, condition: Callable[[], bool], what: str, seconds_max: float, poll_seconds: float = POLL_SECONDS
    ) -> None:
        """Return once the condition holds. Raises ProgramEnded, or ProgramStuck after `seconds_max`."""
        deadline = time.monotonic() + seconds_max
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise self.stuck(f"{what} did not come within {seconds_max:.0f} s")
            time.sleep(poll_seconds)

    def write_line(self, line: str) -> None:
        """Write a line to the standard input of a piped program."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.raise_if_ending()
            raise

    def read_line(self, seconds_max: float = LINE_SECONDS_MAX) -> str:
        """Return the next line of standard output. Raises ProgramEnded or ProgramStuck when there is none."""
        try:
            line = self._lines.get(timeout=seconds_max)
        except Empty:
            raise self.stuck(f"its answer did not come within {seconds_max:.0f} s") from None
        if line:
            return line.strip()
        self.raise_if_ending()
        raise self.stuck("it closed its output")

    def finish(self) -> str:
        """Close standard input and return the last output line of a piped program that ends well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        line = self.read_line()
        try:
            self._process.wait(FINISH_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise self.stuck(f"it did not end within {FINISH_SECONDS_MAX} s") from None
        if not self.succeeded():
            self.check()
        return line

    def stop(self) -> None:
        """End the process, by force when it does not obey."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _read(self) -> None:
        """Queue the output lines, and an empty one at their end."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line)
        self._lines.put("")

    def stuck(self, why: str) -> ProgramStuck:
        """Return the error of a program that makes no progress."""
        return ProgramStuck(f"{self.name}: {why}.{last_lines(self._log)}")

    def raise_if_ending(self) -> None:
        """Raise ProgramEnded when the process has ended, or ends within moments."""
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return
        self.check()


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """Stop the program afterwards. An error that its early end caused becomes ProgramEnded."""
    try:
        yield program
    except (ProgramEnded, ProgramStuck):
        raise
    except Exception as error:
        try:
            program.raise_if_ending()
        except ProgramEnded as ended:
            raise ended from error
        raise
    finally:
        program.stop()


def last_lines(log: Path) -> str:
    """Return the last lines of a log file, as the tail of an error message."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n".join([" Its last log lines:", *lines]) if lines else " It logged nothing."

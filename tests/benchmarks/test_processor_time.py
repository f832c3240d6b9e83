"""Processor time of this process and its descendants."""

import subprocess
import sys
import time

from benchmarks.processor_time import processor_seconds

WORKS = "import time, sys\nwhile time.process_time() < 0.4: pass\nprint('done', flush=True)\nsys.stdin.read()"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {WORKS!r}])"


def test_grandchild_works_then_its_time_counts_while_it_lives_and_after() -> None:
    before = processor_seconds()
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        assert processor_seconds() - before >= 0.3
    assert processor_seconds() - before >= 0.3


def test_less_work_than_a_tick_of_the_kernel_then_it_counts() -> None:
    before = processor_seconds()
    began = time.process_time()
    while time.process_time() - began < 0.002:
        pass
    assert processor_seconds() - before >= 0.002


def test_waiting_then_hardly_any_time() -> None:
    before = processor_seconds()
    time.sleep(0.5)
    assert processor_seconds() - before < 0.25

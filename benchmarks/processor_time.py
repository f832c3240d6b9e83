"""Processor time of this process and its descendants, from Linux's /proc.

Wall-clock time grows with other work on the machine. Processor time does so far less.
The kernel counts live descendants in ticks of 10 ms. This process and its ended children are measured in microseconds.
"""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PARENT, FIRST_TIME, TIMES = 1, 11, 4
"""Fields of `/proc/<id>/stat` after the name: the parent, and user and system time, own and of reaped children."""


def processor_seconds() -> float:
    """Return the seconds that this process, its live descendants and all their ended children have used so far."""
    processes = _processes()
    _, *descendants = family(processes)
    ticks = sum(sum(map(int, processes[each][FIRST_TIME : FIRST_TIME + TIMES])) for each in descendants)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + ticks / TICKS_PER_SECOND


def family(processes: Mapping[int, list[str]] | None = None) -> list[int]:
    """Return the ids of this process, which comes first, and of its live descendants."""
    processes = _processes() if processes is None else processes
    children: dict[int, list[int]] = defaultdict(list)
    for process, fields in processes.items():
        children[int(fields[PARENT])].append(process)
    found = [os.getpid()]
    for process in found:  # It grows meanwhile.
        found += children[process]
    return found


def _processes() -> dict[int, list[str]]:
    found = {int(path.name): _fields(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    return {process: fields for process, fields in found.items() if fields is not None}


def _fields(folder: Path) -> list[str] | None:
    """Return the fields after the name, which may contain spaces; None when the process has ended meanwhile."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None

"""Processor time of this process and its descendants, from Linux's /proc.

Wall-clock time grows with other work on the machine. Processor time does so far less.
"""

import os
from collections import defaultdict
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PARENT, FIRST_TIME, TIMES = 1, 11, 4
"""Fields of `/proc/<id>/stat` after the name: the parent, and user and system time, own and of reaped children."""


def processor_seconds() -> float:
    """Return the seconds that this process, its live descendants and all their ended children have used so far."""
    children: dict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (fields := _fields(folder)) is not None:
            children[int(fields[PARENT])].append(int(folder.name))
            ticks[int(folder.name)] = sum(map(int, fields[FIRST_TIME : FIRST_TIME + TIMES]))
    total, family = 0, [os.getpid()]
    while family:
        process = family.pop()
        total += ticks[process]
        family += children[process]
    return total / TICKS_PER_SECOND


def _fields(folder: Path) -> list[str] | None:
    """Return the fields after the name, which may contain spaces; None when the process has ended meanwhile."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None

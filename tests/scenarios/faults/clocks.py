"""Another time of day for one process, as the system's clock would give it: timers and waits go by the real one.

libfaketime cannot be used: with it Python's waits either fail or never end, because it moves their deadlines too.
"""

from pathlib import Path
from typing import Final

from tests.scenarios.faults.programs import program, run

OFFSET: Final = "CLOCK_OFFSET_SECONDS"
SOURCE: Final = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t offset(void) {
    const char *said = getenv("CLOCK_OFFSET_SECONDS");
    return said ? atoll(said) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return (time_t)-1;
    if (at) *at = exact.tv_sec;
    return exact.tv_sec;
}
"""


def wrong_clock(folder: Path, seconds: int) -> dict[str, str]:
    """Return the environment in which a process's clock is so many seconds ahead, or behind below zero.

    Compiles a small library in `folder`; skips with the reason where there is no compiler.
    """
    source, library = folder / "clock.c", folder / "clock.so"
    if not library.exists():
        program("gcc")
        source.write_text(SOURCE)
        run("gcc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source))
    return {"LD_PRELOAD": str(library), OFFSET: str(seconds)}

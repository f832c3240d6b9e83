"""Python's search for cyclic garbage, put off while work of a bounded size makes and drops many plain values."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses: list[bool] = []  # one for each block under way: whether the search was on when it began


@contextmanager
def no_collecting() -> Iterator[None]:
    """Look for no cyclic garbage in this process until the block ends, or the last of several that overlap.

    For blocks that build thousands of values without cycles, such as rows of decoded entries: the search would go
    through all of them again and again and find nothing, for a fifth of the time. Memory is given back as ever, except
    for cycles. The block must be bounded: a slice of entries, not a loop that waits.
    """
    with _lock:
        _pauses.append(gc.isenabled() or any(_pauses))
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            was_on = _pauses.pop()
            if not _pauses and was_on:
                gc.enable()
            elif _pauses:
                _pauses[0] = _pauses[0] or was_on

"""The hybrid logical clock that orders entries of different plants whatever their wall clocks say."""

COUNTER_BITS = 16
DRIFT_MS_MAX = 24 * 60 * 60 * 1000  # a cause further ahead than a day does not drag our clock along.
ZERO = "0000000000000000"


def tick(last: str, now_ms: int, *causes: str) -> str:
    """Return the next stamp: after the ledger's last one, after every cause, and not before the wall clock.

    A stamp is 16 hexadecimal digits: 48 bits of milliseconds since the epoch and a 16-bit counter (Kulkarni et al.,
    "Logical Physical Clocks", 2014). A cause more than DRIFT_MS_MAX ahead of the wall clock is passed over, so one
    plant's wrong clock cannot poison the others.
    """
    limit = now_ms + DRIFT_MS_MAX << COUNTER_BITS
    heard = [stamp for cause in causes if (stamp := int(cause, 16)) <= limit]
    floor = max(int(last, 16), *heard) if heard else int(last, 16)
    return f"{max(floor + 1, now_ms << COUNTER_BITS):016x}"

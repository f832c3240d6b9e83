"""The hybrid logical clock that orders entries of different plants whatever their wall clocks say."""

COUNTER_BITS = 16
DRIFT_MS_MAX = 24 * 60 * 60 * 1000  # a cause further ahead than a day does not drag our clock along.
ZERO = "0000000000000000"
STAMP_MAX = 2**64 - 1


def tick(last: str, now_ms: int, *causes: str) -> str:
    """Return the next stamp: after the ledger's last one, after every cause, and not before the wall clock.

    A stamp is 16 hexadecimal digits: 48 bits of milliseconds since the epoch and a 16-bit counter (Kulkarni et al.,
    "Logical Physical Clocks", 2014). A cause more than DRIFT_MS_MAX ahead of the wall clock is passed over, so one
    plant's wrong clock cannot poison the others. Raises OverflowError after the last stamp there is, in the year 10889.
    """
    limit = now_ms + DRIFT_MS_MAX << COUNTER_BITS
    heard = [stamp for cause in causes if (stamp := int(cause, 16)) <= limit]
    floor = max(int(last, 16), *heard) if heard else int(last, 16)
    stamp = max(floor + 1, now_ms << COUNTER_BITS)
    if stamp > STAMP_MAX:
        raise OverflowError("no stamp comes after the last one")
    return f"{stamp:016x}"


def lead_ms(stamp: str, now_ms: int) -> int:
    """Return by how many milliseconds a stamp is ahead of a wall clock; below zero where it is behind."""
    return (int(stamp, 16) >> COUNTER_BITS) - now_ms

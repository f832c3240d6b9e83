"""The only source of identifiers and random numbers. Tests and simulations replace it."""

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uuid_utils


def _system_id() -> str:
    return str(uuid_utils.uuid7())


@dataclass(slots=True)
class _Chance:
    id_source: Callable[[], str]
    lots: random.Random


_CHANCE = _Chance(_system_id, random.SystemRandom())


def new_id() -> str:
    """Return a new time-ordered identifier in canonical text form (RFC 9562, version 7)."""
    return _CHANCE.id_source()


def named_id(namespace: uuid.UUID, name: str) -> str:
    """Return the identifier of a name in a namespace (RFC 9562, version 5); the same at each call."""
    return str(uuid.uuid5(namespace, name))


def draw_between(low: int, high: int) -> int:
    """Return a random integer from low to high, both included: for the jitter of retries."""
    return _CHANCE.lots.randint(low, high)


@contextmanager
def owned_chance(id_source: Callable[[], str], lots: random.Random) -> Iterator[None]:
    """Take identifiers and random numbers from these sources until the block ends, in the whole process.

    For one simulation at a time: the same seed then gives the same run.
    """
    before = _CHANCE.id_source, _CHANCE.lots
    _CHANCE.id_source, _CHANCE.lots = id_source, lots
    try:
        yield
    finally:
        _CHANCE.id_source, _CHANCE.lots = before

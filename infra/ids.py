"""The one place that makes identifiers and draws lots, so that tests and simulations can own chance."""

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
    """Return the identifier that a name always has in a namespace (RFC 9562, version 5)."""
    return str(uuid.uuid5(namespace, name))


def draw_between(low: int, high: int) -> int:
    """Return a whole number from low to high, both included: for waits that must not fall in step."""
    return _CHANCE.lots.randint(low, high)


@contextmanager
def owned_chance(id_source: Callable[[], str], lots: random.Random) -> Iterator[None]:
    """Make identifiers and draw lots from these sources until the block ends, in the whole process.

    For one simulation at a time: a seed then gives the same run again.
    """
    before = _CHANCE.id_source, _CHANCE.lots
    _CHANCE.id_source, _CHANCE.lots = id_source, lots
    try:
        yield
    finally:
        _CHANCE.id_source, _CHANCE.lots = before

"""Ids of nodes: the kind of the node and the parts that name it, encoded so that clients treat them as opaque.

The format is base64url without padding of `kind/part/part`. A part is a whole number, or a text in percent-encoding.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import strawberry

NUMBER: Final = re.compile(r"0|-?[1-9]\d{0,15}", re.ASCII)
NODE_ID_MAX: Final = 2**53
CHARACTERS_MAX: Final = 1_000


def node_id(kind: str, *parts: int | str) -> strawberry.ID:
    """Return the id of a node."""
    plain = "/".join((kind, *(quote(part, safe="") if isinstance(part, str) else str(part) for part in parts)))
    return strawberry.ID(base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="))


def read_kind(text: str) -> str | None:
    """Return the kind of the node that an id names, or None for a text that is no id."""
    read = _read(text)
    return None if read is None else read[0]


def read_parts(kind: str, types: Sequence[type[int | str]], text: str) -> tuple[Any, ...] | None:
    """Return the parts of the id of a node of this kind, or None for any text that `node_id` does not write."""
    read = _read(text)
    if read is None or read[0] != kind or len(read) != len(types) + 1:
        return None
    parts = tuple(_part(one, kept) for one, kept in zip(read[1:], types, strict=True))
    return None if None in parts or node_id(kind, *parts) != text else parts


def _read(text: str) -> list[str] | None:
    if len(text) > CHARACTERS_MAX:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode().split("/")
    except (ValueError, binascii.Error):
        return None


def _part(text: str, kept: type[int | str]) -> Any:
    if kept is str:
        plain = unquote(text)
        return None if "\0" in plain else plain  # PostgreSQL cannot look for it
    return int(text) if NUMBER.fullmatch(text) and abs(int(text)) < NODE_ID_MAX else None

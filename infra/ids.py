"""The one place that makes identifiers, so that tests and simulations can own chance."""

import uuid

import uuid_utils


def new_id() -> str:
    """Return a new time-ordered identifier in canonical text form (RFC 9562, version 7)."""
    return str(uuid_utils.uuid7())


def named_id(namespace: uuid.UUID, name: str) -> str:
    """Return the identifier that a name always has in a namespace (RFC 9562, version 5)."""
    return str(uuid.uuid5(namespace, name))

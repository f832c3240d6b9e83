"""The contract of each role, and its text in GraphQL's schema language (SDL)."""

from infra.roles import Role
from schema import hub, plant
from schema.engine.contracts import Contract


def contract(role: Role) -> Contract:
    """Return the schema of a role."""
    return hub.SCHEMA if role is Role.HUB else plant.SCHEMA


def sdl(role: Role) -> str:
    """Return the schema of a role as SDL."""
    return contract(role).as_str() + "\n"

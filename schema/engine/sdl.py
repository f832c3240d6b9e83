"""The text of each role's schema in GraphQL's schema language (SDL)."""

from pathlib import Path
from typing import Final

from infra.roles import Role
from schema.engine.contracts import build
from schema.engine.reading_order import in_reading_order, sorted_sdl

FOLDER: Final = Path(__file__).parent.parent


def committed_file(role: Role) -> Path:
    """Return the file of the committed SDL of a role."""
    return FOLDER / f"{role.value}.graphql"


def baseline_file(role: Role) -> Path:
    """Return the file of the SDL of a role in the last release, which the contract is compared with."""
    return FOLDER / "baseline" / f"{role.value}.graphql"


def sdl(role: Role) -> str:
    """Return the schema of a role as SDL: the root types, then each area, then shared types and refusals."""
    contract = build(role, in_reading_order)
    return sorted_sdl(contract, contract.as_str())

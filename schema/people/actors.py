"""Actors of entries, decisions and requests: people, machines, nodes and programs."""

from collections.abc import Sequence
from typing import Self

import strawberry

from auth.permissions import Permission
from auth.store import printed_names
from infra.database import ReadSession
from plants.rules.values.actors import AuthorKind, author_kind, fixed_name
from plants.rules.values.scope import PlantScope
from schema.engine.context import Info
from schema.engine.fields import described, enum_type, field, object_type
from schema.engine.node_ids import node_id
from schema.engine.scalars import Code

enum_type(AuthorKind, name="ActorKind")


@object_type
class Actor:
    """The user, machine, node or program that did something."""

    id: strawberry.ID = described("Id of the actor, the same at every node.")
    code: Code = described(
        "Employee number of a person, ledger origin of a plant's node, or name of a program. It never changes."
    )
    kind: AuthorKind = described("Kind of actor.")

    @field("Name. Null if this node does not know it, as for people who sign in at another node.")
    async def name(self, info: Info) -> str | None:
        if self.kind is not AuthorKind.PERSON:
            return fixed_name(self.code)
        return await info.load(Permission.BATCH_READ, _names, self.code)

    @classmethod
    def of(cls, code: str) -> Self:
        """Return the actor with the code that a ledger entry holds."""
        return cls(id=node_id("actor", code), code=code, kind=author_kind(code))


def actor_or_none(code: str | None) -> Actor | None:
    """Return the actor with this code, or None without one."""
    return None if code is None else Actor.of(code)


def _names(reads: ReadSession, _scope: PlantScope, codes: Sequence[str]) -> dict[str, str]:
    """Return the names of people by code. People belong to the node and not to a plant."""
    return printed_names(reads, codes)

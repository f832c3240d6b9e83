"""The signed-in user, as shown to themselves."""

from typing import Annotated, Final

import strawberry

from auth.actors import GROUP, Role
from auth.permissions import Permission, may
from schema.engine.context import Info
from schema.engine.cost_directives import FOR_EACH_ASSUMED
from schema.engine.fields import argument, described, enum_type, field, object_type
from schema.engine.operations import query
from schema.engine.scalars import PermissionName, PlantCode
from schema.group.plants import PLANTS_MAX, Plant, plants_listed, plants_seen
from schema.people.actors import Actor

enum_type(Role, name="PersonRole")
ROLES_MAX: Final = 1_000


@object_type
class ViewerRole:
    """A role of the signed-in user, at one plant or in the whole group."""

    role: Role = described("Role that was granted.")
    plant_number: strawberry.Private[int]

    @field("Plant where the role is valid. Null if it is valid in the whole group.")
    async def plant(self, info: Info) -> Plant | None:
        if self.plant_number == GROUP:
            return None
        return next((one for one in await plants_seen(info) if one.number == self.plant_number), None)

    @field("True if the role is valid in the whole group.")
    def in_group(self) -> bool:
        return self.plant_number == GROUP


@object_type
class Viewer:
    """The signed-in user."""

    actor: Actor = described("You as the actor of what you record.")
    name: str = described("Your name as printed with your signatures. Unlike the name of `actor`, it is never null.")

    @field(f"Roles of the user, at most {ROLES_MAX}, plant by plant.")
    def roles(self, info: Info) -> list[ViewerRole]:
        grants = sorted(info.context.actor.grants)[:ROLES_MAX]
        info.context.spend(len(grants))
        return [ViewerRole(role=grant.role, plant_number=grant.plant_number) for grant in grants]

    @field(
        f"Plants that the user may see, in the order of `plants`. There are at most {PLANTS_MAX}.",
        size=FOR_EACH_ASSUMED,
    )
    async def plants(self, info: Info) -> list[Plant]:
        return await plants_listed(info)

    @field("Permissions of the user at a plant, by name. There are fewer than 100. At an unknown plant there are none.")
    async def permissions(
        self,
        info: Info,
        plant_code: Annotated[
            PlantCode | None, argument("Plant code. Without it, this node's plant, or the whole group at the hub.")
        ] = None,
    ) -> list[PermissionName]:
        number = info.services.plant
        if plant_code is not None:
            found = next((one.number for one in await plants_seen(info) if one.code == plant_code), None)
            if found is None:
                return []
            number = found
        return [PermissionName(one) for one in sorted(Permission) if may(info.context.actor, one, number)]


@query("Returns the signed-in user.", permission=None)
async def viewer(info: Info) -> Viewer:
    actor = info.context.actor
    return Viewer(actor=Actor.of(actor.actor_id), name=actor.name)

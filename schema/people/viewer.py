"""The signed-in user, as shown to themselves."""

from typing import Annotated

import strawberry

from auth.actors import GROUP, Role
from auth.permissions import Permission, may
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, field, object_type
from schema.engine.operations import query
from schema.engine.scalars import PermissionName, PlantCode
from schema.group.plants import Plant, plants_seen
from schema.people.actors import Actor

enum_type(Role, name="PersonRole")


@object_type
class ViewerRole:
    """A role of the signed-in user, at one plant or in the whole group."""

    role: Role = described("Role.")
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

    actor: Actor = described("Actor of what you record.")
    name: str = described("Name as printed with signatures.")
    roles: list[ViewerRole] = described("Roles of the user.")

    @field("Plants that the user may see.")
    async def plants(self, info: Info) -> list[Plant]:
        return await plants_seen(info)

    @field("Permissions of the user at a plant, by name. There are fewer than 100. At an unknown plant there are none.")
    async def permissions(
        self,
        info: Info,
        plant: Annotated[
            PlantCode | None, argument("Plant code. Without it, this node's plant, or the whole group at the hub.")
        ] = None,
    ) -> list[PermissionName]:
        number = info.services.plant
        if plant is not None:
            found = next((one.number for one in await plants_seen(info) if one.code == plant), None)
            if found is None:
                return []
            number = found
        return [PermissionName(one) for one in sorted(Permission) if may(info.context.actor, one, number)]


@query("Returns the signed-in user.", permission=None)
async def viewer(info: Info) -> Viewer:
    actor = info.context.actor
    roles = [ViewerRole(role=grant.role, plant_number=grant.plant_number) for grant in sorted(actor.grants)]
    return Viewer(actor=Actor.of(actor.actor_id), name=actor.name, roles=roles)

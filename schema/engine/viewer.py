"""Who is asking, as the contract shows them to themselves."""

import strawberry

from auth.actors import GROUP, Role
from schema.engine.context import Info
from schema.engine.fields import described, field
from schema.group.plants import Plant, plants_seen

RoleEnum = strawberry.enum(Role, name="PersonRole", description="What a person is trusted with.")


@strawberry.type(description="A role of the person who asks, at one plant or in the whole group.")
class ViewerRole:
    """A role of the person who asks."""

    role: Role = described("The role.")
    plant_number: strawberry.Private[int]

    @field("The plant where it counts; null when it counts in the whole group.")
    async def plant(self, info: Info) -> Plant | None:
        if self.plant_number == GROUP:
            return None
        return next((one for one in await plants_seen(info) if one.number == self.plant_number), None)

    @field("Whether it counts in the whole group.")
    def in_group(self) -> bool:
        return self.plant_number == GROUP


@strawberry.type(description="The person who asks.")
class Viewer:
    """The person who asks."""

    person: str = described("The employee number.")
    name: str = described("The name that is printed beside signatures.")
    roles: list[ViewerRole] = described("What the person is trusted with.")

    @field("The plants that the person may see.")
    async def plants(self, info: Info) -> list[Plant]:
        return await plants_seen(info)


@field("You, as this node knows you.")
async def viewer(info: Info) -> Viewer:
    actor = info.context.actor
    roles = [ViewerRole(role=grant.role, plant_number=grant.plant_number) for grant in sorted(actor.grants)]
    return Viewer(person=actor.actor_id, name=actor.name, roles=roles)

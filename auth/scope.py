"""Plant scopes: the plants that an actor may see for one permission. Only this module makes them."""

from collections.abc import Iterable

from auth.actors import Actor
from auth.permissions import Permission, may
from plants.rules.values.scope import PlantScope


def plants_for(actor: Actor, permission: Permission, plant_numbers: Iterable[int]) -> PlantScope:
    """Return the scope of those plant numbers at which the actor has the permission.

    A grant for the group covers all given numbers, a grant at a plant only that plant. Include 0 where rows of the
    hub's own ledger may be part of the answer; only a grant for the group covers it. Without grants the scope is
    empty.
    """
    return PlantScope(frozenset(number for number in plant_numbers if may(actor, permission, number)))

"""The only maker of plant scopes: which plants an actor may see for one permission."""

from collections.abc import Iterable

from auth.actors import Actor
from auth.permissions import Permission, may
from plants.rules.values.scope import PlantScope


def plants_for(actor: Actor, permission: Permission, plant_numbers: Iterable[int]) -> PlantScope:
    """Return those of the known plant numbers at which the actor has the permission.

    A grant for the group covers every number given, a grant at a plant covers that plant alone, and what is
    not among the numbers given is never in the scope. Give 0 among them where rows of the hub's own ledger
    may be part of the answer: only a grant for the group covers it. Nothing granted is an empty scope, and
    that shows nothing.
    """
    return PlantScope(frozenset(number for number in plant_numbers if may(actor, permission, number)))

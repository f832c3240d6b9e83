"""Authors of work that goes on after their request: the check that they may still do it."""

from auth.actors import GROUP, Actor, ActorKind
from auth.permissions import Permission, require
from auth.store import Person, grants_of
from infra.database import Session
from plants.rules.values.actors import Author, AuthorKind, author_kind


def check_author(session: Session, author: Author, permission: Permission, plant_number: int) -> None:
    """Raise NotPermitted unless the author is enabled and has the permission now.

    Programs of this node may do what they began.
    """
    if author_kind(author.person) in {AuthorKind.NODE, AuthorKind.SYSTEM}:
        return
    person = session.get(Person, author.person)
    enabled = person is not None and person.disabled_at is None
    grants = grants_of(session, author.person) if enabled else frozenset()
    actor = Actor(
        actor_id=author.person,
        name=author.printed_name,
        kind=ActorKind.PERSON,
        grants=grants,
        device=author.device or "",
    )
    require(actor, permission, plant_number)


def check_definer(session: Session, author: Author, plant_number: int) -> None:
    """Raise NotPermitted unless the author may save master data at the plant, or from headquarters to plants."""
    permission = Permission.DIRECTIVE_SEND if plant_number == GROUP else Permission.MASTERDATA_SAVE
    check_author(session, author, permission, plant_number)

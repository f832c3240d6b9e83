"""Plant scopes cover the granted plants among the known ones, and no others."""

from hypothesis import given
from hypothesis import strategies as st

from auth.actors import GROUP, Actor, ActorKind, Grant, Role
from auth.permissions import ROLE_PERMISSIONS, Permission
from auth.scope import plants_for

PERSON_ROLES = [role for role in Role if role is not Role.PLANT_NODE]


def person(*grants: Grant) -> Actor:
    return Actor(actor_id="li.wei", name="李伟", kind=ActorKind.PERSON, grants=frozenset(grants))


def test_given_no_grant_then_the_scope_is_empty() -> None:
    assert plants_for(person(), Permission.BATCH_READ, [1, 2, 3]) == frozenset()


def test_given_a_grant_at_one_plant_then_the_scope_is_that_plant() -> None:
    assert plants_for(person(Grant(2, Role.OPERATOR)), Permission.BATCH_READ, [0, 1, 2, 3]) == frozenset({2})


def test_given_a_grant_at_an_unknown_plant_then_the_scope_is_empty() -> None:
    assert plants_for(person(Grant(9, Role.OPERATOR)), Permission.BATCH_READ, [1, 2, 3]) == frozenset()


def test_given_a_grant_for_the_group_then_the_scope_is_every_known_plant_and_the_hub_when_asked_for() -> None:
    auditor = person(Grant(GROUP, Role.AUDITOR))
    assert plants_for(auditor, Permission.LEDGER_READ, [1, 2]) == frozenset({1, 2})
    assert plants_for(auditor, Permission.LEDGER_READ, [0, 1, 2]) == frozenset({0, 1, 2})
    assert plants_for(auditor, Permission.LEDGER_READ, []) == frozenset()


def test_given_a_role_without_the_permission_then_the_scope_is_empty() -> None:
    assert plants_for(person(Grant(GROUP, Role.ADMINISTRATOR)), Permission.BATCH_READ, [1]) == frozenset()


@given(
    grants=st.frozensets(st.builds(Grant, st.integers(0, 5), st.sampled_from(PERSON_ROLES)), max_size=6),
    permission=st.sampled_from(Permission),
    known=st.frozensets(st.integers(0, 5)),
)
def test_given_any_grants_then_the_scope_is_their_union_over_the_known_plants(
    grants: frozenset[Grant], permission: Permission, known: frozenset[int]
) -> None:
    granted = {grant.plant_number for grant in grants if permission in ROLE_PERMISSIONS[grant.role]}
    expected = known if GROUP in granted else known & granted
    assert plants_for(person(*grants), permission, known) == expected

"""The complete permissions of each role, and the refusal of everything else."""

import pytest

from auth.actors import GROUP, Actor, ActorKind, Grant, Role, device_text, system_actor
from auth.permissions import (
    READ_PERMISSIONS,
    ROLE_PERMISSIONS,
    NotPermitted,
    Permission,
    may,
    require,
)
from infra.messages import word
from plants.rules.people.refusals import NOT_PERMITTED

MATRIX = {
    # permission: operator, quality, manager, headquarters, auditor, administrator, importer, plant-node
    "batch:read": "yyyyy-y-",
    "batch:receive": "y-y---y-",
    "hold:place": "yyyy--y-",
    "change:request": "yyyy--y-",
    "change:decide": "-yyy----",
    "directive:send": "---y----",
    "conflict:settle": "-yy-----",
    "entry:correct": "-yy-----",
    "import:run": "--y---y-",
    "ledger:read": "-yyyy---",
    "plant:enrol": "-----y--",
    "masterdata:save": "--yy--y-",
    "parked:decide": "-----y--",
    "person:administer": "-----y--",
    "process:run": "y-y---y-",
    "replication:read": "--yyyy--",
    "schema:read": "--yyyy--",
    "goods:ship": "y-y---y-",
    "stock:count": "--y-----",
    "stock:move": "y-y---y-",
    "trace:read": "yyyyy-y-",
    "transfer:run": "y-y---y-",
}


def holder(role: Role, plant_number: int) -> Actor:
    kind = ActorKind.MACHINE if role is Role.PLANT_NODE else ActorKind.PERSON
    return Actor(actor_id="x", name="X", kind=kind, grants=frozenset({Grant(plant_number, role)}))


def test_given_every_permission_then_the_matrix_names_it() -> None:
    assert set(MATRIX) == {permission.value for permission in Permission}
    assert set(ROLE_PERMISSIONS) == set(Role)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_given_a_role_at_a_plant_then_it_may_what_the_matrix_says_there_and_nothing_elsewhere(
    role: Role, permission: Permission
) -> None:
    actor = holder(role, 2)
    assert may(actor, permission, 2) is (MATRIX[permission.value][list(Role).index(role)] == "y")
    assert not may(actor, permission, 1)
    assert not may(actor, permission, GROUP)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_given_a_role_in_the_group_then_it_may_the_same_at_every_plant(role: Role, permission: Permission) -> None:
    expected = MATRIX[permission.value][list(Role).index(role)] == "y"
    assert [may(holder(role, GROUP), permission, number) for number in (GROUP, 1, 2, 8191)] == [expected] * 4


def test_given_an_auditor_then_only_reading_is_allowed() -> None:
    assert ROLE_PERMISSIONS[Role.AUDITOR] == READ_PERMISSIONS
    assert {permission.value for permission in READ_PERMISSIONS} == {
        "batch:read",
        "ledger:read",
        "replication:read",
        "schema:read",
        "trace:read",
    }


def test_given_the_table_of_roles_then_it_cannot_be_changed_while_running() -> None:
    with pytest.raises(TypeError):
        ROLE_PERMISSIONS[Role.OPERATOR] = frozenset(Permission)  # type: ignore[index]


def test_given_no_grants_then_nothing_is_allowed() -> None:
    nobody = system_actor("job")
    assert not any(may(nobody, permission, number) for permission in Permission for number in (GROUP, 1))


def test_given_quality_at_another_plant_then_deciding_here_is_refused_like_a_thing_not_found() -> None:
    actor = holder(Role.QUALITY, 1)
    require(actor, Permission.CHANGE_DECIDE, 1)
    with pytest.raises(NotPermitted) as refused:
        require(actor, Permission.CHANGE_DECIDE, 2)
    assert refused.value.code is NOT_PERMITTED
    assert refused.value.data == {}
    assert word(refused.value, "en") == "This was not found, or you may not do it here."
    assert word(refused.value, "zh") == "未找到该内容，或您无权在此操作。"
    assert refused.value.log_line() == "x may not change:decide at plant 2"


@pytest.mark.parametrize("kind", [ActorKind.PERSON, ActorKind.SYSTEM])
def test_given_a_person_or_program_then_it_cannot_hold_the_role_of_a_plants_node(kind: ActorKind) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        Actor(actor_id="x", name="X", kind=kind, grants=frozenset({Grant(1, Role.PLANT_NODE)}))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.PLANT_NODE])
def test_given_a_machine_then_it_cannot_hold_a_persons_role(role: Role) -> None:
    grants = frozenset({Grant(1, Role.PLANT_NODE), Grant(1, role)})
    with pytest.raises(ValueError, match="cannot hold"):
        Actor(actor_id="x", name="X", kind=ActorKind.MACHINE, grants=grants)


@pytest.mark.parametrize("number", [-1, 8192, 2**40])
def test_given_a_number_no_plant_has_then_it_cannot_be_granted(number: int) -> None:
    with pytest.raises(ValueError, match="not a plant number"):
        Grant(number, Role.OPERATOR)


@pytest.mark.parametrize("actor_id, name", [("", "X"), ("x", "")])
def test_given_no_id_or_name_then_there_is_no_actor(actor_id: str, name: str) -> None:
    with pytest.raises(ValueError, match="id and a name"):
        Actor(actor_id=actor_id, name=name, kind=ActorKind.PERSON)


def test_given_roles_at_two_places_then_roles_at_a_plant_are_its_own_and_the_groups() -> None:
    grants = frozenset({Grant(1, Role.OPERATOR), Grant(2, Role.MANAGER), Grant(GROUP, Role.AUDITOR)})
    actor = Actor(actor_id="x", name="X", kind=ActorKind.PERSON, grants=grants)
    assert actor.roles_at(1) == {Role.OPERATOR, Role.AUDITOR}
    assert actor.roles_at(2) == {Role.MANAGER, Role.AUDITOR}
    assert actor.roles_at(3) == {Role.AUDITOR}


def test_given_a_hostile_device_text_then_it_is_one_short_printable_line() -> None:
    assert device_text(" Zebra\r\nTC52\x00 \u202e扫描枪 ") == "Zebra TC52 扫描枪"
    assert len(device_text("x" * 100_000)) == 120
    assert device_text("\n\n") == ""

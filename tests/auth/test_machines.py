"""Plants' nodes: enrolled by the group alone, one incarnation for good, known by key, revoked at once."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import col, select

from auth.actors import GROUP, Actor, ActorKind, AuthFailure, Grant, NotAuthenticated, Role
from auth.keys import SigningKey, public_key_text
from auth.machines import (
    EnrolledMachine,
    active_machine,
    enrol_machine,
    enrolled_machines,
    find_machine,
    is_known_assertion_key,
    readmit_machine,
    revoke_machine,
)
from auth.notes import NoteSigner, generate_key
from auth.permissions import NotPermitted
from auth.store import Machine
from auth.tokens import Assertions, issue_assertion
from infra.clock import FixedClock
from infra.database import Session, Store
from infra.writer import Writer
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import TEXT_INVALID, Refusal, RefusalCode

HUB_ISSUER = "https://hub.example"


class Node:
    """A plant's node with both of its keys, as it would show itself to be enrolled."""

    def __init__(self, number: int, code: str, incarnation: str = "a1") -> None:
        self.number = number
        self.code = code
        self.origin = f"example.org/plant/{code}/{incarnation}"
        self.signing_key = SigningKey(generate_key())
        self.ledger = NoteSigner(self.origin, generate_key())

    def shown(self) -> dict[str, Any]:
        return {
            "plant_number": self.number,
            "code": self.code,
            "origin": self.origin,
            "assertion_key": public_key_text(self.signing_key.public_key),
            "ledger_vkey": str(self.ledger.key),
        }

    def enrolled(self) -> EnrolledMachine:
        return EnrolledMachine(self.number, self.code, self.origin, self.signing_key.public_key, str(self.ledger.key))


def enrolling(node: Node, actor: Actor, clock: FixedClock, **change: Any) -> Callable[[Session], None]:
    given = node.shown() | change
    return lambda s: enrol_machine(s, actor=actor, at=clock.now(), **given)


def everything(store: Store) -> list[object]:
    with store.reading() as reads:
        return [row.model_dump() for row in reads.exec(select(Machine).order_by(col(Machine.origin)))]


def found(store: Store, node: Node) -> EnrolledMachine | None:
    with store.reading() as reads:
        return find_machine(reads, node.signing_key.kid)


def test_given_an_enrolled_plant_then_its_assertion_is_that_of_the_machine(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    node, other = Node(1, "P01"), Node(2, "P02")
    writer.write(enrolling(node, administrator, clock))
    writer.write(enrolling(other, administrator, clock))
    doors = Assertions(hub_issuer=HUB_ISSUER, clock=clock)
    assertion = issue_assertion(node.signing_key, origin=node.origin, hub_issuer=HUB_ISSUER, clock=clock)
    with store.reading() as reads:
        assert doors.verify(assertion, lambda kid: find_machine(reads, kid)).origin == node.origin
        assert enrolled_machines(reads) == [node.enrolled(), other.enrolled()]
    machine = found(store, node)
    assert machine == node.enrolled()


def test_given_one_plants_key_then_it_cannot_speak_for_another(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    node, other = Node(1, "P01"), Node(2, "P02")
    writer.write(enrolling(node, administrator, clock))
    writer.write(enrolling(other, administrator, clock))
    doors = Assertions(hub_issuer=HUB_ISSUER, clock=clock)
    posing = issue_assertion(node.signing_key, origin=other.origin, hub_issuer=HUB_ISSUER, clock=clock)
    with store.reading() as reads, pytest.raises(NotAuthenticated) as refused:
        doors.verify(posing, lambda kid: find_machine(reads, kid))
    assert refused.value.failure is AuthFailure.WRONG_ISSUER


def test_given_a_revoked_plant_then_its_key_is_unknown_at_once(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    node = Node(1, "P01")
    writer.write(enrolling(node, administrator, clock))
    writer.write(lambda s: revoke_machine(s, actor=administrator, origin=node.origin, at=clock.now()))
    assert found(store, node) is None
    doors = Assertions(hub_issuer=HUB_ISSUER, clock=clock)
    assertion = issue_assertion(node.signing_key, origin=node.origin, hub_issuer=HUB_ISSUER, clock=clock)
    with store.reading() as reads:
        assert enrolled_machines(reads) == []
        with pytest.raises(NotAuthenticated) as refused:
            doors.verify(assertion, lambda kid: find_machine(reads, kid))
    assert refused.value.failure is AuthFailure.UNKNOWN_KEY
    with pytest.raises(Refusal) as again:
        writer.write(lambda s: revoke_machine(s, actor=administrator, origin=node.origin, at=clock.now()))
    assert again.value.code is NOT_DEFINED


def test_given_a_second_incarnation_then_it_is_refused_also_once_the_first_is_revoked(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    first, second = Node(1, "P01"), Node(1, "P01", "b2")
    writer.write(enrolling(first, administrator, clock))
    for _ in range(2):
        before = everything(store)
        with pytest.raises(Refusal) as refused:
            writer.write(enrolling(second, administrator, clock))
        assert refused.value.code is CODE_TAKEN
        assert everything(store) == before
        if found(store, first) is not None:
            writer.write(lambda s: revoke_machine(s, actor=administrator, origin=first.origin, at=clock.now()))


def readmitting(node: Node, actor: Actor, **change: Any) -> Callable[[Session], None]:
    given: dict[str, Any] = {
        "origin": node.origin,
        "assertion_key": public_key_text(node.signing_key.public_key),
        "ledger_vkey": str(node.ledger.key),
        "size": 7,
    } | change
    return lambda s: readmit_machine(s, actor=actor, **given)


def test_given_a_revoked_plant_then_it_is_readmitted_under_keys_that_nobody_has_shown(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    first, other, again = Node(1, "P01"), Node(2, "P02"), Node(1, "P01")
    writer.write(enrolling(first, administrator, clock))
    writer.write(enrolling(other, administrator, clock))
    before = everything(store)
    with pytest.raises(Refusal) as refused:
        writer.write(readmitting(again, administrator))
    assert refused.value.code is NOT_DEFINED, "it still counts"
    assert everything(store) == before
    writer.write(lambda s: revoke_machine(s, actor=administrator, origin=first.origin, at=clock.now()))
    before = everything(store)
    nobody = Actor(actor_id="x", name="X", kind=ActorKind.PERSON, grants=frozenset({Grant(1, Role.ADMINISTRATOR)}))
    with pytest.raises(NotPermitted):
        writer.write(readmitting(again, nobody))
    for change, code in (
        ({"assertion_key": public_key_text(first.signing_key.public_key)}, CODE_TAKEN),
        ({"assertion_key": public_key_text(other.signing_key.public_key)}, CODE_TAKEN),
        ({"ledger_vkey": str(first.ledger.key)}, CODE_TAKEN),
        ({"ledger_vkey": str(other.ledger.key)}, TEXT_INVALID),
        ({"assertion_key": public_key_text(again.ledger.private_key.public_key())}, TEXT_INVALID),
    ):
        with pytest.raises(Refusal) as refused:
            writer.write(readmitting(again, administrator, **change))
        assert refused.value.code is code
        assert everything(store) == before
    writer.write(readmitting(again, administrator))
    assert found(store, first) is None
    back = found(store, again)
    assert back is not None
    assert (back.ledger_vkeys(7), back.ledger_vkeys(8)) == (
        (str(again.ledger.key), str(first.ledger.key)),
        (str(again.ledger.key),),
    )
    with store.reading() as reads:
        assert active_machine(reads, "P01") == back
        assert is_known_assertion_key(reads, first.signing_key.kid)


@pytest.mark.parametrize(
    "grants",
    [
        (),
        (Grant(1, Role.ADMINISTRATOR),),
        (Grant(GROUP, Role.MANAGER), Grant(GROUP, Role.HEADQUARTERS)),
    ],
)
def test_given_no_administrator_of_the_group_then_no_plant_is_enrolled_or_revoked(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor, grants: tuple[Grant, ...]
) -> None:
    node = Node(1, "P01")
    writer.write(enrolling(node, administrator, clock))
    before = everything(store)
    actor = Actor(actor_id="x", name="X", kind=ActorKind.PERSON, grants=frozenset(grants))
    with pytest.raises(NotPermitted):
        writer.write(enrolling(Node(2, "P02"), actor, clock))
    with pytest.raises(NotPermitted):
        writer.write(lambda s: revoke_machine(s, actor=actor, origin=node.origin, at=clock.now()))
    assert everything(store) == before


NODE = Node(3, "P03")
OTHER_LEDGER = NoteSigner("example.org/plant/P01/a1", Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    "change, code",
    [
        ({"code": "p03"}, CODE_INVALID),
        ({"code": "P04"}, TEXT_INVALID),
        ({"plant_number": 0}, TEXT_INVALID),
        ({"plant_number": 8192}, TEXT_INVALID),
        ({"origin": "example.org/hub/a1"}, TEXT_INVALID),
        ({"origin": "example.org/plant/P03/a1/../../hub"}, TEXT_INVALID),
        ({"origin": "example.org/plant/P03/a1\n"}, TEXT_INVALID),
        ({"assertion_key": "x"}, TEXT_INVALID),
        ({"assertion_key": NODE.signing_key.kid + "="}, TEXT_INVALID),
        ({"assertion_key": public_key_text(NODE.ledger.private_key.public_key())}, TEXT_INVALID),
        ({"ledger_vkey": "x"}, TEXT_INVALID),
        ({"ledger_vkey": str(OTHER_LEDGER.key)}, TEXT_INVALID),
        ({"ledger_vkey": str(NODE.ledger.witness_key)}, TEXT_INVALID),
    ],
)
def test_given_something_that_cannot_be_right_then_nothing_is_enrolled(
    *,
    store: Store,
    writer: Writer,
    clock: FixedClock,
    administrator: Actor,
    change: dict[str, Any],
    code: RefusalCode,
) -> None:
    with pytest.raises(Refusal) as refused:
        writer.write(enrolling(NODE, administrator, clock, **change))
    assert refused.value.code is code
    assert everything(store) == []


def test_given_a_key_origin_number_or_code_that_is_anothers_then_nothing_is_enrolled(
    store: Store, writer: Writer, clock: FixedClock, administrator: Actor
) -> None:
    first, second = Node(1, "P01"), Node(2, "P02")
    writer.write(enrolling(first, administrator, clock))
    writer.write(lambda s: revoke_machine(s, actor=administrator, origin=first.origin, at=clock.now()))
    before = everything(store)
    borrowed_key = {"assertion_key": public_key_text(first.signing_key.public_key)}
    same_number, same_code = Node(1, "P09"), Node(9, "P01", "b2")
    for work in (
        enrolling(second, administrator, clock, **borrowed_key),
        enrolling(first, administrator, clock),
        enrolling(same_number, administrator, clock),
        enrolling(same_code, administrator, clock),
    ):
        with pytest.raises(Refusal) as refused:
            writer.write(work)
        assert refused.value.code is CODE_TAKEN
    assert everything(store) == before

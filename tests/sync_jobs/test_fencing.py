"""Sessions as a chain: a lost answer is normal, a second copy is not, and a person ends what only a person can know."""

from pathlib import Path

import pytest

from plants.commands.receive import Delivery, receive_batch
from plants.commands.recording import Call
from plants.rules.merkle import Frontier
from plants.rules.refusals import Refusal, RefusalCode
from plants.store.positions import ReplicationState
from plants.store.replication import Standing
from sync_jobs.exchange import exchange
from sync_jobs.fencing import DISPLACED_MAX, Presenting, lift_fence, present
from sync_jobs.hub_door import HubDoor
from sync_jobs.nodes import PlantNode
from sync_jobs.wire import Hello, Welcome
from tests.sync_jobs.copies import backup, on_copy
from tests.sync_jobs.group import CLOCK, LI, Group, column, receive, stand
from tests.sync_jobs.test_restoring import kinds, level


def chain(current: str | None, before: str | None = None, *, used: bool = True, displaced: str = "") -> Standing:
    """Return a plant's row at the hub with these sessions."""
    return Standing(
        state=ReplicationState.IN_SYNC,
        alarm=None,
        acknowledged=0,
        frontier=Frontier(),
        session=current,
        epoch=None,
        received_us=None,
        attempts=0,
        backoff_ms=0,
        next_attempt_us=0,
        batch_entries=0,
        session_before=before,
        session_used=used,
        displaced=tuple(displaced.split()),
        take_over=False,
        checkpoint_size=None,
        checkpoint=None,
    )


def lift(node: PlantNode) -> None:
    """Say that this copy of the plant is the one."""
    with node.store.transaction() as session:
        lift_fence(session, node.number, CLOCK.now())


def test_session_that_counts_then_the_next_one() -> None:
    found = present(chain("s2", "s1"), "s2", "s3")
    assert found.verdict is Presenting.GOES_ON
    assert found.columns == {"session": "s3", "session_used": 0, "session_before": "s2"}


def test_first_contact_then_a_session_without_an_alarm() -> None:
    for session in (None, "of-another-hub"):
        assert present(chain(None), session, "s1").verdict is Presenting.GOES_ON


def test_answer_lost_then_another_one_for_the_session_before() -> None:
    found = present(chain("s2", "s1", used=False), "s1", "s3")
    assert (found.verdict, found.columns) == (Presenting.GOES_ON, {"session": "s3", "session_used": 0})


def test_session_before_of_one_that_was_used_then_a_takeover() -> None:
    found = present(chain("s2", "s1"), "s1", "s3")
    assert found.verdict is Presenting.TAKES_OVER
    assert found.columns == {"session": "s3", "session_used": 0, "session_before": None, "displaced": "s2"}


@pytest.mark.parametrize("session", [None, "s0"])
def test_unknown_session_then_a_takeover_that_displaces_the_other(session: str | None) -> None:
    found = present(chain("s2", "s1", displaced="x y"), session, "s3")
    assert (found.verdict, found.columns["displaced"]) == (Presenting.TAKES_OVER, "x y s2")


def test_displaced_session_then_no_session_and_nothing_changes() -> None:
    assert present(chain("s2", displaced="x y"), "x", "s3").columns == {}
    assert present(chain("s2", displaced="x y"), "x", "s3").verdict is Presenting.SUPERSEDED


def test_displaced_session_and_a_person_says_so_then_it_takes_over() -> None:
    found = present(chain("s2", displaced="x y"), "x", "s3", take_over=True)
    assert (found.verdict, found.columns["displaced"]) == (Presenting.TAKES_OVER, "y s2")


def test_many_takeovers_then_the_last_ones_are_remembered() -> None:
    displaced = " ".join(f"d{number}" for number in range(DISPLACED_MAX))
    kept = present(chain("s2", displaced=displaced), None, "s3").columns["displaced"].split()
    assert (len(kept), kept[0], kept[-1]) == (DISPLACED_MAX, "d1", "s2")


def test_clone_greets_then_the_first_copy_is_fenced_and_writes_nothing(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    clone = on_copy(group, node, backup(node, tmp_path / "clone.db"))
    receive(node, 2)
    exchange(node)
    assert exchange(clone, forced=True).state is ReplicationState.IN_SYNC
    receive(node, 1)
    before = stand(node.store, 1)
    assert exchange(node, forced=True).state is ReplicationState.FENCED
    assert not exchange(node, forced=True).ran
    with pytest.raises(Refusal) as refused, node.store.transaction() as session:
        receive_batch(session, Delivery("MILK", "1", "KGM", "A1"), actor=LI, call=Call(1, CLOCK.now()))
    assert refused.value.code is RefusalCode.PLANT_FENCED
    assert refused.value.data == {"plant": "SH1"}
    assert stand(node.store, 1) == before
    assert kinds(node.store) == {"PLANT_FENCED"}
    assert "PLANT_FENCED" in kinds(group.hub.node.store)
    level(group, clone)


def test_person_says_which_copy_then_the_other_is_fenced_and_nothing_is_lost(group: Group, tmp_path: Path) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    clone = on_copy(group, node, backup(node, tmp_path / "clone.db"))
    receive(node, 2)
    exchange(node)
    exchange(clone, forced=True)
    receive(node, 1)
    exchange(node, forced=True)
    lift(node)
    done = exchange(node)
    assert done.state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store) == set()
    assert column(node.store, 1, "take_over") == 0
    assert kinds(group.hub.node.store) == set()
    assert exchange(clone, forced=True).state is ReplicationState.FENCED
    receive(node, 1)
    assert exchange(node).sent == 1
    level(group, node)


def test_another_greeting_in_between_then_fenced_until_a_person_lifts_it(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 1)
    greet = HubDoor.hello

    def greet_as_two(door: HubDoor, greeting: Hello) -> Welcome:
        ours = greet(door, greeting)
        greet(door, greeting)  # a second copy of the plant, between our greeting and our parcel.
        return ours

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HubDoor, "hello", greet_as_two)
        assert exchange(node, forced=True).state is ReplicationState.FENCED
    assert stand(group.hub.node.store, 1)[0] == 3
    lift(node)
    assert exchange(node).sent == 1
    level(group, node)


def test_answers_to_greetings_lost_then_nobody_is_fenced(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 1)
    greet = HubDoor.hello

    def lose(door: HubDoor, greeting: Hello) -> Welcome:
        greet(door, greeting)
        raise OSError("the answer was lost")

    for _ in range(3):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="lost"):
            patch.setattr(HubDoor, "hello", lose)
            exchange(node, forced=True)
    assert exchange(node, forced=True).sent == 1
    level(group, node)
    assert kinds(group.hub.node.store, over=True) == set()

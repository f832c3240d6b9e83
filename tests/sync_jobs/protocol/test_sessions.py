"""Sessions form a chain: a lost answer is normal, a second copy raises an alarm, and an operator ends it."""

from dataclasses import replace
from pathlib import Path

import pytest

from plants.commands.execution import CommandContext
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.refusals import Refusal
from plants.store.replication.status import ReplicationState, ReplicationStatus
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.protocol.sessions import (
    DISPLACED_MAX,
    GIVEN_MAX,
    SessionDecision,
    SessionVerdict,
    issue_session,
    lift_fence,
    resolve_session,
)
from sync_jobs.protocol.wire import Hello, Welcome
from tests.sync_jobs.copies import backup, on_copy
from tests.sync_jobs.group import CLOCK, LI, Group, column, receive, stand
from tests.sync_jobs.plant.test_restoring import kinds, level


def chain(current: str | None, following: str = "", *, offered: str = "", displaced: str = "") -> ReplicationStatus:
    """Return a plant's status at the hub with these sessions."""
    return ReplicationStatus(
        session=current,
        session_next=tuple(following.split()),
        offered=tuple(offered.split()),
        displaced=tuple(displaced.split()),
    )


def lift(node: PlantNode) -> None:
    """Choose this copy of the plant as the active one."""
    with node.store.transaction() as session:
        lift_fence(session, node.number, CLOCK.now())


def test_session_that_counts_then_the_next_one() -> None:
    assert issue_session(chain("s2"), "s2", "s3") == SessionDecision(SessionVerdict.GOES_ON, {"session_next": ("s3",)})
    found = issue_session(chain("s2", "s3"), "s3", "s4")
    assert found == SessionDecision(SessionVerdict.GOES_ON, {"session": "s3", "session_next": ("s4",)})


def test_first_contact_then_a_session_without_an_alarm() -> None:
    for session in (None, "of-another-hub"):
        assert issue_session(chain(None), session, "s1") == SessionDecision(
            SessionVerdict.GOES_ON, {"session_next": ("s1",)}
        )
    assert resolve_session(chain(None, "s1"), "s1") == SessionDecision(
        SessionVerdict.GOES_ON, {"session": "s1", "session_next": ()}
    )


def test_answers_lost_then_each_greeting_has_a_session_and_any_of_them_counts() -> None:
    assert issue_session(chain("s2", "s3"), "s2", "s4").columns == {"session_next": ("s3", "s4")}
    for answered in ("s3", "s4"):
        found = resolve_session(chain("s2", "s3 s4"), answered)
        assert found == SessionDecision(SessionVerdict.GOES_ON, {"session": answered, "session_next": ()})


def test_session_of_another_copy_from_the_same_one_then_an_offer_first() -> None:
    """Two copies were given one session each for the same one: the second to use its session is unknown."""
    assert issue_session(chain("s3", "s5"), "s4", "s6") == SessionDecision(SessionVerdict.OFFERED, {"offered": ("s6",)})


@pytest.mark.parametrize("session", [None, "s0"])
def test_unknown_session_then_an_offer_that_takes_over_once_it_is_used(session: str | None) -> None:
    found = issue_session(chain("s2", "s3", displaced="x y"), session, "s4")
    assert found == SessionDecision(SessionVerdict.OFFERED, {"offered": ("s4",)})
    asked = chain("s2", "s3", offered="s4", displaced="x y")
    ended = {"session": "s4", "session_next": (), "offered": (), "displaced": ("x", "y", "s2", "s3")}
    assert resolve_session(asked, "s4") == SessionDecision(SessionVerdict.TAKES_OVER, ended)
    assert issue_session(asked, "s4", "s5") == SessionDecision(
        SessionVerdict.TAKES_OVER, ended | {"session_next": ("s5",)}
    )
    # The offer is unused: the active copy continues, and the offer remains.
    assert issue_session(asked, "s2", "s5") == SessionDecision(SessionVerdict.GOES_ON, {"session_next": ("s3", "s5")})


def test_displaced_session_then_no_session_and_nothing_changes() -> None:
    assert issue_session(chain("s2", displaced="x y"), "x", "s3") == SessionDecision(SessionVerdict.SUPERSEDED, {})
    assert resolve_session(chain("s2", displaced="x y"), "x") == SessionDecision(SessionVerdict.SUPERSEDED, {})


def test_displaced_session_and_a_person_says_so_then_it_is_offered_one() -> None:
    found = issue_session(chain("s2", displaced="x y"), "x", "s3", take_over=True)
    assert found == SessionDecision(SessionVerdict.OFFERED, {"offered": ("s3",)})


def test_many_takeovers_and_greetings_then_the_last_ones_are_remembered() -> None:
    displaced = [f"d{number}" for number in range(DISPLACED_MAX)]
    kept = resolve_session(chain("s2", offered="s3", displaced=" ".join(displaced)), "s3").columns["displaced"]
    assert kept == (*displaced[1:], "s2")
    given = [f"s{number}" for number in range(3, 3 + GIVEN_MAX)]
    assert issue_session(chain("s2", " ".join(given)), "s2", "new").columns == {"session_next": (*given[1:], "new")}


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
        receive_batch(session, Delivery("MILK", "1", "KGM", "A1"), actor=LI, call=CommandContext(1, CLOCK.now()))
    assert refused.value.code is PLANT_FENCED
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


def test_greeting_comes_twice_or_late_then_nobody_is_fenced(group: Group) -> None:
    """A network that repeats a Hello, at once and later: the repeated answers are never used."""
    node = group.plant(1, "SH1")
    exchange(node)
    sent: list[Hello] = []
    greet = HttpHubClient.hello

    def greet_twice(client: HttpHubClient, greeting: Hello) -> Welcome:
        welcome = greet(client, greeting)
        greet(client, greeting)
        if sent:
            greet(client, sent[0])  # the oldest one once more
        sent.append(greeting)
        return welcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpHubClient, "hello", greet_twice)
        for _ in range(3):
            receive(node, 1)
            done = exchange(node, forced=True)
            assert (done.state, done.sent) == (ReplicationState.IN_SYNC, 1)
    level(group, node)
    assert kinds(node.store, over=True) == kinds(group.hub.node.store, over=True) == set()


@pytest.mark.parametrize("asleep_before", [True, False], ids=["before it is sent", "before the answer is read"])
def test_worker_oversleeps_its_lease_in_a_greeting_then_nobody_is_fenced(group: Group, *, asleep_before: bool) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 2)
    greet, slept = HttpHubClient.hello, False

    def greet_asleep(client: HttpHubClient, greeting: Hello) -> Welcome:
        nonlocal slept
        if slept:
            return greet(client, greeting)
        slept = True
        welcome = None if asleep_before else greet(client, greeting)
        with node.store.transaction() as session:
            session.run("UPDATE leases SET until_us = 0", {})
        for _ in range(2):
            receive(node, 1)
            assert exchange(other, forced=True).state is ReplicationState.IN_SYNC
        return welcome or greet(client, greeting)

    other = replace(node, holder="second worker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpHubClient, "hello", greet_asleep)
        assert not exchange(node, forced=True).ran
    for one in (other, node, other):
        receive(node, 1)
        assert exchange(one, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store, over=True) == kinds(group.hub.node.store, over=True) == set()


def test_hub_restored_between_greeting_and_parcel_then_greets_again_and_nobody_is_fenced(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 1)
    greet, restored = HttpHubClient.hello, False

    def greet_before_restore(client: HttpHubClient, greeting: Hello) -> Welcome:
        nonlocal restored
        welcome = greet(client, greeting)
        if not restored:
            restored = True
            with group.hub.node.store.transaction() as session:
                session.run("UPDATE replication SET session = 'older', session_next = NULL WHERE log_id = 1", {})
        return welcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpHubClient, "hello", greet_before_restore)
        assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
    level(group, node)
    assert kinds(node.store, over=True) == set()
    # The hub cannot know whether another copy exists; the rejection of the parcel has ended.
    assert kinds(group.hub.node.store) == {"PLANT_FENCED"}
    assert kinds(group.hub.node.store, over=True) == {"PLANT_FENCED", "REPLICATION_REFUSED"}


def test_answer_to_an_earlier_greeting_then_it_counts_as_none(group: Group) -> None:
    node = group.plant(1, "SH1")
    greet, said = HttpHubClient.hello, list[Welcome]()

    def greet_through_a_cache(client: HttpHubClient, greeting: Hello) -> Welcome:
        said.append(greet(client, greeting) if not said else said[0])
        return said[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpHubClient, "hello", greet_through_a_cache)
        assert exchange(node, forced=True).state is ReplicationState.IN_SYNC
        receive(node, 1)
        held = column(node.store, 1, "session")
        assert exchange(node, forced=True).state is ReplicationState.UNREACHABLE
    assert column(node.store, 1, "session") == held
    assert exchange(node, forced=True).sent == 1
    level(group, node)


def test_answers_to_greetings_lost_then_nobody_is_fenced(group: Group) -> None:
    node = group.plant(1, "SH1")
    exchange(node)
    receive(node, 1)
    greet = HttpHubClient.hello

    def lose(client: HttpHubClient, greeting: Hello) -> Welcome:
        greet(client, greeting)
        raise OSError("the answer was lost")

    for _ in range(3):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="lost"):
            patch.setattr(HttpHubClient, "hello", lose)
            exchange(node, forced=True)
    assert exchange(node, forced=True).sent == 1
    level(group, node)
    assert kinds(group.hub.node.store, over=True) == set()

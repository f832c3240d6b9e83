"""A hub that does not answer: an alarm of the plant, after minutes and until an exchange succeeds."""

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.clock import FixedClock
from infra.messages import Language
from plants.rules.values.instants import format_instant
from plants.store.monitoring.alarms import AlarmKind, AlarmRow, alarms
from plants.store.replication.status import ReplicationState, amend
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.unreached import FAILURES_MIN, UNREACHED_MIN
from tests.sync_jobs.group import CLOCK, Group, column, receive

SOON = UNREACHED_MIN - timedelta(seconds=30)


def raised(node: PlantNode) -> list[AlarmRow]:
    with node.store.reading() as reads:
        return [one for one in alarms(reads) if one.kind is AlarmKind.HUB_UNREACHED]


def texts(node: PlantNode, language: Language) -> list[str]:
    return [one.said.word(language) for one in raised(node)]


def fail(node: PlantNode, after: timedelta, times: int = FAILURES_MIN) -> PlantNode:
    """Let exchanges fail that long from now; returns the node at that time."""
    later = replace(node, clock=FixedClock(CLOCK.now() + after))
    for _ in range(times):
        assert exchange(later, forced=True).state is ReplicationState.UNREACHABLE
    return later


@pytest.fixture
def alone(group: Group) -> PlantNode:
    """A plant that was in sync, with two entries more since its hub has stopped."""
    node = group.plant(1, "SH1")
    exchange(node)
    group.hub.stop()
    receive(node, 2)
    return node


def test_hub_silent_for_minutes_then_an_alarm_until_an_exchange_succeeds(group: Group, alone: PlantNode) -> None:
    fail(alone, SOON)
    assert raised(alone) == []
    later = fail(alone, UNREACHED_MIN, 1)
    (alarm,) = raised(later)
    with later.store.reading() as reads:
        contact = reads.rows("SELECT contact_us FROM replication WHERE log_id = 1")
    since = format_instant(CLOCK.now().fromtimestamp(contact[0][0] / 1_000_000, CLOCK.now().tzinfo))
    assert (alarm.about, alarm.times) == (alone.origin, 1)
    assert alarm.text.startswith(f"The hub has not answered since {since[:19]}")
    assert "ConnectError" in alarm.text
    assert "Work at the plant goes on. Waiting for the hub: 2 entries." in alarm.text
    (chinese,) = texts(later, "zh")
    assert chinese.startswith(f"自 {since[:19]}")
    assert "2 个条目" in chinese
    receive(later)
    fail(alone, UNREACHED_MIN, 1)
    (alarm,) = raised(later)
    assert (alarm.times, "Waiting for the hub: 3 entries." in alarm.text) == (2, True)
    group.hub.start()
    assert exchange(alone, forced=True).state is ReplicationState.IN_SYNC
    assert raised(alone) == []


def test_hub_silent_while_the_plant_waits_then_the_alarm_comes_without_an_attempt(alone: PlantNode) -> None:
    later = fail(alone, SOON)
    with alone.store.transaction() as session:
        amend(session, 1, next_attempt_at=CLOCK.now() + 2 * UNREACHED_MIN)
    assert not exchange(later).ran
    assert raised(alone) == []
    later = replace(alone, clock=FixedClock(CLOCK.now() + UNREACHED_MIN))
    for _ in range(2):
        assert not exchange(later).ran
        assert [one.times for one in raised(alone)] == [1]


def test_plant_starts_before_its_network_then_no_alarm(alone: PlantNode) -> None:
    fail(alone, timedelta(days=7), FAILURES_MIN - 1)
    assert raised(alone) == []
    fail(alone, timedelta(days=7), 1)
    assert len(raised(alone)) == 1


def test_contact_in_the_future_then_it_silences_nothing(alone: PlantNode) -> None:
    with alone.store.transaction() as session:
        amend(session, 1, contact_at=CLOCK.now() + timedelta(days=30))
    fail(alone, timedelta(0))
    assert len(raised(alone)) == 1


def test_hub_never_answered_then_the_alarm_says_so(group: Group) -> None:
    node = group.plant(1, "SH1")
    group.hub.stop()
    fail(node, SOON)
    assert raised(node) == []
    fail(node, UNREACHED_MIN, 1)
    assert [one[:27] for one in texts(node, "en")] == ["The hub has never answered "]
    assert [one[:8] for one in texts(node, "zh")] == ["中心从未有过应答"]


def test_hub_refuses_then_it_has_answered(group: Group, alone: PlantNode) -> None:
    later = fail(alone, UNREACHED_MIN)
    assert len(raised(alone)) == 1
    group.hub.start()
    assert exchange(later, forced=True).state is ReplicationState.REFUSED, "its clock is five minutes ahead"
    assert raised(alone) == []
    assert "401" in str(column(alone.store, 1, "alarm"))

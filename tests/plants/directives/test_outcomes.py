"""Decisions made at the hub reach the plant as directives: answered once, in order, and on exactly what was asked."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from plants.commands.approvals.change_requests import ExtensionRequest, ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.directives.outcomes import DirectiveOutOfOrder, apply_directive
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.approvals.refusals import (
    CHANGE_ALREADY_DECIDED,
    CHANGE_EXPIRED,
    CHANGE_OWN_REQUEST,
    CHANGE_UNKNOWN,
    PROPOSAL_DIFFERS,
)
from plants.rules.ledger.events import Entry
from plants.rules.values.instants import format_instant, micros
from plants.rules.values.refusals import TEXT_INVALID
from plants.store.ledger.entries import entry_at
from tests.factories import MANAGER, OPERATOR, Plant
from tests.plants.replicas import Hub, answer_next, hub_beside, pending

REQUEST = "0190b0a0-0000-7000-8000-000000000003"
YES, NO = ChangeVerdict.APPROVED, ChangeVerdict.REJECTED


@pytest.fixture
def hub(tmp_path: Path, plant: Plant) -> Iterator[Hub]:
    """A hub that has all entries of the plant."""
    with hub_beside(tmp_path, plant) as hub:
        yield hub


def held(plant: Plant) -> tuple[str, Entry]:
    code = plant.receive()
    plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    return code, plant.do(request_change, ReleaseRequest(code, "Tested, good"))


def decision(asked: Entry, verdict: ChangeVerdict = YES) -> Decision:
    return Decision(asked.index, asked.leaf.hex(), verdict, "Seen at headquarters 总部已阅")


def said(asked: Entry, **other: Any) -> dict[str, Any]:
    """Return what a directive says that decides a request."""
    return {
        "plant": 1,
        "change": asked.index,
        "proposal": asked.leaf.hex(),
        "verdict": "APPROVED",
        "level": "HUB",
        "printed_name": "Han Mei 韩梅",
        "comment": "",
        **other,
    }


def since(plant: Plant, entry: Entry) -> list[str]:
    return [one.type for one in plant.entries()[entry.index + 1 :]]


def state(plant: Plant, asked: Entry) -> str:
    sql = "SELECT state FROM change_requests WHERE plant_id = :p AND change_id = :c"
    ((found,),) = plant.rows(sql, p=plant.number, c=asked.index)
    return str(found)


def outcomes(plant: Plant) -> list[tuple[object, ...]]:
    return plant.rows(
        "SELECT directive_idx, entry_idx, applied, met_version, refusal FROM directive_outcomes ORDER BY directive_idx"
    )


def test_approved_at_the_hub_while_the_plant_is_away_then_applied_when_it_is_back(hub: Hub, plant: Plant) -> None:
    code, asked = held(plant)
    hub.hears(plant)
    desk = hub.desk(plant)
    directive = desk.do(decide_change_at_hub, decision(asked))
    assert directive.envelope["plant"] == -1
    assert directive.envelope["key"] == code
    assert directive.payload == said(asked, comment="Seen at headquarters 总部已阅")
    assert directive.envelope["causes"] == [{"origin": plant.origin, "index": asked.index, "leaf": asked.leaf.hex()}]
    assert directive.envelope["hlc"] > asked.envelope["hlc"]
    sql = "SELECT log_id, idx, plant_id, change_id, verdict, level, decided_by FROM change_decisions"
    assert desk.rows(sql) == [(-1, 0, 1, asked.index, "APPROVED", "HUB", "person-9")]
    assert state(desk, asked) == "REQUESTED"
    decided_at = plant.clock.now()

    plant.clock.advance(days=2)
    hub.tells(plant)
    assert pending(plant) == 0
    answer = answer_next(plant)
    assert since(plant, asked) == ["ChangeDecided", "ChangeApplied", "DirectiveApplied"]
    assert answer.payload == {"directive": 0, "met_version": asked.index - 1}
    decided, applied, _ = plant.entries()[asked.index + 1 :]
    cause = {"origin": "acme.example/hub/to/SH1/i1", "index": 0, "leaf": directive.leaf.hex()}
    assert decided.payload == directive.payload
    assert decided.envelope["actor"] == "person-9"
    assert decided.envelope["occurred_at"] == format_instant(decided_at)
    assert decided.envelope["causes"] == answer.envelope["causes"] == [cause]
    assert decided.envelope["hlc"] > directive.envelope["hlc"]
    assert applied.envelope["actor"] == answer.envelope["actor"] == "system"
    assert plant.rows("SELECT lifted_idx, lifted_us FROM holds") == [(applied.index, micros(plant.clock.now()))]
    sql = "SELECT state, decided_by, decided_us, decided_level, closed_idx FROM change_requests"
    assert plant.rows(sql) == [("APPLIED", "person-9", micros(decided_at), "HUB", applied.index)]
    assert outcomes(plant) == [(0, answer.index, 1, asked.index - 1, None)]
    assert pending(plant) is None

    hub.hears(plant)
    assert state(desk, asked) == "APPLIED"
    assert outcomes(desk) == outcomes(plant)


def test_same_directive_twice_then_one_effect_and_the_first_answer(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    directive = hub.desk(plant).do(decide_change_at_hub, decision(asked))
    hub.tells(plant)
    answer = answer_next(plant)
    before = plant.everything()
    with plant.store.transaction() as session:
        again = apply_directive(session, directive, plant=1, now=plant.clock.now())
    assert again.body == answer.body
    assert plant.everything() == before


def test_decided_again_at_the_hub_then_refused(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    desk = hub.desk(plant)
    first = desk.do(decide_change_at_hub, decision(asked), request=REQUEST)
    before = desk.everything()
    assert desk.do(decide_change_at_hub, decision(asked), request=REQUEST).body == first.body
    assert desk.everything() == before
    data = desk.refuses(decide_change_at_hub, decision(asked, NO), CHANGE_ALREADY_DECIDED, actor=MANAGER)
    assert data == {"change": str(asked.index), "state": "APPROVED"}
    hub.tells(plant)
    answer_next(plant)
    hub.hears(plant)
    desk.refuses(decide_change_at_hub, decision(asked), CHANGE_ALREADY_DECIDED, actor=MANAGER)


def test_requester_at_the_hub_then_refused_there_and_rejected_by_the_plant_all_the_same(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    hub.desk(plant).refuses(decide_change_at_hub, decision(asked), CHANGE_OWN_REQUEST, actor=OPERATOR)
    hub.directs(plant, "ChangeDecided", said(asked), actor=OPERATOR)
    hub.tells(plant)
    answer = answer_next(plant)
    assert answer.payload == {
        "directive": 0,
        "met_version": None,
        "refusal": "CHANGE_OWN_REQUEST",
        "data": {"change": str(asked.index)},
    }
    assert since(plant, asked) == ["DirectiveRejected"]
    assert state(plant, asked) == "REQUESTED"
    assert outcomes(plant) == [(0, answer.index, 0, None, "CHANGE_OWN_REQUEST")]


def test_other_content_than_asked_then_rejected_and_decided_again(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    wrong = Decision(asked.index, "00" * 32, YES)
    hub.desk(plant).refuses(decide_change_at_hub, wrong, PROPOSAL_DIFFERS)
    hub.directs(plant, "ChangeDecided", said(asked, proposal="00" * 32))
    hub.tells(plant)
    assert answer_next(plant).payload["refusal"] == "PROPOSAL_DIFFERS"
    hub.hears(plant)
    hub.desk(plant).do(decide_change_at_hub, decision(asked))
    hub.tells(plant)
    answer_next(plant)
    assert since(plant, asked) == ["DirectiveRejected", "ChangeDecided", "ChangeApplied", "DirectiveApplied"]


def test_batch_changed_meanwhile_then_stale_and_the_decision_stands(hub: Hub, plant: Plant) -> None:
    code, asked = held(plant)
    hub.hears(plant)
    hub.desk(plant).do(decide_change_at_hub, decision(asked))
    moved = plant.do(move_batch, Move(code, "A1", "B1", "5", "KGM"))
    hub.tells(plant)
    answer = answer_next(plant)
    assert since(plant, moved) == ["ChangeDecided", "ChangeRefused", "DirectiveRejected"]
    data = {"batch": code, "proposed": str(asked.index - 1), "current": str(moved.index)}
    assert answer.payload == {
        "directive": 0,
        "met_version": moved.index,
        "refusal": "CHANGE_STALE",
        "data": data,
    }
    assert plant.entry(-2).payload == {"change": asked.index, "refusal": "CHANGE_STALE", "data": data}
    assert state(plant, asked) == "REFUSED"
    assert plant.rows("SELECT lifted_idx FROM holds") == [(None,)]


def test_decided_at_the_plant_meanwhile_then_rejected_with_nothing_else(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    hub.desk(plant).do(decide_change_at_hub, decision(asked))
    plant.do(decide_change, decision(asked), actor=MANAGER)
    applied = plant.entry()
    hub.tells(plant)
    assert answer_next(plant).payload["refusal"] == "CHANGE_ALREADY_DECIDED"
    assert since(plant, applied) == ["DirectiveRejected"]
    assert plant.rows("SELECT lifted_idx FROM holds") == [(applied.index,)]


def test_rejected_at_the_hub_then_directive_applied_and_hold_stays(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    data = hub.desk(plant).refuses(decide_change_at_hub, Decision(asked.index, asked.leaf.hex(), NO), TEXT_INVALID)
    assert data["field"] == "comment"
    hub.desk(plant).do(decide_change_at_hub, decision(asked, NO))
    hub.tells(plant)
    answer_next(plant)
    assert since(plant, asked) == ["ChangeDecided", "DirectiveApplied"]
    assert state(plant, asked) == "REJECTED"
    assert plant.rows("SELECT lifted_idx FROM holds") == [(None,)]


def test_extension_approved_at_the_hub_then_usable_longer(hub: Hub, plant: Plant) -> None:
    code = plant.receive()
    asked = plant.do(request_change, ExtensionRequest(code, "Retested", date(2026, 6, 1)))
    hub.hears(plant)
    hub.desk(plant).do(decide_change_at_hub, decision(asked))
    hub.tells(plant)
    answer = answer_next(plant)
    assert plant.batch(code)["expires_on"] == "2026-06-01"
    assert plant.batch(code)["version"] == answer.index - 1


def test_late_then_refused_at_the_hub_but_a_timely_decision_holds(hub: Hub, plant: Plant) -> None:
    _, in_time = held(plant)
    _, late = held(plant)
    hub.hears(plant)
    desk = hub.desk(plant)
    plant.clock.advance(days=30)
    desk.do(decide_change_at_hub, decision(in_time))
    plant.clock.advance(seconds=1)
    desk.refuses(decide_change_at_hub, decision(late), CHANGE_EXPIRED)
    hub.directs(plant, "ChangeDecided", said(late))
    plant.clock.advance(days=5)
    hub.tells(plant)
    assert answer_next(plant).type == "DirectiveApplied"
    assert answer_next(plant).payload["refusal"] == "CHANGE_EXPIRED"
    assert (state(plant, in_time), state(plant, late)) == ("APPLIED", "REQUESTED")


@pytest.mark.parametrize("change", [0, 999, -1, 2**70])
def test_unknown_request_then_refused_at_the_hub(hub: Hub, plant: Plant, change: int) -> None:
    hub.desk(plant).refuses(decide_change_at_hub, Decision(change, "00", YES), CHANGE_UNKNOWN)


@pytest.mark.parametrize("other", [{"plant": 2}, {"change": 1}, {"change": 2**60}])
def test_directive_on_another_request_then_rejected(hub: Hub, plant: Plant, other: dict[str, int]) -> None:
    _, asked = held(plant)
    hub.directs(plant, "ChangeDecided", said(asked, **other))
    hub.tells(plant)
    assert answer_next(plant).payload["refusal"] == "CHANGE_UNKNOWN"
    assert since(plant, asked) == ["DirectiveRejected"]


@pytest.mark.parametrize(
    "event, payload",
    [
        ("RecallOpened", {"recall": 7}),
        ("ChangeDecided", {}),
        ("ChangeDecided", {"plant": "one"}),
        ("ChangeDecided", {"plant": 1, "change": 5, "proposal": "", "verdict": "MAYBE"}),
    ],
)
def test_directive_not_understood_then_rejected_and_the_next_is_answered(
    hub: Hub, plant: Plant, event: str, payload: dict[str, Any]
) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    hub.directs(plant, event, payload)
    hub.desk(plant).do(decide_change_at_hub, decision(asked))
    hub.tells(plant)
    answer = answer_next(plant)
    assert answer.payload == {
        "directive": 0,
        "met_version": None,
        "refusal": "UNSUPPORTED",
        "data": {"type": f"{event} 1"},
    }
    assert pending(plant) == 1
    assert answer_next(plant).type == "DirectiveApplied"
    assert state(plant, asked) == "APPLIED"


def test_directive_out_of_turn_or_never_heard_then_nothing_is_recorded(hub: Hub, plant: Plant) -> None:
    _, first = held(plant)
    _, second = held(plant)
    hub.hears(plant)
    desk = hub.desk(plant)
    directives = [desk.do(decide_change_at_hub, decision(asked)) for asked in (first, second)]
    before = plant.everything()
    for directive in directives:  # not mirrored yet
        with pytest.raises(DirectiveOutOfOrder), plant.store.transaction() as session:
            apply_directive(session, directive, plant=1, now=plant.clock.now())
    assert plant.everything() == before
    hub.tells(plant)
    before = plant.everything()
    with pytest.raises(DirectiveOutOfOrder), plant.store.transaction() as session:
        apply_directive(session, directives[1], plant=1, now=plant.clock.now())
    assert plant.everything() == before


def test_answer_cut_off_then_nothing_is_recorded_and_it_is_answered_later(hub: Hub, plant: Plant) -> None:
    _, asked = held(plant)
    hub.hears(plant)
    hub.desk(plant).do(decide_change_at_hub, decision(asked))
    hub.tells(plant)
    before = plant.everything()
    with pytest.raises(KeyboardInterrupt), plant.store.transaction() as session:
        directive = entry_at(session, -1, 0)
        assert directive is not None
        apply_directive(session, directive, plant=1, now=plant.clock.now())
        raise KeyboardInterrupt
    assert plant.everything() == before
    assert answer_next(plant).type == "DirectiveApplied"


def test_two_plants_then_each_has_its_own_directives(tmp_path: Path, here: Plant, there: Plant) -> None:
    with hub_beside(tmp_path, here, there) as hub:
        _, asked_here = held(here)
        _, asked_there = held(there)
        for one in (here, there):
            hub.hears(one)
        hub.desk(there).do(decide_change_at_hub, decision(asked_there))
        for one in (here, there):
            hub.tells(one)
        assert pending(here) is None
        assert pending(there) == 0
        answer_next(there)
        assert (state(here, asked_here), state(there, asked_there)) == ("REQUESTED", "APPLIED")

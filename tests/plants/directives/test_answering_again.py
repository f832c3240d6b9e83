"""Directives that an older program could not do take effect after the upgrade: once, in order, and named as such."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change_at_hub
from plants.commands.directives import outcomes as applying
from plants.commands.directives.directives import (
    HoldDirection,
    MasterDirection,
    ReleaseDirection,
    direct_hold,
    direct_master,
    direct_release,
)
from plants.commands.directives.outcomes import DirectiveOutOfOrder, apply_directive, due_directive
from plants.commands.execution import CommandContext
from plants.commands.inventory.issues import StockLine
from plants.commands.materials.definitions import MasterDefinition
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.quality.refusals import BATCH_ON_HOLD
from plants.store.ledger.entries import entry_at
from plants.store.projection.rebuilding import table_digests
from tests.factories import Plant
from tests.plants.replicas import DIRECTOR, Hub, answer_next, hub_beside, pending


@pytest.fixture
def hub(tmp_path: Path, plant: Plant) -> Iterator[Hub]:
    """A hub that has all entries of the plant."""
    with hub_beside(tmp_path, plant) as hub:
        yield hub


def older(upgraded: pytest.MonkeyPatch, *unknown: str) -> None:
    """Let the plant run a program that does not know these types yet."""
    for event in unknown:
        upgraded.delitem(applying.APPLIERS, (event, 1))


def directs(hub: Hub, plant: Plant, command: Any, order: Any) -> Entry:
    with hub.store.transaction() as session:
        (entry,) = command(session, order, actor=DIRECTOR, call=CommandContext(0, plant.clock.now()))
    hub.tells(plant)
    assert isinstance(entry, Entry)
    return entry


def hold(hub: Hub, plant: Plant, code: str) -> Entry:
    return directs(hub, plant, direct_hold, HoldDirection(code, "Glass"))


def outcomes(plant: Plant) -> list[tuple[object, ...]]:
    return plant.rows("SELECT directive_idx, entry_idx, applied, refusal FROM directive_outcomes ORDER BY 1")


def test_hold_refused_by_the_older_program_then_bites_after_the_upgrade_and_the_hub_sees_it(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    told = hold(hub, plant, code)
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        first = answer_next(plant)
        assert first.payload["refusal"] == "UNSUPPORTED"
        assert pending(plant) is None
    hub.hears(plant)
    assert plant.rows("SELECT COUNT(*) FROM holds") == [(0,)]

    assert pending(plant) == told.index
    second = answer_next(plant)
    met = first.index - 1
    assert (second.type, second.payload) == (
        "DirectiveApplied",
        {"directive": 0, "met_version": met, "met": {code: met}, "again": first.index},
    )
    assert plant.entry(-2).type == "BatchQuarantined"
    assert plant.entry(-2).envelope["causes"] == second.envelope["causes"] == first.envelope["causes"]
    assert outcomes(plant) == [(0, second.index, 1, None)]
    assert pending(plant) is None

    hub.hears(plant)
    desk = hub.desk(plant)
    assert outcomes(desk) == outcomes(plant)
    assert desk.rows("SELECT directed FROM holds") == [(told.payload["hold"],)]
    assert table_digests(hub.store, plant=plant.number) == table_digests(plant.store, plant=plant.number)
    process = plant.do(open_process, ProcessOrder()).payload["process"]["id"]
    plant.refuses(feed_process, Feed(process, (StockLine(code, "1", "KGM", "A1"),)), BATCH_ON_HOLD)


def test_given_again_after_the_second_answer_then_that_one_and_nothing_changed(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    told = hold(hub, plant, code)
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        first = answer_next(plant)
        before = plant.everything()
        with plant.store.transaction() as session:
            again = apply_directive(session, told, plant=plant.number, now=plant.clock.now())
        assert again.body == first.body
        assert plant.everything() == before
    second = answer_next(plant)
    before = plant.everything()
    with plant.store.transaction() as session:
        again = apply_directive(session, told, plant=plant.number, now=plant.clock.now())
    assert again.body == second.body
    assert plant.everything() == before


def test_unreadable_to_the_newer_program_too_then_never_answered_again(hub: Hub, plant: Plant) -> None:
    hub.directs(plant, "HoldDirected", {"hold": "h", "batch": None, "kind": "QUALITY", "reason": "r"})
    hub.directs(plant, "BatchWeighed", {})
    hub.tells(plant)
    answers = [answer_next(plant) for _ in range(2)]
    assert [one.payload["refusal"] for one in answers] == ["UNSUPPORTED", "UNSUPPORTED"]
    before = plant.everything()
    assert pending(plant) is None
    with plant.store.transaction() as session:
        directive = entry_at(session, -plant.number, 0)
        assert directive is not None
        given_again = apply_directive(session, directive, plant=plant.number, now=plant.clock.now())
    assert given_again.body == answers[0].body
    assert plant.everything() == before


def test_several_were_refused_then_the_older_ones_first_and_before_what_is_new(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [plant.receive() for _ in range(3)]
    hub.hears(plant)
    told = [hold(hub, plant, code) for code in codes[:2]]
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        firsts = [answer_next(plant) for _ in told]
    told.append(hold(hub, plant, codes[2]))
    before = plant.everything()
    for directive in told[1:]:
        with pytest.raises(DirectiveOutOfOrder), plant.store.transaction() as session:
            apply_directive(session, directive, plant=plant.number, now=plant.clock.now())
    assert plant.everything() == before
    answers = [answer_next(plant).payload for _ in told]
    assert [(one["directive"], one.get("again")) for one in answers] == [
        (0, firsts[0].index), (1, firsts[1].index), (2, None),
    ]  # fmt: skip
    assert pending(plant) is None


def test_answer_cut_off_then_nothing_is_recorded_and_it_is_answered_later(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    told = hold(hub, plant, code)
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        answer_next(plant)
    before = plant.everything()
    with pytest.raises(KeyboardInterrupt), plant.store.transaction() as session:
        apply_directive(session, told, plant=plant.number, now=plant.clock.now())
        raise KeyboardInterrupt
    assert plant.everything() == before
    assert answer_next(plant).type == "DirectiveApplied"


def test_hold_was_lifted_meanwhile_then_it_is_not_placed(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    told = hold(hub, plant, code)
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        first = answer_next(plant)
        directs(hub, plant, direct_release, ReleaseDirection(told.payload["hold"], "Was sugar"))
        assert answer_next(plant).payload["refusal"] == "HOLD_UNKNOWN"
    entries = len(plant.entries())
    answer = answer_next(plant)
    assert (answer.type, answer.payload) == (
        "DirectiveRejected",
        {
            "directive": 0, "met_version": None, "again": first.index,
            "refusal": "DIRECTIVE_SUPERSEDED", "data": {"later": "1"},
        },
    )  # fmt: skip
    assert len(plant.entries()) == entries + 1
    assert plant.rows("SELECT COUNT(*) FROM holds") == plant.rows("SELECT COUNT(*) FROM waiting_holds") == [(0,)]
    assert pending(plant) is None


def test_only_the_release_was_refused_then_the_hold_is_lifted_after_the_upgrade(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    told = hold(hub, plant, code)
    answer_next(plant)
    with monkeypatch.context() as upgraded:
        older(upgraded, "ReleaseDirected")
        directs(hub, plant, direct_release, ReleaseDirection(told.payload["hold"], "Was sugar"))
        answer_next(plant)
    answer = answer_next(plant)
    assert answer.type == "DirectiveApplied"
    assert plant.rows("SELECT lifted_idx FROM holds") == [(answer.index - 1,)]


def test_batch_unknown_by_then_then_the_hold_waits_for_it(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    elsewhere = code[:-1]
    payload = {"hold": "h", "batch": {"id": None, "code": elsewhere}, "kind": "QUALITY", "reason": "r"}
    hub.directs(plant, "HoldDirected", payload)
    hub.tells(plant)
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        answer_next(plant)
    answer = answer_next(plant)
    assert (answer.type, answer.payload["refusal"]) == ("DirectiveRejected", "BATCH_UNKNOWN")
    assert plant.rows("SELECT batch_code, hold FROM waiting_holds") == [(elsewhere, "h")]
    assert pending(plant) is None


def test_master_data_was_directed_anew_meanwhile_then_the_older_words_do_not_replace_it(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as upgraded:
        older(upgraded, "MasterDirected")
        for definition in (
            MasterDefinition(MasterKind.LOCATION, "C1", "Cellar"),
            MasterDefinition(MasterKind.SUPPLIER, "C1", "Other kind"),
            MasterDefinition(MasterKind.LOCATION, "C1", "Attic"),
        ):
            directs(hub, plant, direct_master, MasterDirection((plant.code,), definition))
            assert answer_next(plant).payload["refusal"] == "UNSUPPORTED"
    answers = [answer_next(plant) for _ in range(3)]
    assert [(one.type, one.payload.get("data")) for one in answers] == [
        ("DirectiveRejected", {"later": "2"}), ("DirectiveApplied", None), ("DirectiveApplied", None),
    ]  # fmt: skip
    assert plant.rows("SELECT name FROM master_records WHERE kind = 'LOCATION' AND code = 'C1'") == [("Attic",)]


def test_decided_anew_at_the_hub_then_the_later_decision_counts(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    asked = plant.do(request_change, ReleaseRequest(code, "Tested, good"))
    hub.hears(plant)
    with monkeypatch.context() as upgraded:
        older(upgraded, "ChangeDecided")
        for verdict in (ChangeVerdict.APPROVED, ChangeVerdict.REJECTED):
            hub.desk(plant).do(decide_change_at_hub, Decision(asked.index, asked.leaf.hex(), verdict, "Seen 已阅"))
            hub.tells(plant)
            answer_next(plant)
            hub.hears(plant)
    answers = [answer_next(plant).payload for _ in range(2)]
    assert [one.get("refusal") for one in answers] == ["DIRECTIVE_SUPERSEDED", None]
    assert plant.rows("SELECT state FROM change_requests") == [("REJECTED",)]
    assert plant.rows("SELECT lifted_idx FROM holds") == [(None,)]


def test_directive_not_here_any_more_then_it_waits_until_it_comes_again(
    hub: Hub, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = plant.receive()
    hub.hears(plant)
    told = hold(hub, plant, code)
    with monkeypatch.context() as upgraded:
        older(upgraded, "HoldDirected")
        answer_next(plant)
    before = plant.everything()
    with pytest.raises(DirectiveOutOfOrder), plant.store.transaction() as session:
        # As a plant that was brought back has it: its own ledger whole, the directives still on their way.
        session.run("DELETE FROM entries WHERE log_id = -1")
        assert due_directive(session, plant.number) is None
        apply_directive(session, told, plant=plant.number, now=plant.clock.now())
    assert plant.everything() == before
    assert pending(plant) == told.index

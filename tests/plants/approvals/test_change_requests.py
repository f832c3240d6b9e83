"""Gated changes at the plant: asked for by one person, decided by another, applied once on exactly that version."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from infra.writer import Writer
from plants.commands.approvals.change_requests import (
    AdjustmentRequest,
    ChangeOrder,
    ExtensionRequest,
    ReleaseRequest,
    request_change,
)
from plants.commands.approvals.decisions import Decision, decide_change
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.approvals.refusals import (
    CHANGE_ALREADY_DECIDED,
    CHANGE_EXPIRED,
    CHANGE_LEVEL_WRONG,
    CHANGE_OWN_REQUEST,
    CHANGE_UNKNOWN,
    PROPOSAL_DIFFERS,
)
from plants.rules.inventory.refusals import BATCH_UNKNOWN, EXPIRY_NOT_LATER
from plants.rules.ledger.events import Entry
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.holds import HoldKind
from plants.rules.quality.refusals import HOLD_UNKNOWN
from plants.rules.values.actors import Author
from plants.rules.values.instants import format_instant, micros
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    NOTHING_CHANGES,
    TEXT_INVALID,
    UNIT_NOT_CONVERTIBLE,
    Refusal,
)
from plants.rules.values.refusals import RefusalCode as R
from tests.factories import MANAGER, Plant

REQUEST = "0190b0a0-0000-7000-8000-000000000002"
YES, NO = ChangeVerdict.APPROVED, ChangeVerdict.REJECTED


def held(plant: Plant) -> tuple[str, Entry]:
    """Return a batch on hold, and the entry that asks for its release."""
    code = plant.receive()
    plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    return code, plant.do(request_change, ReleaseRequest(code, "Tested, good 检验合格"))


def yes(asked: Entry) -> Decision:
    return Decision(asked.index, asked.leaf.hex(), YES, "Looked at the result")


def state(plant: Plant, asked: Entry) -> tuple[object, ...]:
    sql = (
        "SELECT state, decided_by, decided_level, comment, closed_idx, refusal FROM change_requests"
        " WHERE plant_id = :p AND change_id = :c"
    )
    (row,) = plant.rows(sql, p=plant.number, c=asked.index)
    return row


def types(plant: Plant, after: Entry) -> list[str]:
    return [entry.type for entry in plant.entries()[after.index + 1 :]]


def open_holds(plant: Plant) -> list[int]:
    return [hold for (hold,) in plant.rows("SELECT hold_id FROM holds WHERE lifted_idx IS NULL ORDER BY hold_id")]


def test_release_asked_then_difference_stands_and_nothing_changes(plant: Plant) -> None:
    code = plant.receive()
    hold = plant.do(quarantine_batch, Quarantine(code, "Seal broken"))
    asked = plant.do(request_change, ReleaseRequest(code, "Tested, good"))
    expires = plant.clock.now() + timedelta(days=30)
    assert asked.envelope["reason"] == "Tested, good"
    assert asked.payload == {
        "kind": "RELEASE",
        "batch": plant.batch_id(code),
        "version": hold.index,
        "differences": [{"field": f"hold:{hold.index}", "before": "QUALITY: Seal broken", "after": "LIFTED"}],
        "levels": ["HUB", "PLANT"],
        "expires_at": format_instant(expires),
        "detail": {"holds": str(hold.index)},
    }
    assert state(plant, asked) == ("REQUESTED", None, None, None, None, None)
    sql = "SELECT proposal, requested_by, reason, requested_us, expires_us FROM change_requests"
    at = micros(plant.clock.now())
    assert plant.rows(sql) == [(asked.leaf.hex(), "person-1", "Tested, good", at, micros(expires))]
    assert plant.batch(code)["version"] == hold.index
    assert open_holds(plant) == [hold.index]


def test_release_approved_then_lifted_once(plant: Plant) -> None:
    code, asked = held(plant)
    decided = plant.do(decide_change, yes(asked), actor=MANAGER)
    assert decided.type == "ChangeDecided"
    assert decided.payload == {
        "plant": 1,
        "change": asked.index,
        "proposal": asked.leaf.hex(),
        "verdict": "APPROVED",
        "level": "PLANT",
        "printed_name": "Li Lei 李雷",
        "comment": "Looked at the result",
    }
    assert types(plant, asked) == ["ChangeDecided", "ChangeApplied"]
    assert state(plant, asked) == (
        "APPLIED", "person-2", "PLANT", "Looked at the result", decided.index + 1, None,
    )  # fmt: skip
    assert open_holds(plant) == []
    assert plant.batch(code)["version"] == decided.index + 1
    sql = "SELECT log_id, idx, plant_id, change_id, verdict, level, decided_by, printed_name FROM change_decisions"
    assert plant.rows(sql) == [(1, decided.index, 1, asked.index, "APPROVED", "PLANT", "person-2", "Li Lei 李雷")]
    third = Author("person-3", "Zhang San 张三")
    data = plant.refuses(decide_change, yes(asked), CHANGE_ALREADY_DECIDED, actor=third)
    assert data == {"change": str(asked.index), "state": "APPLIED"}


def test_several_holds_then_only_quality_ones_are_released_unless_one_is_named(here: Plant) -> None:
    code = here.receive()
    seal, breach, smell = (
        here.do(quarantine_batch, Quarantine(code, reason, kind)).index
        for reason, kind in (
            ("Seal", HoldKind.QUALITY),
            ("Too warm", HoldKind.PARAMETER_BREACH),
            ("Smell", HoldKind.QUALITY),
        )
    )
    asked = here.do(request_change, ReleaseRequest(code, "Good"))
    assert asked.payload["detail"] == {"holds": f"{seal},{smell}"}
    here.do(decide_change, yes(asked), actor=MANAGER)
    assert open_holds(here) == [breach]
    named = here.do(request_change, ReleaseRequest(code, "Good", breach))
    here.do(decide_change, yes(named), actor=MANAGER)
    assert open_holds(here) == []


def test_recall_hold_then_lifted_at_the_hub_alone(here: Plant) -> None:
    code = here.receive()
    hold = here.do(quarantine_batch, Quarantine(code, "Recall 7", HoldKind.RECALL)).index
    asked = here.do(request_change, ReleaseRequest(code, "Wrong batch", hold))
    assert asked.payload["levels"] == ["HUB"]
    data = here.refuses(decide_change, yes(asked), CHANGE_LEVEL_WRONG, actor=MANAGER)
    assert data == {"change": str(asked.index), "levels": "HUB"}


@pytest.mark.parametrize("named", [None, 3])
def test_no_such_hold_then_refused(here: Plant, named: int | None) -> None:
    code = here.receive()
    data = here.refuses(request_change, ReleaseRequest(code, "Good", named), HOLD_UNKNOWN)
    assert data == {"batch": code, "hold": str(named or "QUALITY")}


def test_extension_asked_then_hub_level_and_difference(plant: Plant) -> None:
    code = plant.receive()
    asked = plant.do(request_change, ExtensionRequest(code, "Retested", date(2026, 5, 1)))
    assert asked.payload["differences"] == [{"field": "expires_on", "before": "2026-04-13", "after": "2026-05-01"}]
    assert asked.payload["levels"] == ["HUB"]
    plant.refuses(decide_change, yes(asked), CHANGE_LEVEL_WRONG, actor=MANAGER)
    assert plant.batch(code)["expires_on"] == "2026-04-13"


@pytest.mark.parametrize("wanted", [date(2026, 4, 13), date(2026, 4, 12)])
def test_extension_not_later_then_refused(here: Plant, wanted: date) -> None:
    code = here.receive()
    data = here.refuses(request_change, ExtensionRequest(code, "Retested", wanted), EXPIRY_NOT_LATER)
    assert data == {"batch": code, "present": "2026-04-13", "wanted": wanted.isoformat()}


def test_extension_of_what_never_expires_then_refused(here: Plant) -> None:
    code = here.receive("RM-SUGAR")
    here.refuses(request_change, ExtensionRequest(code, "Why not", date(2027, 1, 1)), EXPIRY_NOT_LATER)


@pytest.mark.parametrize(
    "counted, unit, after, movement",
    [
        ("97.5", "KGM", "97.5", ("2.5", "stock:A1", "count")),
        ("110", "KGM", "110", ("10", "count", "stock:A1")),
        ("2000", "GRM", "2", ("98", "stock:A1", "count")),
        ("0", "KGM", "0", ("100", "stock:A1", "count")),
    ],
)
def test_count_approved_then_stock_is_what_was_counted(
    here: Plant, counted: str, unit: str, after: str, movement: tuple[str, str, str]
) -> None:
    code = here.receive()
    asked = here.do(request_change, AdjustmentRequest(code, "Counted", "A1", counted, unit))
    assert asked.payload["differences"] == [{"field": "stock:A1", "before": "100 KGM", "after": f"{after} KGM"}]
    assert asked.payload["detail"] == {"location": "A1", "counted": after, "unit": "KGM"}
    assert here.stock() == {(code, "A1"): "100"}
    here.do(decide_change, yes(asked), actor=MANAGER)
    assert here.stock() == ({} if after == "0" else {(code, "A1"): after})
    assert here.movements(here.entry()) == [(here.batch_id(code), *movement)]


def test_count_where_nothing_was_then_goods_are_found(here: Plant) -> None:
    code = here.receive()
    asked = here.do(request_change, AdjustmentRequest(code, "Found", "B1", "3", "KGM"))
    here.do(decide_change, yes(asked), actor=MANAGER)
    assert here.stock() == {(code, "A1"): "100", (code, "B1"): "3"}


@pytest.mark.parametrize(
    "location, counted, unit, refusal",
    [
        ("A1", "100", "KGM", NOTHING_CHANGES),
        ("B1", "0", "KGM", NOTHING_CHANGES),
        ("Z9", "1", "KGM", NOT_DEFINED),
        ("A1", "-1", "KGM", AMOUNT_NOT_POSITIVE),
        ("A1", "many", "KGM", AMOUNT_NOT_A_NUMBER),
        ("A1", "1", "LTR", UNIT_NOT_CONVERTIBLE),
    ],
)
def test_count_that_cannot_be_then_refused(here: Plant, location: str, counted: str, unit: str, refusal: R) -> None:
    code = here.receive()
    here.refuses(request_change, AdjustmentRequest(code, "Counted", location, counted, unit), refusal)


@pytest.mark.parametrize(
    "order",
    [
        ReleaseRequest("SH1-NOPE", "Good"),
        ExtensionRequest("SH1-NOPE", "Good", date(2027, 1, 1)),
        AdjustmentRequest("SH1-NOPE", "Good", "A1", "1", "KGM"),
    ],
)
def test_unknown_batch_then_refused(here: Plant, order: ChangeOrder) -> None:
    here.refuses(request_change, order, BATCH_UNKNOWN)


def test_no_reason_then_refused(here: Plant) -> None:
    code = here.receive()
    here.refuses(request_change, AdjustmentRequest(code, " ", "A1", "1", "KGM"), TEXT_INVALID)


def test_requester_decides_then_refused(plant: Plant) -> None:
    _, asked = held(plant)
    assert plant.refuses(decide_change, yes(asked), CHANGE_OWN_REQUEST) == {"change": str(asked.index)}


def test_other_content_than_shown_then_refused(here: Plant) -> None:
    code, shown = held(here)
    asked = here.do(request_change, AdjustmentRequest(code, "Counted", "A1", "1", "KGM"))
    here.refuses(decide_change, Decision(asked.index, shown.leaf.hex(), YES), PROPOSAL_DIFFERS, actor=MANAGER)


@pytest.mark.parametrize("change", [0, 999, -1, 2**70])
def test_unknown_request_then_refused(here: Plant, change: int) -> None:
    held(here)
    here.refuses(decide_change, Decision(change, "00", YES), CHANGE_UNKNOWN, actor=MANAGER)


def test_decided_too_late_then_refused(here: Plant) -> None:
    _, asked = held(here)
    here.clock.advance(days=30, microseconds=1)
    data = here.refuses(decide_change, yes(asked), CHANGE_EXPIRED, actor=MANAGER)
    assert data["expires_at"] == "2026-04-13T08:00:00+00:00"


def test_decided_in_the_last_moment_then_applied(here: Plant) -> None:
    _, asked = held(here)
    here.clock.advance(days=30)
    here.do(decide_change, yes(asked), actor=MANAGER)
    assert state(here, asked)[0] == "APPLIED"


def test_rejected_then_nothing_but_the_decision(plant: Plant) -> None:
    code, asked = held(plant)
    before = plant.batch(code)
    decision = Decision(asked.index, asked.leaf.hex(), NO, "Not convinced")
    decided = plant.do(decide_change, decision, actor=MANAGER)
    assert types(plant, asked) == ["ChangeDecided"]
    assert decided.payload["verdict"] == "REJECTED"
    assert state(plant, asked) == ("REJECTED", "person-2", "PLANT", "Not convinced", None, None)
    assert plant.batch(code) == before
    assert len(open_holds(plant)) == 1
    plant.refuses(decide_change, yes(asked), CHANGE_ALREADY_DECIDED, actor=MANAGER)


@pytest.mark.parametrize("comment", ["", "  ", "x" * 501])
def test_rejected_without_a_word_then_refused(here: Plant, comment: str) -> None:
    _, asked = held(here)
    decision = Decision(asked.index, asked.leaf.hex(), NO, comment)
    assert here.refuses(decide_change, decision, TEXT_INVALID, actor=MANAGER)["field"] == "comment"


def test_batch_changed_meanwhile_then_refused_and_the_decision_stands(plant: Plant) -> None:
    code, asked = held(plant)
    moved = plant.do(move_batch, Move(code, "A1", "B1", "5", "KGM"))
    decided = plant.do(decide_change, yes(asked), actor=MANAGER)
    assert decided.payload["verdict"] == "APPROVED"
    assert types(plant, moved) == ["ChangeDecided", "ChangeRefused"]
    assert plant.entry().payload == {
        "change": asked.index,
        "refusal": "CHANGE_STALE",
        "data": {"batch": code, "proposed": str(moved.index - 2), "current": str(moved.index)},
    }
    assert state(plant, asked)[0] == "REFUSED"
    assert state(plant, asked)[5] == "CHANGE_STALE"
    assert len(open_holds(plant)) == 1
    assert plant.batch(code)["version"] == moved.index
    plant.refuses(decide_change, yes(asked), CHANGE_ALREADY_DECIDED, actor=MANAGER)


def test_two_requests_on_one_version_then_the_second_is_stale(here: Plant) -> None:
    code, first = held(here)
    second = here.do(request_change, AdjustmentRequest(code, "Counted", "A1", "1", "KGM"))
    here.do(decide_change, yes(first), actor=MANAGER)
    here.do(decide_change, yes(second), actor=MANAGER)
    assert state(here, first)[0] == "APPLIED"
    assert state(here, second)[0] == "REFUSED"
    assert here.stock() == {(code, "A1"): "100"}


def test_same_decision_sent_twice_then_first_answer_and_one_effect(plant: Plant) -> None:
    _, asked = held(plant)
    first = plant.do(decide_change, yes(asked), actor=MANAGER, request=REQUEST)
    before = plant.everything()
    again = plant.do(decide_change, yes(asked), actor=MANAGER, request=REQUEST)
    assert again.body == first.body
    assert plant.everything() == before


def test_decision_dated_back_then_dated_now(here: Plant) -> None:
    _, asked = held(here)
    early = here.clock.now() - timedelta(days=1)
    decided = here.do(decide_change, yes(asked), actor=MANAGER, occurred_at=early)
    assert decided.envelope["occurred_at"] == format_instant(here.clock.now())


def test_twenty_at_once_then_exactly_one_effect(plant: Plant) -> None:
    _, asked = held(plant)
    writer = Writer(plant.store)
    call = plant.call()

    def decide(number: int) -> R | None:
        actor = Author(f"person-{100 + number}", f"Decider {number}")
        try:
            writer.write(lambda session: decide_change(session, yes(asked), actor=actor, call=call))
        except Refusal as refusal:
            return refusal.code
        return None

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(decide, range(20)))
    writer.close()
    assert sorted(map(str, answers)) == ["CHANGE_ALREADY_DECIDED"] * 19 + ["None"]
    assert types(plant, asked) == ["ChangeDecided", "ChangeApplied"]
    assert open_holds(plant) == []

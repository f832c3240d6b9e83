"""Rule 10 by worked examples: the order of times, five minutes of tolerance, and late uses."""

from typing import Any

import pytest

from tests.simulation.model_group import NOON, Group, kg, line, output


def test_time_ahead_or_far_back_then_refused() -> None:
    group = Group()
    given: dict[str, Any] = {"materialCode": "MILK", "quantity": kg("1"), "locationCode": "A"}
    assert group.code("receiveBatch", **given, occurredAt="2026-06-01T12:05:01+00:00") == "TIME_IN_FUTURE"
    assert group.code("receiveBatch", **given, occurredAt="2026-05-01T11:59:59+00:00") == "TIME_TOO_OLD"
    group.does("receiveBatch", **given, occurredAt="2026-05-01T12:00:00+00:00")
    group.does("receiveBatch", **given, occurredAt="2026-06-01T14:05:00+02:00")


def test_goods_that_leave_before_they_came_then_refused_with_the_receipt() -> None:
    group = Group()
    receipt = group.does("receiveBatch", materialCode="MILK", quantity=kg("10"), locationCode="A")
    group.later(minutes=30)
    given: dict[str, Any] = {"customerCode": "C1", "lines": [line(receipt.made[0], "1")]}
    found = group.refuses("shipGoods", **given, occurredAt="2026-06-01T11:54:59+00:00")
    assert (found.code, found.entry) == ("TIME_OUT_OF_ORDER", receipt.index)
    group.does("shipGoods", **given, occurredAt="2026-06-01T11:55:00+00:00")


def test_backdated_departure_then_stock_of_that_time_must_cover_it_and_what_followed() -> None:
    group = Group()
    milk = group.receives("10")
    group.later(hours=1)
    group.ships(line(milk, "8"))
    group.later(hours=1)
    other = group.receives("10", purchaseOrder="2")
    group.does("moveBatch", batchCode=milk, fromLocationCode="A", toLocationCode="B", quantity=kg("2"))
    group.later(hours=1)
    early = "2026-06-01T12:30:00+00:00"
    assert group.code("shipGoods", customerCode="C1", lines=[line(milk, "3")], occurredAt=early) == "STOCK_SHORT"
    given: dict[str, Any] = {"customerCode": "C1", "lines": [line(milk, "2", location="B")], "occurredAt": early}
    assert group.code("shipGoods", **given) == "TIME_OUT_OF_ORDER"
    assert group.code("shipGoods", customerCode="C1", lines=[line(other, "1")], occurredAt=early) == "TIME_OUT_OF_ORDER"


def test_lines_of_a_run_then_they_lie_between_opening_and_closing() -> None:
    group = Group()
    milk = group.receives("10", occurredAt="2026-06-01T08:00:00+00:00")
    opening = group.does("openProcess", occurredAt="2026-06-01T10:00:00+00:00")
    run = opening.subject
    early, late = "2026-06-01T09:54:00+00:00", "2026-06-01T11:00:00+00:00"
    fed: dict[str, Any] = {"processId": run, "lines": [line(milk, "1")]}
    found = group.refuses("addProcessInputs", **fed, occurredAt=early)
    assert (found.code, found.entry) == ("TIME_OUT_OF_ORDER", opening.index)
    group.does("addProcessInputs", **fed, occurredAt="2026-06-01T09:55:00+00:00")
    yielded: dict[str, Any] = {"processId": run, "outputs": [output("1")]}
    assert group.code("addProcessOutputs", **yielded, occurredAt=early) == "TIME_OUT_OF_ORDER"
    made = group.does("addProcessOutputs", **yielded, occurredAt=late)
    found = group.refuses("closeProcess", processId=run, occurredAt="2026-06-01T10:54:00+00:00")
    assert (found.code, found.entry) == ("TIME_OUT_OF_ORDER", made.index)
    group.does("closeProcess", processId=run, occurredAt="2026-06-01T10:55:00+00:00")
    assert group.code("addProcessInputs", **fed) == "PROCESS_CLOSED"
    assert group.code("addProcessInputs", processId="none", lines=[line(milk, "1")]) == "PROCESS_UNKNOWN"


def test_whole_run_opened_after_its_end_then_refused() -> None:
    found = Group().code("recordProduction", outputs=[output("1")], openedAt="2026-06-01T12:06:00+00:00")
    assert found == "TIME_OUT_OF_ORDER"


def test_use_before_the_hold_then_taken_at_once_as_late_and_its_outputs_are_held() -> None:
    group = Group()
    milk = group.receives("10", occurredAt="2026-06-01T08:00:00+00:00")
    run = group.opens(occurredAt="2026-06-01T09:00:00+00:00")
    cheese = group.yields(run, output("3"), occurredAt="2026-06-01T11:00:00+00:00")
    group.does("placeHold", batchCode=milk, kind="MISSING_INSPECTION", reason="forgotten")
    used: dict[str, Any] = {"processId": run, "lines": [line(milk, "5")]}
    assert group.code("addProcessInputs", **used) == "BATCH_ON_HOLD"
    late: dict[str, Any] = {**used, "occurredAt": "2026-06-01T10:00:00+00:00"}
    assert group.code("addProcessInputs", **late) == "BATCH_ON_HOLD", "a late use needs a reason"
    entry = group.does("addProcessInputs", **late, reason="scanner was offline").index
    hold = group.model.holds("WH1", cheese)[0]
    assert (hold.kind, hold.ancestor) == ("UPSTREAM", milk)
    confirmed: dict[str, Any] = {"entryId": entry, "reason": "seen on camera"}
    assert group.code("confirmLateUse", **confirmed) == "CHANGE_OWN_REQUEST"
    group.does("confirmLateUse", by="boris", **confirmed)
    assert group.model.holds("WH1", cheese) == []
    assert group.code("confirmLateUse", by="boris", **confirmed) == "NOTHING_CHANGES"


@pytest.mark.parametrize("minutes, code", [(6, None), (4, "BATCH_ON_HOLD")])
def test_use_around_the_hold_then_within_five_minutes_the_ledgers_order_counts(minutes: int, code: str | None) -> None:
    group = Group()
    milk = group.receives("10", occurredAt="2026-06-01T08:00:00+00:00")
    group.does("placeHold", batchCode=milk, reason="x")
    group.later(minutes=30)
    at = NOON.replace(hour=11, minute=60 - minutes)
    given: dict[str, Any] = {"customerCode": "C1", "lines": [line(milk, "1")], "reason": "late scan", "occurredAt": at}
    if code is None:
        group.does("shipGoods", **given)
    else:
        assert group.code("shipGoods", **given) == code


def test_use_while_a_hold_was_open_then_its_release_does_not_help() -> None:
    group = Group()
    milk = group.receives("10", quarantine="inspect")
    held_at = group.later(hours=1)
    group.later(hours=1)
    group.decides(group.does("requestRelease", batchCode=milk, reason="fine"))
    group.later(hours=1)
    given: dict[str, Any] = {"customerCode": "C1", "lines": [line(milk, "1")]}
    assert group.code("shipGoods", **given, occurredAt=held_at, reason="late scan") == "BATCH_ON_HOLD"
    group.does("shipGoods", **given)


def test_correction_before_the_entry_was_written_then_refused() -> None:
    group = Group()
    milk = group.receives("10", occurredAt="2026-06-01T08:00:00+00:00")
    moved = group.does("moveBatch", batchCode=milk, fromLocationCode="A", toLocationCode="B", quantity=kg("1"))
    group.later(hours=1)
    given: dict[str, Any] = {"entryId": moved.index, "correctionReason": "DID_NOT_OCCUR", "reason": "typed twice"}
    assert group.code("correctEntry", **given, occurredAt="2026-06-01T11:00:00+00:00") == "TIME_OUT_OF_ORDER"
    group.does("correctEntry", **given)
    assert group.model.stock("WH1", milk) == {"A": 10}

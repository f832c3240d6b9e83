"""Rules of all commands: repeated requests, and limits of the time of an event."""

from datetime import UTC, datetime, timedelta, timezone

from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.materials.definitions import MasterDefinition, define_master
from plants.rules.ledger.refusals import REQUEST_REUSED
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.values.refusals import TEXT_INVALID, TIME_IN_FUTURE, TIME_TOO_OLD
from tests.factories import MANAGER, Plant

REQUEST = "0195a1b2-0000-7000-8000-000000000001"
MILK = Delivery("RM-MILK", "100", "KGM", "A1")


def test_request_repeated_then_first_entry_returned_and_nothing_done_again(plant: Plant) -> None:
    first = plant.do(receive_batch, MILK, request=REQUEST)
    before = plant.everything()
    plant.clock.advance(days=90)
    again = plant.do(receive_batch, MILK, request=REQUEST)
    assert (again.index, again.body, again.leaf) == (first.index, first.body, first.leaf)
    assert plant.everything() == before
    assert plant.stock() == {("SH1-260314-0001P", "A1"): "100"}


def test_request_reused_then_refused(plant: Plant) -> None:
    plant.do(receive_batch, MILK, request=REQUEST)
    more = Delivery("RM-MILK", "100.5", "KGM", "A1")
    assert plant.refuses(receive_batch, more, REQUEST_REUSED, request=REQUEST) == {"request": REQUEST}
    plant.refuses(receive_batch, MILK, REQUEST_REUSED, request=REQUEST, actor=MANAGER)
    plant.refuses(define_master, MasterDefinition(MasterKind.LOCATION, "Z", "Z"), REQUEST_REUSED, request=REQUEST)


def test_request_reused_with_another_time_or_reason_then_refused(plant: Plant) -> None:
    at, reason = plant.clock.now() - timedelta(hours=2), "Paper form"
    first = plant.do(receive_batch, MILK, request=REQUEST, occurred_at=at, reason=reason)
    for other, why in ((None, reason), (at, None), (None, None), (at - timedelta(hours=1), reason), (at, "Paper")):
        plant.refuses(receive_batch, MILK, REQUEST_REUSED, request=REQUEST, occurred_at=other, reason=why)
    elsewhere = at.astimezone(timezone(timedelta(hours=8)))
    again = plant.do(receive_batch, MILK, request=REQUEST, occurred_at=elsewhere, reason=reason)
    assert again.index == first.index


def test_request_refused_first_then_it_can_be_sent_again(here: Plant) -> None:
    here.refuses(receive_batch, Delivery("RM-MILK", "1", "KGM", "Z9"), NOT_DEFINED, request=REQUEST)
    here.do(define_master, MasterDefinition(MasterKind.LOCATION, "Z9", "New"))
    entry = here.do(receive_batch, Delivery("RM-MILK", "1", "KGM", "Z9"), request=REQUEST)
    assert entry.envelope["request"] == REQUEST


def test_backdated_then_occurred_and_recorded_differ(here: Plant) -> None:
    occurred_at = here.clock.now() - timedelta(days=31)
    entry = here.do(receive_batch, MILK, occurred_at=occurred_at, reason="Paper form 纸质记录")
    assert entry.envelope["occurred_at"] == "2026-02-11T08:00:00.000000Z"
    assert entry.envelope["recorded_at"] == "2026-03-14T08:00:00.000000Z"
    assert entry.envelope["reason"] == "Paper form 纸质记录"
    assert entry.envelope["key"] == "SH1-260211-0001R"
    assert here.batch("SH1-260211-0001R")["expires_on"] == "2026-03-13"


def test_backdated_too_far_then_refused_but_for_history(here: Plant) -> None:
    occurred_at = here.clock.now() - timedelta(days=31, microseconds=1)
    data = here.refuses(receive_batch, MILK, TIME_TOO_OLD, occurred_at=occurred_at)
    assert data == {"at": "2026-02-11T07:59:59.999999+00:00", "days": "31"}
    here.do(receive_batch, MILK, occurred_at=datetime(2019, 1, 2, tzinfo=UTC), history=True)
    assert here.stock() == {("SH1-190102-00012", "A1"): "100"}


def test_future_time_then_refused_beyond_a_clock_that_runs_ahead(here: Plant) -> None:
    now = here.clock.now()
    here.do(receive_batch, MILK, occurred_at=now + timedelta(minutes=5))
    late = now + timedelta(minutes=5, microseconds=1)
    here.refuses(receive_batch, MILK, TIME_IN_FUTURE, occurred_at=late)
    here.refuses(receive_batch, MILK, TIME_IN_FUTURE, occurred_at=late, history=True)


def test_reason_unprintable_or_endless_then_refused(here: Plant) -> None:
    for reason in ("", "   ", "x" * 501, "bell \a", "two\nlines"):
        assert here.refuses(receive_batch, MILK, TEXT_INVALID, reason=reason)["field"] == "reason"


def test_local_day_then_codes_and_expiry_follow_the_plants_own_calendar(here: Plant) -> None:
    here.clock.at = datetime(2026, 3, 14, 16, 0, tzinfo=UTC)  # midnight in Shanghai
    code = here.receive()
    assert code == "SH1-260315-0001U"
    assert here.batch(code)["expires_on"] == "2026-04-14"
    here.clock.at = datetime(2026, 3, 14, 15, 59, 59, tzinfo=UTC)
    assert here.receive() == "SH1-260314-0001P"
    assert here.receive() == "SH1-260314-0002N"

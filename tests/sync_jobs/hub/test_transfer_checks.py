"""The hub's checks across plants: goods in transit, receipts without a dispatch, mismatched labels, wrong clocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auth.notes import NoteSigner, generate_key
from auth.tokens import Assertions
from infra.postgres import EmbeddedPostgres
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.logistics.transfers import overdue_before, transfer_manifest
from plants.rules.values.instants import micros
from plants.rules.values.quantities import MICRO
from plants.rules.values.scope import PlantScope
from plants.store.logistics.balances import Balance, balances
from plants.store.logistics.in_transit import (
    OpenState,
    OpenTransfer,
    OpenTransfersFilter,
    Total,
    awaited_batches,
    awaited_transfers,
    mislabelled,
    open_count,
    open_totals,
    open_transfers,
)
from plants.store.monitoring.alarms import AlarmKind, alarms, end_alarm
from plants.store.replication.status import amend
from sync_jobs.hub.transfer_checks import OTHERS, OTHERS_SURPLUS, check_between_plants
from sync_jobs.nodes import HubNode
from tests.schema.group import Group, group_of_two

BOTH = PlantScope(frozenset({1, 2}))
HERE, THERE = PlantScope(frozenset({1})), PlantScope(frozenset({2}))
KG = MICRO


@dataclass
class Between:
    """A group of two plants whose hub runs the checks."""

    group: Group
    node: HubNode

    def send(self, amount: str = "10") -> tuple[int, str, Entry]:
        """Dispatch goods of a new batch; returns the transfer, the batch's code and the entry."""
        code = self.group.here.receive()
        entry = self.group.here.do(dispatch_transfer, Dispatch("NB1", (StockLine(code, amount, "KGM", "A1"),)))
        return int(entry.envelope["key"]), code, entry

    def arrive(self, entry: Entry, *lines: ReceiptLine) -> Entry:
        label = transfer_manifest(entry, self.group.here.origin)
        return self.group.there.do(receive_transfer, TransferReceipt(label, "A1", lines))

    def alarms(self, *kinds: AlarmKind) -> dict[str, str]:
        check_between_plants(self.node)
        with self.group.hub.store.reading() as reads:
            return {one.about: one.text for one in alarms(reads) if one.kind in kinds}

    def advance(self, **step: float) -> None:
        self.group.here.clock.advance(**step)
        self.group.there.clock.advance(**step)

    def listed(self, *, overdue: bool | None = None, scope: PlantScope = BOTH) -> list[tuple[int, OpenState]]:
        filters = OpenTransfersFilter(overdue_before(self.group.here.clock.now(), 7), overdue)
        with self.group.hub.store.reading() as reads:
            found = open_transfers(reads, scope, filters, None, 100)
            assert open_count(reads, scope, filters) == len(found)
            pages: list[OpenTransfer] = []
            while page := open_transfers(reads, scope, filters, _key(pages), 1):
                pages += page
        assert pages == found
        return [(one.id, one.state) for one in found]

    def balance(self, transfer: int, scope: PlantScope = BOTH) -> list[Balance]:
        with self.group.hub.store.reading() as reads:
            return balances(reads, scope, [transfer])[transfer]


def _key(pages: list[OpenTransfer]) -> tuple[int, int] | None:
    return (pages[-1].since_us, pages[-1].id) if pages else None


@pytest.fixture(params=["sqlite", "postgresql"])
def between(request: pytest.FixtureRequest, tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[Between]:
    with group_of_two(tmp_path, postgres_18 if request.param == "postgresql" else None) as group:
        origin = "acme.example/hub/i1"
        clock = group.here.clock
        yield Between(
            group,
            HubNode(
                origin=origin,
                store=group.hub.store,
                clock=clock,
                signer=NoteSigner(origin, generate_key()),
                assertions=Assertions(hub_issuer=origin, clock=clock),
                version="test",
            ),
        )


def forged(entry: Entry) -> Entry:
    """Return the entry of a forged label for the same transfer."""
    envelope = entry.envelope.copy()
    envelope["actor"] = "somebody else"
    body = canonical(envelope)
    return Entry(envelope, body, leaf_hash(body))


def test_dispatched_then_in_transit_and_overdue_after_its_days_until_it_arrives(between: Between) -> None:
    transfer, _, entry = between.send()
    between.group.hears()
    batch = entry.payload["lines"][0]["batch"]["id"]
    assert between.balance(transfer) == [Balance(batch, "KGM", 10 * KG, None, None, arrived=False)]
    (one,) = between.balance(transfer)
    assert (one.in_transit, one.loss, one.unexplained) == (10 * KG, 0, 0)
    assert between.listed() == between.listed(overdue=False) == [(transfer, OpenState.IN_TRANSIT)]
    assert between.alarms(AlarmKind.TRANSFER_UNMATCHED) == {}
    between.advance(days=8)
    assert between.listed(overdue=True) == [(transfer, OpenState.IN_TRANSIT)]
    (about, text), *rest = between.alarms(AlarmKind.TRANSFER_UNMATCHED).items()
    assert (about, rest) == (str(transfer), [])
    assert text == (
        "A transfer from SH1 to NB1 left on 2026-03-14 and was not received. Ask both plants for the goods."
    )
    with between.group.hub.store.reading() as reads:
        (alarm,) = alarms(reads)
    assert alarm.said.word("zh") == "一笔调拨（SH1 → NB1）于 2026-03-14 发出，至今未收货，请向双方查询货物。"
    between.arrive(entry, ReceiptLine(_code(entry), "7.5", "A1"))
    between.group.hears()
    assert (between.listed(), between.alarms(AlarmKind.TRANSFER_UNMATCHED)) == ([], {})
    (one,) = between.balance(transfer)
    assert (one.dispatched, one.received, one.in_transit, one.loss, one.unexplained) == (
        10 * KG, 7_500_000, 0, 2_500_000, 0,
    )  # fmt: skip


def test_received_before_the_dispatch_is_heard_then_a_stub_that_its_source_resolves(between: Between) -> None:
    group = between.group
    transfer, code, entry = between.send()
    between.arrive(entry, ReceiptLine(code, "11", "A1"))
    group.hub.hears(group.there)
    batch = group.there.batch_id(code)
    with group.hub.store.reading() as reads:
        for scope, awaited in ((BOTH, True), (THERE, False)):
            assert awaited_batches(reads, scope, [batch]) == {batch: awaited}
            assert awaited_transfers(reads, scope, [transfer]) == {transfer: awaited}
        assert mislabelled(reads, BOTH, [transfer]) == frozenset()
    assert between.listed() == [(transfer, OpenState.AWAITING_SOURCE)]
    assert between.listed(scope=THERE) == []
    (one,) = between.balance(transfer)
    assert (one.dispatched, one.received, one.in_transit, one.loss, one.unexplained) == (None, 11 * KG, 0, -KG, 0)
    between.advance(days=8)
    assert list(between.alarms(AlarmKind.TRANSFER_UNMATCHED)) == [str(transfer)]
    group.hub.hears(group.here)
    with group.hub.store.reading() as reads:
        assert awaited_batches(reads, BOTH, [batch]) == {batch: False}
        assert awaited_transfers(reads, BOTH, [transfer]) == {transfer: False}
    assert between.listed() == []
    (text,) = between.alarms(AlarmKind.TRANSFER_UNMATCHED).values()
    assert "more than was dispatched: 11 KGM of 10 KGM." in text, "no longer that the source is silent"


def surplus_of(between: Between, *lines: tuple[str, str | None]) -> tuple[int, dict[str, str]]:
    """Send 10 kg, receive the lines; returns the transfer and the alarms at the hub."""
    transfer, code, entry = between.send()
    between.arrive(entry, *(ReceiptLine(code, amount, "A1", unit) for amount, unit in lines))
    between.group.hears()
    return transfer, between.alarms(AlarmKind.TRANSFER_UNMATCHED)


@pytest.mark.parametrize(
    "lines, received",
    [
        ((("10.000001", None),), "10.000001"),
        ((("6", None), ("5", None)), "11"),
        ((("11000", "GRM"),), "11"),
    ],
)
def test_more_received_than_dispatched_then_an_alarm_until_the_receipt_is_corrected(
    between: Between, lines: tuple[tuple[str, str | None], ...], received: str
) -> None:
    transfer, found = surplus_of(between, *lines)
    at = "2026-03-14T08:00:00.000000Z"
    assert list(found) == [str(transfer)]
    assert found[str(transfer)].startswith(
        f"A transfer from SH1 was received at NB1 at {at} with more than was dispatched:"
        f" {received} KGM of 10 KGM. Count the goods"
    )
    with between.group.hub.store.reading() as reads:
        (alarm,) = alarms(reads)
    chinese = f"一笔调拨（SH1 → NB1）于 {at} 收货，数量多于发出数量：{received} KGM（发出 10 KGM）。"
    assert alarm.said.word("zh").startswith(chinese)
    between.alarms()
    with between.group.hub.store.reading() as reads:
        assert [one.times for one in alarms(reads)] == [1], "the same is not counted at each check"
    group = between.group
    group.there.do(correct_entry, Correction(group.there.entry().index, CorrectionReason.INCORRECT_DATA, "miscounted"))
    group.hears()
    assert between.alarms(AlarmKind.TRANSFER_UNMATCHED) == {}


@pytest.mark.parametrize("line", [("10", None), ("9.5", None), ("0", None), ("10000", "GRM"), ("9999", "GRM")])
def test_as_much_or_less_received_then_no_alarm(between: Between, line: tuple[str, str | None]) -> None:
    assert surplus_of(between, line)[1] == {}


def test_surplus_ended_by_an_operator_then_not_raised_again_until_another_receipt(between: Between) -> None:
    group = between.group
    transfer, code, entry = between.send()
    between.arrive(entry, ReceiptLine(code, "11", "A1"))
    group.hears()
    assert list(between.alarms(AlarmKind.TRANSFER_UNMATCHED)) == [str(transfer)]
    with group.hub.store.transaction() as session:
        assert end_alarm(session, AlarmKind.TRANSFER_UNMATCHED, str(transfer), group.here.clock.now())
    assert between.alarms(AlarmKind.TRANSFER_UNMATCHED) == {}
    group.there.do(correct_entry, Correction(group.there.entry().index, CorrectionReason.INCORRECT_DATA, "miscounted"))
    between.advance(seconds=1)
    between.arrive(entry, ReceiptLine(code, "11", "A1"))
    group.hears()
    assert list(between.alarms(AlarmKind.TRANSFER_UNMATCHED)) == [str(transfer)]


def test_many_with_a_surplus_then_one_alarm_stands_for_the_rest(
    between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_jobs.hub.transfer_checks.TRANSFER_ALARMS_MAX", 2)
    first = [str(surplus_of(between, ("11", None))[0]) for _ in range(2)]
    between.advance(hours=-1)
    for _ in range(3):
        surplus_of(between, ("11", None))
    found = between.alarms(AlarmKind.TRANSFER_UNMATCHED)
    assert sorted(found) == sorted([OTHERS_SURPLUS, *first]), "open ones stay, although older ones came in"
    assert found[OTHERS_SURPLUS] == "3 more transfers were received with a surplus."
    with between.group.hub.store.transaction() as session:
        assert end_alarm(session, AlarmKind.TRANSFER_UNMATCHED, first[0], between.group.here.clock.now())
    found = between.alarms(AlarmKind.TRANSFER_UNMATCHED)
    assert (first[0] in found, first[1] in found, found[OTHERS_SURPLUS][:6]) == (False, True, "2 more")


def test_label_that_the_source_does_not_bear_out_then_an_alarm_and_never_before_it_is_heard(between: Between) -> None:
    group = between.group
    transfer, _, entry = between.send()
    between.arrive(forged(entry))
    group.hub.hears(group.there)
    assert between.alarms(AlarmKind.TRANSFER_UNMATCHED) == {}
    group.hub.hears(group.here)
    (about, text) = between.alarms(AlarmKind.TRANSFER_UNMATCHED).popitem()
    assert about == str(transfer)
    assert "does not match the ledger of SH1" in text
    assert between.listed() == [(transfer, OpenState.LABEL_DIFFERS)]
    assert between.listed(scope=THERE) == []
    with group.hub.store.reading() as reads:
        assert mislabelled(reads, BOTH, [transfer]) == {transfer}
        assert mislabelled(reads, THERE, [transfer]) == frozenset()
    # The receipt is taken back, and made again from the right label.
    receipt = group.there.entry().index
    group.there.do(correct_entry, Correction(receipt, CorrectionReason.INCORRECT_DATA, "wrong label"))
    between.advance(seconds=1)
    between.arrive(entry)
    group.hears()
    assert (between.alarms(AlarmKind.TRANSFER_UNMATCHED), between.listed()) == ({}, [])


def test_amounts_on_the_label_are_not_those_of_the_ledger_then_it_is_left_over_and_named(between: Between) -> None:
    group = between.group
    transfer, _, entry = between.send()
    envelope = entry.envelope.copy()
    lines = [{**line, "dispatched": "12"} for line in entry.payload["lines"]]
    envelope["payload"] = {**entry.payload, "lines": lines}
    body = canonical(envelope)
    between.arrive(Entry(envelope, body, leaf_hash(body)))
    group.hears()
    (one,) = between.balance(transfer)
    assert (one.dispatched, one.said, one.received) == (10 * KG, 12 * KG, 12 * KG)
    assert (one.loss, one.unexplained) == (0, -2 * KG)
    assert list(between.alarms(AlarmKind.TRANSFER_UNMATCHED)) == [str(transfer)]


def test_totals_add_up_and_so_do_their_parts(between: Between) -> None:
    between.send("10")
    _, code, second = between.send("20")
    between.arrive(second, ReceiptLine(code, "15", "A1"))
    _, _, third = between.send("30")
    between.group.hears()
    filters = OpenTransfersFilter(overdue_before(between.group.here.clock.now(), 7))
    with between.group.hub.store.reading() as reads:
        assert open_totals(reads, BOTH, filters) == [Total("KGM", 40 * KG, 0, 40 * KG, 0, 0)]
        found = balances(reads, BOTH, [int(one.envelope["key"]) for one in (second, third)])
    for (one,) in found.values():
        assert one.dispatched == (one.received or 0) + one.in_transit + one.loss
    between.arrive(third)


def test_many_overdue_then_one_alarm_stands_for_the_rest(between: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_jobs.hub.transfer_checks.TRANSFER_ALARMS_MAX", 2)
    sent = [between.send()[0] for _ in range(5)]
    between.group.hears()
    between.advance(days=8)
    found = between.alarms(AlarmKind.TRANSFER_UNMATCHED)
    assert sorted(found) == sorted([OTHERS, *map(str, sent[:2])])
    assert found[OTHERS].startswith("3 more transfers are overdue")


def test_clock_or_stamps_beyond_their_limit_then_an_alarm_until_they_are_right(between: Between) -> None:
    group = between.group
    origin = group.here.origin
    for skew_ms, wrong in ((2_000, False), (2_001, True), (-2_001, True), (0, False)):
        with group.hub.store.transaction() as session:
            amend(session, 1, skew_ms=skew_ms)
        assert list(between.alarms(AlarmKind.CLOCKS_DIFFER)) == ([origin] if wrong else [])
    group.here.clock.advance(seconds=90)
    group.here.receive()
    group.here.clock.advance(seconds=-90)
    group.hub.hears(group.here)
    found = between.alarms(AlarmKind.CLOCKS_DIFFER)
    assert list(found) == [origin]
    assert "90 s ahead" in found[origin]
    between.advance(seconds=30)
    assert between.alarms(AlarmKind.CLOCKS_DIFFER) == {}


def test_overdue_moves_once_a_day() -> None:
    now = datetime(2026, 3, 14, 8, tzinfo=UTC)
    week_ago = micros(datetime(2026, 3, 7, tzinfo=UTC))
    assert overdue_before(now, 7) == overdue_before(now + timedelta(hours=15), 7) == week_ago
    assert overdue_before(now + timedelta(hours=16), 7) == micros(datetime(2026, 3, 8, tzinfo=UTC))


def _code(entry: Entry) -> str:
    return str(entry.payload["lines"][0]["batch"]["code"])

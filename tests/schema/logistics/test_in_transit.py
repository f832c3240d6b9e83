"""The hub's view of goods between plants, as it is asked for."""

from auth.actors import Role
from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.rules.ledger.events import Entry
from plants.rules.logistics.transfers import transfer_manifest
from tests.schema.asking import DIRECTOR, Served, person
from tests.schema.group import Group

WANTED = """{ transfersInTransit%s { overdueDays
  totals { dispatched { amount unit } received { amount } inTransit { amount } loss { amount } unexplained { amount } }
  transfers { totalCount nodes { state overdue transfer { sourceCode destinationCode state awaitingSource
    labelDiffers lines { nodes { batch { code } balance { dispatched { amount } received { amount }
      inTransit { amount } loss { amount } unexplained { amount } } } } } } } } }"""


def dispatched(group: Group, amount: str = "10") -> tuple[str, Entry]:
    code = group.here.receive()
    return code, group.here.do(dispatch_transfer, Dispatch("NB1", (StockLine(code, amount, "KGM", "A1"),)))


def arrived(group: Group, entry: Entry, *lines: ReceiptLine) -> None:
    label = transfer_manifest(entry, group.here.origin)
    group.there.do(receive_transfer, TransferReceipt(label, "A1", lines))


def amounts(**parts: str | None) -> dict[str, object]:
    return {name: None if value is None else {"amount": value} for name, value in parts.items()}


async def test_dispatched_then_listed_with_its_balance_until_it_arrives(group: Group, hub: Served) -> None:
    code, entry = dispatched(group)
    group.hears()
    found = (await hub.ask(DIRECTOR, WANTED % ""))["transfersInTransit"]
    total = {"dispatched": {"amount": "10", "unit": "KGM"}}
    balance = amounts(dispatched="10", received=None, inTransit="10", loss="0", unexplained="0")
    assert found == {
        "overdueDays": 7,
        "totals": [total | amounts(received="0", inTransit="10", loss="0", unexplained="0")],
        "transfers": {
            "totalCount": 1,
            "nodes": [
                {
                    "state": "IN_TRANSIT",
                    "overdue": False,
                    "transfer": {
                        "sourceCode": "SH1", "destinationCode": "NB1", "state": "IN_TRANSIT", "awaitingSource": False,
                        "labelDiffers": False, "lines": {"nodes": [{"batch": {"code": code}, "balance": balance}]},
                    },
                }
            ],
        },
    }  # fmt: skip
    group.here.clock.advance(days=8)
    late = (await hub.ask(DIRECTOR, WANTED % "(filter: {overdue: true})"))["transfersInTransit"]["transfers"]
    assert [one["overdue"] for one in late["nodes"]] == [True]
    group.there.clock.advance(days=8)
    arrived(group, entry)
    group.hears()
    nothing = {"overdueDays": 7, "totals": [], "transfers": {"totalCount": 0, "nodes": []}}
    assert (await hub.ask(DIRECTOR, WANTED % ""))["transfersInTransit"] == nothing


async def test_page_of_the_day_before_then_its_cursor_and_ids_are_still_good(group: Group, hub: Served) -> None:
    for amount in ("1", "2"):
        dispatched(group, amount)
    group.hears()
    document = """query($after: String) { transfersInTransit { transfers(first: 1, after: $after) {
      pageInfo { endCursor } nodes { id } } } }"""
    first = (await hub.ask(DIRECTOR, document))["transfersInTransit"]["transfers"]
    group.here.clock.advance(days=1)
    after = first["pageInfo"]["endCursor"]
    second = (await hub.ask(DIRECTOR, document, after=after))["transfersInTransit"]["transfers"]
    ids = [one["id"] for page in (first, second) for one in page["nodes"]]
    found = await hub.ask(DIRECTOR, "query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }", ids=ids)
    assert found["nodes"] == [{"id": one, "__typename": "OpenTransfer"} for one in ids]
    assert len(set(ids)) == 2
    unseen = await hub.ask(person(7, (2, Role.MANAGER)), "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert unseen["nodes"] == [None, None]


async def test_received_before_its_source_is_heard_then_batch_and_transfer_await_it(group: Group, hub: Served) -> None:
    code, entry = dispatched(group)
    arrived(group, entry)
    group.hub.hears(group.there)
    asked = """query($code: BatchCode!) { batch(code: $code) { awaitingSource }
      trace(input: {batchCodes: [$code], direction: BACKWARD}) {
        batches { nodes { code awaitingSource } } links { nodes { awaitingSource } }
        completeness { complete gaps { nodes { kind plantCode } } } }
      transfers { nodes { awaitingSource labelDiffers } } }"""
    found = await hub.ask(DIRECTOR, asked, code=code)
    assert found["batch"] == {"awaitingSource": True}
    assert found["transfers"]["nodes"] == [{"awaitingSource": True, "labelDiffers": False}]
    assert found["trace"]["batches"]["nodes"] == [{"code": code, "awaitingSource": True}]
    assert found["trace"]["links"]["nodes"] == [{"awaitingSource": True}]
    gaps = {(gap["kind"], gap["plantCode"]) for gap in found["trace"]["completeness"]["gaps"]["nodes"]}
    assert gaps >= {("AWAITING_SOURCE", "SH1"), ("UNSEEN_BATCHES", "SH1")}
    listed = (await hub.ask(DIRECTOR, WANTED % ""))["transfersInTransit"]["transfers"]["nodes"]
    assert [(one["state"], one["transfer"]["awaitingSource"]) for one in listed] == [("AWAITING_SOURCE", True)]
    there = person(7, (2, Role.MANAGER))
    seen = await hub.ask(there, asked, code=code)
    assert (seen["batch"], seen["transfers"]["nodes"][0]["awaitingSource"]) == ({"awaitingSource": False}, False)
    assert (await hub.ask(there, WANTED % ""))["transfersInTransit"]["transfers"]["totalCount"] == 0
    group.hub.hears(group.here)
    group.checkpointed()
    resolved = await hub.ask(DIRECTOR, asked, code=code)
    assert resolved["batch"] == {"awaitingSource": False}
    assert resolved["transfers"]["nodes"] == [{"awaitingSource": False, "labelDiffers": False}]
    assert resolved["trace"]["completeness"] == {"complete": True, "gaps": {"nodes": []}}


async def test_asked_as_of_a_moment_then_complete_only_when_all_were_heard_since(group: Group, hub: Served) -> None:
    code, entry = dispatched(group)
    arrived(group, entry)
    group.hears()
    group.checkpointed()
    asked = """query($code: BatchCode!, $since: DateTime!) { trace(input: {batchCodes: [$code]}) {
      completeness(since: $since) { complete gaps { nodes { kind } } asOf { knownUntil } } } }"""
    now = group.here.clock.now()
    found = await hub.ask(DIRECTOR, asked, code=code, since=now.isoformat())
    assert found["trace"]["completeness"]["complete"] is True
    later = group.here.clock.advance(seconds=1)
    found = await hub.ask(DIRECTOR, asked, code=code, since=later.isoformat())
    assert {gap["kind"] for gap in found["trace"]["completeness"]["gaps"]["nodes"]} == {"STALE"}

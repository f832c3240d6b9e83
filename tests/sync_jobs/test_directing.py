"""Directives over real replication: to connected and disconnected plants, each applied once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ids import new_id
from infra.postgres import EmbeddedPostgres
from plants.commands.directives.directives import (
    GroupCommand,
    HoldDirection,
    MasterDirection,
    Order,
    RecallDirection,
    ReleaseDirection,
    direct_hold,
    direct_master,
    direct_recall,
    direct_release,
)
from plants.commands.directives.outcomes import APPLIERS
from plants.commands.directives.saves import begin_directed_save
from plants.commands.execution import CommandContext
from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.materials.changes import MasterChange
from plants.commands.materials.definitions import MasterDefinition
from plants.commands.materials.saves import PORTION, Rows
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import Entry
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.saves import OnRefusal
from plants.rules.quality.refusals import BATCH_ON_HOLD
from plants.rules.values.actors import Author
from plants.rules.values.refusals import Refusal
from plants.store.projection.rebuilding import table_digests
from sync_jobs.celery.jobs import follow_goods, save_directed_rows
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import exchange
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.projection.projecting import project_pending
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Receipt
from tests.databases import migrated_database
from tests.sync_jobs.copies import cut_hub
from tests.sync_jobs.group import CLOCK, LI, Group, column, receive, running_group, stand

CHEN = Author("chen.jing", "Chen Jing 陈静")


@pytest.fixture
def group(tmp_path: Path, postgres_18: EmbeddedPostgres) -> Iterator[Group]:
    """A hub, and the plants SH1 and NB1."""
    with running_group(migrated_database(postgres_18), tmp_path) as group:
        group.plant(1, "SH1")
        group.plant(2, "NB1")
        yield group


def meets(group: Group, *nodes: PlantNode) -> None:
    """Let plants exchange with the hub until nothing is left to send, and let the hub project what it stored."""
    for node in nodes:
        for _ in range(2):  # the answers to what the first one brought go with the second
            exchange(node, forced=True)
        project_pending(group.hub.node.store, node.number, clock=CLOCK, holder="test")
        assert column(node.store, node.number, "alarm") is None
        assert stand(group.hub.node.store, node.number) == stand(node.store, node.number)


def directs(group: Group, command: GroupCommand[Order], order: Order, request: str | None = None) -> list[Entry]:
    with group.hub.node.store.transaction() as session:
        return command(session, order, actor=CHEN, call=CommandContext(0, CLOCK.now(), request=request))


def kinds(node: PlantNode) -> list[str]:
    with node.store.transaction() as session:
        rows = session.rows("SELECT type FROM entries WHERE log_id = :n ORDER BY idx", {"n": node.number})
    return [kind for (kind,) in rows]


def states(group: Group) -> list[tuple[int, int, int]]:
    """Return plant, directive and whether it was applied, for each answer at the hub."""
    with group.hub.node.store.transaction() as session:
        sql = "SELECT plant_id, directive_idx, applied FROM directive_outcomes ORDER BY 1, 2"
        return [(plant, index, applied) for plant, index, applied in session.rows(sql)]


def open_holds(node: PlantNode) -> list[tuple[str, str | None]]:
    with node.store.transaction() as session:
        sql = "SELECT kind, directed FROM holds WHERE plant_id = :n AND lifted_idx IS NULL ORDER BY hold_id"
        return [(kind, directed) for kind, directed in session.rows(sql, {"n": node.number})]


def moves(here: PlantNode, there: PlantNode, code: str) -> tuple[Entry, TransferReceipt]:
    order = Dispatch(there.origin.split("/")[-2], (StockLine(code, "2", "KGM", "A1"),))
    with here.store.transaction() as session:
        sent = dispatch_transfer(session, order, actor=LI, call=CommandContext(here.number, CLOCK.now()))
    return sent, TransferReceipt(transfer_manifest(sent, here.origin), "A1")


def takes_in(node: PlantNode, receipt: TransferReceipt) -> Entry:
    with node.store.transaction() as session:
        return receive_transfer(session, receipt, actor=LI, call=CommandContext(node.number, CLOCK.now()))


def level(group: Group) -> None:
    """Check that each plant's tables at the hub equal those of the plant."""
    for number, node in group.plants.items():
        assert table_digests(group.hub.node.store, plant=number) == table_digests(node.store, plant=number)


def test_each_kind_to_two_plants_of_which_one_is_away_then_each_obeys_when_it_is_there(group: Group) -> None:
    here, there = group.plants.values()
    (made,) = receive(here)
    code = str(made.envelope["key"])
    _, receipt = moves(here, there, code)
    takes_in(there, receipt)
    meets(group, here, there)
    before = stand(there.store, there.number)
    order = MasterDirection(("SH1", "NB1"), MasterDefinition(MasterKind.LOCATION, "C1", "Cellar 地窖"))
    directs(group, direct_master, order)
    hold = directs(group, direct_hold, HoldDirection(code, "Glass"))[0].payload["hold"]
    recall = directs(group, direct_recall, RecallDirection((code,), "Salmonella"))[0].payload["recall"]
    directs(group, direct_release, ReleaseDirection(hold, "Was sugar"))
    meets(group, here)
    assert kinds(here)[-8:] == [
        "LocationDefined", "DirectiveApplied", "BatchQuarantined", "DirectiveApplied",
        "BatchQuarantined", "DirectiveApplied", "BatchReleased", "DirectiveApplied",
    ]  # fmt: skip
    assert open_holds(here) == [("RECALL", recall)]
    assert states(group) == [(1, index, 1) for index in range(4)]
    assert stand(there.store, there.number) == before, "NB1 was away"
    for _ in range(2):
        meets(group, there)
        assert kinds(there)[-8:] == kinds(here)[-8:]
        assert open_holds(there) == [("RECALL", recall)]
    assert states(group) == [(plant, index, 1) for plant in (1, 2) for index in range(4)]
    level(group)


def test_hub_away_while_goods_arrive_then_the_hold_that_waited_bites(group: Group) -> None:
    here, there = group.plants.values()
    (made,) = receive(here)
    code = str(made.envelope["key"])
    _, receipt = moves(here, there, code)
    meets(group, here, there)
    (_, told) = directs(group, direct_hold, HoldDirection(code, "Glass"))
    meets(group, there)
    assert states(group) == [(2, 0, 0)]
    group.hub.stop()
    takes_in(there, receipt)
    assert kinds(there)[-2:] == ["TransferReceived", "BatchQuarantined"]
    assert open_holds(there) == [("QUALITY", told.payload["hold"])]
    with pytest.raises(Refusal) as refused:
        moves(there, here, code)
    assert refused.value.code is BATCH_ON_HOLD
    group.hub.start()
    meets(group, here, there)
    level(group)
    with group.hub.node.store.transaction() as session:
        assert session.rows("SELECT plant_id, directed FROM holds ORDER BY plant_id") == [
            (1, told.payload["hold"]), (2, told.payload["hold"]),
        ]  # fmt: skip
        assert session.rows("SELECT hold FROM waiting_holds") == []


def test_many_rows_then_the_hubs_job_sends_them_and_each_plant_defines_them(group: Group) -> None:
    rows = Rows(
        MasterKind.LOCATION,
        tuple(MasterChange(MasterKind.LOCATION, f"L-{n}", "Shelf 货架") for n in range(PORTION + 1)),
        OnRefusal.SKIP_ROW,
        ("SH1", "NB1"),
    )
    call = CommandContext(HUB, CLOCK.now(), request=new_id())
    with group.hub.node.store.transaction() as session:
        save = begin_directed_save(session, rows, actor=Author("system:setup", "setup"), call=call)

    turns = 0
    while save_directed_rows.run(group.hub.node):
        turns += 1
    assert turns == 2

    for node in group.plants.values():
        meets(group, node)
        with node.store.reading() as reads:
            (defined,) = reads.rows("SELECT count(*) FROM master_records WHERE code LIKE 'L-%'")
        assert defined == (PORTION + 1,)
    with group.hub.node.store.reading() as reads:
        assert reads.rows("SELECT recorded, finished_us IS NULL FROM saves WHERE id = :s", {"s": save}) == [
            (PORTION + 1, False)
        ]


def test_author_of_many_rows_may_not_direct_then_the_hubs_job_sends_nothing(group: Group) -> None:
    rows = Rows(MasterKind.LOCATION, (MasterChange(MasterKind.LOCATION, "L-1", "Shelf"),), OnRefusal.SKIP_ROW, ("SH1",))
    call = CommandContext(HUB, CLOCK.now(), request=new_id())
    with group.hub.node.store.transaction() as session:
        begin_directed_save(session, rows, actor=CHEN, call=call)
    before = table_digests(group.hub.node.store, plant=1)

    while save_directed_rows.run(group.hub.node):
        pass

    with group.hub.node.store.transaction() as session:
        assert session.rows("SELECT state, not_run FROM saves") == [("STOPPED", 1)]
        assert session.rows("SELECT idx FROM entries WHERE log_id = -1 AND type = 'MasterChangeDirected'") == []
    assert table_digests(group.hub.node.store, plant=1) == before


def test_plant_away_had_sent_goods_off_then_the_hubs_job_sends_the_hold_after_them(group: Group) -> None:
    here, there = group.plants.values()
    (made,) = receive(here)
    code = str(made.envelope["key"])
    meets(group, here, there)
    _, receipt = moves(here, there, code)
    (told,) = directs(group, direct_hold, HoldDirection(code, "Glass"))
    assert told.envelope["plant"] == -1, "the hub has not heard that some is on its way"
    follow_goods.run(group.hub.node)
    meets(group, here)
    for _ in range(2):
        follow_goods.run(group.hub.node)
        meets(group, there)
    assert states(group) == [(1, 0, 1), (2, 0, 0)]
    takes_in(there, receipt)
    assert open_holds(there) == [("QUALITY", told.payload["hold"])]
    meets(group, there)
    level(group)


def test_restored_hub_is_asked_again_then_what_comes_back_and_what_was_asked_again_both_stand(group: Group) -> None:
    """A user without an answer repeats the request, and the restored hub has lost the first one."""
    node = group.plants[1]
    (goods,) = receive(node)
    meets(group, node)
    order = HoldDirection(goods.envelope["key"], "suspect 可疑", plants=("SH1",))
    request = "0199aaaa-0000-7000-8000-00000000000a"
    (first,) = directs(group, direct_hold, order, request)
    meets(group, node)
    cut_hub(group, -1, 0)
    with group.hub.node.store.transaction() as session:
        session.run("DELETE FROM directed_holds", {})
    (second,) = directs(group, direct_hold, order, request)
    assert second.envelope["id"] != first.envelope["id"]
    meets(group, node)
    with group.hub.node.store.transaction() as session:
        rows = session.rows("SELECT event_id, request FROM entries WHERE log_id = -1 ORDER BY idx", {})
    assert rows == [(first.envelope["id"], request), (second.envelope["id"], None)]
    assert stand(node.store, -1) == stand(group.hub.node.store, -1)
    (again,) = directs(group, direct_hold, order, request)
    assert again.envelope["id"] == first.envelope["id"]
    assert kinds(node).count("DirectiveApplied") == 2


def test_plant_shows_what_a_restored_hub_signed_before_then_it_is_no_checkpoint_of_what_stands_there_now(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many directives, but others: kept and archived, the note would make the archive contradict itself for good."""
    node = group.plants[1]
    (goods,) = receive(node)
    meets(group, node)
    directs(group, direct_hold, HoldDirection(goods.envelope["key"], "suspect 可疑", plants=("SH1",)))
    meets(group, node)
    assert column(group.hub.node.store, -1, "checkpoint_size") == 1
    cut_hub(group, -1, 0)
    with group.hub.node.store.transaction() as session:
        session.run("DELETE FROM directed_holds", {})
    directs(group, direct_hold, HoldDirection(goods.envelope["key"], "again 再次", plants=("SH1",)))

    def gone(_door: HttpHubClient, *_given: object) -> Receipt:
        raise HubUnreachable("after the greeting")

    with monkeypatch.context() as away:
        away.setattr(HttpHubClient, "send", gone)
        receive(node)
        exchange(node, forced=True)
    with group.hub.node.store.transaction() as session:
        assert session.rows("SELECT size FROM checkpoints WHERE log_id = -1", {}) == []
    assert column(group.hub.node.store, -1, "acknowledged") == 0
    meets(group, node)
    assert stand(node.store, -1) == stand(group.hub.node.store, -1)
    assert kinds(node).count("DirectiveApplied") == 2


def test_older_plant_refused_a_recall_then_it_bites_after_the_upgrade_at_the_plant_and_in_the_hubs_view(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = group.plants.values()
    (made,) = receive(here)
    code = str(made.envelope["key"])
    meets(group, here, there)
    (told,) = directs(group, direct_recall, RecallDirection((code,), "Salmonella"))
    with monkeypatch.context() as upgraded:
        upgraded.delitem(APPLIERS, ("RecallDirected", 1))
        meets(group, here)
        assert (states(group), open_holds(here)) == ([(1, 0, 0)], [])
        moves(here, there, code)
    meets(group, here)
    assert kinds(here)[-4:] == ["DirectiveRejected", "TransferDispatched", "BatchQuarantined", "DirectiveApplied"]
    assert (states(group), open_holds(here)) == ([(1, 0, 1)], [("RECALL", told.payload["recall"])])
    with pytest.raises(Refusal) as refused:
        moves(here, there, code)
    assert refused.value.code is BATCH_ON_HOLD
    before = stand(here.store, here.number)
    meets(group, here)
    assert stand(here.store, here.number) == before, "answered again once, whatever comes again"
    level(group)

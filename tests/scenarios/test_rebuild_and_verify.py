"""After all sorts of work: tables made again are equal everywhere, and a spoilt ledger is found with its position."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.store.projection.rebuilding import table_digests
from tests.databases import fresh_database
from tests.scenarios.preparing import CHEN, LI, PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import HUB, Group, leaves
from tests.scenarios.shop_floor import (
    amount,
    ask_release,
    check_equal,
    completeness,
    decide,
    dispatch,
    line,
    move,
    produce,
    quarantine,
    receive,
    take_in,
    wait_level,
)

pytestmark = pytest.mark.timeout(240)

CODES = (HUB, *PLANTS)


@dataclass(frozen=True)
class Played:
    """A group at rest after the work, with the final batch and what its trace said of itself."""

    group: Group
    cluster: EmbeddedPostgres
    trace: dict[str, Any]
    digests: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def played(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with copy_group(prepared, tmp_path_factory.mktemp("mixed")) as group:
        group.start()
        final = work(group)
        wait_level(group)
        check_equal(group)
        trace = completeness(group.at(HUB, CHEN), final, "BACKWARD")
        group.stop()
        digests = {code: table_digests(group.store(code)) for code in CODES}
        yield Played(group, prepared.server, trace, digests)


def work(group: Group) -> str:
    """Receive, produce, split, merge, count, hold, correct, transfer and ship; return what was shipped."""
    li, wang, there = group.at("SH1", LI), group.at("SH1", WANG), group.at("SZ2", WANG)
    milk = receive(li, "100", supplierCode="S1", supplierLot="L-7", purchaseOrder="PO-1")
    sugar = receive(li, "4", material="SUGAR", unit="BG")
    yogurt = produce(li, [line(milk, "60"), line(sugar, "5.5")], "58.25")
    parts = [{"quantity": amount("8"), "locationCode": "B1"}, {"quantity": amount("2.25"), "locationCode": "A1"}]
    split = li.do(
        "splitBatch", "... on BatchSplit { parts { code } }", batchCode=yogurt, locationCode="A1", parts=parts
    )
    one, two = (part["code"] for part in split["parts"])
    sources = [{"batchCode": one, "locationCode": "B1"}, {"batchCode": two, "locationCode": "A1"}]
    merged = li.do("mergeBatches", "... on BatchesMerged { batch { code } }", sources=sources, locationCode="A1")
    move(li, milk, "1")
    counted: dict[str, Any] = {"batchCode": sugar, "locationCode": "A1", "counted": amount("94.4")}
    wang.do("countStock", "... on StockCounted { entry { index } }", reason="Counted", **counted)
    quarantine(li, merged["batch"]["code"])
    wait_level(group, ["SH1"])
    change = ask_release(li, merged["batch"]["code"])
    wait_level(group, ["SH1"])
    decided = decide(group.at(HUB, CHEN), change)
    assert decided["__typename"] == "ChangeRequestDecided", decided
    wrong = move(li, milk, "3")
    correction = {"entryId": wrong["id"], "reason": "Wrong batch", "correctionReason": "INCORRECT_DATA"}
    wang.do("correctEntry", "... on EntryCorrected { entry { index } }", **correction)
    take_in(there, dispatch(li, "SZ2", [line(yogurt, "40")]))
    final = produce(there, [line(yogurt, "40")], "39.5")
    order: dict[str, Any] = {"customerCode": "C1", "lines": [line(final, "30")]}
    there.do("shipGoods", "... on GoodsShipped { entry { index } }", **order)
    return final


def test_trace_over_both_plants_then_complete(played: Played) -> None:
    assert played.trace["completeness"]["complete"] is True, played.trace
    assert played.trace["completeness"]["gaps"] == {"nodes": []}
    sizes = {one["plant"]["code"]: one["size"] for one in played.trace["completeness"]["asOf"]}
    assert sizes == {code: len(leaves(played.group.store(code), number)) for code, number in PLANTS.items()}


def test_rebuild_everywhere_then_tables_are_equal_to_the_byte(played: Played) -> None:
    group = played.group
    for code in CODES:
        home = str(group.nodes[code].home)
        (said,) = json.loads(group.run("rebuild", "--home", home, "--json", code=code).stdout)
        assert (said["equal"], said["differing"]) == (True, [])
        assert said["digestBefore"] == said["digestAfter"]
        assert said["tables"] == len(played.digests[code])
        assert table_digests(group.store(code)) == played.digests[code]


def test_plants_tables_then_equal_to_the_hubs_rows_of_them(played: Played) -> None:
    for code, number in PLANTS.items():
        at_the_plant = table_digests(played.group.store(code), plant=number)
        at_the_hub = table_digests(played.group.store(HUB), plant=number)
        # The hub's own decisions are not in the plant's tables; its answers to them are.
        del at_the_plant["change_decisions"], at_the_hub["change_decisions"]
        assert at_the_hub == at_the_plant


def test_verify_everywhere_then_all_is_well(played: Played) -> None:
    group = played.group
    for code in CODES:
        said = json.loads(group.run("verify", "--home", str(group.nodes[code].home), "--json", code=code).stdout)
        assert [one["ok"] for one in said] == [True] * len(said)
        plants = [one for one in said if "/plant/" in one["origin"]]
        assert {one["origin"]: one["size"] for one in plants} == {
            f"acme.example/plant/{plant}/i1": len(leaves(group.store(code), number))
            for plant, number in PLANTS.items()
            if code in (HUB, plant)
        }
        assert all(one["checkpoints"] > 0 for one in plants), said
        assert [one["forgedCheckpoints"] for one in said] == [[]] * len(said)


POSITION = 20
SWAP = """
    UPDATE entries SET idx = -1 WHERE log_id = 1 AND idx = 20;
    UPDATE entries SET idx = 20 WHERE log_id = 1 AND idx = 21;
    UPDATE entries SET idx = 21 WHERE log_id = 1 AND idx = -1;
"""


def flip_one_byte(path: Path) -> None:
    with closing(sqlite.connect(path)) as connection:
        ((body,),) = connection.execute("SELECT body FROM entries WHERE log_id = 1 AND idx = 20").fetchall()
        spoilt = bytearray(body)
        spoilt[len(spoilt) // 2] ^= 1
        connection.execute("UPDATE entries SET body = ? WHERE log_id = 1 AND idx = 20", (bytes(spoilt),))
        connection.commit()


def drop_one_row(path: Path) -> None:
    with closing(sqlite.connect(path)) as connection:
        connection.execute("DELETE FROM entries WHERE log_id = 1 AND idx = 20")
        connection.commit()


def swap_two_rows(path: Path) -> None:
    with closing(sqlite.connect(path)) as connection:
        connection.executescript(SWAP)


@pytest.mark.parametrize(
    "spoil,kind,message",
    [
        (flip_one_byte, "ALTERED", "Entry 20 was altered: its bytes and its leaf hash no longer fit together."),
        (drop_one_row, "MISSING", "Entry 20 is missing. The entries before it are in order."),
        (
            swap_two_rows,
            "MISPLACED",
            "At position 20 stands the entry that says it is number 21. Rows were swapped or moved.",
        ),
    ],
    ids=["flipped byte", "dropped row", "swapped pair"],
)
def test_spoilt_copy_then_named_with_its_position(
    played: Played, tmp_path: Path, spoil: Callable[[Path], None], kind: str, message: str
) -> None:
    home = tmp_path / "copy"
    shutil.copytree(played.group.nodes["SH1"].home, home)
    spoil(home / "plant.db")
    done = played.group.run("verify", "--home", str(home), "--json", code="SH1", expected=1)
    own, directives = sorted(json.loads(done.stdout), key=lambda one: "/hub/to/" in one["origin"])
    assert (own["origin"], own["ok"]) == ("acme.example/plant/SH1/i1", False)
    assert (own["kind"], own["position"], own["message"]) == (kind, POSITION, message)
    assert directives["ok"] is True


def test_spoilt_copy_of_the_hub_then_named_with_its_position(played: Played, tmp_path: Path) -> None:
    """Ledger 2 is changed in one byte; the others are whole, and the text is for people."""
    group, hub = played.group, played.group.nodes[HUB]
    group.forget_store(HUB)
    url = fresh_database(played.cluster, template=hub.database_url.rpartition("/")[2].partition("?")[0])
    with closing(Store(url)) as store, store.transaction() as session:
        ((body,),) = session.rows("SELECT body FROM entries WHERE log_id = 2 AND idx = 5")
        spoilt = bytearray(bytes(body))
        spoilt[10] ^= 1
        session.run("UPDATE entries SET body = :body WHERE log_id = 2 AND idx = 5", {"body": bytes(spoilt)})
    home = tmp_path / "hub"
    shutil.copytree(hub.home, home)
    given = {"BATCHLOOM_DATABASE_URL": url}
    done = group.run("verify", "--home", str(home), code=HUB, expected=1, given=given)
    assert "Entry 5 was altered: its bytes and its leaf hash no longer fit together." in done.stdout
    assert done.stdout.count("✗") == 1
    assert done.stdout.count("✓") == 4

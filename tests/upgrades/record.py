"""Records what a released version writes: its stores, what travelled between its nodes, and what its tables say.

Run with the code of the version that is recorded, whose own tests give it a group over real HTTP:

    git archive TAG | tar -x -C /tmp/released
    PYTHONPATH=/tmp/released .venv/bin/python tests/upgrades/record.py tests/golden/VERSION

What is recorded stays as it is for ever; the tests of `tests.upgrades` have today's program go on from it. This file
must run with the code of every version, so it uses only what all of them have.
"""

import json
import sqlite3
import sys
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import MetaData
from sqlmodel import SQLModel
from starlette.applications import Starlette

from infra.clock import SystemClock
from infra.database import Store
from plants.commands.approvals.change_requests import AdjustmentRequest, ReleaseRequest, request_change
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.execution import CommandContext
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import Dispatch, TransferReceipt, dispatch_transfer, receive_transfer
from plants.commands.materials.definitions import (
    MasterDefinition,
    MaterialDefinition,
    UnitDefinition,
    define_master,
    define_material,
    define_unit,
)
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Entry, canonical
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.values.actors import Author
from plants.store.ledger.entries import origin_of
from sync_jobs.plant.exchange import exchange
from sync_jobs.projection.projecting import project_pending
from tests.sync_jobs import group as groups

LI, WANG, CHEN = (
    Author("li.wei", "Li Wei 李伟"),
    Author("wang.fang", "Wang Fang 王芳"),
    Author("chen.jing", "Chen Jing"),
)
MATERIALS = (
    MaterialDefinition("RM-MILK", "Raw milk 生乳", "KGM", shelf_life_days=30),
    MaterialDefinition("RM-SUGAR", "Sugar 白糖", "KGM", conversions={"BG": "25"}),
    MaterialDefinition("FP-YOG", "Yoghurt 酸奶", "KGM", shelf_life_days=21, retest_days=14),
)
# A kind is a text in older versions, and equal to it in newer ones.
MASTERS = (
    MasterDefinition("LOCATION", "B1", "Line side 线边"),  # type: ignore[arg-type]
    MasterDefinition("SUPPLIER", "S1", "Green farm 绿地牧场"),  # type: ignore[arg-type]
    MasterDefinition("CUSTOMER", "C1", "Corner shop 便利店"),  # type: ignore[arg-type]
    MasterDefinition("EQUIPMENT", "MIX1", "Mixer 搅拌机"),  # type: ignore[arg-type]
)

Now = Callable[[], Any]


class Desk:
    """A place at a node from which commands are done, each in a transaction of its own."""

    def __init__(self, store: Store, number: int, now: Now, actor: Author = LI) -> None:
        self.store = store
        self.number = number
        self.now = now
        self.actor = actor

    def do(self, command: Any, order: Any, *, actor: Author | None = None, **circumstances: Any) -> Entry:
        """Do a command and commit it."""
        with self.store.transaction() as session:
            call = CommandContext(self.number, self.now(), **circumstances)
            done: Entry = command(session, order, actor=actor or self.actor, call=call)
            return done


def line(batch: str, amount: str, location: str = "A1") -> StockLine:
    return StockLine(batch, amount, "KGM", location)


def begin(desk: Desk) -> None:
    """Define what the story is about; location A1 and material MILK are there already."""
    for material in MATERIALS:
        desk.do(define_material, material)
    for master in MASTERS:
        desk.do(define_master, master)
    desk.do(define_unit, UnitDefinition("CRATE", "Crate 箱", "KGM", "12.5"))


def first_half(desk: Desk) -> str:
    """Receive, produce, correct, split, merge, move, name, ship and count; return a batch of which some is left."""
    delivery = Delivery("RM-MILK", "100", "KGM", "A1", "S1", "L-1", "PO-1", attributes={"fat": "3.8"})
    milk = str(desk.do(receive_batch, delivery, request="01990000-0000-7000-8000-000000000001").envelope["key"])
    sugar = str(desk.do(receive_batch, Delivery("RM-SUGAR", "2", "BG", "A1")).envelope["key"])
    process = desk.do(open_process, ProcessOrder(equipment="MIX1")).payload["process"]["id"]
    wrong = desk.do(feed_process, Feed(process, (line(milk, "30"), line(sugar, "1"))))
    desk.do(correct_entry, Correction(wrong.index, CorrectionReason.INCORRECT_DATA, "Wrong scale 秤错了"))
    desk.do(feed_process, Feed(process, (line(milk, "31"), line(sugar, "1"))))
    made = desk.do(yield_process, Yield(process, (Output("FP-YOG", "20", "KGM", "B1"),)))
    yoghurt = str(made.payload["batches"][0]["code"])
    desk.do(yield_process, Yield(process, (), (Addition(yoghurt, "10", "KGM", "B1"),), (line(milk, "1"),)))
    desk.do(close_process, Closing(process))
    split = desk.do(split_batch, Split(yoghurt, "B1", (SplitPart("10", "A1"), SplitPart("5", "A1"))))
    parts = [str(batch["code"]) for batch in split.payload["batches"]]
    desk.do(merge_batches, Merge(tuple(MergeSource(part, "A1") for part in parts), "A1"))
    desk.do(move_batch, Move(yoghurt, "B1", "A1", "5", "KGM"))
    desk.do(alias_batch, Naming(yoghurt, (AliasOrder("LOT", "Y-1"), AliasOrder("LOT", "Y-2"))))
    desk.do(end_alias, Naming(yoghurt, (AliasOrder("LOT", "Y-2"),)))
    run = ProductionRun(ProcessOrder(), (line(milk, "2"),), (Output("FP-YOG", "1.9", "KGM", "A1"),))
    desk.do(record_production, run)
    desk.do(ship_batch, Shipment("C1", (line(yoghurt, "2"),)))
    desk.do(adjust_stock, Count(sugar, "A1", "48.9"), reason="Counted 盘点")
    return yoghurt


def ask_for_changes(desk: Desk, batch: str) -> Entry:
    """Hold a batch, have two changes decided at the plant, and return the request that headquarters decides on."""
    desk.do(quarantine_batch, Quarantine(batch, "Damp 受潮"))
    for amount, verdict in (("4", ChangeVerdict.APPROVED), ("0", ChangeVerdict.REJECTED)):
        asked = desk.do(request_change, AdjustmentRequest(batch, "Counted", "A1", amount, "KGM"))
        decision = Decision(asked.index, asked.leaf.hex(), verdict, "Looked at 已复核")
        desk.do(decide_change, decision, actor=WANG)
    return desk.do(request_change, ReleaseRequest(batch, "Dried 已晾干"))


def direct(hub: Desk, asked: Entry) -> Entry:
    """Decide at the hub on what a plant asked for."""
    decision = Decision(asked.index, asked.leaf.hex(), ChangeVerdict.APPROVED, "Agreed 同意")
    return hub.do(decide_change_at_hub, decision, actor=CHEN)


def carry(desk: Desk, there: Desk, batch: str, destination: str) -> None:
    """Send goods to another plant and take them in there."""
    sent = desk.do(dispatch_transfer, Dispatch(destination, (line(batch, "3"),)))
    manifest = transfer_manifest_of(desk, sent)
    there.do(receive_transfer, TransferReceipt(manifest, "A1"))


def transfer_manifest_of(desk: Desk, sent: Entry) -> str:
    with desk.store.transaction() as session:
        return str(transfer_manifest(sent, origin_of(session, desk.number)))


def key_of(name: str) -> Ed25519PrivateKey:
    """Return the key that a recorded node has: made of its name, because it protects nothing."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"recorded {name}".encode()).digest())


KEY_NAMES = ("HUB ledger", "SH1 ledger", "SH1 assertion", "SZ2 ledger", "SZ2 assertion")
"""In the order in which a group of tests makes them."""


def digests(store: Store, columns: dict[str, list[str]]) -> dict[str, str]:
    """Return the SHA-256 over these columns of each table, its rows as canonical JSON in the order of their text."""
    found = {}
    with store.transaction() as session:
        for table, names in columns.items():
            rows = session.rows(f"SELECT {', '.join(names)} FROM {table}")
            lines = sorted(canonical([_plain(value) for value in row]) for row in rows)
            found[table] = sha256(b"\n".join(lines)).hexdigest()
    return found


def columns_of(metadata: MetaData) -> dict[str, list[str]]:
    """Return the columns of every table that is part of a ledger or made from the ledgers alone."""
    return {
        table.name: [column.name for column in table.columns]
        for table in metadata.sorted_tables
        if table.info["keeping"].name in {"LEDGER", "PROJECTION"}
    }


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Listening:
    """An application that writes down every request and its answer, but for who sent it."""

    heard: list[dict[str, Any]] = []  # noqa: RUF012 -- one for the run; whoever records reads it.

    def __init__(self, **given: Any) -> None:
        self._inner = Starlette(**given)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on and keep both bodies."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        asked, answered, status = bytearray(), bytearray(), 0

        async def receiving() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))
            await send(message)

        await self._inner(scope, receiving, sending)
        kept = {"content-type", "batchloom-protocol", "batchloom-session", "user-agent"}
        self.heard.append(
            {
                "method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode(),
                "headers": {name.decode(): text.decode() for name, text in scope["headers"] if name.decode() in kept},
                "body": b64encode(asked).decode(), "status": status, "answer": b64encode(answered).decode(),
            }
        )  # fmt: skip


def keys() -> Iterator[Ed25519PrivateKey]:
    yield from map(key_of, KEY_NAMES)


def play(folder: Path) -> dict[str, Store]:
    """Run the group through its story and return its stores: with entries unsent, and a directive not yet fetched."""
    made, clock = keys(), SystemClock()
    groups.__dict__["generate_key"] = lambda: next(made)
    groups.__dict__["Starlette"] = Listening
    with groups.running_group(f"sqlite:///{folder / 'HUB.db'}", folder) as group:
        one, two = group.plant(1, "SH1"), group.plant(2, "SZ2")
        here, there = Desk(one.store, 1, clock.now), Desk(two.store, 2, clock.now)
        hub = Desk(group.hub.node.store, 1, clock.now)

        def level() -> None:
            for node in (one, two):
                assert exchange(node, forced=True).state is not None
                project_pending(hub.store, node.number, clock=clock, holder="recording")

        begin(here)
        begin(there)
        level()
        yoghurt = first_half(here)
        level()
        carry(here, there, yoghurt, "SZ2")
        level()
        asked = ask_for_changes(here, yoghurt)
        level()
        direct(hub, asked)
        level()
        level()
        direct_later = ask_again(here)
        level()
        direct(hub, direct_later)
        first_half(there)
        here.do(move_batch, Move(yoghurt, "B1", "A1", "1", "KGM"))
        return {"HUB": hub.store, "SH1": one.store, "SZ2": two.store}


def ask_again(desk: Desk) -> Entry:
    """Hold another batch and ask for its release."""
    milk = str(desk.do(receive_batch, Delivery("RM-MILK", "7", "KGM", "A1")).envelope["key"])
    desk.do(quarantine_batch, Quarantine(milk, "Late 迟到"))
    return desk.do(request_change, ReleaseRequest(milk, "Tested 已检"))


def main() -> int:
    """Record into a directory that must not be there yet."""
    into = Path(sys.argv[1])
    into.mkdir(parents=True)
    squeeze = zstandard.ZstdCompressor(level=19).compress
    with tempfile.TemporaryDirectory() as name:
        stores = play(Path(name))
        columns = columns_of(SQLModel.metadata)
        said: dict[str, Any] = {"columns": columns, "digests": {}, "heads": {}}
        for code, store in stores.items():
            said["digests"][code] = digests(store, columns)
            with store.transaction() as session:
                heads = session.rows("SELECT log_id, size, frontier FROM logs ORDER BY log_id")
            said["heads"][code] = [[log_id, size, bytes(frontier).hex()] for log_id, size, frontier in heads]
            store.close()
            with closing(sqlite3.connect(Path(name) / f"{code}.db")) as connection:
                dump = "\n".join(connection.iterdump())
            (into / f"{code}.sql.zst").write_bytes(squeeze(dump.encode()))
        wire = json.dumps(Listening.heard, indent=1).encode()
        (into / "wire.json.zst").write_bytes(squeeze(wire))
        (into / "said.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

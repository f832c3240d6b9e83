"""The workload: one command at a time, chosen at random from the view that its user has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Final, Protocol

from infra.database import Session
from plants.commands.approvals.change_requests import (
    AdjustmentRequest,
    ExtensionRequest,
    ReleaseRequest,
    request_change,
)
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.directives.directives import (
    HoldDirection,
    MasterDirection,
    RecallDirection,
    ReleaseDirection,
    direct_hold,
    direct_master,
    direct_recall,
    direct_release,
)
from plants.commands.execution import CommandContext
from plants.commands.inventory.aliases import Naming, alias_batch
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.materials.changes import MasterChange
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
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.production.process_records import RUN_KINDS
from plants.rules.values.actors import Author
from plants.rules.values.quantities import format_micro
from plants.store.projection.registry import EVENTS
from simulation.ledger_replay import LedgerReplay, LedgerState

MICRO: Final = 1_000_000
LOCATIONS: Final = ("A1", "B1")
STAFF: Final = ("wang.fang", "li.lei", "han.mei")
DECIDERS: Final = ("ma.long", "deng.yu")
HEADQUARTERS: Final = ("hq.chen", "hq.zhou")


class Command(Protocol):
    """A command that can be done in a session."""

    name: str

    def __call__(self, session: Session, order: Any, *, actor: Author, call: CommandContext) -> Any:
        """Do it."""
        ...


@dataclass
class Operation:
    """One thing that a person wants done, and how it stands: the request id stays the same however often it is sent."""

    number: int
    plant: int
    command: Command
    order: Any
    person: str
    request: str
    reason: str | None = None
    at_hub: bool = False
    done: Entry | None = None
    refused: str | None = None
    tries: int = 0
    excused: bool = False

    @property
    def device(self) -> str:
        """What the entries of the operation are known by."""
        return f"scanner-{self.number}"

    @property
    def author(self) -> Author:
        """Who does it, and from which device."""
        return Author(self.person, f"{self.person} printed", self.device)


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that somebody would give."""

    command: Command
    order: Any
    person: str
    reason: str | None = None
    at_hub: bool = False


@dataclass
class View:
    """What somebody at a plant sees: the plant's state, its labels that came in, and the day."""

    state: LedgerState
    replay: LedgerReplay
    today: date
    plant: int
    codes: tuple[str, ...]
    labels: list[str]
    chance: Random
    directed: list[str] = field(default_factory=list)
    everywhere: list[str] = field(default_factory=list)

    def goods(self, *, free: bool = True) -> tuple[str, str, int, int] | None:
        """Return some goods that are there: code, location, amount and batch; free ones have no hold."""
        there = [
            (batch, location, amount)
            for (batch, location), amount in self.state.stock.items()
            if amount > 0 and not (free and self.state.holds[batch])
        ]
        if not there:
            return None
        # The newest are the likeliest: chains get long that way.
        batch, location, amount = self.chance.choice(there[-6:] if self.chance.randrange(3) else there)
        return self.state.batches[batch]["code"], location, amount, batch

    def part(self, amount: int) -> str:
        """Return all of an amount, some of it, or now and then more than there is."""
        draw = self.chance.randrange(20)
        if draw == 0:
            return format_micro(amount + MICRO)
        if draw < 7:  # noqa: PLR2004 -- a third of the time all of it.
            return format_micro(amount)
        return format_micro(max(1, amount * self.chance.randint(1, 9) // 10))

    def line(self) -> StockLine | None:
        """Return a line of an order over some goods."""
        found = self.goods(free=self.chance.randrange(12) > 0)
        if found is None:
            return None
        code, location, amount, batch = found
        return StockLine(code, self.part(amount), self.state.batches[batch]["unit"], location)

    def open_run(self) -> int | None:
        """Return a process record that is open, or now and then one that is not."""
        runs = [one for one, process in self.state.processes.items() if process.get("kind") in RUN_KINDS]
        is_open = [one for one in runs if self.state.processes[one]["state"] == "OPEN"]
        chosen = is_open if is_open and self.chance.randrange(15) else runs
        return self.chance.choice(chosen) if chosen else None

    def batch(self) -> tuple[int, str] | None:
        """Return any batch that is known here."""
        if not self.state.batches:
            return None
        batch = self.chance.choice(list(self.state.batches))
        return batch, self.state.batches[batch]["code"]


def _receive(view: View) -> Intent:
    chance = view.chance
    material = chance.choice(("MILK", "MILK", "SUGAR"))
    unit = "BG" if material == "SUGAR" and chance.randrange(3) == 0 else "KGM"
    lot = f"L{chance.randrange(40)}" if chance.randrange(3) == 0 else None
    order = Delivery(
        material,
        str(chance.randint(1, 400)),
        unit,
        chance.choice(LOCATIONS),
        supplier=None if lot is None and chance.randrange(2) else "S1",
        supplier_lot=lot,
        order=f"PO{chance.randrange(20)}" if chance.randrange(3) == 0 else None,
        quarantine="on arrival 到货待检" if chance.randrange(8) == 0 else None,
    )
    return Intent(receive_batch, order, chance.choice(STAFF))


def _open(view: View) -> Intent:
    return Intent(open_process, ProcessOrder(job_order=f"J{view.chance.randrange(30)}"), view.chance.choice(STAFF))


def _feed(view: View) -> Intent | None:
    run, line = view.open_run(), view.line()
    return None if run is None or line is None else Intent(feed_process, Feed(run, (line,)), view.chance.choice(STAFF))


def _yield(view: View) -> Intent | None:
    run, chance = view.open_run(), view.chance
    if run is None:
        return None
    outputs: tuple[Output, ...] = (Output("YOG", str(chance.randint(1, 90)), "KGM", chance.choice(LOCATIONS)),)
    fed = view.state.fed.get(run, {})
    returns: tuple[StockLine, ...] = ()
    if fed and chance.randrange(4) == 0:
        batch = chance.choice(list(fed))
        known = view.state.batches[batch]
        returns = (StockLine(known["code"], format_micro(max(1, fed[batch] // 4)), known["unit"], "B1"),)
    made = [link[1] for link in view.state.links.values() if link[0] == run and link[2] == "PRODUCED"]
    additions: tuple[Addition, ...] = ()
    if made and chance.randrange(3) == 0:
        additions, outputs = (Addition(view.state.batches[made[0]]["code"], "3.5", "KGM", "A1"),), ()
    return Intent(yield_process, Yield(run, outputs, additions, returns), chance.choice(STAFF))


def _close(view: View) -> Intent | None:
    run = view.open_run()
    return None if run is None else Intent(close_process, Closing(run), view.chance.choice(STAFF))


def _produce(view: View) -> Intent | None:
    line, chance = view.line(), view.chance
    if line is None:
        return None
    order = ProductionRun(ProcessOrder(), (line,), (Output("YOG", str(chance.randint(1, 50)), "KGM", "A1"),))
    return Intent(record_production, order, chance.choice(STAFF))


def _split(view: View) -> Intent | None:
    found = view.goods()
    if found is None:
        return None
    code, location, amount, _ = found
    parts = tuple(SplitPart(format_micro(max(1, amount // 3)), view.chance.choice(LOCATIONS)) for _ in range(2))
    return Intent(split_batch, Split(code, location, parts), view.chance.choice(STAFF))


def _merge(view: View) -> Intent | None:
    found = [one for one in (view.goods(), view.goods()) if one is not None]
    sources = tuple(MergeSource(code, location) for code, location, _, _ in dict.fromkeys(found))
    return Intent(merge_batches, Merge(sources, "A1"), view.chance.choice(STAFF)) if sources else None


def _move(view: View) -> Intent | None:
    found = view.goods(free=False)
    if found is None:
        return None
    code, location, amount, batch = found
    target, unit = ("B1" if location == "A1" else "A1"), view.state.batches[batch]["unit"]
    return Intent(move_batch, Move(code, location, target, view.part(amount), unit), view.chance.choice(STAFF))


def _dispatch(view: View) -> Intent | None:
    line = view.line()
    if line is None:
        return None
    others = [code for number, code in enumerate(view.codes, 1) if number != view.plant]
    return Intent(dispatch_transfer, Dispatch(view.chance.choice(others), (line,)), view.chance.choice(STAFF))


def _arrive(view: View) -> Intent | None:
    if not view.labels:
        return None
    label, chance = view.chance.choice(view.labels[-4:]), view.chance
    lines: tuple[ReceiptLine, ...] = ()
    if chance.randrange(4) == 0 and view.state.codes:
        lines = (ReceiptLine(chance.choice(list(view.state.codes)), "1.25", "A1"),)
    return Intent(receive_transfer, TransferReceipt(label, chance.choice(LOCATIONS), lines), chance.choice(STAFF))


def _ship(view: View) -> Intent | None:
    line = view.line()
    return None if line is None else Intent(ship_batch, Shipment("C1", (line,), "SO7"), view.chance.choice(STAFF))


def _count(view: View) -> Intent | None:
    found = view.goods(free=False)
    if found is None:
        return None
    code, location, amount, _ = found
    counted = format_micro(max(1, amount - amount // view.chance.choice((60, 80, 3))))
    return Intent(adjust_stock, Count(code, location, counted), view.chance.choice(STAFF), reason="count 盘点")


def _hold(view: View) -> Intent | None:
    found = view.goods(free=False) if view.chance.randrange(4) else None
    code = found[0] if found else (view.batch() or (0, ""))[1]
    return Intent(quarantine_batch, Quarantine(code, "smell 异味"), view.chance.choice(STAFF)) if code else None


def _ask(view: View) -> Intent | None:
    chance = view.chance
    held = [batch for batch, holds in view.state.holds.items() if holds]
    kind = chance.randrange(4)
    if held and kind < 2:  # noqa: PLR2004 -- releases are asked for most.
        order: Any = ReleaseRequest(view.state.batches[chance.choice(held)]["code"], "retested 复检合格")
        return Intent(request_change, order, chance.choice(STAFF))
    found = view.goods(free=False)
    if found is None:
        return None
    code, location, amount, _ = found
    if kind == 2:  # noqa: PLR2004 -- the third kind.
        order = ExtensionRequest(code, "retested 复检", view.today + timedelta(days=chance.randint(30, 90)))
    else:
        order = AdjustmentRequest(code, "count 盘点", location, format_micro(amount // 2), "KGM")
    return Intent(request_change, order, chance.choice(STAFF))


def _decide(view: View) -> Intent | None:
    waiting = [one for one, change in view.state.changes.items() if change["state"] == "REQUESTED"]
    chosen = waiting if waiting and view.chance.randrange(8) else list(view.state.changes)
    if not chosen:
        return None
    change, chance = view.chance.choice(chosen[-5:]), view.chance
    verdict = ChangeVerdict.APPROVED if chance.randrange(4) else ChangeVerdict.REJECTED
    at_hub = "PLANT" not in view.state.changes[change]["levels"] or chance.randrange(2) == 0
    order = Decision(change, view.replay.leaves[change].hex(), verdict, "" if verdict == "APPROVED" else "no 不同意")
    people = HEADQUARTERS if at_hub else (*DECIDERS, chance.choice(STAFF))
    return Intent(decide_change_at_hub if at_hub else decide_change, order, chance.choice(people), at_hub=at_hub)


def _correct(view: View) -> Intent | None:
    wrong = [index for index, entry in enumerate(view.replay.entries) if EVENTS[entry["type"]].correctable]
    if not wrong:
        return None
    index, chance = view.chance.choice(wrong[-5:]), view.chance
    return Intent(
        correct_entry,
        Correction(index, chance.choice(list(CorrectionReason)), "typed wrong 误录"),
        chance.choice(STAFF),
    )


def _name(view: View) -> Intent | None:
    found, chance = view.batch(), view.chance
    if found is None:
        return None
    alias = AliasOrder("CUSTOMER", f"K{chance.randrange(30)}", "C1")
    return Intent(alias_batch, Naming(found[1], (alias,)), chance.choice(STAFF))


def _direct(view: View) -> Intent | None:
    """Headquarters directs something to this plant: master data, a hold, a recall, a release."""
    chance, own = view.chance, (view.codes[view.plant - 1],)
    kind, person = chance.randrange(6), chance.choice(HEADQUARTERS)
    if kind == 0:
        order: Any = MasterDirection(own, MasterChange(MasterKind.LOCATION, f"D{chance.randrange(9)}", "Dock 月台"))
        return Intent(direct_master, order, person, at_hub=True)
    if kind <= 2 and view.directed:  # noqa: PLR2004 -- as many releases as holds, or nothing could be used at last.
        order = ReleaseDirection(chance.choice(view.directed), "tested 已检验")
        return Intent(direct_release, order, person, at_hub=True)
    codes = [one for one in view.everywhere if one]
    if not codes:
        return None
    if kind == 3:  # noqa: PLR2004 -- the fourth kind.
        order = RecallDirection(tuple(chance.sample(codes, min(2, len(codes)))), "recall 召回", own)
        return Intent(direct_recall, order, person, at_hub=True)
    return Intent(direct_hold, HoldDirection(chance.choice(codes), "suspect 可疑", plants=own), person, at_hub=True)


INTENTS: Final[tuple[tuple[int, Callable[[View], Intent | None]], ...]] = (
    (18, _receive), (5, _open), (10, _feed), (9, _yield), (3, _close), (5, _produce), (5, _split), (4, _merge),
    (6, _move), (9, _dispatch), (12, _arrive), (5, _ship), (4, _count), (5, _hold), (8, _ask), (9, _decide),
    (4, _correct), (2, _name), (9, _direct),
)  # fmt: skip
"""What people want, and how often of a hundred or so."""


def next_intent(view: View) -> Intent | None:
    """Return what somebody wants to be done next, if what they see lets them."""
    wanted = view.chance.choices([desire for _, desire in INTENTS], [weight for weight, _ in INTENTS])[0]
    return wanted(view) or _receive(view)

"""Replays ledgers into plain dictionaries by independent code, and checks what no ledger may contain.

It takes nothing from `plants.store` and hashes by itself: a mistake there cannot hide itself here.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any

from simulation.disks import Disk
from simulation.run_log import Violation

Place = tuple[int, str]
Link = tuple[int, int, str]
TAKES = frozenset({"CONSUMED", "TRANSFERRED", "SHIPPED"})


def micro(amount: str) -> int:
    """Return millionths."""
    return int(Decimal(amount) * 1_000_000)


@dataclass
class LedgerState:
    """What one ledger says, folded entry by entry."""

    plant: int
    stock: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    holds: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    batches: dict[int, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    version: dict[int, int] = field(default_factory=dict)
    expiry: dict[int, str | None] = field(default_factory=dict)
    processes: dict[int, dict[str, Any]] = field(default_factory=dict)
    fed: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    flows: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    links: dict[tuple[int, int], Link] = field(default_factory=dict)
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    dispatched: dict[int, int] = field(default_factory=dict)
    received: dict[int, int] = field(default_factory=dict)
    answered: dict[int, int] = field(default_factory=dict)
    unsupported: dict[int, int] = field(default_factory=dict)
    corrected: dict[int, int] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    disputed: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    ids: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)

    def fold(self, index: int, entry: dict[str, Any]) -> None:
        """Take in one entry; raises Violation where it must not stand here."""
        payload, kind = entry["payload"], entry["type"]
        if entry["id"] in self.ids:
            raise Violation("I3", f"plant {self.plant}: event {entry['id']} stands twice, the second time at {index}")
        self.ids.add(entry["id"])
        if (request := entry.get("request")) is not None:
            if request in self.requests:
                raise Violation("I3", f"plant {self.plant}: request {request} was recorded twice, again at {index}")
            self.requests.add(request)
        if kind == "EntryDisputed":
            # It carries who and from where like the entry that it holds, which is not applied.
            self.disputed[_original(entry).get("device", "")].append(index)
            return
        if (device := entry.get("device")) is not None:
            self.done[device].append(index)
        touched = self._outcome(index, entry, payload)
        self._changes(index, entry, payload)
        for batch in touched:
            self.version[batch] = index
        self._once(index, kind, payload)

    def _once(self, index: int, kind: str, payload: dict[str, Any]) -> None:
        """Note what can happen once only."""
        if kind == "TransferDispatched":
            self.dispatched[payload["transfer"]] = index
        elif kind == "TransferReceived":
            if payload["transfer"] in self.received:
                raise Violation("I3", f"plant {self.plant}: transfer {payload['transfer']} was received twice")
            self.received[payload["transfer"]] = index
        elif kind in {"DirectiveApplied", "DirectiveRejected"}:
            self._answered(index, payload)
        elif kind == "EntryCorrected":
            self._corrected(index, payload)

    def _answered(self, index: int, payload: dict[str, Any]) -> None:
        """Note an answer to a directive: the only one, or the one other that may follow UNSUPPORTED and names it."""
        directive, again = payload["directive"], payload.get("again")
        unsupported = payload.get("refusal") == "UNSUPPORTED"
        if directive in self.answered or again is not None:
            first = self.unsupported.pop(directive, None)
            if first is None or again != first or unsupported:
                raise Violation("I7", f"plant {self.plant}: directive {directive} was answered twice")
        elif unsupported:
            self.unsupported[directive] = index
        self.answered[directive] = index

    def _outcome(self, index: int, entry: dict[str, Any], payload: dict[str, Any]) -> set[int]:
        touched: set[int] = set()
        for batch in payload.get("batches", ()):
            self._batch(index, batch)
        process = payload.get("process")
        if process is not None:
            self.processes.setdefault(process["id"], {}).update(process)
        for line, movement in enumerate(payload.get("movements", ())):
            self._move(index, line, entry, movement)
            touched.add(movement["batch"])
        for hold in payload.get("holds", ()):
            self.holds[hold["batch"]].add(index)
            touched.add(hold["batch"])
        for batch, hold in payload.get("lifted", ()):
            self.holds[batch].discard(hold)
            touched.add(batch)
        for batch, day in payload.get("expiries", {}).items():
            self.expiry[int(batch)] = day
            touched.add(int(batch))
        for batch, disposition in payload.get("dispositions", {}).items():
            self.batches[int(batch)]["disposition"] = disposition
            touched.add(int(batch))
        touched.update(map(int, payload.get("made", {})))
        return touched

    def _batch(self, index: int, batch: dict[str, Any]) -> None:
        known = self.codes.get(batch["code"])
        before = self.batches.get(batch["id"])
        if (known is not None and known != batch["id"]) or (before is not None and before["code"] != batch["code"]):
            raise Violation("I13", f"plant {self.plant}: {batch['code']} is two batches, the second at {index}")
        if before is not None and before["at"] != index:
            raise Violation("I13", f"plant {self.plant}: batch {batch['id']} was made twice, again at {index}")
        self.codes[batch["code"]] = batch["id"]
        self.batches[batch["id"]] = {**batch, "at": index}
        self.expiry[batch["id"]] = batch["expires_on"]
        self.version[batch["id"]] = index

    def _move(self, index: int, line: int, entry: dict[str, Any], movement: dict[str, Any]) -> None:
        batch, amount, use = movement["batch"], micro(movement["amount"]), movement.get("use")
        source, target = movement["taken_from"], movement["put_in"]
        for place, change in ((source, -amount), (target, amount)):
            kind, _, name = place.partition(":")
            self.flows[batch, kind] += change
            if kind == "stock":
                left = self.stock[batch, name] = self.stock[batch, name] + change
                if left < 0:
                    raise Violation("I6", f"plant {self.plant}: {left} of batch {batch} at {name} after entry {index}")
        held = use in TAKES and source.startswith("stock:") and self.holds[batch]
        if held and "rebased_from" not in entry:
            raise Violation("I6", f"plant {self.plant}: entry {index} uses batch {batch}, which is held")
        if use is None:
            return
        if source.startswith("process:"):
            process = int(source.removeprefix("process:"))
            self.links[index, line] = (process, batch, use)
        else:
            process = int(target.removeprefix("process:"))
            self.links[index, line] = (batch, process, use)
            self.fed[process][batch] = self.fed[process].get(batch, 0) + amount

    def _changes(self, index: int, entry: dict[str, Any], payload: dict[str, Any]) -> None:
        kind = entry["type"]
        if kind == "ChangeRequested":
            self.changes[index] = {
                "by": entry["actor"], "version": payload["version"], "batch": payload["batch"], "state": "REQUESTED",
                "levels": payload["levels"], "applied": None,
            }  # fmt: skip
        elif kind == "ChangeDecided":
            change = self.changes[payload["change"]]
            if change["state"] != "REQUESTED":
                raise Violation("I7", f"plant {self.plant}: change {payload['change']} was decided twice, at {index}")
            if entry["actor"] == change["by"]:
                raise Violation("I7", f"plant {self.plant}: change {payload['change']} was decided by who asked")
            change["state"] = payload["verdict"]
        elif kind in {"ChangeApplied", "ChangeRefused"}:
            change = self.changes[payload["change"]]
            if change["state"] != "APPROVED" or change["applied"] is not None:
                raise Violation("I7", f"plant {self.plant}: change {payload['change']} took effect at {index} again")
            change["applied"] = index
            if kind == "ChangeApplied" and self.version.get(change["batch"]) != change["version"]:
                raise Violation("I7", f"plant {self.plant}: change {payload['change']} met another version at {index}")

    def _corrected(self, index: int, payload: dict[str, Any]) -> None:
        if payload["entry"] in self.corrected:
            raise Violation("I3", f"plant {self.plant}: entry {payload['entry']} was corrected twice, at {index}")
        self.corrected[payload["entry"]] = index
        for entry, line in payload.get("retracted", ()):
            self.links.pop((entry, line), None)
        for transfer, _ in payload.get("unreceived", ()):
            self.received.pop(transfer, None)


@dataclass
class LedgerReplay:
    """One ledger in one store, followed from outside: bytes, leaves, the root at every size, and the state."""

    log_id: int
    reading: bool = True  # True if its entries are folded into `state`
    state: LedgerState = field(init=False)
    leaves: list[bytes] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=lambda: [sha256(b"").digest()])
    peaks: list[bytes] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.state = LedgerState(self.log_id)

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.leaves)

    def follow(self, disk: Disk) -> bool:
        """Read what is new, or everything where the past is another one; returns whether it was. Raises Violation."""
        (row,) = disk.peek("SELECT size, frontier FROM logs WHERE log_id = ?", (self.log_id,)) or [(0, b"")]
        size, frontier = row
        changed = size < self.size or not self._is_the_same(disk)
        if changed:
            self.forget()
        sql = "SELECT idx, body, leaf FROM entries WHERE log_id = ? AND idx >= ? ORDER BY idx"
        for index, body, leaf in disk.peek(sql, (self.log_id, self.size)):
            if index != self.size:
                raise Violation("I4", f"ledger {self.log_id}: entry {index} stands where {self.size} should")
            self._append(index, bytes(body), bytes(leaf))
        if self.size != size or b"".join(self.peaks) != bytes(frontier):
            raise Violation("I4", f"ledger {self.log_id}: the head over {size} entries is not theirs ({self.size})")
        return changed

    def forget(self) -> None:
        """Begin again with nothing read."""
        self.state = LedgerState(self.log_id)
        self.leaves, self.entries, self.roots, self.peaks = [], [], [sha256(b"").digest()], []
        self.devices = set()

    def _is_the_same(self, disk: Disk) -> bool:
        if not self.leaves:
            return True
        last = self.size - 1
        found = disk.peek("SELECT leaf FROM entries WHERE log_id = ? AND idx = ?", (self.log_id, last))
        return bool(found) and bytes(found[0][0]) == self.leaves[last]

    def _append(self, index: int, body: bytes, leaf: bytes) -> None:
        if sha256(b"\0" + body).digest() != leaf:
            raise Violation("I4", f"ledger {self.log_id}: entry {index} is not what was hashed")
        entry = json.loads(body)
        if entry["index"] != index or entry["plant"] != self.log_id:
            raise Violation("I4", f"ledger {self.log_id}: entry {index} says it is {entry['plant']}:{entry['index']}")
        if self.entries and entry["hlc"] <= self.entries[-1]["hlc"]:
            raise Violation("I4", f"ledger {self.log_id}: the stamp of entry {index} is not after the one before it")
        if self.log_id > 0 and self.reading:
            self.state.fold(index, entry)
        self.entries.append(entry)
        self.devices |= {entry.get("device", ""), _original(entry).get("device", "")}
        self.leaves.append(leaf)
        size = index
        while size & 1:
            leaf = sha256(b"\1" + self.peaks.pop() + leaf).digest()
            size >>= 1
        self.peaks.append(leaf)
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = sha256(b"\1" + peak + root).digest()
        self.roots.append(root)


def _original(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry that a disputed one holds, or nothing."""
    return dict(entry["payload"]["entry"]) if entry["type"] == "EntryDisputed" else {}


def common(one: LedgerReplay, other: LedgerReplay) -> int:
    """Return how many entries two ledgers share from their beginnings."""
    low, high = 0, min(one.size, other.size)
    if one.roots[high] == other.roots[high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one.roots[middle] == other.roots[middle]:
            low = middle
        else:
            high = middle - 1
    return low


def links_of(replays: Iterable[LedgerReplay]) -> list[Link]:
    """Return the edges of the union of ledgers."""
    return [link for replay in replays for link in replay.state.links.values()]


@dataclass(slots=True)
class Machine:
    """What the hub's ledger says of a plant's keys."""

    assertion: str
    ledger: str
    counts: bool = True


def machines_of(entries: Iterable[dict[str, Any]]) -> dict[int, Machine]:
    """Return whose keys count by the hub's own ledger, by plant number."""
    found: dict[int, Machine] = {}
    for entry in entries:
        payload, kind = entry["payload"], entry["type"]
        if kind in {"PlantEnrolled", "PlantReadmitted"}:
            found[payload["number"]] = Machine(payload["assertion_key"], payload["ledger_key"])
        elif kind == "AssertionKeyRotated":
            found[payload["number"]].assertion = payload["new"]
        elif kind == "PlantLedgerKeyRotated":
            found[payload["number"]].ledger = payload["new"]
        elif kind == "PlantRevoked":
            found[payload["number"]].counts = False
    return found

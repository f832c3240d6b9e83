"""The reference model: predicts the verdict of each command, applies verdicts, and delivers entries between nodes."""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from simulation.reference_model import (
    changes,
    directives,
    gaps,
    genealogy,
    holds,
    master_directives,
    recall,
    registry,
    runs,
    stock,
    transfers,
)
from simulation.reference_model.amounts import MILLION
from simulation.reference_model.calls import HUB, Call, Settings, digest, occurred_at
from simulation.reference_model.rows import Answer, Batch, Entry, Hold, Stock, Tables
from simulation.reference_model.verdicts import Accepted, Directive, Effect, RefusalFound, Refused, Verdict

APPLIERS: Final = {
    "HoldDirected": directives.apply_hold,
    "RecallDirected": directives.apply_hold,
    "ReleaseDirected": directives.apply_release,
    "BatchDataDirected": directives.apply_batch_data,
    "MasterDirected": master_directives.apply_master,
    "ChangeDecided": changes.apply_decision,
}


@dataclass(frozen=True)
class Delivery:
    """An entry on its way: a plant's to the hub (`effects`), or the hub's to a plant (`directive`).

    `position` counts from 0 in each direction of each plant.
    """

    plant: str
    position: int
    at: datetime
    effects: tuple[Effect, ...] = ()
    directive: Directive | None = None


class ReferenceModel:
    """The whole group. Plants and hub know only their own tables and what was delivered to them.

    `planned` is false to leave out the commands that the SDL does not have.
    """

    def __init__(self, settings: Settings | None = None, *, planned: bool = True) -> None:
        self.settings = settings or Settings()
        self.planned = planned
        self.zones: dict[str, ZoneInfo] = {}
        self.nodes: dict[str, Tables] = {HUB: Tables()}
        self.mirrors: dict[str, Tables] = {}
        self.sent: dict[str, list[Delivery]] = {}
        self.directed: dict[str, list[Delivery]] = {}
        self.arrived: dict[tuple[str, bool], int] = {}

    def enrol(self, plant: str, zone: str = "UTC") -> None:
        """Add a plant with the time zone of its calendar."""
        self.zones[plant] = ZoneInfo(zone)
        self.nodes[plant], self.mirrors[plant] = Tables(), Tables()
        self.sent[plant], self.directed[plant] = [], []

    def commands(self, *, at_hub: bool = False) -> list[str]:
        """Return the names of the commands that the model judges at a plant or the hub."""
        chosen = (known for known in registry.COMMANDS.values() if known.at_hub == at_hub)
        return sorted(known.name for known in chosen if self.planned or not known.planned)

    def predict(
        self, plant: str, command: str, given: Mapping[str, Any], now: datetime, by: str = "operator"
    ) -> Verdict:
        """Return what the command must do, without changing anything.

        `plant` is HUB at the hub. `given` is the input as named in the SDL, with the model's ids. `by` is the user.
        """
        known = registry.COMMANDS[plant == HUB, command]
        if known.planned and not self.planned:
            raise ValueError(f"{command} is left out")
        call = self._call(plant, given, now, by)
        request, content = given.get("requestId"), digest(command, given)
        answered = call.tables.answers.get(str(request)) if request is not None else None
        if answered is not None and answered.content != content:
            return Refused("REQUEST_REUSED", ("requestId",))
        if answered is not None:
            return Accepted(plant, answered.index, (), answered.made, answered.subject)
        try:
            call.at = occurred_at(given, now, self.settings)
            call.text("reason")
            known.judge(call)
            if request is not None:
                answer = Answer(content, call.index, tuple(call.made), call.subject)
                call.tables.answers[str(request)] = answer
        except RefusalFound as found:
            return found.refused
        return finished(call, known.event)

    def apply(self, verdict: Verdict) -> None:
        """Take over the effects of an accepted command; a refused or repeated one has none."""
        if isinstance(verdict, Refused) or not verdict.effects:
            return
        tables = self.nodes[verdict.plant]
        if verdict.index != len(tables.entries):
            raise ValueError("The verdict was predicted from another state.")
        tables.apply(verdict.effects)
        at = tables.entries[verdict.index].recorded_at
        if verdict.plant != HUB:
            waiting = self.sent[verdict.plant]
            waiting.append(Delivery(verdict.plant, len(waiting), at, verdict.effects))
        self._send(verdict.directives, at)

    def deliver(self, entry: Delivery, now: datetime | None = None) -> str | None:
        """Let the hub take an entry of a plant, or a plant apply a directive; return the plant's refusal, if any.

        Entries arrive in order, once each; raises ValueError otherwise.
        """
        key = (entry.plant, entry.directive is None)
        if entry.position != self.arrived.get(key, 0):
            raise ValueError(f"Entry {entry.position} arrived out of order.")
        self.arrived[key] = entry.position + 1
        at = now or entry.at
        if entry.directive is not None:
            return self.obey(entry.plant, entry.directive, at)
        self.mirrors[entry.plant].apply(entry.effects)
        call = self._call(HUB, {}, at, "hub")
        if self.settings.holds_across_plants:
            directives.pass_on_holds(call, entry.plant)
        directives.pass_on_batch_data(call, entry.plant, entry.at, entry.effects)
        directives.follow_goods(call)
        self.nodes[HUB].apply(call.tables.effects())
        self._send(call.directives, at)
        return None

    def deliver_all(self, now: datetime) -> None:
        """Deliver everything on its way, in both directions, until nothing is."""
        while pending := self.on_its_way():
            self.deliver(pending[0], now)

    def on_its_way(self) -> list[Delivery]:
        """Return the next entry to deliver in each direction of each plant."""
        found = []
        for plant in self.sent:
            for upwards, queue in ((True, self.sent[plant]), (False, self.directed[plant])):
                found += queue[(position := self.arrived.get((plant, upwards), 0)) : position + 1]
        return found

    def _call(self, plant: str, given: Mapping[str, Any], now: datetime, by: str) -> Call:
        tables = self.nodes[plant]
        mirrors = self.mirrors if plant == HUB else self.nodes
        others = {code: kept for code, kept in mirrors.items() if code not in (HUB, plant)}
        zone = self.zones.get(plant, ZoneInfo("UTC"))
        now = now.astimezone(UTC)
        index = len(tables.entries)
        return Call(self.settings, plant, zone, self.zones, tables.draft(), given, now, now, by, index, others)

    def _send(self, sent: Iterable[Directive], at: datetime) -> None:
        for directive in sent:
            waiting = self.directed[directive.plant]
            waiting.append(Delivery(directive.plant, len(waiting), at, directive=directive))

    def obey(self, plant: str, directive: Directive, now: datetime) -> str | None:
        """Let a plant apply a directive that its caller carries itself; return the plant's refusal, if any."""
        call = self._call(plant, {}, now, "headquarters")
        refusal = APPLIERS[directive.kind](call, directive.content)
        self.apply(finished(call, "DirectiveApplied" if refusal is None else "DirectiveRejected"))
        return refusal

    def stock(self, plant: str, batch: str) -> dict[str, Fraction]:
        """Return the amount on hand at each location that has any, in the batch's own unit."""
        found = stock.on_hand(self.nodes[plant], batch)
        return {location: Fraction(amount, MILLION) for location, amount in found.items()}

    def holds(self, plant: str, batch: str) -> list[Hold]:
        """Return the open holds on a plant's goods, in the order placed."""
        return changes.all_open(self.nodes[plant], batch)

    def batch(self, plant: str, batch: str) -> Batch:
        return self.nodes[plant].batches[batch]

    def expiry(self, plant: str, batch: str) -> date | None:
        return self.batch(plant, batch).expires_on

    def retest(self, plant: str, batch: str) -> date | None:
        return self.batch(plant, batch).retest_on

    def blocked_by(self, plant: str, batch: str, day: date) -> str | None:
        """Return the code of the refusal that blocks the goods on a day of the plant's calendar."""
        if any(hold.location is None for hold in self.holds(plant, batch)):
            return "BATCH_ON_HOLD"
        return holds.unusable(self.nodes[plant], self.batch(plant, batch), day, self.settings)

    def usable(self, plant: str, batch: str, day: date) -> bool:
        return self.blocked_by(plant, batch, day) is None

    def losses(self, plant: str, run: str) -> dict[str, Fraction]:
        return runs.losses(self.nodes[plant], run)

    def gaps(self, plant: str) -> list[gaps.Gap]:
        """Return the process records of a plant whose amounts leave a gap in a trace."""
        return gaps.gaps(self.nodes[plant])

    def ancestors(self, batch: str, node: str | None = None) -> dict[str, int]:
        """Return each ancestor with its distance: in truth, or as a node knows it."""
        return genealogy.ancestors(batch, self._group(node).edges.values())

    def descendants(self, batch: str, node: str | None = None) -> dict[str, int]:
        return genealogy.descendants(batch, self._group(node).edges.values())

    def contribution(self, suspect: str, target: str, node: str | None = None) -> tuple[Fraction, Fraction] | None:
        """Return the least and most of a batch in another, in the base unit of the latter's kind (kg for mass)."""
        found = holds.contribution(self._group(node), suspect, target)
        return found[:2] if found is not None else None

    def double_receipts(self) -> dict[tuple[str, str], Fraction]:
        """Return what the hub knows to be received twice: by the receiver, and by the sender as turned back."""
        return transfers.double_receipts(self.mirrors)

    def recall_scope(self, suspects: Iterable[str], node: str | None = None) -> recall.Scope:
        return recall.recall_scope(self._known(node), suspects)

    def _known(self, node: str | None) -> dict[str, Tables]:
        """Return the plants' tables: in truth, as the hub mirrors them, or those of one plant."""
        if node is None:
            return {plant: tables for plant, tables in self.nodes.items() if plant != HUB}
        return self.mirrors if node == HUB else {node: self.nodes[node]}

    def _group(self, node: str | None) -> Tables:
        """Return one graph of all plants. The maker's statement of a batch counts before a receiver's."""
        found = Tables()
        for plant, tables in self._known(node).items():
            for edge in tables.edges.values():
                found.edges[len(found.edges), 0] = edge
            for batch in tables.batches.values():
                if batch.origin == plant or batch.id not in found.batches:
                    found.batches[batch.id] = batch
            found.units |= tables.units  # type: ignore[operator]  # MutableMapping of dict
        return found


def finished(call: Call, event: str) -> Accepted:
    """Complete the draft of a command: UPSTREAM holds, versions, and its entry."""
    tables = call.tables
    if any(tables.written(name) for name in ("edges", "holds", "batches")):
        holds.write_upstream(call)
    raise_versions(tables)
    moved = {
        key[0]
        for key, row in tables.written("stock").items()
        if isinstance(key, tuple) and isinstance(row, Stock)
        if any(flow.entry == call.index for flow in row.flows)
    }
    batches = tuple(sorted(moved | set(call.made)))
    tables.entries[call.index] = Entry(call.index, event, call.at, call.now, call.by, batches, call.run, call.subject)
    return Accepted(call.plant, call.index, tables.effects(), tuple(call.made), call.subject, tuple(call.directives))


def raise_versions(tables: Tables) -> None:
    """Raise the version of each batch of which a row, stock or a hold changed."""
    before: ChainMap[str, Batch] = ChainMap(*tables.batches.maps[1:])  # type: ignore[attr-defined]  # a draft
    touched = {effect.key for effect in tables.effects() if effect.table == "batches"}
    touched |= {
        effect.key[0] for effect in tables.effects() if effect.table == "stock" and isinstance(effect.key, tuple)
    }
    touched |= {effect.row.batch for effect in tables.effects() if isinstance(effect.row, Hold)}
    for batch in touched:
        if isinstance(batch, str) and batch in before:
            tables.batches[batch] = replace(tables.batches[batch], version=before[batch].version + 1)

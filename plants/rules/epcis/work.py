"""The state of a plan for an EPCIS import: finished events, waiting events, and the steps so far."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from plants.rules.epcis.documents import EpcisDocument
from plants.rules.epcis.event_forms import EpcisEvent, EpcisQuantity
from plants.rules.epcis.identifiers import Kind, identity, kind_of, short_codes
from plants.rules.epcis.lots import Goods, Lots, begins, ilmd_value
from plants.rules.epcis.sites import Site, site_of
from plants.rules.epcis.steps import (
    ALIASES_PER_STEP_MAX,
    AddAliases,
    DefineLocation,
    DefineMaterial,
    DefineParty,
    Discrepancy,
    DiscrepancyKind,
    EndAliases,
    Outcome,
    PlanStep,
    StepAlias,
    StepHead,
    Why,
)
from plants.rules.epcis.stock import Container, Stock

ONE = Decimal(1)


class Work:
    """Everything that the planner of one document knows; steps are only ever added."""

    def __init__(self, document: EpcisDocument, sites: dict[str, Site]) -> None:
        self.document, self.sites = document, sites
        self.lots = Lots(document, sites)
        self.stock = Stock()
        self.events = {event.number: event for event in document.events}
        self.steps: list[PlanStep] = []
        self.outcomes: dict[int, tuple[Outcome, Why | None]] = {}
        self.discrepancies: dict[int, list[Discrepancy]] = defaultdict(list)
        self.waited_for: dict[int, set[str]] = defaultdict(set)
        self.open_mentions: dict[str, set[int]] = defaultdict(set)
        self.parents = {
            identity(event.parent)
            for event in document.events
            if event.parent is not None and event.type == "AggregationEvent"
        }
        self.transformations = [event for event in document.events if event.type == "TransformationEvent"]
        self.processes: set[tuple[str, str]] = set()
        self._defined: set[tuple[str, str, str]] = set()
        self._named: set[tuple[str, str, StepAlias]] = set()
        self._request_names: Counter[str] = Counter()
        self._party_codes = short_codes(
            party.id for event in document.events for party in (*event.sources, *event.destinations)
        )

    # Events

    def plant_of(self, event: EpcisEvent) -> str | None:
        """Return the plant where an event happened."""
        site = site_of(event)
        return None if site is None else self.sites[site].plant

    def open_event(self, event: EpcisEvent) -> None:
        """Count an event among those still to be done."""
        for name in listed(event):
            self.open_mentions[name].add(event.number)

    def close_event(self, event: EpcisEvent) -> None:
        """Count an event as done."""
        for name in listed(event):
            self.open_mentions[name].discard(event.number)

    def still_open(self, names: Iterable[str], besides: EpcisEvent) -> list[EpcisEvent]:
        """Return the other events still to be done that list one of the names, in time order."""
        numbers = set().union(*(self.open_mentions.get(name, ()) for name in names)) - {besides.number}
        return sorted((self.events[number] for number in numbers), key=in_time)

    def names_of(self, lot: str) -> set[str]:
        """Return every name under which an event can list some of a lot now: class, serials, containers around it."""
        return {lot, *self.lots.serials.get(lot, ()), *self.stock.around(lot)}

    def awaits_receipt(self, event: EpcisEvent, site: str, lot: str) -> bool:
        """Tell whether an event still to be done receives some of the lot at the site."""
        waiting = self.still_open(self.names_of(lot), event)
        return any(other.biz_step == "receiving" and site_of(other) == site for other in waiting)

    def awaits_shipping(self, event: EpcisEvent, holder: str, lot: str) -> bool:
        """Tell whether an event still to be done ships some of the lot from the site that has it."""
        waiting = self.still_open(self.names_of(lot), event)
        return any(other.biz_step == "shipping" and site_of(other) == holder for other in waiting)

    def awaits_origin(self, event: EpcisEvent, site: str, lot: str) -> bool:
        """Tell whether an event still to be done begins some of the lot, or ships it from another site."""
        names = self.names_of(lot)
        return any(
            names & beginning(other) or (other.biz_step == "shipping" and site_of(other) != site)
            for other in self.still_open(names, event)
        )

    def finish(self, event: EpcisEvent, outcome: Outcome, why: Why | None = None) -> bool:
        """Write down what became of an event; always true, as the answer of a handler that did not have to wait."""
        self.outcomes[event.number] = (outcome, why)
        return True

    def wait(self, event: EpcisEvent, names: Iterable[str]) -> bool:
        """Write down what an event waits for; always false, as the answer of a handler that could not go on."""
        self.waited_for[event.number].update(names)
        return False

    def note(
        self,
        event: EpcisEvent,
        kind: DiscrepancyKind,
        subject: str,
        quantity: Decimal | None = None,
        *,
        other: int | None = None,
        detail: str = "",
    ) -> None:
        """Add a discrepancy to an event's report, once."""
        known = self.lots.by_key.get(subject)
        unit = known.unit if known is not None and quantity is not None else ""
        found = Discrepancy(kind, subject, quantity, unit, other, detail)
        if found not in self.discrepancies[event.number]:
            self.discrepancies[event.number].append(found)

    # Steps

    def head(self, event: EpcisEvent, plant: str, request_name: str, *, implied: bool = False) -> StepHead:
        """Return what every step carries."""
        return {
            "plant": plant,
            "event": event.number,
            "event_key": event.key,
            "request_name": request_name,
            "occurred_at": event.occurred_at,
            "implied": implied,
        }

    def request_name(self, event: EpcisEvent, kind: str, *subjects: str) -> str:
        """Return a name for a command that is the same whenever the same event is imported."""
        name = "/".join((event.key, kind, *subjects))
        self._request_names[name] += 1
        times = self._request_names[name]
        return name if times == 1 else f"{name}#{times}"

    def material(self, plant: str, lot: str, event: EpcisEvent) -> str:
        """Return the code of a lot's material, defined at the plant before it is first used there."""
        known = self.lots.by_key[lot]
        if self._first(plant, "material", known.material):
            name = self.lots.material_name(known.product)
            self.steps.append(
                DefineMaterial(
                    **self.head(event, plant, f"material/{plant}/{known.material}/{known.unit}/{name}"),
                    code=known.material,
                    name=name,
                    unit=known.unit,
                    product=known.product,
                )
            )
        return known.material

    def location(self, site: str, event: EpcisEvent) -> str:
        """Return the code of a site's location, defined at its plant before it is first used."""
        place = self.sites[site]
        if self._first(place.plant, "location", place.location):
            self.steps.append(
                DefineLocation(
                    **self.head(event, place.plant, f"location/{place.plant}/{place.location}/{place.name}"),
                    code=place.location,
                    name=place.name,
                    site=place.id,
                )
            )
        return place.location

    def party(self, plant: str, kind: Literal["supplier", "customer"], party: str, event: EpcisEvent) -> str:
        """Return the code of a supplier or customer, defined at the plant before it is first used there."""
        code = self._party_codes[party]
        record = self.document.master.get(party)
        name = (record.name if record is not None else None) or party
        if self._first(plant, kind, code):
            self.steps.append(
                DefineParty(
                    **self.head(event, plant, f"{kind}/{plant}/{code}/{name}"),
                    kind=kind,
                    code=code,
                    name=name,
                    party=party,
                )
            )
        return code

    def _first(self, plant: str, kind: str, code: str) -> bool:
        if (plant, kind, code) in self._defined:
            return False
        self._defined.add((plant, kind, code))
        return True

    def add_aliases(
        self, plant: str, lot: str, aliases: Sequence[StepAlias], event: EpcisEvent, *, implied: bool = False
    ) -> None:
        """Add the steps that make names of a batch known at a plant, where they are not yet."""
        new = [alias for alias in aliases if (plant, lot, alias) not in self._named]
        self._named.update((plant, lot, alias) for alias in new)
        for start in range(0, len(new), ALIASES_PER_STEP_MAX):
            part = tuple(new[start : start + ALIASES_PER_STEP_MAX])
            name = self.request_name(event, "AddAliases", plant, lot, part[0].scheme)
            self.steps.append(
                AddAliases(
                    **self.head(event, plant, name, implied=implied),
                    lot=lot,
                    aliases=part,
                )
            )

    def first_names(self, plant: str, lot: str) -> tuple[StepAlias, ...]:
        """Return the names with which a batch begins at a plant; `announce` adds the rest where there are more."""
        names = tuple(self.lots.by_key[lot].aliases[:ALIASES_PER_STEP_MAX])
        self._named.update((plant, lot, alias) for alias in names)
        return names

    def announce(self, plant: str, lot: str, event: EpcisEvent, *, implied: bool = False) -> None:
        """Make every name of a batch known at a plant that holds it."""
        known = self.lots.by_key[lot]
        known.plants.add(plant)
        self.add_aliases(plant, lot, known.aliases, event, implied=implied)

    def label(self, plant: str, containers: Iterable[str], event: EpcisEvent, *, implied: bool = False) -> None:
        """Make containers names of every lot in them at a plant."""
        for lot, aliases in sorted(self._labels(containers).items()):
            self.add_aliases(plant, lot, aliases, event, implied=implied)

    def unlabel(self, plant: str, containers: Iterable[str], event: EpcisEvent, *, implied: bool = False) -> None:
        """End containers' being names of the lots in them at a plant."""
        for lot, aliases in sorted(self._labels(containers).items()):
            self.end_aliases(plant, lot, aliases, event, implied=implied)

    def _labels(self, containers: Iterable[str]) -> dict[str, list[StepAlias]]:
        labels: dict[str, list[StepAlias]] = defaultdict(list)
        for container in sorted(containers):
            for lot in self.stock.contents(container):
                labels[lot].append(self.label_of(container))
        return labels

    def label_of(self, container: str) -> StepAlias:
        """Return a container as a name of what is in it."""
        known = self.stock.containers[container]
        return StepAlias("HANDLING_UNIT", known.issuer, known.value)

    def end_aliases(
        self, plant: str, lot: str, aliases: Sequence[StepAlias], event: EpcisEvent, *, implied: bool = False
    ) -> None:
        """Add the step that ends names of a batch at a plant, as far as it has them."""
        ended = [alias for alias in aliases if (plant, lot, alias) in self._named]
        self._named.difference_update((plant, lot, alias) for alias in ended)
        if ended:
            name = self.request_name(event, "EndAliases", plant, lot, ended[0].value)
            head = self.head(event, plant, name, implied=implied)
            self.steps.append(EndAliases(**head, lot=lot, aliases=tuple(ended)))

    # Goods

    def resolve(self, event: EpcisEvent, epcs: Sequence[str], quantities: Sequence[EpcisQuantity], site: str) -> Goods:
        """Return what an event lists, in lots; instances that no other event begins become known by this one."""
        goods = Goods()
        new_serials = self.resolve_instances(event, epcs, goods)
        if not goods.waiting:
            for uris in new_serials.values():
                goods.add(self.lots.serial_lot(uris, event).key, ONE * len(uris))
        self.resolve_classes(event, quantities, site, goods)
        return goods

    def resolve_instances(self, event: EpcisEvent, epcs: Sequence[str], goods: Goods) -> dict[str, list[str]]:
        """Add the instances that an event lists to its goods; return those not known yet, by product."""
        new_serials: dict[str, list[str]] = defaultdict(list)
        for epc in {identity(epc): epc for epc in epcs}.values():
            self._resolve_instance(event, epc, goods, new_serials)
        return new_serials

    def resolve_classes(self, event: EpcisEvent, quantities: Sequence[EpcisQuantity], site: str, goods: Goods) -> None:
        """Add the listed amounts of an event to its goods; without an amount, all on hand, else all in transit."""
        for quantity in quantities:
            lot = self.lots.lot(quantity.epc_class)
            amount = self.lots.in_unit(quantity, lot)
            if quantity.quantity is None:
                coming = (transit.lots[lot.key] for transit in self.stock.coming(site, lot.key, event.number))
                amount = self.stock.at(site, lot.key) or sum(coming, Decimal(0))
                if not amount:
                    goods.without_quantity.append(lot.key)
                    continue
            if amount is None:
                goods.bad_units.append(f"{lot.key} {quantity.unit}")
                continue
            goods.add(lot.key, amount)

    def resolve_beginning(self, event: EpcisEvent) -> Goods:
        """Return what begins in an event, in lots; instances that are known already do not begin again."""
        epcs, quantities = begins(event)
        goods = Goods()
        new_serials: dict[str, list[str]] = defaultdict(list)
        for name, epc in {identity(epc): epc for epc in epcs}.items():
            if kind_of(epc) is Kind.GOODS and name not in self.lots.lot_of_serial and name not in self.parents:
                new_serials[self.lots.product(epc)].append(epc)
        for uris in new_serials.values():
            lot = self.lots.serial_lot(uris, event, number=ilmd_value(event, "lotNumber"))
            goods.add(lot.key, ONE * len(uris))
        for quantity in quantities:
            lot = self.lots.lot(quantity.epc_class)
            amount = self.lots.in_unit(quantity, lot)
            if quantity.quantity is None:
                goods.without_quantity.append(lot.key)
            elif amount is None:
                goods.bad_units.append(f"{lot.key} {quantity.unit}")
            else:
                goods.add(lot.key, amount)
        return goods

    def _resolve_instance(self, event: EpcisEvent, epc: str, goods: Goods, new_serials: dict[str, list[str]]) -> None:
        name, kind = identity(epc), kind_of(epc)
        if name in self.stock.containers and self.stock.contents(name):
            goods.containers.append(name)
            for lot, quantity in self.stock.contents(name).items():
                goods.add(lot, quantity)
        elif kind is Kind.CONTAINER or name in self.parents:
            goods.unknown_containers.append(name)
            if any(identity(other.parent or "") == name for other in self.still_open([name], event)):
                goods.waiting.add(name)
        elif kind is Kind.GOODS:
            if name in self.lots.lot_of_serial:
                goods.add(self.lots.lot_of_serial[name], ONE)
            elif name not in beginning(event) and any(
                name in beginning(other) for other in self.still_open([name], event)
            ):
                goods.waiting.add(name)
            else:
                new_serials[self.lots.product(epc)].append(epc)

    def container(self, uri: str, event: EpcisEvent) -> Container:
        """Return a container, known from now on."""
        issuer = self.lots.issuer(site_of(event))
        return self.stock.containers.setdefault(identity(uri), Container(uri, issuer))


def in_time(event: EpcisEvent) -> tuple[datetime, int]:
    """Return the sort key of events: their time, then their position in the document."""
    return event.occurred_at, event.number


def listed(event: EpcisEvent) -> set[str]:
    """Return the identity of everything that an event lists."""
    named = [*event.epcs, *event.output_epcs, *([event.parent] if event.parent else [])]
    named.extend(quantity.epc_class for quantity in (*event.quantities, *event.output_quantities))
    return {identity(uri) for uri in named}


def beginning(event: EpcisEvent) -> set[str]:
    """Return the identity of everything that begins in an event."""
    epcs, quantities = begins(event)
    return {identity(uri) for uri in (*epcs, *(quantity.epc_class for quantity in quantities))}

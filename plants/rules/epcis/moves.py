"""Moves of goods to the site of an event, and from the site of an event that sends them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plants.rules.epcis.event_forms import EpcisEvent
from plants.rules.epcis.lots import Goods, new_batch
from plants.rules.epcis.steps import (
    Adjust,
    AdjustReason,
    DiscrepancyKind,
    DispatchTransfer,
    Line,
    Move,
    ReceiptLine,
    ReceiveBatch,
    ReceiveTransfer,
)
from plants.rules.epcis.stock import ZERO, Transit
from plants.rules.epcis.work import Work

SUPPLIER_ROLES = ("owning_party", "possessing_party")


@dataclass(frozen=True, slots=True)
class Supply:
    """From where an event's goods come: the road, other sites, outside the document; or they were there unseen."""

    from_road: tuple[tuple[Transit, str, Decimal], ...]
    from_sites: Mapping[str, Mapping[str, Decimal]]
    from_outside: Mapping[str, Decimal]
    surplus: Mapping[str, Decimal]  # more came in than had been sent
    found: Mapping[str, Decimal]  # more was used than was there

    @property
    def is_nothing(self) -> bool:
        """Tell whether all was there already."""
        return not (self.from_road or self.from_sites or self.from_outside or self.surplus or self.found)


def find_supply(
    work: Work, event: EpcisEvent, site: str, needs: Mapping[str, Decimal], *, arriving: bool, force: bool
) -> Supply | None:
    """Return the sources of an event's goods, or None when the event has to wait; `work` records for which lots.

    `force` is for a deadlock: then goods come from any site, and missing goods count as present.
    """
    search = _Search(work, event, site, arriving=arriving, force=force)
    for lot, need in needs.items():
        search.look_for(lot, need)
    if search.waiting:
        work.wait(event, search.waiting)
        return None
    return Supply(tuple(search.road), search.sites, search.outside, search.surplus, search.found)


class _Search:
    """Looks for each lot on the road, at other sites, outside the document, and at last among the unseen."""

    def __init__(self, work: Work, event: EpcisEvent, site: str, *, arriving: bool, force: bool) -> None:
        self.work, self.event, self.site = work, event, site
        self.arriving, self.force = arriving, force
        self.road: list[tuple[Transit, str, Decimal]] = []
        self.sites: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self.outside: dict[str, Decimal] = {}
        self.surplus: dict[str, Decimal] = {}
        self.found: dict[str, Decimal] = {}
        self.waiting: set[str] = set()

    def look_for(self, lot: str, need: Decimal) -> None:
        here = self.work.stock.at(self.site, lot)
        left = need if self.arriving else max(ZERO, need - here)
        waits = left and not self.arriving and not self.force
        if waits and self.work.awaits_receipt(self.event, self.site, lot):
            self.waiting |= self.work.names_of(lot)
            return
        remaining = self.at_other_sites(lot, self.on_road(lot, left))
        moving = remaining < left
        known = self.work.lots.by_key[lot]
        if self.arriving and not moving and (known.of_serials or not known.from_outside):
            remaining -= min(remaining, here)
        if remaining:
            self.rest(lot, remaining, moving=moving)

    def on_road(self, lot: str, left: Decimal) -> Decimal:
        for transit in self.work.stock.coming(self.site, lot, self.event.number):
            part = min(left, transit.lots[lot])
            if part:
                self.road.append((transit, lot, part))
                left -= part
        return left

    def at_other_sites(self, lot: str, left: Decimal) -> Decimal:
        for holder in self.work.stock.holders(lot, self.site) if left else ():
            part = min(left, self.work.stock.at(holder, lot))
            if part and (self.force or not self.work.awaits_shipping(self.event, holder, lot)):
                self.sites[holder][lot] = part
                left -= part
        return left

    def rest(self, lot: str, left: Decimal, *, moving: bool) -> None:
        from_outside = self.work.lots.by_key[lot].from_outside
        if not self.force and self.work.awaits_origin(self.event, self.site, lot):
            self.waiting |= self.work.names_of(lot)
        elif lot not in self.work.stock.ever or (self.arriving and from_outside and not moving):
            self.outside[lot] = left
        elif not self.force:
            self.waiting |= self.work.names_of(lot)
        elif self.arriving and moving:
            self.surplus[lot] = left
        else:
            self.found[lot] = left


def bring(work: Work, event: EpcisEvent, site: str, goods: Goods, supply: Supply, *, arriving: bool) -> None:
    """Add the steps that bring an event's goods to its site."""
    for lot, quantity in supply.found.items():
        _find(work, event, site, lot, quantity)
    surplus = dict(supply.surplus)
    taken: dict[str, dict[str, Decimal]] = defaultdict(dict)
    transits = {transit.name: transit for transit, _, _ in supply.from_road}
    for transit, lot, quantity in supply.from_road:
        taken[transit.name][lot] = quantity
    for name, came in taken.items():
        receive(work, event, transits[name], came, surplus, implied=not arriving)
    for holder, lots in supply.from_sites.items():
        containers = frozenset(
            inner
            for container in goods.containers
            for inner in work.stock.family(container)
            if set(work.stock.contents(container)) <= set(lots)
        )
        transit = send(work, event, lots, source=holder, destination=site, containers=containers, implied=True)
        receive(work, event, transit, lots, surplus, implied=not arriving)
    for lot, quantity in supply.from_outside.items():
        take_in(work, event, site, lot, quantity=quantity, arriving=arriving)


def _find(work: Work, event: EpcisEvent, site: str, lot: str, quantity: Decimal) -> None:
    """Add what was used but never there as a count difference, at a plant that knows the lot."""
    known = work.lots.by_key[lot]
    home = site
    if work.sites[site].plant not in known.plants:
        home = next(place for place in work.sites if work.sites[place].plant in known.plants)
    adjust(work, event, home, lot, change=quantity, reason=AdjustReason.SHORTAGE)
    work.note(event, DiscrepancyKind.SHORT, lot, quantity)
    if home != site:
        transit = send(work, event, {lot: quantity}, source=home, destination=site, implied=True)
        receive(work, event, transit, {lot: quantity}, {}, implied=True)


def adjust(work: Work, event: EpcisEvent, site: str, lot: str, *, change: Decimal, reason: AdjustReason) -> None:
    """Add a count difference."""
    plant, location = work.sites[site].plant, work.location(site, event)
    work.steps.append(
        Adjust(
            **work.head(
                event,
                plant,
                work.request_name(event, "Adjust", plant, lot, reason),
                implied=reason is AdjustReason.SHORTAGE,
            ),
            location=location,
            lot=lot,
            change=change,
            unit=work.lots.by_key[lot].unit,
            reason=reason,
            biz_step=event.biz_step,
        )
    )
    if change > 0:
        work.stock.put(site, lot, change, event.number)
    else:
        work.stock.take(site, lot, -change)


def take_in(work: Work, event: EpcisEvent, site: str, lot: str, *, quantity: Decimal, arriving: bool) -> None:
    """Take goods in that the document shows nowhere before: from a supplier, or as found at first sight."""
    plant, known = work.sites[site].plant, work.lots.by_key[lot]
    if plant in known.plants:
        adjust(work, event, site, lot, change=quantity, reason=AdjustReason.MORE_OF_LOT)
        return
    known.from_outside = True
    if not arriving:
        work.note(event, DiscrepancyKind.ORIGIN_UNKNOWN, lot, quantity)
    supplier = next((party.id for role in SUPPLIER_ROLES for party in event.sources if party.role == role), None)
    begin(work, event, site, lot, quantity=quantity, supplier=supplier, implied=not arriving)


def begin(
    work: Work,
    event: EpcisEvent,
    site: str,
    lot: str,
    *,
    quantity: Decimal,
    supplier: str | None = None,
    implied: bool = False,
) -> None:
    """Add the receipt of a batch that its plant does not know yet."""
    plant, known = work.sites[site].plant, work.lots.by_key[lot]
    work.material(plant, lot, event)
    location = work.location(site, event)
    supplier_code = work.party(plant, "supplier", supplier, event) if supplier is not None else None
    work.steps.append(
        ReceiveBatch(
            **work.head(event, plant, work.request_name(event, "ReceiveBatch", plant, lot), implied=implied),
            location=location,
            batch=new_batch(known, quantity, event, work.first_names(plant, lot)),
            supplier=supplier_code,
        )
    )
    work.announce(plant, lot, event, implied=implied)
    work.stock.put(site, lot, quantity, event.number)


def send(
    work: Work,
    event: EpcisEvent,
    lots: Mapping[str, Decimal],
    *,
    source: str,
    destination: str,
    containers: frozenset[str] = frozenset(),
    meant_for: int | None = None,
    implied: bool = False,
) -> Transit:
    """Take goods off a site's stock and put them on the road to another; between plants this is a transfer."""
    from_plant, to_plant = work.sites[source].plant, work.sites[destination].plant
    location = work.location(source, event)
    name = work.request_name(event, "Transfer", from_plant, to_plant)
    for lot, quantity in lots.items():
        work.stock.take(source, lot, quantity)
    transit = Transit(
        name, event.number, source, destination, dict(lots), containers, meant_for, from_plant == to_plant
    )
    work.stock.depart(transit)
    if not transit.within_plant:
        work.unlabel(from_plant, containers, event, implied=True)
        work.steps.append(
            DispatchTransfer(
                **work.head(event, from_plant, f"{name}/dispatch", implied=implied),
                transfer=name,
                location=location,
                destination=to_plant,
                lines=lines_of(work, lots),
                handling_units=handling_units(work, containers),
            )
        )
    return transit


def receive(
    work: Work,
    event: EpcisEvent,
    transit: Transit,
    lots: Mapping[str, Decimal],
    surplus: dict[str, Decimal],
    *,
    implied: bool,
) -> None:
    """Receive a whole transit. Goods that did not arrive are missing from then on, additional goods are surplus."""
    site, plant = transit.destination, work.sites[transit.destination].plant
    location = work.location(site, event)
    if work.events[transit.event].occurred_at > event.occurred_at:
        for lot in lots:
            work.note(event, DiscrepancyKind.USED_BEFORE_ARRIVAL, lot, other=transit.event)
    work.stock.arrive(transit)
    lines: list[ReceiptLine] = []
    for lot, sent in transit.lots.items():
        came = lots.get(lot, ZERO) + surplus.pop(lot, ZERO)
        lines.append(ReceiptLine(lot, came, work.lots.by_key[lot].unit, sent))
        if came:
            work.stock.put(site, lot, came, event.number)
        if came < sent:
            work.note(event, DiscrepancyKind.RECEIVED_LESS, lot, sent - came, other=transit.event)
        elif came > sent:
            work.note(event, DiscrepancyKind.RECEIVED_MORE, lot, came - sent, other=transit.event)
        if not transit.within_plant:
            work.material(plant, lot, event)
    if transit.within_plant:
        _move(work, event, transit, lines, location)
        return
    work.steps.append(
        ReceiveTransfer(
            **work.head(event, plant, f"{transit.name}/receive", implied=implied),
            transfer=transit.name,
            source=work.sites[transit.source].plant,
            location=location,
            lines=tuple(lines),
            handling_units=handling_units(work, transit.containers),
        )
    )
    for lot in transit.lots:
        work.announce(plant, lot, event, implied=True)
    work.label(plant, transit.containers, event, implied=True)


def _move(work: Work, event: EpcisEvent, transit: Transit, lines: Sequence[ReceiptLine], location: str) -> None:
    """Add a move inside a plant. Goods that did not arrive never left; a surplus is a count difference."""
    plant = work.sites[transit.source].plant
    moved: list[Line] = []
    for line in lines:
        amount = min(line.quantity, line.sent)
        if amount:
            moved.append(Line(line.lot, amount, line.unit))
        if line.sent > line.quantity:
            work.stock.put(transit.source, line.lot, line.sent - line.quantity, event.number)
    if moved:
        work.steps.append(
            Move(
                **work.head(event, plant, f"{transit.name}/move"),
                from_location=work.sites[transit.source].location,
                to_location=location,
                lines=tuple(moved),
            )
        )
    for line in lines:
        if line.quantity > line.sent:
            extra = line.quantity - line.sent
            work.stock.take(transit.destination, line.lot, extra)
            adjust(work, event, transit.destination, line.lot, change=extra, reason=AdjustReason.SHORTAGE)


def lines_of(work: Work, lots: Mapping[str, Decimal]) -> tuple[Line, ...]:
    """Return amounts of lots as lines of a step."""
    return tuple(Line(lot, quantity, work.lots.by_key[lot].unit) for lot, quantity in lots.items())


def handling_units(work: Work, containers: frozenset[str]) -> tuple[str, ...]:
    """Return the identifiers of containers as the document wrote them."""
    return tuple(work.stock.containers[container].value for container in sorted(containers))

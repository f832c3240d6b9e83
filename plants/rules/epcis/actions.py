"""Translates one EPCIS event into steps of the plants concerned."""

from decimal import Decimal

from plants.rules.epcis.event_forms import EpcisEvent
from plants.rules.epcis.identifiers import identity
from plants.rules.epcis.lots import Goods, new_batch, produced_at_of
from plants.rules.epcis.moves import adjust, begin, bring, find_supply, lines_of
from plants.rules.epcis.shipping import ship
from plants.rules.epcis.sites import site_of
from plants.rules.epcis.steps import AdjustReason, DiscrepancyKind, NewBatch, Outcome, Produce, Why
from plants.rules.epcis.stock import ZERO
from plants.rules.epcis.vocabulary import ON_THE_WAY, last_word
from plants.rules.epcis.work import Work


def do_event(work: Work, event: EpcisEvent, *, force: bool) -> bool:
    """Do an event, or return False when it has to wait."""
    site = site_of(event)
    if event.type == "other":
        return work.finish(event, Outcome.LEFT_OUT, Why.TYPE_UNKNOWN)
    if event.type in ("TransactionEvent", "AssociationEvent"):
        return work.finish(event, Outcome.NOTED, Why.LINKS_ONLY)
    if not (event.epcs or event.quantities or event.output_epcs or event.output_quantities or event.parent):
        return work.finish(event, Outcome.NOTED, Why.NO_GOODS)
    if event.biz_step in ON_THE_WAY and event.action == "OBSERVE":
        return work.finish(event, Outcome.NOTED, Why.ON_THE_ROAD)
    if site is None:
        observed = event.action == "OBSERVE" and event.biz_step not in ("shipping", "receiving")
        return work.finish(event, Outcome.NOTED if observed else Outcome.LEFT_OUT, Why.NO_SITE)
    if event.type == "TransformationEvent":
        return _produce(work, event, site, force=force)
    if event.type == "AggregationEvent" and event.action == "DELETE":
        return _unpack(work, event, site, force=force)
    if event.type == "AggregationEvent" and event.action == "ADD":
        return _pack(work, event, site, force=force)
    if event.action == "ADD":
        return _commission(work, event, site)
    return _see(work, event, site, force=force)


def _gather(
    work: Work, event: EpcisEvent, site: str, goods: Goods, *, force: bool, arriving: bool = False
) -> bool | None:
    """Bring an event's goods to its site.

    Return None when it has to wait, else whether anything had to be brought.
    """
    waiting = goods.waiting | {name for lot in goods.without_quantity for name in work.names_of(lot)}
    may_wait = [lot for lot in goods.without_quantity if work.awaits_origin(event, site, lot)]
    if (goods.waiting or may_wait) and not force:
        work.wait(event, waiting)
        return None
    supply = find_supply(work, event, site, goods.lots, arriving=arriving, force=force)
    if supply is None:
        return None
    bring(work, event, site, goods, supply, arriving=arriving)
    for lot in goods.without_quantity:
        work.note(event, DiscrepancyKind.QUANTITY_MISSING, lot)
    for container in goods.unknown_containers:
        work.note(event, DiscrepancyKind.CONTENTS_UNKNOWN, container)
    for lot in goods.lots:
        _note_late_arrival(work, event, site, lot)
    return not supply.is_nothing


def _note_late_arrival(work: Work, event: EpcisEvent, site: str, lot: str) -> None:
    """Report goods for which the event waited although, by the document's times, it came before them."""
    arrival = work.stock.last_arrival.get((site, lot), event.number)
    if lot in work.waited_for[event.number] and work.events[arrival].occurred_at > event.occurred_at:
        work.note(event, DiscrepancyKind.USED_BEFORE_ARRIVAL, lot, other=arrival)


def _nothing_to_do(work: Work, event: EpcisEvent, goods: Goods) -> bool:
    """Finish an event whose goods cannot be counted, saying which of the possible reasons it is."""
    if goods.bad_units:
        return work.finish(event, Outcome.LEFT_OUT, Why.UNIT_UNKNOWN)
    if goods.without_quantity:
        return work.finish(event, Outcome.LEFT_OUT, Why.NO_QUANTITY)
    if goods.unknown_containers:
        return work.finish(event, Outcome.NOTED, Why.CONTENTS_UNKNOWN)
    return work.finish(event, Outcome.NOTED, Why.NO_GOODS)


def _commission(work: Work, event: EpcisEvent, site: str) -> bool:
    """Goods begin here: commissioned, harvested, hatched, caught."""
    goods = work.resolve_beginning(event)
    if goods.bad_units or not goods.lots:
        return _nothing_to_do(work, event, goods)
    _note_beginnings(work, event, goods)
    plant = work.sites[site].plant
    for lot, quantity in goods.lots.items():
        known = work.lots.by_key[lot]
        if plant in known.plants:
            adjust(work, event, site, lot, change=quantity, reason=AdjustReason.MORE_OF_LOT)
            work.announce(plant, lot, event)
            continue
        begin(work, event, site, lot, quantity=quantity)
    return work.finish(event, Outcome.DONE)


def _see(work: Work, event: EpcisEvent, site: str, *, force: bool) -> bool:
    """Goods are seen, shipped, received or ended at a site."""
    arriving = event.biz_step == "receiving" and event.action == "OBSERVE"
    goods = _seen_goods(work, event, site)
    if goods.is_empty() or goods.bad_units:
        return _nothing_to_do(work, event, goods)
    if not arriving and event.action != "DELETE" and event.biz_step != "shipping":
        here = {lot for lot in goods.lots if not _is_elsewhere(work, event, site, lot)}
        goods.lots = {lot: quantity for lot, quantity in goods.lots.items() if lot in here}
        if goods.is_empty():
            return work.finish(event, Outcome.NOTED, Why.ON_THE_ROAD)
    brought = _gather(work, event, site, goods, force=force, arriving=arriving)
    if brought is None:
        return False
    if not goods.lots:
        return _nothing_to_do(work, event, goods)
    if event.action == "DELETE":
        _end(work, event, site, goods)
        return work.finish(event, Outcome.DONE)
    if event.biz_step == "shipping":
        return ship(work, event, site, goods)
    if event.parent is not None and identity(event.parent) not in work.stock.containers:
        _fill(work, event, site, goods)
        brought = True
    if brought:
        return work.finish(event, Outcome.DONE)
    return work.finish(event, Outcome.NOTED, Why.ALREADY_HERE if arriving else Why.OBSERVED)


def _seen_goods(work: Work, event: EpcisEvent, site: str) -> Goods:
    """Return the goods that an event lists. A container without listed contents means all of its contents."""
    goods = work.resolve(event, event.epcs, event.quantities, site)
    parent = identity(event.parent) if event.parent is not None else ""
    if parent in work.stock.containers and work.stock.contents(parent):
        goods.containers = [parent]
        if not goods.lots:
            goods.lots = work.stock.contents(parent)
    return goods


def _is_elsewhere(work: Work, event: EpcisEvent, site: str, lot: str) -> bool:
    """Tell whether goods seen here are not here in the books yet: a receipt follows, or they are on their way on."""
    if work.stock.at(site, lot):
        return False
    if work.awaits_receipt(event, site, lot):
        return True
    return work.stock.is_on_road(lot) and not work.stock.coming(site, lot, event.number)


def _end(work: Work, event: EpcisEvent, site: str, goods: Goods) -> None:
    """Take goods out of stock for good, and empty the containers they were in."""
    _empty(work, event, site, goods)
    for lot, quantity in goods.lots.items():
        adjust(work, event, site, lot, change=-quantity, reason=AdjustReason.TAKEN_OUT)


def _empty(work: Work, event: EpcisEvent, site: str, goods: Goods) -> None:
    for top in goods.containers:
        family = work.stock.family(top)
        work.unlabel(work.sites[site].plant, family, event)
        for container in family:
            work.stock.empty(container)


def _pack(work: Work, event: EpcisEvent, site: str, *, force: bool) -> bool:
    """A container is filled: it becomes a name of what is in it."""
    goods = work.resolve(event, event.epcs, event.quantities, site)
    if goods.is_empty() or goods.bad_units:
        return _nothing_to_do(work, event, goods)
    if _gather(work, event, site, goods, force=force) is None:
        return False
    if not goods.lots:
        return _nothing_to_do(work, event, goods)
    _fill(work, event, site, goods)
    return work.finish(event, Outcome.DONE)


def _fill(work: Work, event: EpcisEvent, site: str, goods: Goods) -> None:
    """Put an event's goods into its container, and make the containers around them their names."""
    assert event.parent is not None
    work.container(event.parent, event)
    parent, plant = identity(event.parent), work.sites[site].plant
    inside = [work.stock.contents(container) for container in goods.containers]
    direct = {
        lot: quantity - sum((contents.get(lot, ZERO) for contents in inside), ZERO)
        for lot, quantity in goods.lots.items()
    }
    around = (parent, *work.stock.outside_of(parent))
    before = {container: set(work.stock.contents(container)) for container in around}
    work.stock.pack(parent, {lot: quantity for lot, quantity in direct.items() if quantity}, goods.containers)
    for lot in goods.lots:
        labels = [work.label_of(container) for container in around if lot not in before[container]]
        work.add_aliases(plant, lot, labels, event)


def _unpack(work: Work, event: EpcisEvent, site: str, *, force: bool) -> bool:
    """A container is emptied, in whole or in part: it stops being a name of what came out."""
    assert event.parent is not None
    parent = identity(event.parent)
    contents = work.stock.contents(parent) if parent in work.stock.containers else {}
    if not contents:
        if not force and any(other.action == "ADD" for other in work.still_open([parent], event)):
            return work.wait(event, [parent])
        work.note(event, DiscrepancyKind.CONTENTS_UNKNOWN, parent)
        return work.finish(event, Outcome.NOTED, Why.CONTENTS_UNKNOWN)
    whole = Goods(lots=contents, containers=[parent])
    if _gather(work, event, site, whole, force=force) is None:
        return False
    around = (parent, *work.stock.outside_of(parent))
    before = {container: set(work.stock.contents(container)) for container in around}
    if event.epcs or event.quantities:
        _take_out(work, event, site, parent)
    else:
        work.stock.empty(parent)
    for lot in sorted(contents):
        left = [one for one in around if lot in before[one] and lot not in work.stock.contents(one)]
        if left:
            work.end_aliases(work.sites[site].plant, lot, [work.label_of(one) for one in left], event)
    return work.finish(event, Outcome.DONE)


def _take_out(work: Work, event: EpcisEvent, site: str, parent: str) -> None:
    """Take what an event lists out of a container."""
    part = work.resolve(event, event.epcs, event.quantities, site)
    direct = dict(part.lots)
    for child in part.containers:
        for lot, quantity in work.stock.contents(child).items():
            direct[lot] -= quantity
        if work.stock.containers[child].parent == parent:
            work.stock.unpack_child(child)
    for lot, quantity in direct.items():
        if quantity > 0:
            work.stock.unpack_lot(parent, lot, quantity)


def _produce(work: Work, event: EpcisEvent, site: str, *, force: bool) -> bool:
    """Inputs become outputs: one process record with all of them."""
    inputs = work.resolve(event, event.epcs, event.quantities, site)
    outputs = work.resolve_beginning(event)
    if inputs.bad_units or outputs.bad_units:
        return work.finish(event, Outcome.LEFT_OUT, Why.UNIT_UNKNOWN)
    if _gather(work, event, site, inputs, force=force) is None:
        return False
    if not inputs.lots and not outputs.lots:
        return _nothing_to_do(work, event, inputs)
    _note_beginnings(work, event, outputs)
    _empty(work, event, site, inputs)
    plant, location = work.sites[site].plant, work.location(site, event)
    for lot, quantity in inputs.lots.items():
        work.stock.take(site, lot, quantity)
    batches = tuple(_yielded(work, event, site, lot, quantity) for lot, quantity in outputs.lots.items())
    process = event.transformation_id or event.key
    work.steps.append(
        Produce(
            **work.head(event, plant, work.request_name(event, "Produce", plant)),
            process=process,
            location=location,
            segment=last_word(event.biz_step) if event.biz_step else "",
            transformation_id=event.transformation_id,
            opens=(plant, process) not in work.processes,
            closes=not _goes_on(work, event, plant),
            inputs=lines_of(work, inputs.lots),
            outputs=batches,
        )
    )
    work.processes.add((plant, process))
    for lot in outputs.lots:
        work.announce(plant, lot, event)
    return work.finish(event, Outcome.DONE)


def _yielded(work: Work, event: EpcisEvent, site: str, lot: str, quantity: Decimal) -> NewBatch:
    """Return an output as a batch; one that the plant knows already brings no names."""
    plant, known = work.sites[site].plant, work.lots.by_key[lot]
    work.material(plant, lot, event)
    aliases = () if plant in known.plants else work.first_names(plant, lot)
    work.stock.put(site, lot, quantity, event.number)
    return new_batch(known, quantity, event, aliases)


def _goes_on(work: Work, event: EpcisEvent, plant: str) -> bool:
    """Tell whether another event of the same transformation at the plant is still to be done."""
    if event.transformation_id is None:
        return False
    return any(
        other.transformation_id == event.transformation_id
        and other.number not in work.outcomes
        and other.number != event.number
        and work.plant_of(other) == plant
        for other in work.transformations
    )


def _note_beginnings(work: Work, event: EpcisEvent, goods: Goods) -> None:
    """Report what is odd about goods that begin in an event."""
    plant, made = work.plant_of(event), produced_at_of(event)
    for lot, quantity in goods.lots.items():
        if work.lots.by_key[lot].plants - {plant}:
            work.note(event, DiscrepancyKind.BEGUN_TWICE, lot, quantity)
        if made is not None and made > event.occurred_at:
            work.note(event, DiscrepancyKind.PRODUCED_LATER, lot, detail=made.isoformat())
    for lot in goods.without_quantity:
        work.note(event, DiscrepancyKind.QUANTITY_MISSING, lot)

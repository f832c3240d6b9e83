"""Plans an EPCIS import: the commands of each plant, in an order in which all of them can succeed.

Events are taken in the order of their times. An event without its goods waits until another event brings them. In a
deadlock the earliest waiting event is forced; its missing goods are added and reported. Goods on hand never go below
zero. The plan has every amount as the document has it.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from plants.rules.epcis.actions import do_event
from plants.rules.epcis.documents import EpcisDocument
from plants.rules.epcis.event_forms import EpcisEvent
from plants.rules.epcis.sites import settle_sites, site_of
from plants.rules.epcis.steps import DiscrepancyKind, EpcisPlan, EventReport, Line, Outcome, Why
from plants.rules.epcis.work import Work, in_time, listed


def plan_epcis(document: EpcisDocument, plants: Mapping[str, str]) -> EpcisPlan:
    """Return the plan of a document's import; `plants` has a plant code for every site (see `propose_plants`).

    Raises Refusal when a site has none. Every event has a report row, in document order.
    """
    work = Work(document, dict(settle_sites(document, plants)))
    left_out = _left_out(document)
    waiting = [event for event in document.events if event.number not in left_out]
    for number, (outcome, why) in left_out.items():
        work.finish(work.events[number], outcome, why)
    for event in waiting:
        work.open_event(event)
    _run(work, waiting)
    for transit in work.stock.all_on_road():
        sent = work.events[transit.event]
        for lot, quantity in transit.lots.items():
            work.note(sent, DiscrepancyKind.NOT_RECEIVED, lot, quantity)
            if transit.within_plant:
                work.stock.put(transit.source, lot, quantity, transit.event)
    on_hand = {
        (work.sites[site].id, lot): Line(lot, quantity, work.lots.by_key[lot].unit)
        for (site, lot), quantity in work.stock.everything().items()
    }
    positions: dict[int, list[int]] = defaultdict(list)
    for position, step in enumerate(work.steps):
        positions[step.event].append(position)
    report = tuple(_report(work, event, positions[event.number]) for event in document.events)
    return EpcisPlan(tuple(work.sites.values()), tuple(work.steps), report, on_hand)


def _run(work: Work, events: list[EpcisEvent]) -> None:
    """Do every event, each as early as its goods allow."""
    ready: list[tuple[datetime, int]] = [in_time(event) for event in events]
    heapq.heapify(ready)
    blocked: dict[int, set[str]] = {}
    waiters: dict[str, set[int]] = defaultdict(set)
    while ready or blocked:
        force = not ready
        number = heapq.heappop(ready)[1] if ready else min(blocked, key=lambda one: in_time(work.events[one]))
        event = work.events[number]
        touched = _touched(work, event)
        if not do_event(work, event, force=force):
            assert not force, f"event {number} waits for what nothing can bring"
            blocked[number] = set(work.waited_for[number])
            for name in blocked[number]:
                waiters[name].add(number)
            continue
        blocked.pop(number, None)
        work.close_event(event)
        for name in touched | _touched(work, event):
            for other in waiters.pop(name, ()):
                if other in blocked:
                    del blocked[other]
                    heapq.heappush(ready, in_time(work.events[other]))


def _touched(work: Work, event: EpcisEvent) -> set[str]:
    """Return every name for which another event can wait that this one may change."""
    names = listed(event)
    for name in tuple(names):
        names.update(work.stock.family(name), work.stock.outside_of(name), work.stock.contents(name))
        lot = work.lots.lot_of_serial.get(name, name)
        names.update((lot, *work.stock.around(lot)))
    return names


def _left_out(document: EpcisDocument) -> dict[int, tuple[Outcome, Why]]:
    """Return the events to leave out: declared wrong, repeated, or voided by a later event."""
    reasons: dict[int, tuple[Outcome, Why]] = {}
    wrong = {event.key for event in document.events if event.error is not None}
    first: dict[str, EpcisEvent] = {}
    for event in document.events:
        if event.error is not None or event.key in wrong:
            reasons[event.number] = (Outcome.LEFT_OUT, Why.DECLARED_WRONG)
        elif event.key in first:
            same = first[event.key].content_digest == event.content_digest
            reasons[event.number] = (Outcome.LEFT_OUT, Why.REPEATED if same else Why.KEY_REUSED)
        else:
            first[event.key] = event
    shipped = sorted((event for event in first.values() if event.biz_step == "shipping"), key=in_time)
    for void in (event for event in first.values() if event.biz_step == "void_shipping"):
        reasons[void.number] = (Outcome.NOTED, Why.VOIDED)
        for sent in reversed(shipped):
            same_goods = listed(sent) & listed(void) and site_of(sent) == site_of(void)
            if same_goods and sent.number not in reasons and in_time(sent) <= in_time(void):
                reasons[sent.number] = (Outcome.NOTED, Why.VOIDED)
                break
    return reasons


def _report(work: Work, event: EpcisEvent, positions: list[int]) -> EventReport:
    site = site_of(event)
    place = work.sites[site] if site is not None else None
    outcome, why = work.outcomes[event.number]
    return EventReport(
        event=event.number,
        event_id=event.event_id,
        type_name=event.type_name,
        biz_step=event.biz_step,
        site=place.id if place is not None else None,
        plant=place.plant if place is not None else None,
        outcome=outcome,
        why=why,
        steps=tuple(positions),
        discrepancies=tuple(work.discrepancies[event.number]),
    )

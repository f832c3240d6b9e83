"""Destinations of the goods that an event sends: the sites that see them later, or a customer."""

from decimal import Decimal

from plants.rules.epcis.event_forms import EpcisEvent
from plants.rules.epcis.identifiers import identity
from plants.rules.epcis.lots import Goods
from plants.rules.epcis.moves import handling_units, lines_of, send
from plants.rules.epcis.sites import site_of
from plants.rules.epcis.steps import Outcome, Ship, Why
from plants.rules.epcis.stock import ZERO
from plants.rules.epcis.vocabulary import ON_THE_WAY
from plants.rules.epcis.work import Work, beginning

ROLE_ORDER = ("location", "owning_party", "possessing_party")


def ship(work: Work, event: EpcisEvent, site: str, goods: Goods) -> bool:
    """Send an event's goods, which are on hand, to the sites that later see them, else to the customer it names."""
    containers = frozenset(inner for top in goods.containers for inner in work.stock.family(top))
    shares = _destinations(work, event, site, goods)
    if shares:
        first = True
        for meant_for, destination, lots in shares:
            send(
                work,
                event,
                lots,
                source=site,
                destination=destination,
                containers=containers if first else frozenset(),
                meant_for=meant_for,
            )
            first = False
        within = all(work.sites[place].plant == work.sites[site].plant for _, place, _ in shares)
        return work.finish(event, Outcome.NOTED if within else Outcome.DONE, Why.WITHIN_PLANT if within else None)
    party = next((party.id for role in ROLE_ORDER for party in event.destinations if party.role == role), None)
    party = party or next((party.id for party in event.destinations), None)
    if party is None:
        return work.finish(event, Outcome.LEFT_OUT, Why.NO_DESTINATION)
    plant, location = work.sites[site].plant, work.location(site, event)
    customer = work.party(plant, "customer", party, event)
    work.unlabel(plant, containers, event, implied=True)
    work.steps.append(
        Ship(
            **work.head(event, plant, work.request_name(event, "Ship", plant, customer)),
            location=location,
            customer=customer,
            lines=lines_of(work, goods.lots),
            handling_units=handling_units(work, containers),
        )
    )
    for lot, quantity in goods.lots.items():
        work.stock.take(site, lot, quantity)
    return work.finish(event, Outcome.DONE)


def _destinations(
    work: Work, event: EpcisEvent, site: str, goods: Goods
) -> list[tuple[int | None, str, dict[str, Decimal]]]:
    """Return which later event at which site takes how much; nothing of the goods is left over when there is any."""
    names = set().union(*(work.names_of(lot) for lot in goods.lots))
    seen = [
        other
        for other in work.still_open(names, event)
        if site_of(other) not in (None, site) and other.biz_step not in ON_THE_WAY and not names & beginning(other)
    ]
    seen.sort(key=lambda other: other.occurred_at < event.occurred_at)
    receiving = {site_of(other) for other in seen if other.biz_step == "receiving"}
    left = dict(goods.lots)
    shares: list[tuple[int | None, str, dict[str, Decimal]]] = []
    reached: set[str] = set()
    for other in seen:
        place = site_of(other)
        if place is None or (other.biz_step != "receiving" and (place in receiving or place in reached)):
            continue
        wanted = Goods()
        work.resolve_instances(other, other.epcs, wanted)
        work.resolve_classes(other, other.quantities, place, wanted)
        for lot in wanted.without_quantity:
            wanted.add(lot, left.get(lot, ZERO))
        share = {lot: min(left[lot], wanted.lots[lot]) for lot in wanted.lots if left.get(lot)}
        if share:
            reached.add(place)
            shares.append((other.number, place, share))
            left = {lot: quantity - share.get(lot, ZERO) for lot, quantity in left.items()}
    rest = {lot: quantity for lot, quantity in left.items() if quantity}
    if rest and shares:
        for lot, quantity in rest.items():
            shares[0][2][lot] = shares[0][2].get(lot, ZERO) + quantity
    elif rest:
        named = _named_site(work, event)
        if named is not None and named != site:
            return [(None, named, rest)]
    return shares


def _named_site(work: Work, event: EpcisEvent) -> str | None:
    """Return the site of the document that an event names as destination: itself, or by the party that owns it."""
    for party in event.destinations:
        if identity(party.id) in work.sites:
            return identity(party.id)
    parties = {party.id for party in event.destinations if party.role in ROLE_ORDER[1:]}
    owned = sorted(site for site, place in work.sites.items() if place.owner in parties)
    return owned[0] if owned else None

"""The goods of an EPCIS import while it is planned: on hand per site, on the road, and inside what."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Transit:
    """Goods between two sites; `meant_for` is the event that should receive them."""

    name: str
    event: int
    source: str
    destination: str
    lots: dict[str, Decimal]
    containers: frozenset[str] = frozenset()
    meant_for: int | None = None
    within_plant: bool = False


@dataclass(slots=True)
class Container:
    """A handling unit with what lies directly in it."""

    value: str  # the identifier as the document wrote it
    issuer: str
    lots: dict[str, Decimal] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    parent: str | None = None


class Stock:
    """The location of every lot. Only goods on hand can be taken, and taken goods are put somewhere."""

    def __init__(self) -> None:
        self._transits: dict[str, dict[str, Transit]] = defaultdict(dict)  # lot -> name -> what carries some of it
        self.containers: dict[str, Container] = {}
        self.last_arrival: dict[tuple[str, str], int] = {}
        self.ever: set[str] = set()
        self._on_hand: dict[str, dict[str, Decimal]] = defaultdict(dict)  # lot -> site -> quantity, latest site last
        self._inside: dict[str, set[str]] = defaultdict(set)  # lot -> containers it lies directly in

    def at(self, site: str, lot: str) -> Decimal:
        """Return how much of a lot is on hand at a site."""
        return self._on_hand[lot].get(site, ZERO)

    def everything(self) -> Mapping[tuple[str, str], Decimal]:
        """Return all goods on hand by site and lot."""
        return {
            (site, lot): quantity
            for lot, sites in self._on_hand.items()
            for site, quantity in sites.items()
            if quantity > 0
        }

    def put(self, site: str, lot: str, quantity: Decimal, event: int) -> None:
        """Add goods to a site."""
        sites = self._on_hand[lot]
        sites[site] = sites.pop(site, ZERO) + quantity
        self.last_arrival[site, lot] = event
        self.ever.add(lot)

    def take(self, site: str, lot: str, quantity: Decimal) -> None:
        """Take goods from a site, where there are as many."""
        left = self.at(site, lot) - quantity
        if left < 0:
            raise AssertionError(f"{-left} of {lot} too few at {site}")
        self._on_hand[lot][site] = left

    def holders(self, lot: str, besides: str) -> list[str]:
        """Return the other sites that have some of the lot, the one it came to last first."""
        return [site for site, quantity in reversed(self._on_hand[lot].items()) if quantity > 0 and site != besides]

    def coming(self, site: str, lot: str, event: int) -> list[Transit]:
        """Return the transits of a lot to a site, first those that are meant for the event."""
        found = [transit for transit in self._transits[lot].values() if transit.destination == site]
        return sorted(found, key=lambda transit: (transit.meant_for != event, transit.meant_for is not None))

    def is_on_road(self, lot: str) -> bool:
        """Tell whether some of the lot is between two sites."""
        return bool(self._transits[lot])

    def depart(self, transit: Transit) -> None:
        """Put goods on the road; they have been taken from where they were."""
        for lot in transit.lots:
            self._transits[lot][transit.name] = transit

    def arrive(self, transit: Transit) -> None:
        """Take goods off the road; they are put where they arrive."""
        for lot in transit.lots:
            del self._transits[lot][transit.name]

    def all_on_road(self) -> list[Transit]:
        """Return everything that is still on the road, by the event that sent it."""
        found = {name: transit for carrying in self._transits.values() for name, transit in carrying.items()}
        return sorted(found.values(), key=lambda transit: (transit.event, transit.name))

    def contents(self, container: str) -> dict[str, Decimal]:
        """Return all lots in a container, also in containers inside it."""
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for inner in self.family(container):
            for lot, quantity in self.containers[inner].lots.items():
                totals[lot] += quantity
        return dict(totals)

    def family(self, container: str) -> frozenset[str]:
        """Return a container with all containers inside it."""
        found: dict[str, None] = {}
        waiting = [container]
        while waiting:
            one = waiting.pop()
            if one in self.containers and one not in found:
                found[one] = None
                waiting.extend(self.containers[one].children)
        return frozenset(found)

    def outside_of(self, container: str) -> list[str]:
        """Return the containers around a container, the nearest first."""
        found: list[str] = []
        parent = self.containers[container].parent if container in self.containers else None
        while parent is not None and parent not in found:
            found.append(parent)
            parent = self.containers[parent].parent
        return found

    def around(self, lot: str) -> frozenset[str]:
        """Return every container in which some of the lot lies, however deep."""
        inside = self._inside.get(lot, ())
        return frozenset(inside).union(*(self.outside_of(container) for container in inside))

    def pack(self, parent: str, lots: Mapping[str, Decimal], children: Iterable[str]) -> None:
        """Put lots and containers into a container."""
        outer = self.containers[parent]
        for lot, quantity in lots.items():
            outer.lots[lot] = outer.lots.get(lot, ZERO) + quantity
            self._inside[lot].add(parent)
        for child in children:
            if child not in (parent, *self.outside_of(parent)):
                self.unpack_child(child)
                self.containers[child].parent = parent
                outer.children.add(child)

    def unpack_child(self, child: str) -> None:
        """Take a container out of the one around it."""
        parent = self.containers[child].parent
        if parent is not None:
            self.containers[parent].children.discard(child)
            self.containers[child].parent = None

    def unpack_lot(self, container: str, lot: str, quantity: Decimal | None = None) -> None:
        """Take a lot out of a container, all of it unless a smaller quantity is given."""
        lots = self.containers[container].lots
        left = ZERO if quantity is None else lots.get(lot, ZERO) - quantity
        if left > 0:
            lots[lot] = left
        else:
            lots.pop(lot, None)
            self._inside[lot].discard(container)

    def empty(self, container: str) -> None:
        """Take everything out of a container; containers inside it keep what they hold."""
        for child in list(self.containers[container].children):
            self.unpack_child(child)
        for lot in list(self.containers[container].lots):
            self.unpack_lot(container, lot)

"""The lots of an EPCIS document: material, unit and names of each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from plants.rules.epcis.documents import EpcisDocument
from plants.rules.epcis.event_forms import EpcisEvent, EpcisQuantity
from plants.rules.epcis.fields import read_instant
from plants.rules.epcis.identifiers import Kind, identity, kind_of, lot_number_of, product_of, short_codes
from plants.rules.epcis.sites import Site, site_of
from plants.rules.epcis.steps import NewBatch, StepAlias
from plants.rules.epcis.vocabulary import last_word
from plants.rules.inventory.aliases import EpcisScheme
from plants.rules.values.quantities import MICRO, UNITS, Quantity, convert
from plants.rules.values.refusals import Refusal

PIECE = "H87"  # UN/ECE Rec 20: piece; a quantity without a unit counts instances.
NAME_LENGTH_MAX = 100


@dataclass(slots=True)
class Lot:
    """One batch of the plan."""

    key: str
    product: str
    material: str
    unit: str
    aliases: list[StepAlias] = field(default_factory=list)
    from_outside: bool = False  # came from a supplier that the document does not show
    of_serials: bool = False
    plants: set[str] = field(default_factory=set)  # whose ledgers know it


@dataclass(slots=True)
class Goods:
    """The goods that an event names, in lots."""

    lots: dict[str, Decimal] = field(default_factory=dict)
    containers: list[str] = field(default_factory=list)  # with known contents, as listed
    unknown_containers: list[str] = field(default_factory=list)
    without_quantity: list[str] = field(default_factory=list)
    bad_units: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)  # lots that a later event of the document begins

    def is_empty(self) -> bool:
        """Tell whether nothing is named that is counted, or could be once other events are done."""
        return not (self.lots or self.waiting or self.without_quantity)

    def add(self, lot: str, quantity: Decimal) -> None:
        """Add an amount of a lot."""
        self.lots[lot] = self.lots.get(lot, Decimal(0)) + quantity


class Lots:
    """All lots of one document, found by class or serial in any form."""

    def __init__(self, document: EpcisDocument, sites: Mapping[str, Site]) -> None:
        self.sites, self.master = sites, document.master
        self.classes = [record.id for record in document.master.values() if record.kind == "epcclass"]
        self.by_key: dict[str, Lot] = {}
        self.lot_of_serial: dict[str, str] = {}
        self.serials: dict[str, list[str]] = defaultdict(list)
        self._units = _first_units(document.events)
        uris = [uri for event in document.events for uri in goods_named(event)]
        self._products = {identity(uri): product_of(uri, self.classes) for uri in uris}
        self._codes = short_codes(self._products.values())
        self._names = {product_of(uri, self.classes): uri for uri in self.classes}
        in_time = sorted(document.events, key=lambda event: event.occurred_at)
        for event in in_time:
            self._know_classes(begins(event)[1], event)
        for event in in_time:
            self._know_classes((*event.quantities, *event.output_quantities), event)

    def _know_classes(self, quantities: Sequence[EpcisQuantity], event: EpcisEvent) -> None:
        """Make a lot of each class not known yet; the event that begins it, or speaks of it first, issued its name."""
        for uri in (quantity.epc_class for quantity in quantities):
            if identity(uri) not in self.by_key:
                lot = self._begin(identity(uri), uri, self._units.get(identity(uri), PIECE))
                self._name(lot, "EPC_CLASS", uri, event)
                number = ilmd_value(event, "lotNumber") if uri_begins(uri, event) else None
                self._name(lot, "LOT_NUMBER", number or lot_number_of(uri), event)

    def lot(self, uri: str) -> Lot:
        """Return the lot that a class of the document names."""
        return self.by_key[identity(uri)]

    def product(self, uri: str) -> str:
        """Return what an identifier of goods in the document is of."""
        return self._products[identity(uri)]

    def serial_lot(self, uris: Sequence[str], event: EpcisEvent, *, number: str | None = None) -> Lot:
        """Return the lot of instances of one product that begin together, with one alias for each."""
        identities = [identity(uri) for uri in uris]
        product = self._products[identities[0]]
        key = f"01/{product}/10/{number}" if number and product.isdigit() else min(identities)
        if key not in self.by_key and self._units.get(key, PIECE) != PIECE:
            key = min(identities)
        if key not in self.by_key:
            self._begin(key, uris[0], PIECE).of_serials = True
        lot = self.by_key[key]
        for uri, one in zip(uris, identities, strict=True):
            self.lot_of_serial[one] = key
            self.serials[key].append(one)
            self._name(lot, "EPC", uri, event)
        self._name(lot, "LOT_NUMBER", number, event)
        return lot

    def _begin(self, key: str, uri: str, unit: str) -> Lot:
        product = self._products[identity(uri)]
        self.by_key[key] = Lot(key, product, self._codes[product], unit)
        return self.by_key[key]

    def _name(self, lot: Lot, scheme: EpcisScheme, value: str | None, event: EpcisEvent) -> None:
        alias = StepAlias(scheme, self.issuer(site_of(event)), value) if value else None
        if alias is not None and alias not in lot.aliases:
            lot.aliases.append(alias)

    def issuer(self, site: str | None) -> str:
        """Return the party behind a site, or the site itself where the header names none."""
        known = self.sites.get(site) if site is not None else None
        return "" if known is None else known.owner or known.id

    def material_name(self, product: str) -> str:
        """Return what the header calls a product, or its own identifier."""
        record = self.master.get(self._names.get(product, product))
        name = record.name if record is not None else None
        return (name or product)[:NAME_LENGTH_MAX]

    def in_unit(self, quantity: EpcisQuantity, lot: Lot) -> Decimal | None:
        """Return an amount in the unit of its lot, or None where no conversion exists."""
        unit = quantity.unit or PIECE
        if quantity.quantity is None or unit not in UNITS or lot.unit not in UNITS:
            return None
        if unit == lot.unit:
            return quantity.quantity
        try:
            converted = convert(Quantity(int(quantity.quantity * MICRO), unit), lot.unit, units=UNITS, factors={})
        except Refusal:
            return None
        return Decimal(converted.micro) / MICRO


def goods_named(event: EpcisEvent) -> Iterable[str]:
    """Return every identifier of goods in an event, inputs and outputs alike."""
    yield from (quantity.epc_class for quantity in (*event.quantities, *event.output_quantities))
    yield from (epc for epc in (*event.epcs, *event.output_epcs) if kind_of(epc) is Kind.GOODS)


def begins(event: EpcisEvent) -> tuple[tuple[str, ...], tuple[EpcisQuantity, ...]]:
    """Return the instances and classes of which the event says that they begin here."""
    if event.type == "TransformationEvent":
        return event.output_epcs, event.output_quantities
    if event.type == "ObjectEvent" and event.action == "ADD":
        return event.epcs, event.quantities
    return (), ()


def uri_begins(uri: str, event: EpcisEvent) -> bool:
    """Tell whether a class is among those of which the event says that they begin here."""
    return any(quantity.epc_class == uri for quantity in begins(event)[1])


def _first_units(events: Sequence[EpcisEvent]) -> dict[str, str]:
    """Return each class's unit: the one it begins in, else the one it is first spoken of in."""
    units: dict[str, str] = {}
    beginnings = [quantity for event in events for quantity in begins(event)[1]]
    mentions = [quantity for event in events for quantity in (*event.quantities, *event.output_quantities)]
    for quantity in (*beginnings, *mentions):
        if quantity.quantity is not None:
            units.setdefault(identity(quantity.epc_class), quantity.unit or PIECE)
    return units


def ilmd_value(event: EpcisEvent, word: str) -> str | None:
    """Return a value of the event's instance or lot master data by the last word of its name."""
    return next((value for name, value in event.ilmd.items() if last_word(name) == word), None)


def expiry_of(event: EpcisEvent) -> date | None:
    """Return the last day on which the goods are good, as the day in the offset it was written with."""
    text = (ilmd_value(event, "itemExpirationDate") or "")[:10]
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def produced_at_of(event: EpcisEvent) -> datetime | None:
    """Return when the goods were made; a mere date counts from its first moment in the event's offset."""
    text = ilmd_value(event, "productionDate") or ""
    return read_instant(text) or read_instant(f"{text}T00:00:00{event.zone_offset}")


def new_batch(lot: Lot, quantity: Decimal, event: EpcisEvent, aliases: Sequence[StepAlias]) -> NewBatch:
    """Return a batch as it begins in an event."""
    return NewBatch(
        lot=lot.key,
        quantity=quantity,
        unit=lot.unit,
        material=lot.material,
        produced_at=produced_at_of(event),
        expires_on=expiry_of(event),
        attributes=event.ilmd,
        aliases=tuple(aliases),
    )

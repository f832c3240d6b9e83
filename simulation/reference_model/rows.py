"""Rows of the model's tables, all immutable, and the tables of one node.

Amounts are whole millionths of the batch's own unit. Times are aware datetimes, days are dates of the plant's calendar.
A row is never deleted: `lifted`, `ended` and `retracted` name the entry from which it no longer counts.
"""

from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from fractions import Fraction

from simulation.reference_model.verdicts import Effect

Factors = tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True)
class Unit:
    """A unit as a multiple of the base unit of its kind. Amounts of a whole unit have no fraction.

    One that a plant defined is `size` times the built-in unit `base`.
    """

    code: str
    kind: str
    factor: Fraction
    whole: bool = False
    name: str = ""
    base: str = ""
    size: Fraction = Fraction(1)
    version: int | None = None


@dataclass(frozen=True)
class Material:
    """A material. Shares are fractions of one. `role` is GOODS, PACKAGING or AID."""

    code: str
    name: str
    unit: str
    version: int = 0
    shelf_life_days: int | None = None
    retest_days: int | None = None
    conversions: Factors = ()
    expiry_rule: str | None = None
    date_share: Fraction = Fraction(0)
    hold_limit: Fraction = Fraction(0)
    retest_warns: bool = False
    role: str = "GOODS"
    inputs_tracked: bool = False
    yield_limit: Fraction = Fraction(0)


@dataclass(frozen=True)
class Master:
    """A supplier, customer, location or piece of equipment."""

    name: str
    version: int


@dataclass(frozen=True)
class Batch:
    """A plant's goods of a batch. `factors` are the sizes of other units in `unit`, frozen when it was made.

    `left` is true once goods of it left the plant, and `decided` once a hold of it was released.
    """

    id: str
    material: str
    unit: str
    factors: Factors
    origin: str
    made: int
    produced_at: datetime
    made_entry: int
    expires_on: date | None = None
    retest_on: date | None = None
    grade: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    supplier: str | None = None
    supplier_lot: str | None = None
    purchase_order: str | None = None
    run: str | None = None
    void: bool = False
    left: bool = False
    decided: bool = False
    version: int = 1


@dataclass(frozen=True)
class Flow:
    """An amount that came (positive) or left (negative). `other` is the place at its other end, as `kind:id`."""

    entry: int
    at: datetime
    amount: int
    other: str
    retracted: int | None = None


@dataclass(frozen=True)
class Stock:
    """Goods of a batch at a location. `lines` counts the lines by which they came since it was last empty."""

    amount: int = 0
    lines: int = 0
    flows: tuple[Flow, ...] = ()


@dataclass(frozen=True)
class Run:
    """A process record. `kind` is a RunKind, SPLIT or MERGE."""

    id: str
    kind: str
    opened_at: datetime
    entry: int
    by: str
    closed_at: datetime | None = None
    void: bool = False


@dataclass(frozen=True)
class Edge:
    """A line of a process record. `side` is IN, OUT or BACK (returned).

    `only` names the one input that an output consists of. `carries` names the holds that were open on an input and go
    on to the outputs whatever their reach.
    """

    run: str
    batch: str
    side: str
    use: str
    amount: int
    at: datetime
    entry: int
    only: str | None = None
    carries: tuple[str, ...] = ()
    late: bool = False
    retracted: int | None = None


@dataclass(frozen=True)
class Hold:
    """A hold on a plant's goods of a batch, or on those at `location` only.

    `cause` is the hold that an UPSTREAM hold came from, and `ancestor` its batch. `directed` is the id of
    headquarters' hold. `released` is true if the hold itself was lifted, and not together with its cause.
    """

    id: str
    batch: str
    kind: str
    reach: str
    reason: str
    placed_at: datetime
    entry: int
    location: str | None = None
    cause: str | None = None
    ancestor: str | None = None
    directed: str | None = None
    limited: bool = True
    lifted_at: datetime | None = None
    lifted: int | None = None
    released: bool = False


@dataclass(frozen=True)
class AliasRow:
    batch: str
    entry: int
    ended: int | None = None


@dataclass(frozen=True)
class Change:
    """A change request. `detail` depends on `kind`. `approvals` holds the level and user of each."""

    number: int
    kind: str
    batch: str
    detail: tuple[tuple[str, object], ...]
    version: int
    by: str
    at: datetime
    expires_at: datetime
    levels: tuple[str, ...]
    proposal: str
    state: str = "REQUESTED"
    refusal: str | None = None
    approvals: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TransferLine:
    """A line of a transfer's label: the batch as the sender stated it, the amount, and its location there."""

    batch: Batch
    amount: int
    location: str


@dataclass(frozen=True)
class Transfer:
    id: str
    source: str
    destination: str
    at: datetime
    entry: int
    lines: tuple[TransferLine, ...]


@dataclass(frozen=True)
class Shipment:
    """Goods that left for a customer. `returned` holds the entry, batch and amount of each return."""

    id: str
    customer: str
    at: datetime
    entry: int
    lines: tuple[tuple[str, int], ...]
    returned: tuple[tuple[int, str, int], ...] = ()
    void: bool = False


@dataclass(frozen=True)
class Received:
    """Amount of a transfer's batch that a plant took in, the surplus included."""

    amount: int
    entries: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Entry:
    """An entry of a ledger: `kind` is the event type, `batches` the batches whose goods it moved or made."""

    index: int
    kind: str
    at: datetime
    recorded_at: datetime
    by: str
    batches: tuple[str, ...] = ()
    run: str | None = None
    subject: str | None = None
    corrected: int | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to a request id: a digest of its content, and what was answered."""

    content: str
    index: int
    made: tuple[str, ...] = ()
    subject: str | None = None


@dataclass(frozen=True)
class DirectedHold:
    """A hold of headquarters. `plants` are those that it was sent to. A recall covers several batches.

    An automatic one passes on a plant's hold: `cause` is that hold, and `root` the hold that somebody placed first.
    """

    id: str
    batches: tuple[str, ...]
    kind: str
    reach: str
    reason: str
    plants: tuple[str, ...]
    automatic: bool = False
    limited: bool = True
    root: str = ""
    cause: str = ""
    lifted: int | None = None


@dataclass(frozen=True)
class LateUse:
    """A use that came before a block was written. Another user confirms it."""

    entry: int
    by: str
    run: str | None
    holds: tuple[str, ...]
    confirmed: int | None = None


@dataclass(frozen=True)
class RightData:
    """Batch data that the origin put right at a time. They count for goods that were dispatched before."""

    at: datetime
    detail: tuple[tuple[str, object], ...]


@dataclass
class Tables:
    """The tables of one node. The hub keeps one for itself and a mirror for each plant."""

    units: MutableMapping[str, Unit] = field(default_factory=dict)
    materials: MutableMapping[str, Material] = field(default_factory=dict)
    masters: MutableMapping[tuple[str, str], Master] = field(default_factory=dict)
    batches: MutableMapping[str, Batch] = field(default_factory=dict)
    stock: MutableMapping[tuple[str, str], Stock] = field(default_factory=dict)
    runs: MutableMapping[str, Run] = field(default_factory=dict)
    edges: MutableMapping[tuple[int, int], Edge] = field(default_factory=dict)
    holds: MutableMapping[str, Hold] = field(default_factory=dict)
    waiting: MutableMapping[tuple[str, str], DirectedHold] = field(default_factory=dict)
    right_data: MutableMapping[str, RightData] = field(default_factory=dict)
    aliases: MutableMapping[tuple[str, str, str, str], AliasRow] = field(default_factory=dict)
    changes: MutableMapping[int, Change] = field(default_factory=dict)
    transfers: MutableMapping[str, Transfer] = field(default_factory=dict)
    received: MutableMapping[tuple[str, str], Received] = field(default_factory=dict)
    shipments: MutableMapping[str, Shipment] = field(default_factory=dict)
    late_uses: MutableMapping[int, LateUse] = field(default_factory=dict)
    directed: MutableMapping[str, DirectedHold] = field(default_factory=dict)
    decisions: MutableMapping[tuple[str, int], str] = field(default_factory=dict)
    entries: MutableMapping[int, Entry] = field(default_factory=dict)
    answers: MutableMapping[str, Answer] = field(default_factory=dict)

    def draft(self) -> "Tables":
        """Return tables that read through to these and keep what is written."""
        return Tables(**{one.name: ChainMap({}, getattr(self, one.name)) for one in fields(self)})

    def written(self, name: str) -> MutableMapping[object, object]:
        """Return what a draft has written into a table."""
        kept: ChainMap[object, object] = getattr(self, name)
        return kept.maps[0]

    def effects(self) -> tuple[Effect, ...]:
        """Return the rows of a draft that differ from the tables behind it."""
        found = []
        for one in fields(self):
            kept: ChainMap[object, object] = getattr(self, one.name)
            before = kept.parents
            found += [Effect(one.name, key, row) for key, row in kept.maps[0].items() if before.get(key) != row]
        return tuple(found)

    def apply(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            getattr(self, effect.table)[effect.key] = effect.row

"""What each event says: the payloads, and the statements that they are made of.

Amounts are decimal strings, instants RFC 3339 with six decimals in UTC, days ISO 8601; ids are below 2**53.
"""

from typing import Literal, NotRequired, TypedDict

# ISA-95 material use (B2MML MaterialUseType), as far as our process records need it; TRANSFERRED and SHIPPED are
# ours, for what leaves one place of goods for another and is not used up.
Use = Literal["CONSUMED", "PRODUCED", "BY_PRODUCT", "CO_PRODUCT", "SAMPLE", "RETURNED", "TRANSFERRED", "SHIPPED"]
ProcessKind = Literal["PRODUCTION", "SPLIT", "MERGE", "REPACK", "REWORK", "RELABEL", "TRANSFER", "SHIPMENT"]


class BatchStatement(TypedDict):
    """What the writing plant states of a batch when it comes to know it: made here, or taken over from a label."""

    id: int
    code: str
    material: str
    unit: str
    made: str  # the amount made or received at the origin, in the batch's unit
    produced_at: str
    expires_on: str | None
    retest_on: str | None
    grade: str | None
    supplier: str | None
    attributes: dict[str, str]
    disposition: str


class Movement(TypedDict):
    """An amount of a batch, in the batch's unit, taken from one place and put in another.

    A place is `stock:LOCATION`, `process:ID` (any process record, transfers and shipments too), `supplier:CODE`,
    `source` (goods that begin here), `count` (count difference) or `scrap`. With `use` it is an edge of the
    genealogy as well, between the batch and the process record at its other end.
    """

    batch: int
    amount: str
    unit: str
    taken_from: str
    put_in: str
    use: NotRequired[Use]
    entered: NotRequired[str]  # what the person wrote, when it was in another unit: "2.5 LBR"


class ProcessStatement(TypedDict):
    """What the writing plant states of a process record; later statements replace the fields they carry."""

    id: int
    kind: NotRequired[ProcessKind]
    state: NotRequired[Literal["OPEN", "CLOSED"]]
    job_order: NotRequired[str | None]
    segment: NotRequired[str | None]
    equipment: NotRequired[str | None]
    opened_at: NotRequired[str]
    closed_at: NotRequired[str | None]
    customer: NotRequired[str]
    source_plant: NotRequired[str]
    destination_plant: NotRequired[str]
    loss: NotRequired[dict[str, str]]  # by unit: inputs less outputs


class HoldStatement(TypedDict):
    """A hold put on a plant's goods of a batch; its id is the index of the entry that placed it."""

    batch: int
    kind: str
    reason: str
    directed: NotRequired[str]  # the id of the hold or recall of headquarters: only headquarters lifts it


class DirectedBatch(TypedDict):
    """A batch as headquarters names it; the id is missing where the hub has not heard of the batch."""

    id: int | None
    code: str


class WaitingHold(TypedDict):
    """A hold of headquarters on a batch that the plant does not know yet: placed when goods of it come."""

    batch: DirectedBatch
    hold: str
    kind: str
    reason: str


class AliasStatement(TypedDict):
    """Another name by which a batch can be found, scoped by who issued it."""

    batch: int
    scheme: str
    issuer: str
    value: str


class TransferLine(TypedDict):
    """One batch of a transfer as the label carries it: what the batch is, and how much was dispatched."""

    batch: BatchStatement
    dispatched: str


class ReceivedLine(TypedDict):
    """One batch of a transfer as the receiver found it; what it is stands in `batches` when it was new here."""

    batch: int
    unit: str
    dispatched: str
    received: str


class Difference(TypedDict):
    """One field of a gated change: what it is now and what it shall be."""

    field: str
    before: str | None
    after: str | None


class Outcome(TypedDict, total=False):
    """The parts of a payload that every event type shares and that the projection applies in the same way."""

    batches: list[BatchStatement]
    movements: list[Movement]
    process: ProcessStatement
    aliases: list[AliasStatement]
    ended_aliases: list[AliasStatement]
    holds: list[HoldStatement]
    lifted: list[list[int]]  # [batch, hold id]
    waited: list[list[str]]  # [batch code, id of a hold of headquarters]: it waits no more for the batch
    dispositions: dict[str, str]  # batch id -> disposition; JSON keys are text
    expiries: dict[str, str | None]
    made: dict[str, str]  # batch id -> amount made so far, where a process record adds to a batch
    series: dict[str, int]  # number series -> next number


class HubOpened(TypedDict):
    """The first entry of the hub's ledger: which group this is."""

    group: str
    origin: str


class PlantEnrolled(TypedDict):
    """The hub took a plant into the group: its number and code are given for good, and its public keys known."""

    number: int
    code: str
    name: str
    origin: str
    ledger_key: str
    assertion_key: str


class AssertionKeyRotated(TypedDict):
    """The plant signs in at the hub with another key; `statement` is signed by its ledger's key and the new one."""

    number: int
    origin: str
    old: str
    new: str
    statement: str


class PlantLedgerKeyRotated(TypedDict):
    """The hub takes another key for a plant's ledger: the old one signed `size` entries at most.

    `statement` is the plant's own, signed by both keys. It stands in the plant's ledger as well (`LedgerKeyRotated`);
    here it says which key proves the archived entries in which that one stands.
    """

    number: int
    origin: str
    old: str
    new: str
    size: int
    statement: str


class PlantRevoked(TypedDict):
    """The hub believes nothing more under the plant's keys than the `size` entries that it had; the reason says why."""

    number: int
    origin: str
    size: int


class PlantReadmitted(TypedDict):
    """A plant that was revoked goes on with new keys of its own; the old ones signed `size` entries at most."""

    number: int
    origin: str
    ledger_key: str
    assertion_key: str
    size: int


class WitnessedCheckpoint(TypedDict):
    """The newest checkpoint of a plant's ledger that the hub has cosigned; `note` is the signed text, whole."""

    origin: str
    size: int
    root: str  # hexadecimal
    note: str


class CheckpointsWitnessed(TypedDict):
    """How far the hub had the plants' ledgers: so one checkpoint of the hub's own ledger stands for all of them."""

    checkpoints: list[WitnessedCheckpoint]


class PlantOpened(TypedDict):
    """The first entry of a plant's ledger: which plant this is."""

    number: int
    code: str
    name: str
    time_zone: str
    origin: str


class MaterialDefined(TypedDict):
    """A material definition, whole; a later one of the same code replaces it."""

    code: str
    name: str
    unit: str
    shelf_life_days: int | None
    retest_days: int | None
    conversions: dict[str, str]  # unit -> how many base units one is, as an exact fraction "n/d" or decimal


class UnitDefined(TypedDict):
    """A unit beyond the built-in ones, by its size in a known unit."""

    code: str
    name: str
    of: str
    factor: str


class MasterDefined(TypedDict):
    """A supplier, a customer, a location or a piece of equipment."""

    code: str
    name: str


class BatchReceived(Outcome):
    """Goods came in from a supplier, or began here (`source`)."""

    supplier_lot: str | None
    order: str | None


class ProcessClosed(Outcome):
    """A process record was closed with its mass balance: loss is inputs less outputs less returned, unit by unit."""

    inputs: dict[str, str]  # by unit
    outputs: dict[str, str]
    returned: dict[str, str]


class TransferDispatched(Outcome):
    """Goods left for another plant; the label carries this entry."""

    transfer: int
    destination: str
    lines: list[TransferLine]


class TransferReceived(Outcome):
    """Goods of a transfer came in, with what was missing or too much per line."""

    transfer: int
    source: str
    lines: list[ReceivedLine]


class ChangeRequested(TypedDict):
    """Somebody asks for a gated change on exactly this version of a batch; its id is the index of this entry."""

    kind: str
    batch: int
    version: int
    differences: list[Difference]
    levels: list[str]
    expires_at: str
    detail: dict[str, str]  # what applying needs beyond the differences: hold, location, ...


class ChangeDecided(TypedDict):
    """Somebody else approved or rejected it, at the plant or at the hub."""

    plant: int
    change: int
    proposal: str  # leaf hash of the entry that asked, hexadecimal: the decision is on exactly that content
    verdict: Literal["APPROVED", "REJECTED"]
    level: Literal["PLANT", "HUB"]
    printed_name: str
    comment: str


class ChangeApplied(Outcome):
    """An approved change took effect."""

    change: int


class ChangeRefused(TypedDict):
    """An approved change was not applied, and why."""

    change: int
    refusal: str
    data: dict[str, str]


class EntryCorrected(Outcome):
    """An earlier entry was wrong: its movements are reversed here and its edges no longer count."""

    entry: int
    wrong: Literal["DID_NOT_OCCUR", "INCORRECT_DATA"]
    retracted: list[list[int]]  # [entry, line] of each edge
    unreceived: NotRequired[list[list[int]]]  # [transfer, line] of each line of a transfer that was not received


class EntrySkipped(TypedDict):
    """The hub never applies this entry of a plant's ledger, by a person's decision; the envelope has the reason."""

    plant: int
    index: int
    leaf: str  # leaf hash of the entry, hexadecimal: what the person was shown
    type: str
    error: str
    printed_name: str


class EntryRetried(TypedDict):
    """A person had an entry that the hub could not apply tried once more; the envelope has the reason."""

    plant: int
    index: int
    leaf: str
    error: str


class DirectiveAnswer(TypedDict):
    """What both answers to a directive of the hub say; of several batches `met_version` is the latest."""

    directive: int
    met_version: int | None
    met: NotRequired[dict[str, int]]  # batch code -> the version that a hold or release met
    waiting: NotRequired[list[WaitingHold]]
    waited: NotRequired[list[list[str]]]  # as in Outcome
    again: NotRequired[int]  # the entry by which an older program had rejected it as UNSUPPORTED


class DirectiveApplied(DirectiveAnswer):
    """The plant did what the hub's directive asked."""


class DirectiveRejected(DirectiveAnswer):
    """The plant could not do what the hub's directive asked, and why; holds may wait for their batch all the same."""

    refusal: str
    data: dict[str, str]

"""The projection's tables: what the ledgers say, in the form that is asked for.

Every row belongs to the plant whose ledger stated it (`plant_id`): one writer for each row, so that the ledgers of
different plants can be applied in any order and give the same tables. No foreign keys: the tables are made from the
ledger and can be made again, and at the hub each key would cost more than the check is worth
(`docs/explanation/performance.md`).
"""

from sqlalchemy import Index
from sqlalchemy import text as sql_text
from sqlmodel import SQLModel

from infra.roles import Keeping, table_options
from plants.store.sql.columns import PLANT, big, key, small, text, text_key

PROJECTION = table_options(Keeping.PROJECTION)

# Rows that are changed often keep room beside them on PostgreSQL, so that a change need not touch the indexes.
CHANGING = PROJECTION | {"postgresql_with": {"fillfactor": 85}}


def _where_given(name: str, column: str) -> Index:
    """Return an index on a column that most rows leave empty."""
    given = sql_text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=given, postgresql_where=given)


class Plant(SQLModel, table=True):
    """A plant as its own first entry states it."""

    __tablename__ = "plants"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    code: str = text()
    name: str = text()
    time_zone: str = text()
    origin: str = text()


class Material(SQLModel, table=True):
    """A material definition as one plant uses it."""

    __tablename__ = "materials"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    code: str = text_key()
    name: str = text()
    unit: str = text()
    shelf_life_days: int | None = big(None)
    retest_days: int | None = big(None)
    conversions: str = text()  # canonical JSON: unit -> exact fraction of the material's unit


class MasterRecord(SQLModel, table=True):
    """A supplier, customer, location, piece of equipment or extra unit, by its kind and code."""

    __tablename__ = "master_records"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    kind: str = text_key()
    code: str = text_key()
    name: str = text()
    detail: str = text()  # canonical JSON: for a unit, {"of": code, "factor": fraction}


class Batch(SQLModel, table=True):
    """A batch as one plant knows it; the row of its origin is the authority on what it is."""

    __tablename__ = "batches"
    __table_args__ = (
        Index("batches_by_code", "code", "plant_id"),
        Index("batches_by_material", "plant_id", "material", "id"),
        Index("batches_by_expiry", "plant_id", "expires_on", "id"),
        CHANGING,
    )

    id: int = key()
    plant_id: int = key(PLANT)
    code: str = text()
    material: str = text()
    unit: str = text()
    made: int = big()  # millionths of the unit, at the origin
    produced_us: int = big()
    expires_on: str | None = text(None)
    retest_on: str | None = text(None)
    grade: str | None = text(None)
    supplier: str | None = text(None)
    attributes: str = text()  # canonical JSON
    disposition: str = text()
    version: int = big()  # index of the last entry that changed the batch or its goods at this plant
    stated_idx: int = big()  # index of the entry by which this plant came to know the batch


class Alias(SQLModel, table=True):
    """Another name of a batch, scoped by who issued it."""

    __tablename__ = "aliases"
    __table_args__ = (Index("aliases_by_value", "value"), Index("aliases_by_batch", "batch_id"), PROJECTION)

    plant_id: int = key(PLANT)
    scheme: str = text_key()
    issuer: str = text_key()
    value: str = text_key()
    batch_id: int = key()
    ended_idx: int | None = big(None)


class Stock(SQLModel, table=True):
    """How much of a batch is on hand at a location of a plant: the sum of its movements."""

    __tablename__ = "stock"
    __table_args__ = CHANGING

    plant_id: int = key(PLANT)
    batch_id: int = key()
    location: str = text_key()
    quantity: int = big()  # millionths of the batch's unit


class MovementRow(SQLModel, table=True):
    """An amount of a batch taken from one place and put in another: balanced by its very form."""

    __tablename__ = "movements"
    __table_args__ = (Index("movements_by_batch", "batch_id", "plant_id", "entry_idx"), PROJECTION)

    plant_id: int = key(PLANT)
    entry_idx: int = key()
    line: int = key(PLANT)
    batch_id: int = big()
    quantity: int = big()
    taken_from: str = text()
    put_in: str = text()
    occurred_us: int = big()


class ProcessRow(SQLModel, table=True):
    """A process record as one plant states it: production, split, merge, transfer, shipment and the like."""

    __tablename__ = "process_records"
    __table_args__ = (
        Index("process_records_by_kind", "plant_id", "kind", "id"),
        _where_given("process_records_by_customer", "customer"),
        _where_given("process_records_by_job_order", "job_order"),
        PROJECTION,
    )

    id: int = key()
    plant_id: int = key(PLANT)
    kind: str = text()
    state: str = text()
    job_order: str | None = text(None)
    segment: str | None = text(None)
    equipment: str | None = text(None)
    opened_us: int = big()
    closed_us: int | None = big(None)
    customer: str | None = text(None)
    source_plant: str | None = text(None)
    destination_plant: str | None = text(None)
    loss: str = text()  # canonical JSON: unit -> inputs less outputs


class Edge(SQLModel, table=True):
    """One edge of the genealogy: a batch into a process record, or out of it, with its own quantity and time."""

    __tablename__ = "edges"
    __table_args__ = (
        # Both directions of a walk are answered from an index alone.
        Index("edges_forward", "source_id", "target_id", "use", "plant_id"),
        Index("edges_backward", "target_id", "source_id", "use", "plant_id"),
        PROJECTION,
    )

    plant_id: int = key(PLANT)
    entry_idx: int = key()
    line: int = key(PLANT)
    source_id: int = big()
    target_id: int = big()
    quantity: int = big()
    unit: str = text()
    use: str = text()
    occurred_us: int = big()


class TransferLineRow(SQLModel, table=True):
    """One batch of a transfer as one side states it: dispatched by the source, received by the destination."""

    __tablename__ = "transfer_lines"
    __table_args__ = (Index("transfer_lines_by_batch", "batch_id"), PROJECTION)

    transfer_id: int = key()
    plant_id: int = key(PLANT)
    line: int = key(PLANT)
    batch_id: int = big()
    unit: str = text()
    dispatched: int = big()
    received: int | None = big(None)  # empty on the source's statement


class ChangeRequestRow(SQLModel, table=True):
    """A gated change as the plant that asked for it states it."""

    __tablename__ = "change_requests"
    __table_args__ = (Index("change_requests_by_state", "plant_id", "state", "change_id"), PROJECTION)

    plant_id: int = key(PLANT)
    change_id: int = key()  # index of the entry that asked
    kind: str = text()
    batch_id: int = big()
    version: int = big()
    differences: str = text()  # canonical JSON
    detail: str = text()  # canonical JSON
    levels: str = text()  # comma-separated, sorted
    reason: str = text()
    proposal: str = text()  # leaf hash of the entry that asked, hexadecimal
    requested_by: str = text()
    requested_us: int = big()
    expires_us: int = big()
    state: str = text()
    decided_by: str | None = text(None)
    decided_us: int | None = big(None)
    decided_level: str | None = text(None)
    comment: str | None = text(None)
    closed_idx: int | None = big(None)  # index of the entry that applied or refused it
    refusal: str | None = text(None)


class ChangeDecisionRow(SQLModel, table=True):
    """A decision as it stands in a ledger: the plant's own, or the hub's directives to the plant."""

    __tablename__ = "change_decisions"
    __table_args__ = (Index("change_decisions_by_change", "plant_id", "change_id"), PROJECTION)

    log_id: int = key(PLANT)
    idx: int = key()
    plant_id: int = big()
    change_id: int = big()
    verdict: str = text()
    level: str = text()
    decided_by: str = text()
    printed_name: str = text()
    comment: str = text()
    decided_us: int = big()


class CorrectionRow(SQLModel, table=True):
    """An entry that was wrong, and the one that says so."""

    __tablename__ = "corrections"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    entry_idx: int = key()
    corrected_by: int = big()
    wrong: str = text()
    reason: str = text()


class DirectiveOutcomeRow(SQLModel, table=True):
    """What a plant did with one directive of the hub."""

    __tablename__ = "directive_outcomes"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    directive_idx: int = key()
    entry_idx: int = big()
    applied: int = small()  # 1 applied, 0 rejected
    met_version: int | None = big(None)
    refusal: str | None = text(None)


class Series(SQLModel, table=True):
    """The next number of a number series: batch codes of a day, ids of batches and process records."""

    __tablename__ = "series"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    name: str = text_key()
    next: int = big()

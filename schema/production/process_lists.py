"""Filters and orders of lists of process records."""

from plants.rules.production.process_records import ProcessKind, ProcessState
from plants.store.production.process_listings import ProcessesFilter, ProcessRecordOrderField
from plants.store.sql.orders import Order
from schema.engine.fields import described, enum_type, input_type
from schema.engine.filters import CodeFilter, DateTimeRange, Filter, NameFilter, criterion
from schema.engine.orders import Ordering

enum_type(ProcessKind)
enum_type(ProcessState)
enum_type(ProcessRecordOrderField)


@input_type
class ProcessRecordFilter:
    """Filters process records. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant of the record.", default=None)
    kind: Filter[ProcessKind] | None = described("Kind of process.", default=None)
    state: Filter[ProcessState] | None = described("State of the record.", default=None)
    job_order: NameFilter | None = described("Number of the job order.", default=None)
    segment: CodeFilter | None = described("Process segment, such as MIXING.", default=None)
    equipment_code: CodeFilter | None = described("Code of the equipment.", default=None)
    batch_code: CodeFilter | None = described("Code of a batch of its inputs or outputs.", default=None)
    corrected: bool | None = described(
        "True for process records whose entry was corrected, false for the others. Without it, both.", default=None
    )
    opened_at: DateTimeRange | None = described("Time of the start.", default=None)
    closed_at: DateTimeRange | None = described("Time of the end.", default=None)

    def criteria(self, order: Order[ProcessRecordOrderField]) -> ProcessesFilter:
        return ProcessesFilter(
            plant=criterion(self.plant_code),
            kind=criterion(self.kind),
            state=criterion(self.state),
            job_order=criterion(self.job_order),
            segment=criterion(self.segment),
            equipment=criterion(self.equipment_code),
            batch=criterion(self.batch_code),
            corrected=self.corrected,
            opened_us=None if self.opened_at is None else self.opened_at.in_micros,
            closed_us=None if self.closed_at is None else self.closed_at.in_micros,
            order=order,
        )


@input_type
class ProcessRecordOrder(Ordering):
    """Order of process records."""

    field: ProcessRecordOrderField = described("Field to order by.")

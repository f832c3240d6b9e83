"""Projectors of process records."""

from typing import Any, Final

from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.payloads import ProcessStatement
from plants.rules.values.instants import instant_micros
from plants.rules.values.search_forms import search_form
from plants.store.production.process_records import ProcessRow, ProcessStatementRow
from plants.store.sql.rows import Parts, RowWrites, TableSpec

PROCESSES = TableSpec.of(ProcessRow)
STATEMENTS = TableSpec.of(ProcessStatementRow)
BLANK_PROCESS: Final[dict[str, Any]] = dict.fromkeys(PROCESSES.columns) | {"loss": "{}"}
PROCESS_TIMES: Final = (("opened_at", "opened_us"), ("closed_at", "closed_us"))


def state_process(writes: RowWrites, log_id: int, entry: Entry, process: ProcessStatement) -> None:
    """Upsert a process record stated whole (with its kind) and its statement, or update the stated columns."""
    values: dict[str, Any] = dict(process)
    for member, column in PROCESS_TIMES:
        if member in values:
            at = values.pop(member)
            values[column] = None if at is None else instant_micros(at)
    if "job_order" in values:
        order = values["job_order"]
        values["job_order_search"] = None if order is None else search_form(order)
    if "loss" in values:
        values["loss"] = canonical(values["loss"]).decode()
    if "kind" not in values:
        writes.update(PROCESSES, (values.pop("id"), log_id), **values)
        return
    writes.upsert(PROCESSES, {**BLANK_PROCESS, "plant_id": log_id, **values})
    writes.upsert(STATEMENTS, {"process_id": process["id"], "plant_id": log_id, "entry_idx": entry.index})


PARTS: Final[Parts] = (("process", state_process),)

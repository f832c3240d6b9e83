"""Readiness of a node. It is read from memory, because a store without room takes no alarm."""

from typing import Final

from api.http.background_jobs import BackgroundJobs
from api.node.node import Node
from infra.database import Session
from infra.messages import Notice, message
from infra.store_faults import STORE_FAILURES, store_fault
from plants.rules.values.instants import format_instant
from plants.store.ledger.logs import log_size
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm

STORE: Final = "store"
"""The subject of the alarm STORE_UNWRITABLE."""
STORE_CLOSED: Final = message("STORE_CLOSED", "The store does not hold the ledger of this node.")
STORE_SILENT: Final = message("STORE_SILENT", "The store of this node does not answer: {why}.")
STORE_UNWRITABLE: Final = message("STORE_UNWRITABLE", "The store takes no writes: {why}. Run `batchloom doctor`.")
STORE_WAS_UNWRITABLE: Final = message("STORE_WAS_UNWRITABLE", "The store took no writes until {until}: {why}.")
THREAD_STOPPED: Final = message(
    "THREAD_STOPPED", "The thread {thread} of the node does not run. It is started again. Read the log of the node."
)


def unready(node: Node, jobs: BackgroundJobs | None) -> Notice | None:
    """Return why the node is not ready; None for a node that is."""
    try:
        with node.store.reading() as reads:
            if log_size(reads, node.settings.plant_number) == 0:
                return STORE_CLOSED()
    except Exception as error:  # noqa: BLE001 -- each driver has its own kinds; others are raised again.
        return STORE_SILENT(why=_why(error))
    why = why_unwritable(node)
    if why is not None:
        return STORE_UNWRITABLE(why=why)
    stopped = None if jobs is None else next((one.name for one in jobs.threads if not one.is_running), None)
    return None if stopped is None else THREAD_STOPPED(thread=stopped)


def why_unwritable(node: Node) -> Notice | None:
    """Return why the store takes no writes, or None.

    After a fault it writes to find out. The write that succeeds is an alarm that has ended.
    """
    health = node.store.write_health
    if health.fault is None:
        return None
    why, now = STORE_FAILURES[health.fault](), node.clock.now()

    def write(session: Session) -> None:
        said = STORE_WAS_UNWRITABLE(until=format_instant(now), why=why)
        raise_alarm(session, Alarm(AlarmKind.STORE_UNWRITABLE, STORE, said), now)
        end_alarm(session, AlarmKind.STORE_UNWRITABLE, STORE, now)

    try:
        node.writer.write(write)
    except Exception as error:  # noqa: BLE001 -- as above.
        return _why(error)
    health.clear()
    return None


def _why(error: Exception) -> Notice:
    """Return the store's fault behind an error; raises the error again where it has another cause."""
    fault = store_fault(error)
    if fault is None:
        raise error
    return STORE_FAILURES[fault]()

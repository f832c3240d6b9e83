"""Classifies failures of a store by the errors of both drivers."""

import errno
from enum import StrEnum
from typing import Final

import psycopg
import pysqlite3.dbapi2 as sqlite
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from infra.messages import Failure, message


class StoreFault(StrEnum):
    """The reason of a store's failure. None of these is a bug, and each can be transient."""

    DISK_FULL = "DISK_FULL"
    READ_ONLY = "READ_ONLY"
    DISK_FAILING = "DISK_FAILING"
    BUSY = "BUSY"  # locked by another transaction, or rolled back to end a deadlock
    UNREACHABLE = "UNREACHABLE"  # the database server does not answer


STORE_FAILURES: Final = {
    StoreFault.DISK_FULL: message("STORE_DISK_FULL", "the disk is full"),
    StoreFault.READ_ONLY: message("STORE_READ_ONLY", "the disk can only be read"),
    StoreFault.DISK_FAILING: message("STORE_DISK_FAILING", "the disk does not work"),
    StoreFault.BUSY: message("STORE_BUSY", "another program holds it for too long"),
    StoreFault.UNREACHABLE: message("STORE_UNREACHABLE", "its server does not answer"),
}
"""The messages of the faults."""

SQLITE_FAULTS = {
    "SQLITE_FULL": StoreFault.DISK_FULL,
    "SQLITE_READONLY": StoreFault.READ_ONLY,
    "SQLITE_CANTOPEN": StoreFault.DISK_FAILING,
    "SQLITE_IOERR": StoreFault.DISK_FAILING,
    "SQLITE_BUSY": StoreFault.BUSY,
    "SQLITE_LOCKED": StoreFault.BUSY,
}
POSTGRES_FAULTS: tuple[tuple[type[Exception], StoreFault], ...] = (
    (errors.DiskFull, StoreFault.DISK_FULL),
    (errors.ReadOnlySqlTransaction, StoreFault.READ_ONLY),
    (errors.IoError, StoreFault.DISK_FAILING),
    (errors.DeadlockDetected, StoreFault.BUSY),
    (errors.SerializationFailure, StoreFault.BUSY),
    (errors.LockNotAvailable, StoreFault.BUSY),
    (errors.QueryCanceled, StoreFault.BUSY),
    (psycopg.OperationalError, StoreFault.UNREACHABLE),
)
# The file of high-water marks is on the same disk, so its errors count as errors of the store.
FILE_FAULTS = {
    errno.ENOSPC: StoreFault.DISK_FULL,
    errno.EDQUOT: StoreFault.DISK_FULL,
    errno.EROFS: StoreFault.READ_ONLY,
    errno.EIO: StoreFault.DISK_FAILING,
}


STORE_UNUSABLE: Final = message(
    "STORE_UNUSABLE",
    "The node's store cannot be used: {why}. Check database_url, and the server or disk that holds the store.",
)
STORE_REFUSES_NODE: Final = message(
    "STORE_REFUSES_NODE", "The database server refuses the node: {reason}. Check database_url."
)
STORE_ERRORS: Final[tuple[type[Exception], ...]] = (DBAPIError, psycopg.Error, sqlite.Error)
"""The errors that a store raises, bugs included. `store_fault` tells them apart."""


def store_failure(error: Exception) -> Failure | None:
    """Return an error of a store as an expected failure; None where it is a bug. No text of it holds a password."""
    fault = store_fault(error)
    if fault is None:
        return None
    # Only what the server itself answered: other texts of the driver repeat parts of the address.
    _, _, answered = str(error.orig if isinstance(error, DBAPIError) else error).partition("FATAL: ")
    if fault is StoreFault.UNREACHABLE and answered:
        return Failure(STORE_REFUSES_NODE, reason=answered.splitlines()[0].strip())
    return Failure(STORE_UNUSABLE, why=STORE_FAILURES[fault]())


def store_fault(error: BaseException) -> StoreFault | None:
    """Return the store's fault behind an error; None where the error has another cause."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite.OperationalError):
        name = str(getattr(cause, "sqlite_errorname", ""))
        # A full disk during growth of the WAL or a temporary file has an extended name of the code.
        return next((fault for known, fault in SQLITE_FAULTS.items() if name.startswith(known)), None)
    if isinstance(cause, OSError):
        return FILE_FAULTS.get(cause.errno or 0)
    return next((fault for kind, fault in POSTGRES_FAULTS if isinstance(cause, kind)), None)

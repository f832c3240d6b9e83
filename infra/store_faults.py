"""What is wrong with a store that did not take something, told from the errors of both drivers."""

import errno
from enum import StrEnum
from typing import Final

import psycopg
import pysqlite3.dbapi2 as sqlite
from psycopg import errors
from sqlalchemy.exc import DBAPIError


class StoreFault(StrEnum):
    """Why a store refuses: none of these is a bug, and all of them can be over a moment later."""

    DISK_FULL = "DISK_FULL"
    READ_ONLY = "READ_ONLY"
    DISK_FAILING = "DISK_FAILING"
    BUSY = "BUSY"  # somebody else holds what is needed, or the database undid one of two that waited for each other
    UNREACHABLE = "UNREACHABLE"  # the database server does not answer


STORE_REFUSES: Final[dict[StoreFault, dict[str, str]]] = {
    StoreFault.DISK_FULL: {"en": "the disk is full", "zh": "磁盘已满"},
    StoreFault.READ_ONLY: {"en": "the disk can only be read", "zh": "磁盘为只读"},
    StoreFault.DISK_FAILING: {"en": "the disk does not work", "zh": "磁盘读写出错"},
    StoreFault.BUSY: {"en": "another program holds it for too long", "zh": "被其他程序长时间占用"},
    StoreFault.UNREACHABLE: {"en": "its server does not answer", "zh": "数据库服务器没有响应"},
}
"""The same in words, in English (`en`) and Simplified Chinese (`zh`)."""

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
# The second memory beside the store is a plain file: what keeps it from being written keeps the store from it too.
FILE_FAULTS = {
    errno.ENOSPC: StoreFault.DISK_FULL,
    errno.EDQUOT: StoreFault.DISK_FULL,
    errno.EROFS: StoreFault.READ_ONLY,
    errno.EIO: StoreFault.DISK_FAILING,
}


def store_fault(error: BaseException) -> StoreFault | None:
    """Return what is wrong with the store where that is why something failed; None where the error is another's."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite.OperationalError):
        name = str(getattr(cause, "sqlite_errorname", ""))
        # A disk that is full while the log or a temporary file grows says so in the longer name.
        return next((fault for known, fault in SQLITE_FAULTS.items() if name.startswith(known)), None)
    if isinstance(cause, OSError):
        return FILE_FAULTS.get(cause.errno or 0)
    return next((fault for kind, fault in POSTGRES_FAULTS if isinstance(cause, kind)), None)

"""The last fault that this process met when it wrote to a store."""

from types import TracebackType

from infra.store_faults import StoreFault, store_fault


class WriteHealth:
    """A context around each transaction. `fault` is the last fault that ended one; None where none is known.

    Only `clear` forgets a fault, because a transaction that changed nothing succeeds on a full disk too. A busy store
    is no fault here: it takes the next write.
    """

    def __init__(self) -> None:
        self.fault: StoreFault | None = None

    def clear(self) -> None:
        """Forget the fault, because a write was committed."""
        self.fault = None

    def __enter__(self) -> None:
        """Watch a transaction."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the fault behind an error."""
        fault = None if error is None else store_fault(error)
        if fault not in {None, StoreFault.BUSY}:
            self.fault = fault

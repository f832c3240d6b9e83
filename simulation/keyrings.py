"""A node's folder of keys, virtual: it lies beside the store, and what becomes of the store does not touch it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from auth.keys import SigningKey
from auth.notes import NoteSigner
from infra.database import ReadSession
from sync_jobs.keys.chains import newest_rotation


@dataclass
class Keyring:
    """The keys that a node has and had, the one in use last, and one that may lie ready beside each.

    The steps are those of `sync_jobs.keys.ledger_key_files` and `sync_jobs.plant.assertion_key_rotation` over files;
    `statements` are those of the ledger key's rotations. A hub signs in nowhere and has no `assertions`.
    """

    ledgers: list[NoteSigner]
    assertions: list[SigningKey] = field(default_factory=list)
    next_ledger: NoteSigner | None = None
    next_assertion: SigningKey | None = None
    statements: list[bytes] = field(default_factory=list)

    def prepare_ledger(self, make: Callable[[], NoteSigner]) -> NoteSigner:
        """Lay the ledger's next key ready, or return the one that lies there."""
        self.next_ledger = self.next_ledger or make()
        return self.next_ledger

    def prepare_assertion(self, make: Callable[[], SigningKey]) -> SigningKey:
        """Lay the next key for signing in ready, or return the one that lies there."""
        self.next_assertion = self.next_assertion or make()
        return self.next_assertion

    def switch_ledger(self, reads: ReadSession, log_id: int) -> None:
        """Take the ledger's next key into use where the ledger says that it counts."""
        newest = newest_rotation(reads, log_id)
        if self.next_ledger is None or newest is None or newest["new"] != str(self.next_ledger.key):
            return
        self.ledgers.append(self.next_ledger)
        self.next_ledger = None
        self.statements.append(newest["statement"].encode())

    def switch_assertion(self) -> None:
        """Take the next key for signing in into use."""
        if self.next_assertion is not None:
            self.assertions.append(self.next_assertion)
            self.next_assertion = None

    def copied(self) -> "Keyring":
        """Return a copy, as it lies on another disk."""
        lists = list(self.ledgers), list(self.assertions), list(self.statements)
        return replace(self, ledgers=lists[0], assertions=lists[1], statements=lists[2])

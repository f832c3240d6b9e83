"""The plant's decision after a handshake, from two positions alone: a pure function of one table.

| the hub reports          | the plant finds                                 | decision      |
| ------------------------ | ----------------------------------------------- | ------------- |
| session superseded       | another copy of this plant has connected since  | FENCED        |
| same size                | the roots are equal                             | IN_SYNC       |
| smaller                  | my root at that size is the hub's               | PUSH          |
| … than a receipt I hold  | the same                                        | HUB_REGRESSED |
| larger                   | the hub's proof shows my head to be its prefix  | RESTORED      |
| anything else            |                                                 | DIVERGED      |

A plant signs a checkpoint only after IN_SYNC, PUSH or HUB_REGRESSED, which proved the hub's head to be its prefix.
After RESTORED and DIVERGED the ledger is repaired and the plant connects again. So two signed checkpoints that
contradict each other are evidence of tampering, never of an honest restore.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from plants.rules.ledger.merkle import verify_consistency
from sync_jobs.protocol.wire import Position


class Decision(StrEnum):
    """The possible results of a handshake."""

    IN_SYNC = "IN_SYNC"
    PUSH = "PUSH"
    HUB_REGRESSED = "HUB_REGRESSED"
    RESTORED = "RESTORED"
    DIVERGED = "DIVERGED"
    FENCED = "FENCED"

    @property
    def may_sign(self) -> bool:
        """True after a proof that the hub's head is a prefix of ours."""
        return self in {Decision.IN_SYNC, Decision.PUSH, Decision.HUB_REGRESSED}


@dataclass(frozen=True, slots=True)
class HandshakeState:
    """The facts after the exchange of Hello and answer.

    `root_at` returns my own root at a size up to mine. `prove` asks the hub for the consistency proof between two sizes
    of its ledger. Neither is called unless the table needs it. `receipt_size` is the largest size for which I hold the
    hub's cosignature.
    """

    mine: Position
    hub: Position
    receipt_size: int
    superseded: bool
    root_at: Callable[[int], bytes]
    prove: Callable[[int, int], Sequence[bytes]]


def decide(state: HandshakeState) -> Decision:
    """Return the decision for this state."""
    mine, hub = state.mine, state.hub
    if state.superseded:
        return Decision.FENCED
    if hub.size == mine.size:
        return Decision.IN_SYNC if hub.root == mine.root else Decision.DIVERGED
    if hub.size < mine.size:
        if state.root_at(hub.size) != hub.root:
            return Decision.DIVERGED
        return Decision.HUB_REGRESSED if hub.size < state.receipt_size else Decision.PUSH
    proof = state.prove(mine.size, hub.size)
    if verify_consistency(mine.size, mine.root, hub.size, hub.root, proof):
        return Decision.RESTORED
    return Decision.DIVERGED

"""The decision table, row by row, and over generated histories of two nodes."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.merkle import Frontier, consistency_proof, leaf_hash
from sync_jobs.protocol.handshake import Decision, HandshakeState, decide
from sync_jobs.protocol.wire import Position


def ledger(*entries: str) -> list[bytes]:
    return [leaf_hash(entry.encode()) for entry in entries]


def position(leaves: list[bytes]) -> Position:
    return Position(len(leaves), Frontier().extend(leaves).root())


def meet(mine: list[bytes], hub: list[bytes], receipt: int = 0, *, superseded: bool = False) -> Decision:
    meeting = HandshakeState(
        mine=position(mine),
        hub=position(hub),
        receipt_size=receipt,
        superseded=superseded,
        root_at=lambda size: position(mine[:size]).root,
        prove=lambda old, new: consistency_proof(hub, old, new),
    )
    return decide(meeting)


def test_same_ledger_then_in_sync() -> None:
    assert meet(ledger("a", "b"), ledger("a", "b"), 2) is Decision.IN_SYNC
    assert meet([], []) is Decision.IN_SYNC


def test_hub_behind_then_push() -> None:
    assert meet(ledger("a", "b", "c"), ledger("a", "b"), 1) is Decision.PUSH
    assert meet(ledger("a"), []) is Decision.PUSH


def test_hub_behind_its_own_receipt_then_it_regressed() -> None:
    assert meet(ledger("a", "b", "c"), ledger("a"), 2) is Decision.HUB_REGRESSED


def test_hub_ahead_of_my_prefix_then_i_was_restored() -> None:
    assert meet(ledger("a"), ledger("a", "b", "c"), 1) is Decision.RESTORED


def test_histories_that_part_then_diverged() -> None:
    assert meet(ledger("a", "x"), ledger("a", "b"), 1) is Decision.DIVERGED
    assert meet(ledger("a", "x", "y"), ledger("a", "b"), 1) is Decision.DIVERGED
    assert meet(ledger("a", "x"), ledger("a", "b", "c"), 1) is Decision.DIVERGED


def test_superseded_session_then_fenced_whatever_the_positions() -> None:
    assert meet(ledger("a"), ledger("a"), 1, superseded=True) is Decision.FENCED
    assert meet(ledger("a", "x"), ledger("b"), 1, superseded=True) is Decision.FENCED


def test_proof_that_proves_nothing_then_never_restored() -> None:
    hub = Position(3, sha256(b"made up").digest())
    mine = position(ledger("a"))
    for proof in ((), (sha256(b"x").digest(),), (b"short",)):
        meeting = HandshakeState(
            mine=mine,
            hub=hub,
            receipt_size=1,
            superseded=False,
            root_at=lambda _size: mine.root,
            prove=lambda _old, _new, proof=proof: proof,  # type: ignore[misc]
        )
        assert decide(meeting) is Decision.DIVERGED


@given(
    st.lists(st.sampled_from("abc"), max_size=20),
    st.lists(st.sampled_from("abc"), max_size=20),
    st.integers(0, 20),
)
def test_any_two_ledgers_then_their_entries_decide(mine: list[str], hub: list[str], receipt: int) -> None:
    shorter = min(len(mine), len(hub))
    if mine[:shorter] != hub[:shorter]:
        expected = Decision.DIVERGED
    elif len(hub) == len(mine):
        expected = Decision.IN_SYNC
    elif len(hub) > len(mine):
        expected = Decision.RESTORED
    else:
        expected = Decision.HUB_REGRESSED if len(hub) < receipt else Decision.PUSH
    decision = meet(ledger(*mine), ledger(*hub), receipt)
    assert decision is expected
    assert decision.may_sign is (mine[: len(hub)] == hub and len(hub) <= len(mine))

"""The fast reader gives what the plain one gives for whatever a ledger may hold, and refuses what it may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger import events
from plants.rules.ledger.merkle import leaf_hash
from plants.store.ledger.decoding import decode, read_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_canonical_json_then_both_readers_agree(envelope: dict[str, object]) -> None:
    body = events.canonical(envelope)
    assert decode(body) == events.decode(body) == envelope
    (entry,) = read_rows([(body, leaf_hash(body))])
    assert (entry.envelope, entry.body, entry.leaf) == (envelope, body, leaf_hash(body))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"7", b'"a"', b"{", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"[" * 5000],
)
def test_what_no_ledger_may_hold_then_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(body)

"""Entries: canonical bytes against RFC 8785's own implementation, limits, and instants that come back exactly."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.events import ENTRY_BYTES_MAX, Envelope, canonical, decode, encode
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.values.instants import format_instant, from_micros, instant_micros, micros, parse_instant
from plants.rules.values.refusals import Refusal

# Keys of entries are ASCII; RFC 8785 sorts by UTF-16 code units, which for ASCII is what sort_keys does.
KEYS = st.text("abcdefghijklmnopqrstuvwxyz_/0123456789", max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def envelope(payload: object) -> Envelope:
    return {
        "id": "01a2046a-bed2-716b-bb25-0e062182caaf",
        "type": "BatchMoved",
        "version": 1,
        "plant": 1,
        "index": 0,
        "hlc": "0" * 16,
        "occurred_at": "2026-03-14T08:00:00.000000Z",
        "recorded_at": "2026-03-14T08:00:00.000000Z",
        "actor": "p-1",
        "key": "x",
        "payload": payload,
    }


@given(VALUES)
def test_canonical_bytes_are_those_of_rfc_8785(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(VALUES)
def test_an_entry_is_read_back_as_it_was_written(payload: object) -> None:
    written = envelope(payload)

    assert decode(encode(written)) == written


def test_an_entry_above_the_limit_is_refused_and_one_at_it_is_not() -> None:
    room = ENTRY_BYTES_MAX - len(encode(envelope("")))

    assert len(encode(envelope("x" * room))) == ENTRY_BYTES_MAX
    with pytest.raises(Refusal) as refused:
        encode(envelope("x" * (room + 1)))
    assert refused.value.code is ENTRY_TOO_LARGE
    assert refused.value.data == {"size": "65536", "limit": "65535"}


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"\xff\xfe"])
def test_bytes_that_are_no_object_are_no_entry(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|utf-8"):
        decode(body)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_instants_come_back_exactly(at: datetime) -> None:
    text = format_instant(at)

    assert parse_instant(text) == at
    assert from_micros(micros(at)) == at
    assert instant_micros(text) == micros(at)
    assert len(text) == len("2026-03-14T08:00:00.000000Z")


def test_an_instant_is_written_in_utc() -> None:
    at = datetime(2026, 3, 14, 16, 0, tzinfo=timezone(timedelta(hours=8)))

    assert format_instant(at) == "2026-03-14T08:00:00.000000Z"

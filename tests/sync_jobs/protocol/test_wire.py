"""The body that carries entries, and the envelopes in it, against arbitrary input."""

import json
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.events import canonical
from plants.rules.ledger.notes import MAX_NOTE_BYTES
from sync_jobs.protocol.wire import BODY_BYTES_MAX, Limits, Parcel, Problem, pack, read_entries, unpack

LIMITS = Limits()
ENVELOPE: dict[str, Any] = {
    "id": "0192e4a0-0000-7000-8000-000000000001",
    "type": "BatchReceived",
    "version": 1,
    "plant": 3,
    "index": 7,
    "hlc": "0192e4a000000000",
    "occurred_at": "2026-03-14T08:00:00.000000Z",
    "recorded_at": "2026-03-14T08:00:00.000000Z",
    "actor": "li.wei",
    "key": "SH1-260314-0001N",
    "payload": {},
}


def refusal_of(packed: bytes, limits: Limits = LIMITS) -> tuple[int, str]:
    with pytest.raises(Problem) as refused:
        unpack(packed, limits)
    return refused.value.status, refused.value.code


@given(
    st.lists(st.binary(min_size=1, max_size=50).filter(lambda body: b"\n" not in body), max_size=20),
    st.binary(max_size=99),
)
def test_packed_then_unpacked_the_same(bodies: list[bytes], note: bytes) -> None:
    parcel = Parcel(tuple(bodies), note)
    assert unpack(pack(parcel), LIMITS) == parcel


@given(st.binary(max_size=400))
def test_any_bytes_then_a_problem_or_a_parcel(raw: bytes) -> None:
    for body in (raw, zstandard.compress(raw)):
        with suppress(Problem):
            unpack(body, LIMITS)


def test_body_cut_at_every_byte_then_each_is_refused() -> None:
    packed = pack(Parcel((b'{"a":1}', b'{"b":2}'), b"note\n"))
    assert {refusal_of(packed[:length]) for length in range(len(packed))} == {(422, "BODY_INVALID")}


def test_bombs_then_refused_before_they_are_unpacked() -> None:
    bomb = zstandard.compress(bytes(BODY_BYTES_MAX + MAX_NOTE_BYTES + 2))
    assert len(bomb) < 2000
    assert refusal_of(bomb) == (413, "BODY_TOO_LARGE")
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(10_000_000))
    assert refusal_of(silent) == (422, "BODY_INVALID")
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27)).compress(
        bytes(1000) + bytes(range(256)) * 60_000
    )
    assert refusal_of(wide)[0] in {413, 422}


def test_body_above_a_limit_then_the_limit_is_named() -> None:
    small = Limits(max_entries=2)
    assert refusal_of(pack(Parcel((b"1", b"2", b"3"), b"")), small) == (413, "TOO_MANY_ENTRIES")
    assert refusal_of(pack(Parcel((b"1" * 65_536,), b""))) == (413, "ENTRY_TOO_LARGE")
    assert unpack(pack(Parcel((b"1" * 65_535,), b"")), LIMITS).bodies == (b"1" * 65_535,)
    assert refusal_of(pack(Parcel((), b"n" * (MAX_NOTE_BYTES + 1)))) == (413, "NOTE_TOO_LARGE")


def test_envelope_as_it_must_be_then_read() -> None:
    (entry,) = read_entries([canonical(ENVELOPE)], 7, 3)
    assert (entry.index, entry.type) == (7, "BatchReceived")
    (unknown,) = read_entries([canonical(ENVELOPE | {"type": "BatchTeleported", "version": 9})], 7, 3)
    assert unknown.type == "BatchTeleported"


WRONG: list[tuple[str, Any]] = [
    ("index", 8), ("index", True), ("index", "7"), ("plant", 4), ("plant", None), ("version", "1"),
    ("id", ""), ("type", None), ("key", "a\x00b"), ("key", "k" * 301), ("actor", 5),
    ("hlc", "0"), ("hlc", "Z" * 16), ("occurred_at", "yesterday"), ("recorded_at", "2026-03-14T08:00:00"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_envelope_with_a_wrong_member_then_it_is_named(wrong: tuple[str, Any]) -> None:
    body = json.dumps(ENVELOPE | dict([wrong])).encode()
    with pytest.raises(Problem) as refused:
        read_entries([body], 7, 3)
    assert (refused.value.status, refused.value.code) == (422, "ENVELOPE_INVALID")
    assert refused.value.content == {"index": 7, "why": wrong[0]}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"1", b"\xff", b'{"key":"\\ud800"}', b"[" * 60_000, b"9" * 5000],
    ids=lambda body: body[:9],
)
def test_no_json_object_then_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_entries([body], 7, 3)
    assert refused.value.content == {"index": 7, "why": "not a JSON object"}


@pytest.mark.parametrize("raw", [b"\n", b"a\n\n", b"a\nb\n\n", b"a\nb\n\n\nn\n\n"])
def test_first_empty_line_then_it_ends_the_entries(raw: bytes) -> None:
    entries, _, note = raw.partition(b"\n\n") if not raw.startswith(b"\n") else (b"", b"\n", raw[1:])
    parcel = Parcel(tuple(entries.split(b"\n")) if entries else (), note)
    assert unpack(zstandard.compress(raw), Limits(max_entries=2)) == parcel


@pytest.mark.parametrize(
    "raw, refused",
    [
        (b"a\nb", (422, "BODY_INVALID")),
        (b"a\nb\n", (422, "BODY_INVALID")),
        (b"a\nb\nc\n\nn", (413, "TOO_MANY_ENTRIES")),
        (b"a\nb\nc\nd\ne\n\nn", (413, "TOO_MANY_ENTRIES")),
        (b"a\nb\nc\nd\ne\n", (422, "BODY_INVALID")),
        (b"a\nb\nc", (422, "BODY_INVALID")),
    ],
)
def test_no_empty_line_or_too_many_before_it_then_refused(raw: bytes, refused: tuple[int, str]) -> None:
    assert refusal_of(zstandard.compress(raw), Limits(max_entries=2)) == refused

"""A transfer label says exactly what was dispatched, and anything else is refused for what it is."""

import base64
import json
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.events import Entry, Envelope, canonical, decode
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.logistics.refusals import TRANSFER_MANIFEST_INVALID
from plants.rules.logistics.transfers import (
    MANIFEST_LENGTH_MAX,
    Manifest,
    group_of,
    read_manifest,
    transfer_manifest,
)
from plants.rules.values.refusals import Phrase, Refusal

ORIGIN = "acme.example/plant/SH1/i1"
BATCH = {
    "id": 1 << 40 | 5,
    "code": "SH1-260314-0001B",
    "material": "RM-MILK",
    "unit": "KGM",
    "made": "100",
    "produced_at": "2026-03-14T08:00:00.000000Z",
    "expires_on": "2026-04-13",
    "retest_on": None,
    "grade": None,
    "supplier": "绿地",
    "attributes": {"fat": "3.8 %", "note": ""},
    "disposition": "UNRESTRICTED",
}
TRANSFER = 1 << 40 | 9
ENVELOPE: dict[str, Any] = {
    "id": "0195a1b2-0000-7000-8000-000000000001",
    "type": "TransferDispatched",
    "version": 1,
    "plant": 1,
    "index": 12,
    "hlc": "019cebc1e4000000",
    "occurred_at": "2026-03-14T08:00:00.000000Z",
    "recorded_at": "2026-03-14T08:00:00.000000Z",
    "actor": "person-1",
    "key": str(TRANSFER),
    "payload": {
        "transfer": TRANSFER,
        "destination": "NB1",
        "process": {"id": TRANSFER, "source_plant": "SH1", "destination_plant": "NB1"},
        "lines": [{"batch": BATCH, "dispatched": "40.5"}],
    },
}


def packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(content)).decode().rstrip("=")


def label(envelope: Any = ENVELOPE, origin: Any = ORIGIN, body: str | None = None) -> str:
    text = canonical(envelope).decode() if body is None else body
    return packed(canonical({"origin": origin, "entry": text}))


def refused(text: str) -> str:
    """Return why a text is no manifest."""
    with pytest.raises(Refusal) as caught:
        read_manifest(text)
    assert caught.value.code is TRANSFER_MANIFEST_INVALID
    why = caught.value.data["why"]
    assert isinstance(why, Phrase)
    return str(why.data.get("part", why.code))


def test_written_then_read_back_with_the_leaf_of_the_entry() -> None:
    body = canonical(ENVELOPE)
    text = transfer_manifest(Entry(decode(body), body, leaf_hash(body)), ORIGIN)
    assert read_manifest(f" {text}\n") == Manifest(
        cause={"origin": ORIGIN, "index": 12, "leaf": leaf_hash(body).hex()},
        hlc="019cebc1e4000000",
        plant=1,
        transfer=TRANSFER,
        source="SH1",
        destination="NB1",
        dispatched_at="2026-03-14T08:00:00.000000Z",
        lines=({"batch": BATCH, "dispatched": "40.5"},),  # type: ignore[typeddict-item]
    )
    assert group_of(ORIGIN) == "acme.example/plant/SH1"


@pytest.mark.parametrize("text", ["", " ", "%%%", "汉字", "AAAA", "x" * (MANIFEST_LENGTH_MAX + 1), "https://x/y?z=1"])
def test_garbage_then_refused(text: str) -> None:
    assert refused(text)


def test_bomb_then_refused_unopened() -> None:
    bomb = packed(b" " * 50_000_000)
    assert len(bomb) < MANIFEST_LENGTH_MAX
    assert refused(bomb) == "LABEL_UNREADABLE"
    whole = zlib.compress(b"{}")
    for torn in (whole[:-1], whole + b"more"):
        assert refused(base64.urlsafe_b64encode(torn).decode()) == "LABEL_UNREADABLE"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'"text"',
        b"[" * 100_000,
        b'{"entry":' * 10_000,
        b'{"entry":"[","origin":"x"}',
        b'{"entry":"\\ud800","origin":"x"}',
        b'{"entry":"{\\"a\\":NaN}","origin":"x"}',
        b'{"entry":"{\\"a\\":' + b"9" * 5000 + b'}","origin":"x"}',
        b'{"entry":5,"origin":"x"}',
        b'{"entry":"{}"}',
    ],
)
def test_no_label_inside_then_refused(content: bytes) -> None:
    assert refused(packed(content)) in {"LABEL_UNREADABLE", "label", "entry", "origin"}


def test_deep_entry_then_refused() -> None:
    assert refused(label(body="[" * 60_000)) == "LABEL_UNREADABLE"
    assert refused(label(body='{"a":' * 900 + "1" + "}" * 900))


def test_entry_not_as_the_ledger_writes_it_then_refused() -> None:
    spaced = json.dumps(ENVELOPE, sort_keys=True, ensure_ascii=False)
    doubled = canonical(ENVELOPE).decode().replace('{"actor"', '{"actor":"other","actor"', 1)
    for body in (spaced, doubled, canonical(ENVELOPE).decode() + " "):
        assert refused(label(body=body)) == "entry"


def at(*path: str | int) -> Callable[[Any], tuple[Any, Any]]:
    def find(value: Any) -> tuple[Any, Any]:
        for step in path[:-1]:
            value = value[step]
        return value, path[-1]

    return find


@pytest.mark.parametrize(
    "path,values,why",
    [
        (("type",), ["BatchShipped", None, 5], "TransferDispatched"),
        (("version",), [2, "1", None], "TransferDispatched"),
        (("plant",), [0, -1, 8192, True, "1", None], "plant"),
        (("plant",), [2], "transfer"),
        (("index",), [-1, 2**53, True, 1.0, "12"], "index"),
        (("hlc",), ["", "019CEBC1E4000000", "19", 5], "hlc"),
        (("occurred_at",), ["2026-03-14", "2026-03-14T08:00:00Z", "0000", 0, None], "occurred_at"),
        (("payload",), [None, [], "x"], "payload"),
        (("payload", "transfer"), [0, 2**70, "9", None, True], "transfer"),
        (("payload", "transfer"), [2 << 40 | 9, 9], "transfer"),
        (("payload", "process"), [None], "process"),
        (("payload", "process", "source_plant"), ["sh1", "ABCDE"], "plant"),
        (("payload", "process", "source_plant"), ["GZ2"], "origin"),
        (("payload", "destination"), ["nb1", "NB1\n"], "plant"),
        (("payload", "lines"), [None, [], {}, [5] * 101], "lines"),
        (("payload", "lines", 0), [None, []], "lines"),
        (("payload", "lines", 0, "batch"), [None, {}, {**BATCH, "more": 1}], "batch"),
        (("payload", "lines", 0, "batch", "id"), [0, -1, 2**53, True, "5", 1.5], "id"),
        (("payload", "lines", 0, "batch", "id"), [7], "id"),
        (("payload", "lines", 0, "batch", "code"), ["", "汉", "SH1 1", "X" * 21, None], "code"),
        (("payload", "lines", 0, "batch", "made"), ["0", "-1", "01", "1.0", "1e3", "x", 5, None], "made"),
        (("payload", "lines", 0, "batch", "made"), ["1000000000001"], "made"),
        (("payload", "lines", 0, "batch", "produced_at"), ["2026-03-14T08:00:00+00:00"], "produced_at"),
        (("payload", "lines", 0, "batch", "expires_on"), ["20260413", "2026-02-30", "", 5], "expires_on"),
        (("payload", "lines", 0, "batch", "retest_on"), ["soon"], "retest_on"),
        (("payload", "lines", 0, "batch", "grade"), ["", 5, "x" * 2001], "grade"),
        (("payload", "lines", 0, "batch", "attributes"), [None, [], {"": "x"}, {"x": 5}], "attributes"),
        (("payload", "lines", 0, "batch", "disposition"), ["FINE", "", None], "disposition"),
        (("payload", "lines", 0, "dispatched"), ["0", "-1", "", None, 5], "dispatched"),
    ],
)
def test_part_wrong_then_refused_by_its_name(path: tuple[str | int, ...], values: list[Any], why: str) -> None:
    for value in values:
        envelope = deepcopy(ENVELOPE)
        holder, last = at(*path)(envelope)
        holder[last] = value
        assert refused(label(envelope)) == why, value


def test_batch_twice_or_origin_wrong_then_refused() -> None:
    envelope = deepcopy(ENVELOPE)
    envelope["payload"]["lines"] *= 2
    assert refused(label(envelope)) == "id"
    envelope = deepcopy(ENVELOPE)
    other = {**BATCH, "id": 1 << 40 | 6}
    envelope["payload"]["lines"].append({"batch": other, "dispatched": "1"})
    assert refused(label(envelope)) == "code"
    for origin in ("", "acme.example/plant/NB1/i1", "SH1", "acme.example/hub/i1", None, 5):
        assert refused(label(origin=origin)) == "origin"


@given(st.data())
def test_letters_changed_then_read_the_same_or_refused(data: st.DataObject) -> None:
    text = label()
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019-_=+/ \n汉"))
    changed = text[:position] + letter + text[position + 1 :]
    try:
        read = read_manifest(changed)
    except Refusal:
        assert refused(changed)
    else:
        assert read == read_manifest(text)


def test_envelope_then_it_is_one() -> None:
    assert set(ENVELOPE) >= Envelope.__required_keys__

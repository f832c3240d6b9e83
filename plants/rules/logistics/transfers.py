"""The text on a transfer label: the source's entry, whole, so that a receiver needs no network to take the goods over.

A manifest is base64url (RFC 4648, no padding) of zlib (RFC 1950) of canonical JSON `{"entry": text, "origin": text}`.
The entry is the very text that the source's ledger keeps, so that its leaf hash can be worked out from the label.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from plants.rules.identification.codes import (
    BATCH_CODE_LENGTH_MAX,
    GS1_SET_82,
    NODE_NUMBER_BITS,
    PLANT_CODE_PATTERN,
    PLANT_NUMBER_MAX,
    plant_of,
)
from plants.rules.ledger.events import ENTRY_BYTES_MAX, LINES_MAX, Cause, Entry, canonical
from plants.rules.ledger.merkle import leaf_hash
from plants.rules.ledger.payloads import BatchStatement
from plants.rules.logistics.events import TRANSFER_DISPATCHED, TransferLine
from plants.rules.logistics.refusals import (
    LABEL_INVALID,
    LABEL_UNREADABLE,
    TRANSFER_MANIFEST_INVALID,
    TRANSFER_RECEIVED,
)
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.instants import format_instant, micros, parse_instant
from plants.rules.values.quantities import format_micro, read_amount
from plants.rules.values.refusals import Refusal

TRANSFER_BYTES_MAX = 40_000  # of a dispatch's payload, so that the receipt, which says more, still fits an entry
MANIFEST_LENGTH_MAX = 100_000  # characters
MANIFEST_BYTES_MAX = 2 * ENTRY_BYTES_MAX  # unpacked; quoting an entry as text makes it longer
STAMP_PATTERN = re.compile(r"[0-9a-f]{16}", re.ASCII)
TEXT_LENGTH_MAX = 2000  # characters of any text of a batch statement
NODE_MAX = (PLANT_NUMBER_MAX + 1 << NODE_NUMBER_BITS) - 1
INTEGER_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a transfer label: the entry of the source's ledger, and the goods in transit."""

    cause: Cause
    hlc: str
    plant: int
    transfer: int
    source: str
    destination: str
    dispatched_at: str
    lines: tuple[TransferLine, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The local copy of the source's ledger: its origin, its size, and the positions of the dispatch.

    `places` pairs positions with leaf hashes, hexadecimal: several where the ledger had to write the entry down again.
    """

    origin: str
    size: int
    places: frozenset[tuple[int, str]]


def contradicts(known: Known, causes: Sequence[object]) -> bool:
    """Tell whether a receipt names another entry as its dispatch than the source's ledger has.

    False without a copy of the source's ledger. An entry beyond the copy is no contradiction, unless the copy has the
    dispatch at another position.
    """
    if not known.origin:
        return False
    named = [cause for cause in causes if isinstance(cause, dict) and cause.get("origin") == known.origin]
    if any((cause.get("index"), cause.get("leaf")) in known.places for cause in named):
        return False
    beyond = (type(cause.get("index")) is int and cause["index"] >= known.size for cause in named)
    return bool(known.places) or not any(beyond)


class _Malformed(Exception):
    """A part of the manifest is not what it must be; the message names the part."""


def transfer_manifest(entry: Entry, origin: str) -> str:
    """Return the text for the label of a TransferDispatched entry; `origin` is that of its ledger."""
    content = canonical({"origin": origin, "entry": entry.body.decode()})
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def read_manifest(text: str) -> Manifest:
    """Return what a transfer label says, every part of it checked for its form; raises Refusal."""
    try:
        content = _object(_parse(_unpack(text.strip())), "label")
        body = _text(content.get("entry"), "entry", ENTRY_BYTES_MAX).encode()
        origin = _text(content.get("origin"), "origin")
        envelope = _object(_parse(body), "entry")
        _check(len(body) <= ENTRY_BYTES_MAX and canonical(envelope) == body, "entry")
        return _manifest(origin, body, envelope)
    except (_Malformed, ValueError, RecursionError) as error:
        # Besides `_Malformed`, this catches invalid UTF-8, invalid numbers, and JSON nested too deeply.
        why = LABEL_INVALID(part=error) if isinstance(error, _Malformed) else LABEL_UNREADABLE()
        raise Refusal(TRANSFER_MANIFEST_INVALID, why=why) from error


def overdue_before(now: datetime, days: int) -> int:
    """Return the instant, in microseconds since the epoch, before which what is still open is overdue.

    It moves once a day, so that lists and alarms speak of the same transfers all day.
    """
    return micros((now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0))


def check_awaited(transfer: int, *, received: bool) -> None:
    """Raise Refusal for a transfer that the destination has received; a receipt that was corrected does not count."""
    if received:
        raise Refusal(TRANSFER_RECEIVED, transfer=transfer)


def group_of(origin: str) -> str:
    """Return the group and plant that a ledger's origin names, without its incarnation."""
    return origin.rpartition("/")[0]


def _unpack(text: str) -> bytes:
    if not 0 < len(text) <= MANIFEST_LENGTH_MAX:
        raise ValueError(f"{len(text)} characters")
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, MANIFEST_BYTES_MAX)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError("base64url, zlib") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError(f"more than {MANIFEST_BYTES_MAX} bytes, or bytes after the end")
    return content


def _parse(content: bytes) -> Any:
    return json.loads(content)


def _manifest(origin: str, body: bytes, envelope: dict[str, Any]) -> Manifest:
    _check((envelope.get("type"), envelope.get("version")) == (TRANSFER_DISPATCHED.name, 1), TRANSFER_DISPATCHED.name)
    plant = _whole(envelope.get("plant"), "plant", PLANT_NUMBER_MAX)
    index = envelope.get("index")
    if type(index) is not int or not 0 <= index < INTEGER_MAX:
        raise _Malformed("index")
    stamp = _text(envelope.get("hlc"), "hlc")
    _check(STAMP_PATTERN.fullmatch(stamp) is not None, "hlc")
    payload = _object(envelope.get("payload"), "payload")
    transfer = _whole(payload.get("transfer"), "transfer", NODE_MAX)
    _check(plant_of(transfer) == plant, "transfer")
    process = _object(payload.get("process"), "process")
    source, destination = _text(process.get("source_plant"), "source"), _text(payload.get("destination"), "destination")
    for code in (source, destination):
        _check(PLANT_CODE_PATTERN.fullmatch(code) is not None, "plant")
    _check(group_of(origin).endswith(f"/plant/{source}"), "origin")
    lines = payload.get("lines")
    if not isinstance(lines, list) or not 1 <= len(lines) <= LINES_MAX:
        raise _Malformed("lines")
    read = tuple(_line(_object(line, "lines")) for line in lines)
    for name in ("id", "code"):
        _check(len({line["batch"][name] for line in read}) == len(read), name)
    return Manifest(
        cause={"origin": origin, "index": index, "leaf": leaf_hash(body).hex()},
        hlc=stamp,
        plant=plant,
        transfer=transfer,
        source=source,
        destination=destination,
        dispatched_at=_instant(envelope.get("occurred_at"), "occurred_at"),
        lines=read,
    )


def _line(line: dict[str, Any]) -> TransferLine:
    batch = _object(line.get("batch"), "batch")
    _check(batch.keys() == BatchStatement.__required_keys__, "batch")
    code = _text(batch["code"], "code", BATCH_CODE_LENGTH_MAX)
    _check(GS1_SET_82.issuperset(code), "code")
    disposition = _text(batch["disposition"], "disposition")
    _check(disposition in list(Disposition), "disposition")
    statement: BatchStatement = {
        "id": _whole(batch["id"], "id", NODE_MAX),
        "code": code,
        "material": _text(batch["material"], "material"),
        "unit": _text(batch["unit"], "unit"),
        "made": _amount(batch["made"], "made"),
        "produced_at": _instant(batch["produced_at"], "produced_at"),
        "expires_on": _day(batch["expires_on"], "expires_on"),
        "retest_on": _day(batch["retest_on"], "retest_on"),
        "grade": None if batch["grade"] is None else _text(batch["grade"], "grade"),
        "supplier": None if batch["supplier"] is None else _text(batch["supplier"], "supplier"),
        "attributes": {
            _text(name, "attributes"): _text(value, "attributes", least=0)
            for name, value in _object(batch["attributes"], "attributes").items()
        },
        "disposition": disposition,
    }
    _check(plant_of(statement["id"]) > 0, "id")
    return {"batch": statement, "dispatched": _amount(line.get("dispatched"), "dispatched")}


def _check(holds: bool, part: str) -> None:  # noqa: FBT001 -- reads as the sentence it is.
    if not holds:
        raise _Malformed(part)


def _object(value: object, part: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(part)
    return value


def _text(value: object, part: str, most: int = TEXT_LENGTH_MAX, *, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise _Malformed(part)
    return value


def _whole(value: object, part: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise _Malformed(part)
    return value


def _amount(value: object, part: str) -> str:
    text = _text(value, part)
    try:
        holds = format_micro(read_amount(text)) == text
    except Refusal as refusal:
        raise _Malformed(part) from refusal
    _check(holds, part)
    return text


def _instant(value: object, part: str) -> str:
    text = _text(value, part)
    try:
        holds = format_instant(parse_instant(text)) == text
    except (ValueError, OverflowError) as error:
        raise _Malformed(part) from error
    _check(holds, part)
    return text


def _day(value: object, part: str) -> str | None:
    if value is None:
        return None
    text = _text(value, part)
    try:
        holds = date.fromisoformat(text).isoformat() == text
    except ValueError as error:
        raise _Malformed(part) from error
    _check(holds, part)
    return text

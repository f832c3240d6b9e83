"""The meaning of identifiers in EPCIS documents. The URN and the Digital Link of one thing are equal.

Sources: GS1 EPC Tag Data Standard 2.0 sections 6 and 7, GS1 Digital Link URI syntax 1.2.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from urllib.parse import unquote

from plants.rules.identification.codes import MASTER_CODE_LENGTH_MAX

EPC_URN = re.compile(r"urn:epc:(?:id|class|idpat):(?P<scheme>[a-z]+):(?P<value>.+)", re.ASCII)
LINK = re.compile(
    r"https?://[^/?#]+(?:/[^?#]*?)?/(?P<key>0[01]|253|255|401|402|41[47]|8003|8004|8006|8010|8017|8018)/(?P<rest>[^?#]+)"
)
GOODS_SCHEMES = frozenset({"sgtin", "lgtin", "itip", "upui", "cpi"})
CONTAINER_SCHEMES = frozenset({"sscc", "grai"})
LINK_KINDS = {"00": "container", "8003": "container", "01": "goods", "8006": "goods", "8010": "goods"}


class Kind(StrEnum):
    """The kind of thing that an identifier names, as far as stock is concerned."""

    GOODS = "goods"
    CONTAINER = "container"
    OTHER = "other"


def check_digit(digits: str) -> str:
    """Return the GS1 check digit of the digits before it (GS1 General Specifications, 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def identity(uri: str) -> str:
    """Return a GS1 key's Digital Link path (`01/GTIN/10/LOT`, `00/SSCC`, `414/GLN`); other identifiers as is."""
    link = LINK.fullmatch(uri)
    if link is not None:
        return _link_identity(link["key"], link["rest"].rstrip("/").split("/"))
    urn = EPC_URN.fullmatch(uri)
    return uri if urn is None else _urn_identity(urn["scheme"], urn["value"]) or uri


def _link_identity(key: str, parts: list[str]) -> str:
    value, qualifiers = unquote(parts[0]), dict(zip(parts[1::2], parts[2::2], strict=False))
    if key == "01":
        value = value.zfill(14)
        for name in ("21", "10"):
            if name in qualifiers:
                return f"01/{value}/{name}/{unquote(qualifiers[name])}"
    if key == "414" and qualifiers.get("254", "0") != "0":
        return f"414/{value}/254/{unquote(qualifiers['254'])}"
    return f"{key}/{value}"


def _urn_identity(scheme: str, value: str) -> str | None:
    prefix, _, rest = value.partition(".")
    reference, _, serial = rest.partition(".")
    serial = unquote(serial)
    digits = prefix + reference
    if not digits.isascii() or not digits.isdigit():
        return None
    if scheme in ("sgtin", "lgtin") and len(digits) == 13:  # noqa: PLR2004 -- a GTIN-14 without its check digit.
        body = reference[:1] + prefix + reference[1:]
        gtin = f"01/{body}{check_digit(body)}"
        return gtin if serial in ("", "*") else f"{gtin}/{'10' if scheme == 'lgtin' else '21'}/{serial}"
    if scheme == "sscc" and len(digits) == 17:  # noqa: PLR2004 -- an SSCC without its check digit.
        body = reference[:1] + prefix + reference[1:]
        return f"00/{body}{check_digit(body)}"
    if scheme in ("sgln", "pgln") and len(digits) == 12:  # noqa: PLR2004 -- a GLN without its check digit.
        gln = digits + check_digit(digits)
        if scheme == "pgln":
            return f"417/{gln}"
        return f"414/{gln}" if serial in ("", "0") else f"414/{gln}/254/{serial}"
    if scheme == "grai" and len(digits) == 12:  # noqa: PLR2004 -- a GRAI without its check digit.
        return f"8003/0{digits}{check_digit(digits)}{'' if serial == '*' else serial}"
    return None


def kind_of(uri: str) -> Kind:
    """Return whether the identifier names goods, what holds goods, or neither (assets, documents, parties).

    Identifiers of one's own (urn:gdst:..., https://example.com/...) name goods.
    """
    urn, link = EPC_URN.fullmatch(uri), LINK.fullmatch(uri)
    if urn is not None:
        if urn["scheme"] in CONTAINER_SCHEMES:
            return Kind.CONTAINER
        return Kind.GOODS if urn["scheme"] in GOODS_SCHEMES else Kind.OTHER
    if link is not None:
        return Kind(LINK_KINDS.get(link["key"], "other"))
    return Kind.CONTAINER if ":sscc:" in uri else Kind.GOODS


def lot_number_of(uri: str) -> str | None:
    """Return the lot number that an LGTIN carries, else None."""
    parts = identity(uri).split("/")
    return "/".join(parts[3:]) if parts[0] == "01" and parts[2:3] == ["10"] else None


def product_of(uri: str, classes: Iterable[str]) -> str:
    """Return what a lot or serial is of: its GTIN, else the longest known class its name begins with, else a guess.

    A lot class is named like its product class with the lot after a dot (GDST 1.2), so the guess drops the last part.
    """
    parts = identity(uri).split("/")
    if parts[0] == "01":
        return parts[1]
    name = _class_name(uri)
    known = [known for known in classes if name == _class_name(known) or name.startswith(_class_name(known) + ".")]
    if known:
        return max(known, key=len)
    head, dot, _ = uri.rpartition(".")
    return head if dot and ":class:" in head else uri


def _class_name(uri: str) -> str:
    return uri.replace(":product:lot:class:", ":product:class:")


def short_codes(identifiers: Iterable[str]) -> Mapping[str, str]:
    """Return a distinct master data code for each identifier: its last part, with a fingerprint where needed.

    The same identifier gets the same code in every document, unless its last part meets an equal one there.
    """
    wanted = {identifier: _last_part(identifier) for identifier in sorted(set(identifiers))}
    times = Counter(code for code in wanted.values() if len(code) <= MASTER_CODE_LENGTH_MAX)
    return {
        identifier: code if times[code] == 1 else _with_fingerprint(code, identifier)
        for identifier, code in wanted.items()
    }


def _last_part(identifier: str) -> str:
    if identifier.startswith(("414/", "417/")):
        return identifier.split("/", 1)[1].replace("/254/", ".").upper()
    part = re.split(r"[:/#]", identifier.rstrip(":/#"))[-1]
    if part.replace(".", "").isdigit() and identifier.startswith("urn:epc:"):
        part = identifier.rsplit(":", maxsplit=1)[-1]
    return re.sub(r"[^A-Z0-9._-]+", "-", part.upper()).strip("._-") or "X"


def _with_fingerprint(code: str, identifier: str) -> str:
    mark = hashlib.sha256(identifier.encode()).hexdigest()[:5].upper()
    return f"{code[: MASTER_CODE_LENGTH_MAX - 6].rstrip('._-')}-{mark}"

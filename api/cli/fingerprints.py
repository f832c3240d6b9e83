"""Fingerprints of plants' keys, which people at the plant and at the hub compare."""

from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.prompts import confirm
from auth.enrolment import fingerprint
from auth.keys import public_key_text
from plants.rules.ledger.notes import NoteKey

Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", help="What the plant shows. Unset: it is shown here and asked about."),
]


def compare_fingerprint(who: str, mark: str, shown: str | None) -> None:
    """Return once a plant's fingerprint is the one given, or a person has compared it; raises CannotDo otherwise."""
    if shown is None:
        CONSOLE.print(f"{who}:  [bold]{mark}[/]")
        asked = pick("Does the plant show the very same?", "工厂显示的指纹是否完全相同？")
        confirm(asked)
    elif "".join(shown.upper().split()) != mark:
        raise CannotDo(
            f"The plant's keys have another fingerprint: {mark}. Nothing was changed.",
            f"该工厂密钥的指纹不同：{mark}，未作任何更改。",
        )


def mark_of(ledger: NoteKey, assertion: str) -> str:
    """Return what people compare of a plant's two public keys, as enrolment shows it too."""
    return fingerprint(public_key_text(Ed25519PublicKey.from_public_bytes(ledger.public)), assertion)

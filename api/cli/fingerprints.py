"""Fingerprints of plants' keys, which operators at the plant and at the hub compare."""

from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.markup import escape

from api.cli.output import CONSOLE
from api.cli.prompts import confirm
from api.language import _
from auth.enrolment import fingerprint
from auth.keys import public_key_text
from infra.messages import Failure, message
from plants.rules.ledger.notes import NoteKey

Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", help="Fingerprint that the plant shows. Default: show it here and ask."),
]


def compare_fingerprint(who: str, mark: str, shown: str | None) -> None:
    """Compare a plant's fingerprint with the one shown, or ask the operator; raises Failure where they differ."""
    if shown is None:
        CONSOLE.print(f"{escape(who)}:  [bold]{mark}[/]")
        asked = _("Does the plant show the same fingerprint?")
        confirm(asked)
    elif "".join(shown.upper().split()) != mark:
        raise Failure(
            message(
                "FINGERPRINT_DIFFERS",
                "The plant's keys have the fingerprint {found}, which is not the one given. Nothing was "
                "changed. Compare it with the plant again.",
            ),
            found=mark,
        )


def fingerprint_of_keys(ledger: NoteKey, assertion: str) -> str:
    """Return the fingerprint of a plant's two public keys, as enrolment shows it."""
    return fingerprint(public_key_text(Ed25519PublicKey.from_public_bytes(ledger.public)), assertion)

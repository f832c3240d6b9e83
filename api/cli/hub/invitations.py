"""`batchloom hub invitations`: the invited plants, and how far each is."""

from typing import Annotated

import typer

from api.cli.hub import ENROLMENT, app
from api.cli.nodes import Home, opened_hub
from api.cli.output import CONSOLE
from api.language import _
from auth import enrolment
from auth.enrolment import Invited
from infra.messages import Failure, message
from plants.rules.values.instants import format_instant

PlantCode = Annotated[str, typer.Argument(metavar="PLANT", help="Code of the plant.")]


@app.command(rich_help_panel=ENROLMENT)
def invitations(home: Home) -> None:
    """List the invited plants, with those that wait for approval.

    Example:  batchloom hub invitations --home hub
    """
    with opened_hub(home) as node, node.store.reading() as reads:
        found = enrolment.invitations(reads)
    for one in found:
        until = format_instant(one.expires_at)
        if one.waits:
            status = _("waits for approval: {fingerprint}", fingerprint=one.fingerprint)
        elif one.decided_at is not None:
            status = _("approved") if one.approved else _("rejected")
        else:
            status = _("invited until {until}", until=until)
        CONSOLE.print(f"{one.code} ({one.number}) {one.name}: {status}", soft_wrap=True, markup=False)
    if not found:
        CONSOLE.print(_("There are no invitations."))


def find_waiting(found: Invited | None, code: str) -> Invited:
    if found is None or not found.waits:
        raise Failure(
            message(
                "NOT_WAITING_FOR_APPROVAL", "Plant {code} does not wait for approval. See: batchloom hub invitations"
            ),
            code=code,
        )
    return found

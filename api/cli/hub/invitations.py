"""`batchloom hub invitations`: the invited plants, and how far each is."""

from typing import Annotated

import typer

from api.cli.hub import app
from api.cli.nodes import Home, opened
from api.cli.output import CONSOLE, CannotDo, pick
from auth import enrolment
from auth.enrolment import Invited
from plants.rules.values.instants import format_instant

PlantCode = Annotated[str, typer.Argument(metavar="PLANT", help="Code of the plant.")]


@app.command()
def invitations(home: Home) -> None:
    """List the plants that were invited, and which wait for approval.

    Example:  batchloom hub invitations --home hub
    """
    with opened(home) as node, node.store.reading() as reads:
        found = enrolment.invitations(reads)
    for one in found:
        until = format_instant(one.expires_at)
        if one.waits:
            stands = pick(f"waits for approval: {one.fingerprint}", f"等待批准：{one.fingerprint}")
        elif one.decided_at is not None:
            stands = pick("approved", "已批准") if one.approved else pick("rejected", "已拒绝")
        else:
            stands = pick(f"invited until {until}", f"已邀请，有效期至 {until}")
        CONSOLE.print(f"{one.code} ({one.number}) {one.name}: {stands}", soft_wrap=True, markup=False)
    if not found:
        CONSOLE.print(pick("Nobody is invited.", "没有邀请。"))


def find_waiting(found: Invited | None, code: str) -> Invited:
    if found is None or not found.waits:
        raise CannotDo(
            f"No plant {code} waits for approval. See: batchloom hub invitations",
            f"没有等待批准的工厂 {code}，请查看 batchloom hub invitations。",
        )
    return found

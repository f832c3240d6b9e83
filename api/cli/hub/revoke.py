"""`batchloom hub revoke`: stop trusting a plant's keys."""

from shlex import quote
from typing import Annotated

import typer

from api.cli.hub import KEYS, app
from api.cli.hub.invitations import PlantCode
from api.cli.nodes import Home, console_actor, opened_hub
from api.cli.output import CONSOLE
from api.cli.prompts import Sure, confirm
from api.language import _, marked
from auth.actors import Role
from auth.machines import active_machine
from infra.database import Session
from infra.messages import Failure, message
from sync_jobs.hub.enrolment import revoke


@app.command("revoke", rich_help_panel=KEYS)
def revoke_plant(
    home: Home,
    code: PlantCode,
    *,
    reason: Annotated[str, typer.Option(help="Reason, which is recorded in the hub's ledger.")],
    sure: Sure = False,
) -> None:
    """Stop trusting a plant's keys: every request that they sign is rejected.

    Use it when the plant's machine or disk was stolen. It takes effect at the next request, also while the hub runs.
    The hub keeps the plant's ledger, and the plant works on. To readmit it, run `batchloom plant renew-keys` there,
    then `batchloom hub readmit` here.

    Example:  batchloom hub revoke --home hub SH1 --reason "server stolen on 3 May"
    """
    with opened_hub(home) as node:
        with node.store.reading() as reads:
            if active_machine(reads, code) is None:
                raise Failure(
                    message(
                        "PLANT_NOT_ACTIVE",
                        "Plant {code} has no valid keys here: it was never enrolled, or is revoked already.",
                    ),
                    code=code,
                )
        asked = _("Reject everything that plant {code} signs from now on?", code=code)
        confirm(asked, sure=sure)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            revoke(session, code, reason, actor=actor, now=now)

        node.writer.write(write)
    CONSOLE.print(
        marked(
            "[green]✓[/] The keys of plant {code} are revoked. To readmit it, run at the plant:\n"
            "  batchloom plant renew-keys --home DIR\n"
            "  batchloom plant card --home DIR > card.json\n"
            "and then here:\n"
            "  batchloom hub readmit --home {home} card.json",
            code=code,
            home=quote(str(home)),
        ),
        soft_wrap=True,
    )

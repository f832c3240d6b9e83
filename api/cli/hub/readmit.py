"""`batchloom hub readmit`: trust a revoked plant again, under new keys."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.cards import order_of_card, read_card
from api.cli.fingerprints import Fingerprint, compare_fingerprint, fingerprint_of_keys
from api.cli.hub import KEYS, app
from api.cli.nodes import Home, console_actor, opened_hub
from api.cli.output import CONSOLE
from api.language import marked
from auth.actors import Role
from auth.machines import active_machine
from infra.database import Session
from infra.messages import Failure, message
from plants.rules.ledger.notes import NoteKey
from sync_jobs.hub.enrolment import readmit


@app.command("readmit", rich_help_panel=KEYS)
def readmit_plant(
    home: Home,
    card: Annotated[
        Path,
        typer.Argument(
            metavar="CARD.json",
            exists=True,
            dir_okay=False,
            readable=True,
            help="File with the card of the plant, from `batchloom plant card`.",
        ),
    ],
    *,
    shown: Fingerprint = None,
) -> None:
    """Trust a revoked plant again under new keys, after its fingerprint was compared.

    Run it after `batchloom plant renew-keys` at the plant. Its ledger continues where the hub has it. Entries that
    somebody else signed with the old keys become a worklist at the plant: see `batchloom plant disputes`.

    Example:  batchloom hub readmit --home hub sh1-card.json
    """
    with opened_hub(home) as node:
        found = read_card(card)
        order = order_of_card(node, found)
        with node.store.reading() as reads:
            if active_machine(reads, order.code) is not None:
                raise Failure(
                    message("PLANT_NOT_REVOKED", "Plant {code} is not revoked. Nothing was changed."), code=order.code
                )
        mark = fingerprint_of_keys(NoteKey.parse(order.ledger_key), order.assertion_key)
        compare_fingerprint(f"{order.code} ({order.number}) {order.name}", mark, shown)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            readmit(session, order, actor=actor, now=now)

        node.writer.write(write)
    CONSOLE.print(
        marked(
            "[green]✓[/] Plant {code} continues under its new keys. Its ledger will arrive by itself.", code=order.code
        )
    )

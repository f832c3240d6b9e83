"""`batchloom hub readmit`: trust a revoked plant again, under new keys."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.cards import order_of_card, read_card
from api.cli.fingerprints import Fingerprint, compare_fingerprint, mark_of
from api.cli.hub import app
from api.cli.nodes import Home, check_hub, console_actor, opened
from api.cli.output import CONSOLE, pick
from auth.actors import Role
from infra.database import Session
from plants.rules.ledger.notes import NoteKey
from sync_jobs.hub.enrolment import readmit


@app.command("readmit")
def readmit_plant(
    home: Home,
    card: Annotated[
        Path,
        typer.Argument(
            metavar="CARD.json",
            exists=True,
            dir_okay=False,
            readable=True,
            help="What `batchloom plant card` printed at the plant.",
        ),
    ],
    *,
    shown: Fingerprint = None,
) -> None:
    """Let a revoked plant go on under new keys, once the fingerprint that it shows was compared.

    Its ledger goes on where the hub has it. What somebody else wrote under the old keys before they were revoked shows
    as a difference at the next contact and becomes a worklist at the plant: see `batchloom plant disputes`.

    Example:  batchloom hub readmit --home hub sh1-card.json
    """
    with opened(home) as node:
        check_hub(node)
        found = read_card(card)
        order = order_of_card(node, found)
        mark = mark_of(NoteKey.parse(order.ledger_key), order.assertion_key)
        compare_fingerprint(f"{order.code} ({order.number}) {order.name}", mark, shown)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            readmit(session, order, actor=actor, now=now)

        node.writer.write(write)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Plant {order.code} goes on under its new keys; its ledger comes by itself.",
            f"[green]✓[/] 工厂 {order.code} 以新密钥继续，其账本将自动同步。",
        )
    )

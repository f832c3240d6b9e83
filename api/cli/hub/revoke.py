"""`batchloom hub revoke`: stop trusting a plant's keys."""

from typing import Annotated

import typer

from api.cli.hub import app
from api.cli.hub.invitations import PlantCode
from api.cli.nodes import Home, check_hub, console_actor, opened
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.prompts import Sure, confirm
from auth.actors import Role
from auth.machines import active_machine
from infra.database import Session
from sync_jobs.hub.enrolment import revoke


@app.command("revoke")
def revoke_plant(
    home: Home,
    code: PlantCode,
    *,
    reason: Annotated[str, typer.Option(help="Why. It stands in the hub's ledger for good.")],
    sure: Sure = False,
) -> None:
    """Believe nothing more that a plant's keys sign: when its machine was stolen, or somebody had its disk.

    Takes effect at the next request, also while the hub runs. What the hub has of the plant's ledger stays, and the
    plant works on by itself. To let it come back under new keys: `batchloom plant renew-keys` there, then
    `batchloom hub readmit` here.

    Example:  batchloom hub revoke --home hub SH1 --reason "server stolen on 3 May"
    """
    with opened(home) as node:
        check_hub(node)
        with node.store.reading() as reads:
            if active_machine(reads, code) is None:
                raise CannotDo(
                    f"No plant {code} counts here: it was never enrolled, or is revoked already.",
                    f"此处没有有效的工厂 {code}：从未登记，或已被吊销。",
                )
        asked = pick(f"Refuse everything that plant {code} signs from now on?", f"自此拒绝工厂 {code} 签署的一切？")
        confirm(asked, sure=sure)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            revoke(session, code, reason, actor=actor, now=now)

        node.writer.write(write)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Plant {code}'s keys count no more. To let it come back, at the plant:\n"
            "  batchloom plant renew-keys --home DIR\n"
            "  batchloom plant card --home DIR > card.json\n"
            f"then here:\n  batchloom hub readmit --home {home} card.json",
            f"[green]✓[/] 工厂 {code} 的密钥已失效。如需恢复，请在工厂执行：\n"
            "  batchloom plant renew-keys --home 目录\n"
            "  batchloom plant card --home 目录 > card.json\n"
            f"然后在此执行：\n  batchloom hub readmit --home {home} card.json",
        ),
        soft_wrap=True,
    )

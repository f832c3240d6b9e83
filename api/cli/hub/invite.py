"""`batchloom hub invite`: invite a plant with a one-time code."""

from typing import Annotated

import typer

from api.cli.hub import app
from api.cli.nodes import Home, console_actor, opened
from api.cli.output import CONSOLE, pick
from auth import enrolment
from auth.actors import Role
from auth.enrolment import OneTimeCode
from infra.database import Session


@app.command()
def invite(
    *,
    home: Home,
    code: Annotated[str, typer.Option(help="The plant's code: 2 to 4 of A-Z and 0-9, unique in the group, for good.")],
    name: Annotated[str, typer.Option(help="What people call the plant.")],
    number: Annotated[
        int | None, typer.Option(min=1, max=8191, help="The plant's number, for good. Unset: the next free one.")
    ] = None,
) -> None:
    """Ask a plant into the group: prints a one-time code that the plant's people type within 24 hours.

    Example:  batchloom hub invite --home hub --code SH1 --name "Shanghai 1"
    """
    with opened(home) as node:
        actor, now, hub_key = console_actor(Role.ADMINISTRATOR), node.clock.now(), str(node.keys.ledger.key)

        def write(session: Session) -> tuple[OneTimeCode, int]:
            return enrolment.invite(session, actor=actor, code=code, number=number, name=name, hub_key=hub_key, now=now)

        made, given = node.writer.write(write)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Plant {code} is invited as number {given}. For 24 hours, once, at the plant:\n"
            f"  batchloom plant enrol --home {code.lower()} --hub https://… --code {made}\n"
            "The code is shown this once. Then compare fingerprints and:\n"
            f"  batchloom hub approve --home {home} {code}",
            f"[green]✓[/] 已邀请工厂 {code}，编号 {given}。24 小时内在工厂执行一次：\n"
            f"  batchloom plant enrol --home {code.lower()} --hub https://… --code {made}\n"
            "此代码仅显示这一次。随后核对指纹并执行：\n"
            f"  batchloom hub approve --home {home} {code}",
        ),
        soft_wrap=True,
    )

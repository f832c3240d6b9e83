"""`batchloom plant enrol`: make a plant from a one-time code of the hub."""

from pathlib import Path
from shlex import quote
from typing import Annotated, Final

import typer

from api.cli.nodes import Home, new_settings, opened
from api.cli.output import CONSOLE
from api.cli.plant import SET_UP, app
from api.cli.plant.init import begin_ledger
from api.language import marked
from api.node.node import make_home, make_keys
from auth.enrolment import CodeMistyped, OneTimeCode, fingerprint
from auth.keys import public_key_text
from auth.notes import load_key
from infra import roles
from infra.messages import Failure, message
from infra.settings import FILE_NAME, may_carry_secrets
from sync_jobs.plant.enrolment import EnrolmentAnswer, WrongHub, request_enrolment
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

SHOWN: Final = ("ledger.pem", "assertion.pem")
REFUSED: Final = 403
TOO_MANY: Final = 429


@app.command(rich_help_panel=SET_UP)
def enrol(
    *,
    home: Home,
    hub: Annotated[str, typer.Option(help="URL of the hub: https://hub.example.")],
    code: Annotated[str, typer.Option(help="One-time code that `batchloom hub invite` printed.")],
    time_zone: Annotated[
        str, typer.Option(help="IANA time zone. Expiry dates and dates in codes use its local day.")
    ] = "UTC",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8701,
) -> None:
    """Make a plant's home with its own keys, and ask the hub to enrol it.

    Run it with the one-time code of `batchloom hub invite`. The plant works at once. Its ledger is sent after the hub
    has approved the fingerprint that is shown here. If it is interrupted, run it again.

    Example:  batchloom plant enrol --home sh1 --hub https://hub.example --code SH1-7K2M9-…
    """
    typed = _typed(code, hub)
    draft = new_settings(
        home, role=roles.Role.PLANT, group="enrolling", plant_number=1, plant_code=typed.plant, hub_url=hub
    )
    make_keys(draft)
    ledger, assertion = (public_key_text(load_key(home / "keys" / name).public_key()) for name in SHOWN)
    welcomed = _asked(hub, typed, (ledger, assertion))
    settings = new_settings(
        home,
        role=roles.Role.PLANT,
        group=welcomed.group,
        plant_number=welcomed.number,
        plant_code=welcomed.code,
        hub_url=hub,
        hub_key=welcomed.hub_key,
        host=host,
        port=port,
    )
    make_home(settings)
    try:
        with opened(home) as node:
            begin_ledger(node, welcomed.name, time_zone)
    except BaseException:
        # Keys and invitation stay, so that the same command can be given again.
        (home / FILE_NAME).unlink()
        raise
    _show(home, welcomed, fingerprint(ledger, assertion))


def _typed(code: str, hub: str) -> OneTimeCode:
    """Return the one-time code; raises Failure if it is mistyped, or if the hub's URL is not encrypted."""
    try:
        typed = OneTimeCode.read(code)
    except CodeMistyped:
        raise Failure(
            message(
                "ONE_TIME_CODE_MISTYPED",
                "This is not a one-time code: a character is missing or mistyped. Type it again.",
            )
        ) from None
    if not may_carry_secrets(hub):
        raise Failure(
            message(
                "CODE_NOT_ENCRYPTED",
                "{hub} would send the code unencrypted. Use https:// (http:// only on this machine).",
            ),
            hub=hub,
        )
    return typed


def _show(home: Path, welcomed: EnrolmentAnswer, shown: str) -> None:
    """Show the fingerprint that people compare, and the next steps."""
    CONSOLE.print(
        marked(
            "[green]✓[/] Plant {code} ({name}) was made in {home} with number {number} of {group}. "
            "Read its fingerprint to the people at the hub:\n\n"
            "  [bold]{shown}[/]\n\n"
            "The plant works already. Its ledger waits here until they approve the fingerprint. "
            "Next:\n"
            "  batchloom person add --home {home} ID --name NAME --role operator\n"
            "  batchloom plant run --home {home}",
            code=welcomed.code,
            name=welcomed.name,
            home=quote(str(home)),
            number=welcomed.number,
            group=welcomed.group,
            shown=shown,
        ),
        soft_wrap=True,
    )


def _asked(hub: str, code: OneTimeCode, keys: tuple[str, str]) -> EnrolmentAnswer:
    try:
        return request_enrolment(hub, code, keys)
    except WrongHub:
        raise Failure(
            message(
                "WRONG_HUB",
                "The server at {hub} is not the hub that made this code. Nothing was made. Check the address.",
            ),
            hub=hub,
        ) from None
    except HubUnreachable as error:
        raise Failure(
            message("HUB_UNREACHABLE", "The hub at {hub} does not answer: {error}"), hub=hub, error=error
        ) from None
    except Problem as problem:
        if problem.status == REFUSED:
            raise Failure(
                message(
                    "ONE_TIME_CODE_REFUSED",
                    "The hub refuses this code: it was used, has expired, or was never issued. Ask for a new one.",
                )
            ) from None
        if problem.status == TOO_MANY:
            raise Failure(
                message("TOO_MANY_CODES", "The hub received too many wrong codes. Try again in a minute.")
            ) from None
        raise Failure(
            message("REQUEST_REFUSED", "The hub refused the request: {status} {code}."),
            status=problem.status,
            code=problem.code,
        ) from None

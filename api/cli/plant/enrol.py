"""`batchloom plant enrol`: make a plant from a one-time code of the hub."""

from typing import Annotated, Final

import typer

from api.cli.nodes import Home, new_settings, opened
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.plant import app
from api.cli.plant.init import begin_ledger
from api.node.node import make_home, make_keys
from auth.enrolment import CodeMistyped, OneTimeCode, fingerprint
from auth.keys import public_key_text
from auth.notes import load_key
from infra import roles
from infra.settings import FILE_NAME, may_carry_secrets
from sync_jobs.plant.enrolment import EnrolmentAnswer, WrongHub, request_enrolment
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

SHOWN: Final = ("ledger.pem", "assertion.pem")
REFUSED: Final = 403
TOO_MANY: Final = 429


@app.command()
def enrol(
    *,
    home: Home,
    hub: Annotated[str, typer.Option(help="Where the hub is: https://hub.example.")],
    code: Annotated[str, typer.Option(help="The one-time code that `batchloom hub invite` printed.")],
    time_zone: Annotated[str, typer.Option(help="IANA time zone: expiry and code dates go by the local day.")] = "UTC",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8701,
) -> None:
    """Make a plant's home with keys of its own, and ask the hub to take it in. What was cut short is simply repeated.

    The plant works at once; its ledger travels once a person at the hub has approved the fingerprint shown here.

    Example:  batchloom plant enrol --home sh1 --hub https://hub.example --code SH1-7K2M9-…
    """
    try:
        typed = OneTimeCode.read(code)
    except CodeMistyped:
        raise CannotDo(
            "This is not a one-time code: something was left out or mistyped. Type it once more.",
            "一次性代码有误：可能漏输或输错，请重新输入。",
        ) from None
    if not may_carry_secrets(hub):
        raise CannotDo(
            f"{hub} would send the code in the open: use https:// (http:// only on this machine).",
            f"{hub} 会以明文发送代码，请使用 https://（仅本机可用 http://）。",
        )
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
    shown = fingerprint(ledger, assertion)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Plant {welcomed.code} ({welcomed.name}) is made in {home}, number {welcomed.number} of"
            f" {welcomed.group}. Read its fingerprint out to the people at the hub:\n\n  [bold]{shown}[/]\n\n"
            "Until they approve it, the plant works and its ledger waits here. Next:\n"
            f"  batchloom person add --home {home} ID --name NAME --role operator\n"
            f"  batchloom plant run --home {home}",
            f"[green]✓[/] 工厂 {welcomed.code}（{welcomed.name}）已建立于 {home}，在 {welcomed.group} 中的编号为"
            f" {welcomed.number}。请将其指纹念给中心人员核对：\n\n  [bold]{shown}[/]\n\n"
            "批准之前工厂可正常工作，账本暂存本地。接下来：\n"
            f"  batchloom person add --home {home} 工号 --name 姓名 --role operator\n"
            f"  batchloom plant run --home {home}",
        ),
        soft_wrap=True,
    )


def _asked(hub: str, code: OneTimeCode, keys: tuple[str, str]) -> EnrolmentAnswer:
    try:
        return request_enrolment(hub, code, keys)
    except WrongHub:
        raise CannotDo(
            f"Whoever answers at {hub} is not the hub that made this code. Nothing was made. Check the address.",
            f"{hub} 的应答方不是签发此代码的中心，未建立任何内容，请核对地址。",
        ) from None
    except HubUnreachable as error:
        raise CannotDo(f"The hub at {hub} does not answer: {error}", f"中心 {hub} 无应答：{error}") from None
    except Problem as problem:
        if problem.status == REFUSED:
            raise CannotDo(
                "The hub does not take this code: it was used, has run out, or was never given. Ask for a new one.",
                "中心不接受此代码：已使用、已过期或从未签发，请索取新代码。",
            ) from None
        if problem.status == TOO_MANY:
            raise CannotDo(
                "The hub had too many wrong codes: try again in a minute.", "错误代码过多，请一分钟后再试。"
            ) from None
        raise CannotDo(
            f"The hub refused: {problem.status} {problem.code}.", f"中心拒绝：{problem.status} {problem.code}。"
        ) from None

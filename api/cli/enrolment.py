"""Enrolment by one-time code: the hub invites, the plant makes its keys and asks, a person at the hub approves."""

from typing import Annotated, Final

import typer

from api.cli.nodes import Home, console_actor, new_settings, opened
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.plant import begin_ledger
from api.node.node import make_home, make_keys
from auth import enrolment
from auth.actors import Role
from auth.enrolment import CodeMistyped, Invited, OneTimeCode, fingerprint
from auth.keys import public_key_text
from auth.notes import load_key
from infra import roles
from infra.database import Session
from infra.settings import FILE_NAME, may_carry_secrets
from plants.rules.values.instants import format_instant
from sync_jobs.hub.enrolment import approve
from sync_jobs.plant.enrolment import EnrolmentAnswer, WrongHub, request_enrolment
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

PlantCode = Annotated[str, typer.Argument(metavar="PLANT", help="Code of the plant.")]
Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", help="What the plant shows. Unset: it is shown here and asked about."),
]
SHOWN: Final = ("ledger.pem", "assertion.pem")
REFUSED: Final = 403
TOO_MANY: Final = 429


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
            f"  batchloom plant enroll --home {code.lower()} --hub https://… --code {made}\n"
            "The code is shown this once. Then compare fingerprints and:\n"
            f"  batchloom hub approve --home {home} {code}",
            f"[green]✓[/] 已邀请工厂 {code}，编号 {given}。24 小时内在工厂执行一次：\n"
            f"  batchloom plant enroll --home {code.lower()} --hub https://… --code {made}\n"
            "此代码仅显示这一次。随后核对指纹并执行：\n"
            f"  batchloom hub approve --home {home} {code}",
        ),
        soft_wrap=True,
    )


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


def approve_plant(home: Home, code: PlantCode, shown: Fingerprint = None) -> None:
    """Take a plant that asked by its one-time code into the group, once its fingerprint was compared.

    Ask somebody at the plant to read the fingerprint out: from now on the hub believes these keys.

    Example:  batchloom hub approve --home hub SH1
    """
    with opened(home) as node:
        waiting = _waiting(node.writer.write(lambda session: enrolment.find_invited(session, code)), code)
        who = f"{waiting.code} ({waiting.number}) {waiting.name}"
        compare_fingerprint(who, str(waiting.fingerprint), shown)
        actor, now, group = console_actor(Role.ADMINISTRATOR), node.clock.now(), node.settings.group

        def write(session: Session) -> None:
            approve(session, code, str(waiting.fingerprint), group=group, actor=actor, now=now)

        node.writer.write(write)
    CONSOLE.print(
        pick(
            f"[green]✓[/] Plant {code} is number {waiting.number} of the group; its ledger comes by itself.",
            f"[green]✓[/] 工厂 {code} 已加入，编号 {waiting.number}，其账本将自动同步。",
        )
    )


def reject_plant(home: Home, code: PlantCode) -> None:
    """Turn away a plant that asked by its one-time code: its keys never count. It can be invited again.

    Example:  batchloom hub reject --home hub SH1
    """
    with opened(home) as node:
        waiting = _waiting(node.writer.write(lambda session: enrolment.find_invited(session, code)), code)
        actor, now, shown = console_actor(Role.ADMINISTRATOR), node.clock.now(), str(waiting.fingerprint)

        def write(session: Session) -> None:
            enrolment.decide(session, actor=actor, code=code, shown=shown, approved=False, now=now)

        node.writer.write(write)
    CONSOLE.print(pick(f"Plant {code} was turned away.", f"已拒绝工厂 {code}。"))


def enroll(
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

    Example:  batchloom plant enroll --home sh1 --hub https://hub.example --code SH1-7K2M9-…
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


def _waiting(found: Invited | None, code: str) -> Invited:
    if found is None or not found.waits:
        raise CannotDo(
            f"No plant {code} waits for approval. See: batchloom hub invitations",
            f"没有等待批准的工厂 {code}，请查看 batchloom hub invitations。",
        )
    return found


def compare_fingerprint(who: str, mark: str, shown: str | None) -> None:
    """Return once a plant's fingerprint is the one given, or a person has compared it; raises CannotDo otherwise."""
    if shown is None:
        CONSOLE.print(f"{who}:  [bold]{mark}[/]")
        asked = pick("Does the plant show the very same?", "工厂显示的指纹是否完全相同？")
        if typer.confirm(asked, default=False):
            return
        raise CannotDo("Nothing was changed.", "未作任何更改。")
    if "".join(shown.upper().split()) != mark:
        raise CannotDo(
            f"The plant's keys have another fingerprint: {mark}. Nothing was changed.",
            f"该工厂密钥的指纹不同：{mark}，未作任何更改。",
        )

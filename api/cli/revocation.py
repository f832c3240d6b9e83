"""Keys of a plant in other hands: the hub revokes them, the plant makes new ones, a person at the hub compares them."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.enrolment import Fingerprint, PlantCode, compare_fingerprint
from api.cli.hub import order_of_card, read_card
from api.cli.nodes import Home, console_actor, opened
from api.cli.operations import replicating
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.trust import Sure, mark_of
from api.node.node import Node
from auth.actors import Role
from auth.keys import public_key_text
from auth.machines import active_machine
from infra import roles
from infra.database import Session
from plants.rules.ledger.notes import NoteKey
from sync_jobs.hub.enrolment import readmit, revoke
from sync_jobs.keys import ledger_key_files
from sync_jobs.plant import assertion_key_rotation, ledger_key_rotation


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
        _check_hub(node)
        with node.store.reading() as reads:
            if active_machine(reads, code) is None:
                raise CannotDo(
                    f"No plant {code} counts here: it was never enrolled, or is revoked already.",
                    f"此处没有有效的工厂 {code}：从未登记，或已被吊销。",
                )
        asked = pick(f"Refuse everything that plant {code} signs from now on?", f"自此拒绝工厂 {code} 签署的一切？")
        if not sure and not typer.confirm(asked, default=False):
            raise CannotDo("Nothing was changed.", "未作任何更改。")
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
        _check_hub(node)
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


def renew_keys(home: Home, sure: Sure = False) -> None:
    """Make both of this plant's keys new, after the hub has revoked the old ones: stop the plant and its workers first.

    The hub need not be reached. The plant works on; its ledger travels again once the hub has readmitted it. The old
    keys are kept beside the new ones. Interrupted, the command is given again.

    Example:  batchloom plant renew-keys --home sh1
    """
    with opened(home, serving=True) as node:
        plant, settings = replicating(node), node.settings
        asked = pick(
            "Has the hub revoked this plant's keys? Make new ones?", "总部是否已吊销本厂密钥？是否生成新密钥？"
        )
        if not sure and not typer.confirm(asked, default=False):
            raise CannotDo("Nothing was changed.", "未作任何更改。")
        assertion = assertion_key_rotation.prepare_key(settings.keys)
        ledger = ledger_key_files.prepare_key(settings.keys, settings.origin)
        ledger_key_rotation.rotate_ledger_key(plant, ledger)
        with node.store.reading() as reads:
            switched = ledger_key_files.switch_key(settings.keys, reads, settings.plant_number, settings.origin)
        assert switched, "the ledger has just said that the new key counts"
        assertion_key_rotation.switch_key(settings.keys)
        mark = mark_of(ledger.key, public_key_text(assertion.public_key))
    CONSOLE.print(
        pick(
            f"[green]✓[/] The plant has new keys. Read their fingerprint out to the people at the hub:\n\n"
            f"  [bold]{mark}[/]\n\nSend them the card, start the plant again, and make a backup with the new keys:\n"
            f"  batchloom plant card --home {home} > card.json",
            f"[green]✓[/] 本厂已更换密钥。请将其指纹念给总部人员核对：\n\n"
            f"  [bold]{mark}[/]\n\n请将名片发给总部，重新启动工厂节点，并备份新密钥：\n"
            f"  batchloom plant card --home {home} > card.json",
        ),
        soft_wrap=True,
    )


def _check_hub(node: Node) -> None:
    if node.settings.role is not roles.Role.HUB:
        raise CannotDo("This is not the hub.", "本节点不是总部。")

"""`batchloom plant rotate-key`: replace a key of the plant."""

from typing import Annotated

import typer

from api.cli.fingerprints import mark_of
from api.cli.nodes import Home, opened, replicating
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.plant import app
from api.cli.prompts import Sure, confirm
from api.node.node import Node
from auth.keys import public_key_text
from sync_jobs.keys.ledger_key_files import prepare_key, switch_key
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import assertion_key_rotation
from sync_jobs.plant.ledger_key_rotation import rotate_ledger_key
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

Assertion = Annotated[
    bool, typer.Option("--assertion", help="The key with which the plant signs in at the hub, not the ledger's.")
]


@app.command()
def rotate_key(home: Home, sure: Sure = False, assertion: Assertion = False) -> None:
    """Sign the plant's ledger with a new key from now on: stop the plant and its workers first.

    Both keys sign the statement, which stands in the ledger; the hub learns of it at the next contact. With
    --assertion it is the key with which the plant signs in: the hub has to be reached, and takes it at once. The old
    key is kept beside the new one. Interrupted, the command is given again and goes on where it was.

    Example:  batchloom plant rotate-key --home sh1    batchloom plant rotate-key --home sh1 --assertion
    """
    with opened(home, serving=True) as node:
        plant, settings = replicating(node), node.settings
        asked = pick("Give this plant's ledger a new key?", "为本厂账本更换密钥？")
        if assertion:
            asked = pick("Let this plant sign in at the hub with a new key?", "为本厂更换登录总部的密钥？")
        confirm(asked, sure=sure)
        if assertion:
            _rotate_assertion_key(node, plant)
            return
        following = prepare_key(settings.keys, settings.origin)
        rotate_ledger_key(plant, following)
        with node.store.reading() as reads:
            switched = switch_key(settings.keys, reads, settings.plant_number, settings.origin)
        assert switched, "the ledger has just said that the new key counts"
        mark = mark_of(following.key, public_key_text(node.keys.assertion.public_key))
    CONSOLE.print(
        pick(
            f"[green]✓[/] The ledger has a new key; the fingerprint of the plant's keys is {mark}.\n"
            "Start the plant again: the hub learns of the key at the next contact. Make a backup with the new key.",
            f"[green]✓[/] 账本已更换密钥，本厂密钥指纹为 {mark}。\n"
            "请重新启动工厂节点：下次联系时中心即获知新密钥。请备份新密钥。",
        ),
        soft_wrap=True,
    )


def _rotate_assertion_key(node: Node, plant: PlantNode) -> None:
    keys = node.settings.keys
    following = assertion_key_rotation.prepare_key(keys)
    try:
        assertion_key_rotation.announce_assertion_key(plant, following)
    except (HubUnreachable, Problem) as error:
        raise CannotDo(
            f"The hub did not take the new key: {error}. The plant signs in as before; give the command again.",
            f"总部未接受新密钥：{error}。本厂仍用原密钥登录，请稍后重新执行此命令。",
        ) from error
    assertion_key_rotation.switch_key(keys)
    mark = mark_of(plant.signer.key, public_key_text(following.public_key))
    CONSOLE.print(
        pick(
            f"[green]✓[/] The hub has the new key; the fingerprint of the plant's keys is {mark}.\n"
            "Start the plant again: once it has signed in, the old key counts no more. Make a backup with the new key.",
            f"[green]✓[/] 总部已接受新密钥，本厂密钥指纹为 {mark}。\n"
            "请重新启动工厂节点：其首次登录后原密钥即失效。请备份新密钥。",
        ),
        soft_wrap=True,
    )

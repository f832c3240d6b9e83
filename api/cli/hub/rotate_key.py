"""`batchloom hub rotate-key`: replace the hub's signing key."""

from api.cli.hub import app
from api.cli.nodes import Home, opened
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.prompts import Sure, confirm
from infra.roles import Role
from plants.store.ledger.entries import HUB_LOG
from sync_jobs.assembly import hub_node
from sync_jobs.keys import hub_keys
from sync_jobs.keys.ledger_key_files import prepare_key, switch_key


@app.command("rotate-key")
def rotate_hub_key(home: Home, sure: Sure = False) -> None:
    """Sign the hub's ledgers and receipts with a new key from now on: stop the hub and its workers first.

    Both keys sign the statement, which stands in the hub's ledger. The plants take the new key on at their next
    contact; what the old one signed stays valid. Interrupted, the command is given again and goes on where it was.

    Example:  batchloom hub rotate-key --home hub
    """
    with opened(home, serving=True) as node:
        settings = node.settings
        if settings.role is not Role.HUB:
            raise CannotDo(
                "This is not the hub: see `batchloom plant rotate-key`.",
                "本节点不是总部，请用 batchloom plant rotate-key。",
            )
        confirm(pick("Give the hub a new key?", "为总部更换密钥？"), sure=sure)
        following = prepare_key(settings.keys, settings.origin)
        hub_keys.rotate_hub_key(hub_node(settings, node.store, node.clock), following)
        with node.store.reading() as reads:
            switched = switch_key(settings.keys, reads, HUB_LOG, settings.origin)
        assert switched, "the ledger has just said that the new key counts"
    CONSOLE.print(
        pick(
            f"[green]✓[/] The hub has a new key:\n  {following.key}\n"
            "Start the hub again: the plants take the key on at their next contact. Make a backup with the new key. "
            "One-time codes that were not used yet have to be made again.",
            f"[green]✓[/] 总部已更换密钥：\n  {following.key}\n"
            "请重新启动总部节点：各工厂将在下次联系时采用新密钥。请备份新密钥。尚未使用的一次性代码须重新生成。",
        ),
        soft_wrap=True,
    )

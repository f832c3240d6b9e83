"""`batchloom plant renew-keys`: replace both keys of a plant that the hub revoked."""

from api.cli.fingerprints import mark_of
from api.cli.nodes import Home, opened, replicating
from api.cli.output import CONSOLE, pick
from api.cli.plant import app
from api.cli.prompts import Sure, confirm
from auth.keys import public_key_text
from sync_jobs.keys import ledger_key_files
from sync_jobs.plant import assertion_key_rotation, ledger_key_rotation


@app.command()
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
        confirm(asked, sure=sure)
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

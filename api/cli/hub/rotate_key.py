"""`batchloom hub rotate-key`: replace the hub's signing key."""

from api.cli.hub import KEYS, app
from api.cli.nodes import Home, opened_hub
from api.cli.output import CONSOLE
from api.cli.prompts import Sure, confirm
from api.language import _, marked
from plants.store.ledger.entries import HUB_LOG
from sync_jobs.assembly import hub_node
from sync_jobs.keys import hub_keys
from sync_jobs.keys.ledger_key_files import prepare_key, switch_key


@app.command("rotate-key", rich_help_panel=KEYS)
def rotate_hub_key(home: Home, sure: Sure = False) -> None:
    """Replace the key that signs the hub's ledgers and receipts. Stop the hub and its workers first.

    Run it on the schedule of your security policy. Both keys sign the rotation, which is recorded in the hub's ledger.
    Plants learn the new key at their next contact, and old signatures stay valid. If it is interrupted, run it again.

    Example:  batchloom hub rotate-key --home hub
    """
    with opened_hub(home, serving=True) as node:
        settings = node.settings
        confirm(_("Replace the key of the hub?"), sure=sure)
        following = prepare_key(settings.keys, settings.origin)
        hub_keys.rotate_hub_key(hub_node(settings, node.store, node.clock), following)
        with node.store.reading() as reads:
            switched = switch_key(settings.keys, reads, HUB_LOG, settings.origin)
        assert switched, "the ledger has just said that the new key counts"
    CONSOLE.print(
        marked(
            "[green]✓[/] The hub has a new key:\n"
            "  {key}\n"
            "Start the hub again; the plants learn the key at their next contact. Back up the new "
            "key. Make one-time codes that are not used yet again.",
            key=following.key,
        ),
        soft_wrap=True,
    )

"""`batchloom plant renew-keys`: replace both keys of a plant that the hub revoked."""

from shlex import quote

from api.cli.fingerprints import fingerprint_of_keys
from api.cli.nodes import Home, opened_plant, replicating
from api.cli.output import CONSOLE
from api.cli.plant import KEYS, app
from api.cli.prompts import Sure, confirm
from api.language import _, marked
from auth.keys import public_key_text
from sync_jobs.keys import ledger_key_files
from sync_jobs.plant import assertion_key_rotation, ledger_key_rotation


@app.command(rich_help_panel=KEYS)
def renew_keys(home: Home, sure: Sure = False) -> None:
    """Replace both keys of a plant after the hub has revoked the old ones. Stop the plant and its workers first.

    The hub need not be reachable. The plant works on, and its ledger is sent again after `batchloom hub readmit`. The
    old keys are kept in the same folder. If it is interrupted, run it again.

    Example:  batchloom plant renew-keys --home sh1
    """
    with opened_plant(home, serving=True) as node:
        plant, settings = replicating(node), node.settings
        asked = _("Has the hub revoked this plant's keys? Make new ones?")
        confirm(asked, sure=sure)
        assertion = assertion_key_rotation.prepare_key(settings.keys)
        ledger = ledger_key_files.prepare_key(settings.keys, settings.origin)
        ledger_key_rotation.rotate_ledger_key(plant, ledger)
        with node.store.reading() as reads:
            switched = ledger_key_files.switch_key(settings.keys, reads, settings.plant_number, settings.origin)
        assert switched, "the ledger has just said that the new key counts"
        assertion_key_rotation.switch_key(settings.keys)
        mark = fingerprint_of_keys(ledger.key, public_key_text(assertion.public_key))
    CONSOLE.print(
        marked(
            "[green]✓[/] The plant has new keys. Read their fingerprint to the people at the hub:\n\n"
            "  [bold]{fingerprint}[/]\n\n"
            "Send them the card, start the plant again, and back up the new keys:\n"
            "  batchloom plant card --home {home} > card.json",
            fingerprint=mark,
            home=quote(str(home)),
        ),
        soft_wrap=True,
    )

"""`batchloom plant rotate-key`: replace a key of the plant."""

from typing import Annotated

import typer

from api.cli.fingerprints import fingerprint_of_keys
from api.cli.nodes import Home, opened_plant, replicating
from api.cli.output import CONSOLE
from api.cli.plant import KEYS, app
from api.cli.prompts import Sure, confirm
from api.language import _, marked
from api.node.node import Node
from auth.keys import public_key_text
from infra.messages import Failure, message
from sync_jobs.keys.ledger_key_files import prepare_key, switch_key
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import assertion_key_rotation
from sync_jobs.plant.ledger_key_rotation import rotate_ledger_key
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

Assertion = Annotated[
    bool, typer.Option("--assertion", help="Replace the key for signing in at the hub, not the key of the ledger.")
]


@app.command(rich_help_panel=KEYS)
def rotate_key(home: Home, sure: Sure = False, assertion: Assertion = False) -> None:
    """Replace the key that signs the plant's ledger. Stop the plant and its workers first.

    Run it on the schedule of your security policy. Both keys sign the rotation, which is recorded in the ledger; the
    hub learns it at the next contact. With --assertion it replaces the key for signing in at the hub, which must be
    reachable. The old key is kept in the same folder. If it is interrupted, run it again.

    Example:  batchloom plant rotate-key --home sh1    batchloom plant rotate-key --home sh1 --assertion
    """
    with opened_plant(home, serving=True) as node:
        plant, settings = replicating(node), node.settings
        asked = _("Replace the key of this plant's ledger?")
        if assertion:
            asked = _("Replace the key with which this plant signs in at the hub?")
        confirm(asked, sure=sure)
        if assertion:
            _rotate_assertion_key(node, plant)
            return
        following = prepare_key(settings.keys, settings.origin)
        rotate_ledger_key(plant, following)
        with node.store.reading() as reads:
            switched = switch_key(settings.keys, reads, settings.plant_number, settings.origin)
        assert switched, "the ledger has just said that the new key counts"
        mark = fingerprint_of_keys(following.key, public_key_text(node.keys.assertion.public_key))
    CONSOLE.print(
        marked(
            "[green]✓[/] The ledger has a new key. The fingerprint of the plant's keys is "
            "{fingerprint}.\n"
            "Start the plant again; the hub learns the key at the next contact. Back up the new key.",
            fingerprint=mark,
        ),
        soft_wrap=True,
    )


def _rotate_assertion_key(node: Node, plant: PlantNode) -> None:
    keys = node.settings.keys
    following = assertion_key_rotation.prepare_key(keys)
    try:
        assertion_key_rotation.announce_assertion_key(plant, following)
    except (HubUnreachable, Problem) as error:
        if isinstance(error, Problem) and error.code == "KEY_REFUSED":
            raise Failure(
                message(
                    "KEY_REFUSED_BY_HUB",
                    "The hub refuses the new key, because it knows another key of this plant's ledger. The plant signs "
                    "in with the old one. Run `batchloom plant sync-now`, then run the command again.",
                )
            ) from error
        raise Failure(
            message(
                "KEY_NOT_ACCEPTED",
                "The hub did not accept the new key: {error}. The plant signs in with the old one. Run "
                "the command again.",
            ),
            error=error,
        ) from error
    assertion_key_rotation.switch_key(keys)
    mark = fingerprint_of_keys(plant.signer.key, public_key_text(following.public_key))
    CONSOLE.print(
        marked(
            "[green]✓[/] The hub has the new key. The fingerprint of the plant's keys is "
            "{fingerprint}.\n"
            "Start the plant again; the old key becomes invalid once the plant has signed in. Back "
            "up the new key.",
            fingerprint=mark,
        ),
        soft_wrap=True,
    )

"""What a plant's own person decides about keys and witnesses: another ledger key, another history of the hub."""

from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.markup import escape

from api.cli.nodes import Home, opened
from api.cli.operations import replicating
from api.cli.output import CONSOLE, CannotDo, pick
from api.node.node import Node
from auth.enrolment import fingerprint
from auth.keys import public_key_text
from infra.roles import Role
from plants.rules.ledger.notes import Checkpoint, Note, NoteKey
from plants.rules.values.instants import format_instant, from_micros
from plants.store.ledger.entries import HUB_LOG
from sync_jobs.assembly import hub_node
from sync_jobs.keys import hub_keys
from sync_jobs.keys.ledger_key_files import prepare_key, switch_key
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import assertion_key_rotation
from sync_jobs.plant.ledger_key_rotation import rotate_ledger_key
from sync_jobs.plant.witnessing import accept_hub_ledger, awaiting_acceptance
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


Assertion = Annotated[
    bool, typer.Option("--assertion", help="The key with which the plant signs in at the hub, not the ledger's.")
]


def mark_of(ledger: NoteKey, assertion: str) -> str:
    """Return what people compare of a plant's two public keys, as enrolment shows it too."""
    return fingerprint(public_key_text(Ed25519PublicKey.from_public_bytes(ledger.public)), assertion)


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
        if not sure and not typer.confirm(asked, default=False):
            raise CannotDo("Nothing was changed.", "未作任何更改。")
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
        if not sure and not typer.confirm(pick("Give the hub a new key?", "为总部更换密钥？"), default=False):
            raise CannotDo("Nothing was changed.", "未作任何更改。")
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


def accept_hub(home: Home, sure: Sure = False) -> None:
    """Go on from the other history of its own ledger that the hub showed, once headquarters has said why there is one.

    Both signed notes are kept as evidence. Without this the plant goes on too, under the alarm HUB_LEDGER_FORKED.

    Example:  batchloom plant accept-hub-ledger --home sh1
    """
    with opened(home) as node:
        plant = replicating(node)
        with node.store.reading() as reads:
            found = awaiting_acceptance(reads)
        if found is None:
            raise CannotDo(
                "The hub shows one history of its ledger: there is nothing to accept.",
                "总部只出示了一份账本历史，没有需要接受的内容。",
            )
        for what, note in ((pick("seen before", "先前见到"), found.held), (pick("shown now", "现在出示"), found.shown)):
            seen = Checkpoint.parse(Note.parse(bytes(note)).text)
            said = pick(f"{seen.size} entries, root", f"{seen.size} 条，根")
            CONSOLE.print(f"{what}: {said} {seen.root.hex()}", soft_wrap=True)
        when = format_instant(from_micros(found.seen_us))
        CONSOLE.print(f"[dim]{escape(found.origin)}, {when}[/]", soft_wrap=True)
        asked = pick("Has headquarters confirmed that the second one counts?", "总部是否已确认以后者为准？")
        if not sure and not typer.confirm(asked, default=False):
            raise CannotDo("Nothing was changed.", "未作任何更改。")
        accepted = node.writer.write(lambda session: accept_hub_ledger(session, plant))
    if not accepted:
        raise CannotDo("The hub shows one history again: nothing was changed.", "总部已恢复一致，未作任何更改。")
    CONSOLE.print(
        pick(
            "[green]✓[/] The plant goes on from the other history; the evidence is kept.",
            "[green]✓[/] 本厂以后者为准继续，证据已留存。",
        )
    )

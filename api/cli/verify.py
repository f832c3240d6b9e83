"""`batchloom verify`: check the ledgers."""

from collections import defaultdict
from typing import Any

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Homes, opened
from api.cli.output import CONSOLE, EXIT_REFUSED, CannotDo, language, pick, show_json
from api.node.node import Node
from auth.machines import enrolled_machines
from infra.database import ReadSession
from infra.messages import word
from infra.roles import Role
from plants.rules.ledger.notes import NoteError, NoteKey
from plants.rules.ledger.verification import SizedRoot, Verified
from plants.store.ledger.verification import LedgerFinding
from plants.store.ledger.verification import verify as verify_ledgers
from plants.store.replication.checkpoints import checkpoints_between
from sync_jobs.keys import hub_keys
from sync_jobs.keys.chains import chain, recorded_statements, rotation_statements
from sync_jobs.protocol import checkpoints

SIZE_MAX = 2**53


@app.command()
def verify(*, home: Homes, as_json: AsJson = False) -> None:
    """Check every ledger of a home: each entry's hash and position, the head, and every checkpoint that was signed.

    Names the first position that is wrong. Exit status 1 when there is one.

    Example:  batchloom verify --home hub --home sh1
    """
    results: list[dict[str, Any]] = []
    for place in home:
        with opened(place) as node:
            signed, forged = _signed(node)
            findings = verify_ledgers(node.store, signed)
        if not findings:
            raise CannotDo(f"{place} holds no ledger.", f"{place} 中没有账本。")
        for one in findings:
            checked = len(signed.get(one.log_id, ()))
            results.append(_as_object(str(place), one, forged.get(one.log_id, []), checked))
            if not as_json:
                _say_finding(results[-1])
    if as_json:
        show_json(results)
    if not all(one["ok"] for one in results):
        raise typer.Exit(EXIT_REFUSED)


def _signed(node: Node) -> tuple[dict[int, list[SizedRoot]], dict[int, list[int]]]:
    """Return the checkpoints kept of each ledger whose signatures hold, and the sizes of those whose do not."""
    roots: dict[int, list[SizedRoot]] = defaultdict(list)
    forged: dict[int, list[int]] = defaultdict(list)
    with node.store.reading() as reads:
        keys = _keys(node, reads)
        for log_id, origin in reads.rows("SELECT log_id, origin FROM logs", {}):
            known = keys.get(log_id)
            if known is None:
                continue
            own = [key for one in known for key in checkpoints.keys_of(one, origin)]
            for kept in checkpoints_between(reads, log_id, 0, SIZE_MAX):
                try:
                    found = checkpoints.read(kept.note, origin, own)
                except NoteError:
                    forged[log_id].append(kept.size)
                else:
                    roots[log_id].append(SizedRoot(found.checkpoint.size, found.checkpoint.root))
    return roots, forged


def _keys(node: Node, reads: ReadSession) -> dict[int, tuple[NoteKey, ...]]:
    """Return the keys that sign each ledger, or did before a rotation: the node's own, the plants', and the hub's."""
    settings, own = node.settings, node.keys.ledger.key
    # A statement may have been pruned, or lost with an older store; those beside the keys are there all the same.
    ours = chain(own, (*recorded_statements(reads, settings.plant_number), *rotation_statements(settings.keys))).keys
    keys = {settings.plant_number: ours}
    if settings.role is Role.PLANT:
        if settings.hub_key is not None:
            keys[-settings.plant_number] = hub_keys.chain_at(reads, NoteKey.parse(settings.hub_key)).keys
        return keys
    for plant in enrolled_machines(reads):
        keys[-plant.plant_number] = ours
        vkey = NoteKey.parse(plant.ledger_vkey)
        keys[plant.plant_number] = chain(vkey, recorded_statements(reads, plant.plant_number)).keys
    return keys


def _as_object(home: str, found: LedgerFinding, forged: list[int], checked: int) -> dict[str, Any]:
    finding = found.finding
    shown: dict[str, Any] = {"home": home, "origin": found.origin, "ok": found.whole and not forged}
    if isinstance(finding, Verified):
        shown |= {"size": finding.size, "root": finding.root.hex(), "elsewhere": finding.elsewhere}
    else:
        shown |= {"kind": finding.kind, "position": finding.index, "low": finding.low, "high": finding.high}
    shown |= {"checkpoints": checked, "forgedCheckpoints": forged, "message": word(finding, language())}
    return shown


def _say_finding(one: dict[str, Any]) -> None:
    mark = "[green]✓[/]" if one["ok"] else "[bold red]✗[/]"
    CONSOLE.print(f"{mark} [bold]{one['origin']}[/]  [dim]{one['home']}[/]", soft_wrap=True)
    if "root" in one:
        signed = pick(f"{one['checkpoints']} signed checkpoints hold", f"{one['checkpoints']} 个已签名检查点相符")
        entries = pick(f"{one['size']} entries", f"{one['size']} 个条目")
        CONSOLE.print(f"  {entries}, {signed}\n  [dim]{one['root']}[/]", soft_wrap=True)
        if one["elsewhere"]:
            away = one["elsewhere"]
            said = pick(
                f"The bodies of {away} of them are at the hub and in the archive.",
                f"其中 {away} 条的内容在总部和归档中。",
            )
            CONSOLE.print(f"  {said}", soft_wrap=True)
    else:
        CONSOLE.print(f"  [red]{escape(one['message'])}[/]", soft_wrap=True)
    if one["forgedCheckpoints"]:
        sizes = ", ".join(map(str, one["forgedCheckpoints"]))
        said = pick("The signature of the checkpoint does not hold at size", "以下大小的检查点签名无效：")
        CONSOLE.print(f"  [red]{said} {sizes}[/]", soft_wrap=True)

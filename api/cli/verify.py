"""`batchloom verify`: check the ledgers."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import typer
from rich.markup import escape

from api.cli import app
from api.cli.nodes import AsJson, Homes, opened
from api.cli.output import CONSOLE, EXIT_REFUSED, show_json
from api.language import _, language
from api.node.node import Node
from auth.machines import enrolled_machines
from infra.database import ReadSession
from infra.messages import Failure, message, word
from infra.roles import Role
from plants.rules.ledger.notes import NoteError, NoteKey
from plants.rules.ledger.verification import SizedRoot, Verified
from plants.store.ledger.logs import logs_in
from plants.store.ledger.verification import LedgerFinding
from plants.store.ledger.verification import verify as verify_ledgers
from plants.store.replication.checkpoints import checkpoints_between
from sync_jobs.keys import hub_keys, plant_keys
from sync_jobs.keys.chains import chain, recorded_statements, rotation_statements
from sync_jobs.protocol import checkpoints

SIZE_MAX = 2**53


@app.command()
def verify(*, home: Homes, as_json: AsJson = False) -> None:
    """Verify every ledger of a home: the hash and position of each entry, the head, and every signed checkpoint.

    Run it for an audit, or when a disk may be damaged. It names the first wrong position. Exit status 1 when there is
    one.

    Example:  batchloom verify --home hub --home sh1
    """
    results: list[dict[str, Any]] = []
    for place in home:
        with opened(place) as node:
            signed, forged = _signed(node)
            findings = verify_ledgers(node.store, signed)
        if not findings:
            raise Failure(message("NO_LEDGER", "{home} holds no ledger."), home=place)
        for one in findings:
            checked = len(signed.get(one.log_id, ()))
            results.append(_as_object(str(place), one, forged.get(one.log_id, []), checked))
            if not as_json:
                _print_finding(results[-1])
    if as_json:
        show_json(results)
    if not all(one["ok"] for one in results):
        raise typer.Exit(EXIT_REFUSED)


def _signed(node: Node) -> tuple[dict[int, list[SizedRoot]], dict[int, list[int]]]:
    """Return the stored checkpoints with valid signatures by ledger, and the sizes of those with invalid ones."""
    roots: dict[int, list[SizedRoot]] = defaultdict(list)
    forged: dict[int, list[int]] = defaultdict(list)
    with node.store.reading() as reads:
        keys = _keys(node, reads)
        for log in logs_in(reads):
            log_id, origin = log.log_id, log.origin
            known = keys.get(log_id)
            if known is None:
                continue
            for kept in checkpoints_between(reads, log_id, 0, SIZE_MAX):
                own = [key for one in known(kept.size) for key in checkpoints.keys_of(one, origin)]
                try:
                    found = checkpoints.read(kept.note, origin, own)
                except NoteError:
                    forged[log_id].append(kept.size)
                else:
                    roots[log_id].append(SizedRoot(found.checkpoint.size, found.checkpoint.root))
    return roots, forged


KeysAt = Callable[[int], Sequence[NoteKey]]
"""The keys that may have signed a ledger at a size."""


def _keys(node: Node, reads: ReadSession) -> dict[int, KeysAt]:
    """Return the keys that sign each ledger, or did before a rotation: the node's own, the plants', and the hub's."""
    settings, own = node.settings, node.keys.ledger.key
    # A statement may be pruned, or missing in an older store. The key directory keeps them all.
    ours = chain(own, (*recorded_statements(reads, settings.plant_number), *rotation_statements(settings.keys))).keys
    keys: dict[int, KeysAt] = {settings.plant_number: lambda _size: ours}
    if settings.role is Role.PLANT:
        if settings.hub_key is not None:
            theirs = hub_keys.chain_at(reads, NoteKey.parse(settings.hub_key)).keys
            keys[-settings.plant_number] = lambda _size: theirs
        return keys
    newest = {plant.plant_number: NoteKey.parse(plant.ledger_vkey) for plant in enrolled_machines(reads)}
    for log in logs_in(reads):
        if log.log_id < 0:
            keys[log.log_id] = lambda _size: ours
        elif log.log_id > 0:
            keys[log.log_id] = _keys_of_plant(reads, log.log_id, newest.get(log.log_id))
    return keys


def _keys_of_plant(reads: ReadSession, number: int, newest: NoteKey | None) -> KeysAt:
    """Return the keys of a plant's ledger: those of the hub's ledger, and those that the plant's own ledger connects.

    The hub's ledger also has keys that no statement of the plant connects: those of before a revocation. `newest` is
    None for a revoked plant.
    """
    recorded = plant_keys.ledger_keys(reads, number)
    connected = () if newest is None else chain(newest, recorded_statements(reads, number)).keys
    return lambda size: (
        *connected,
        *(NoteKey.parse(one.vkey) for one in recorded if one.size is None or size <= one.size),
    )


def _as_object(home: str, found: LedgerFinding, forged: list[int], checked: int) -> dict[str, Any]:
    finding = found.finding
    shown: dict[str, Any] = {"home": home, "origin": found.origin, "ok": found.whole and not forged}
    if isinstance(finding, Verified):
        shown |= {"size": finding.size, "root": finding.root.hex(), "elsewhere": finding.elsewhere}
    else:
        shown |= {"kind": finding.kind, "position": finding.index, "low": finding.low, "high": finding.high}
    shown |= {"checkpoints": checked, "forgedCheckpoints": forged, "message": word(finding, language())}
    return shown


def _print_finding(one: dict[str, Any]) -> None:
    mark = "[green]✓[/]" if one["ok"] else "[bold red]✗[/]"
    CONSOLE.print(f"{mark} [bold]{one['origin']}[/]  [dim]{escape(one['home'])}[/]", soft_wrap=True)
    if "root" in one:
        signed = _("{checkpoints} signed checkpoints match", checkpoints=one["checkpoints"])
        entries = _("{size} entries", size=one["size"])
        CONSOLE.print(f"  {entries}, {signed}\n  [dim]{one['root']}[/]", soft_wrap=True)
        if one["elsewhere"]:
            away = one["elsewhere"]
            said = _("The bodies of {elsewhere} of them are at the hub and in the archive.", elsewhere=away)
            CONSOLE.print(f"  {said}", soft_wrap=True)
    else:
        CONSOLE.print(f"  [red]{escape(one['message'])}[/]", soft_wrap=True)
    if one["forgedCheckpoints"]:
        sizes = ", ".join(map(str, one["forgedCheckpoints"]))
        said = _("The signature of the checkpoint is invalid at size {sizes}", sizes=sizes)
        CONSOLE.print(f"  [red]{said}[/]", soft_wrap=True)

"""Export of a range of a ledger, entry by entry, with what is needed to prove each."""

import json
from typing import Annotated, Any, Final

from auth.permissions import Permission
from infra.database import ReadSession
from infra.messages import message
from plants.rules.ledger.events import LedgerKind
from plants.rules.values.scope import PlantScope
from plants.store.audit.history import entries_from, log_named, log_size, origins
from schema.audit.history import LedgerOf, PlantOf
from schema.engine.context import Info
from schema.engine.downloads import Arguments, Download, Piece, export
from schema.engine.error_codes import BAD_USER_INPUT
from schema.engine.errors import WordedError
from schema.engine.fields import argument
from schema.engine.operations import query

LEDGER_EXPORT: Final = "ledger.ndjson"
ENTRIES_AT_ONCE: Final = 500
RANGE_WRONG: Final = message(
    "EXPORT_RANGE_WRONG", "`fromIndex` is 0 or more, and `beforeIndex` is not below it. Correct the range."
)


@export(LEDGER_EXPORT, permission=Permission.LEDGER_READ, media_type="application/x-ndjson")
def export_ledger(reads: ReadSession, scope: PlantScope, arguments: Arguments) -> Piece:
    """Return the next entries of a range as lines of JSON. Empty where the scope does not cover the ledger."""
    log_id, index, before = arguments["log"], arguments["from"], arguments["before"]
    found = entries_from(reads, scope, log_id, index, min(ENTRIES_AT_ONCE, max(0, before - index))) or ()
    origin = origins(reads, scope).get(log_id)
    lines = [_line(origin, row) for row in found]
    following = index + len(lines)
    finished = not lines or following >= before
    return b"".join(lines), None if finished else {**arguments, "from": following}


def _line(origin: str | None, row: Any) -> bytes:
    content = {
        "origin": origin,
        "index": row.idx,
        "leafHash": bytes(row.leaf).hex(),
        "body": bytes(row.body).decode() if row.body else None,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@query(
    "Exports entries of a ledger as lines of JSON (NDJSON), by index: `origin`, `index`, `leafHash` and `body`. "
    "The UTF-8 bytes of `body` are the hashed bytes; it is null if the body is pruned. "
    "Null if there is no such ledger that you may see.",
    permission=Permission.LEDGER_READ,
)
async def ledger_export(
    info: Info,
    plant_code: PlantOf = None,
    ledger: LedgerOf = LedgerKind.PLANT,
    from_index: Annotated[int, argument("Index of the first entry, 0 or more.")] = 0,
    before_index: Annotated[
        int | None, argument("Index after the last entry, not below `fromIndex`. The default is the current end.")
    ] = None,
) -> Download | None:
    if from_index < 0 or (before_index is not None and before_index < from_index):
        raise WordedError(BAD_USER_INPUT, RANGE_WRONG())
    log_id = await info.read(log_named, plant_code, ledger, info.services.plant)
    if log_id is None:
        return None
    size = await info.read(log_size, log_id)
    before = size if before_index is None else min(size, before_index)
    arguments = {"log": log_id, "from": from_index, "before": before}
    return info.services.tickets.link(info.context.actor.actor_id, LEDGER_EXPORT, arguments)

"""Receipts of goods and aliases of batches.

Choices where domain.md is silent:
- A supplier lot may name several batches, one for each delivery. A receipt of the same lot, material, supplier and
  purchase order within 24 hours is a double scan, refused as ALIAS_TAKEN.
- Every other alias names one batch of a material at a time, by scheme, issuer and value. Spelling is compared by NFKC
  and case folding.
- An alias that the batch has already is not added again, and one that it does not have is not removed:
  NOTHING_CHANGES.
- A hold that starts with the receipt is of kind QUALITY.
- A production later than the receipt is out of order.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from simulation.reference_model import registry
from simulation.reference_model.amounts import current_factors, read_quantity
from simulation.reference_model.calls import Call, read_instant, unique
from simulation.reference_model.dates import received_dates
from simulation.reference_model.holds import place
from simulation.reference_model.rows import AliasRow, Batch, Material
from simulation.reference_model.stock import put
from simulation.reference_model.verdicts import RefusalFound

SUPPLIER_LOT: Final = "SUPPLIER_LOT"

AliasKey = tuple[str, str, str]


def fold(text: str) -> str:
    """Return the form in which aliases are compared."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())


def material_of(call: Call, code: object, *path: str) -> Material:
    found = call.tables.materials.get(str(code))
    if found is None:
        raise RefusalFound("NOT_DEFINED", *path)
    return found


def alias_keys(given: Sequence[Mapping[str, Any]], *path: str) -> list[AliasKey]:
    """Return the aliases of an input as scheme, issuer and value; refuses empty ones and repeated ones."""
    found = []
    for place_of, alias in enumerate(given):
        scheme, value = str(alias["scheme"]).strip(), fold(str(alias["value"]))
        if not scheme or not value:
            raise RefusalFound("TEXT_INVALID", *path, str(place_of))
        found.append((scheme, str(alias.get("issuer") or "").strip(), value))
    unique(found, "LINES_INVALID", *path)
    return found


def holders(call: Call, key: AliasKey) -> list[str]:
    """Return the batches that an alias names at the plant."""
    return [row.batch for (*parts, _), row in call.tables.aliases.items() if tuple(parts) == key and row.ended is None]


def add_aliases(call: Call, batch: str, keys: Sequence[AliasKey], *path: str) -> None:
    """Give a batch aliases, each of which names no other batch of its material."""
    for key in keys:
        named = holders(call, key)
        if batch in named:
            raise RefusalFound("NOTHING_CHANGES", *path)
        if is_taken(call, batch, named):
            raise RefusalFound("ALIAS_TAKEN", *path)
        call.tables.aliases[*key, batch] = AliasRow(batch, call.index)


def is_taken(call: Call, batch: str, named: Sequence[str]) -> bool:
    """Return whether one of the batches that an alias names is of the material of this batch."""
    batches = call.tables.batches
    return any(other != batch and batches[other].material == batches[batch].material for other in named)


def attributes(given: Mapping[str, Any], *path: str) -> tuple[tuple[str, str], ...]:
    found = [(str(one["name"]).strip(), str(one["value"]).strip()) for one in given.get("attributes") or ()]
    if any(not name or not value for name, value in found):
        raise RefusalFound("TEXT_INVALID", *path, "attributes")
    unique([name for name, _ in found], "TEXT_INVALID", *path, "attributes")
    return tuple(sorted(found))


def new_batch(call: Call, material: Material, produced_at: datetime, given: Mapping[str, Any], *path: str) -> Batch:
    """Make a batch of a material with the factors of today; amount and dates are still to be set."""
    batch = Batch(
        id=call.new_id("B"),
        material=material.code,
        unit=material.unit,
        factors=current_factors(call.tables, material),
        origin=call.plant,
        made=0,
        produced_at=produced_at,
        made_entry=call.index,
        grade=str(given.get("grade") or "").strip() or None,
        attributes=attributes(given, *path),
    )
    call.made.append(batch.id)
    return batch


def produced(call: Call, given: Mapping[str, Any], *path: str) -> datetime:
    """Return the time of production: as stated, else that of the command."""
    if given.get("producedAt") is None:
        return call.at
    at = read_instant(given["producedAt"], *path, "producedAt")
    if at > call.now + call.settings.ahead:
        raise RefusalFound("TIME_IN_FUTURE", *path, "producedAt")
    if call.is_before(call.at, at):
        raise RefusalFound("TIME_OUT_OF_ORDER", *path, "producedAt")
    return at


def refuse_double_scan(call: Call, batch: Batch) -> None:
    """Refuse a delivery whose supplier lot came with the same order shortly before."""
    if batch.supplier_lot is None:
        return
    wanted = (fold(batch.supplier_lot), batch.supplier, batch.material, batch.purchase_order)
    for other in call.tables.batches.values():
        if other.supplier_lot is None or other.void or other.origin != call.plant:
            continue
        same = (fold(other.supplier_lot), other.supplier, other.material, other.purchase_order) == wanted
        apart = abs(call.recorded(other.made_entry).at - call.at)
        if same and apart < call.settings.duplicate_scan:
            raise RefusalFound("ALIAS_TAKEN", "supplierLot", entry=other.made_entry)


@registry.command("receiveBatch", "BatchReceived")
def receive_batch(call: Call) -> None:
    given = call.input
    material = material_of(call, given["materialCode"], "materialCode")
    location = call.master("LOCATION", given["locationCode"], "locationCode")
    supplier = given.get("supplierCode")
    if supplier is not None:
        call.master("SUPPLIER", supplier, "supplierCode")
    produced_at = produced(call, given)
    batch = new_batch(call, material, produced_at, given)
    amount = read_quantity(call, batch, given["quantity"], "quantity")
    expires_on, retest_on = received_dates(call, material, produced_at, given)
    batch = replace(
        batch,
        made=amount,
        expires_on=expires_on,
        retest_on=retest_on,
        supplier=supplier,
        supplier_lot=call.text("supplierLot"),
        purchase_order=call.text("purchaseOrder"),
    )
    refuse_double_scan(call, batch)
    call.tables.batches[batch.id] = batch
    add_aliases(call, batch.id, alias_keys(given.get("aliases") or (), "aliases"), "aliases")
    if batch.supplier_lot is not None:
        call.tables.aliases[SUPPLIER_LOT, supplier or "", fold(batch.supplier_lot), batch.id] = AliasRow(
            batch.id, call.index
        )
    put(call, batch.id, location, amount, f"supplier:{supplier or ''}")
    if (reason := call.text("quarantine")) is not None:
        call.subject = place(call, batch.id, "QUALITY", reason).id


@registry.command("addBatchAliases", "BatchAliased")
def add_batch_aliases(call: Call) -> None:
    batch = call.batch(call.input["batchCode"], "batchCode")
    keys = alias_keys(call.lines("aliases"), "aliases")
    add_aliases(call, batch.id, keys, "aliases")


@registry.command("removeBatchAliases", "BatchAliased")
def remove_batch_aliases(call: Call) -> None:
    batch = call.batch(call.input["batchCode"], "batchCode")
    keys = alias_keys(call.lines("aliases"), "aliases")
    for key in keys:
        if batch.id not in holders(call, key):
            raise RefusalFound("NOTHING_CHANGES", "aliases")
        row = call.tables.aliases[*key, batch.id]
        call.tables.aliases[*key, batch.id] = replace(row, ended=call.index)

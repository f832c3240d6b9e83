"""Expiry and retest of outputs: nothing gets younger by handling (rule 7).

Choices where domain.md is silent:
- The rule for the retest is the one for expiry. Without a chosen rule, it is FROM_PRODUCTION if an interval is set.
- The share of an input is its amount less returns, of all goods fed, in mass or else in another kind that all have.
  Where the amounts do not compare, every input counts.
- The date carry-over share concerns production alone: handling takes the earliest of all goods.
- An input fed after the last yield of an output is not in it, and gives it no date. Within five minutes the order of
  the ledger says which came first.
- A stated expiry before the day of production is refused as DATE_INVALID.
- A supplier's stated expiry is taken as it is, also later than the shelf life gives.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from simulation.reference_model.amounts import in_base
from simulation.reference_model.calls import Call, days_after, read_day
from simulation.reference_model.rows import Batch, Edge, Material, Run
from simulation.reference_model.verdicts import RefusalFound

HANDLING: Final = frozenset({"REPACK", "RELABEL", "REWORK", "SPLIT", "MERGE"})
KINDS: Final = ("mass", "volume", "length", "area", "H87", "C62", "EA")

Dates = tuple[date | None, date | None]


def earliest(days: Iterable[date | None]) -> date | None:
    return min((day for day in days if day is not None), default=None)


def is_fed_after(call: Call, fed: Edge, at: datetime, entry: int) -> bool:
    """Return whether a line was fed after a yield with that time and entry."""
    if call.is_before(at, fed.at):
        return True
    return not call.is_before(fed.at, at) and fed.entry > entry


def goods_fed(call: Call, run: str, only: str | None) -> list[Edge]:
    """Return the lines fed into a run that count for dates: goods, and only those of the named input if one is."""
    return [
        edge
        for edge in call.tables.edges.values()
        if edge.run == run and edge.side == "IN" and edge.retracted is None
        if only in (None, edge.batch) and is_goods(call, edge.batch)
    ]


def is_goods(call: Call, batch: str) -> bool:
    material = call.tables.materials.get(call.tables.batches[batch].material)
    return material is None or material.role == "GOODS"


def counting(call: Call, run: str, material: Material, fed: list[Edge]) -> set[str]:
    """Return the inputs whose share of the goods fed reaches the material's date carry-over share."""
    batches = {edge.batch for edge in fed}
    if material.date_share == 0:
        return batches
    for kind in KINDS:
        shares = {batch: Fraction(0) for batch in batches}
        comparable = True
        for edge in call.tables.edges.values():
            if edge.run != run or edge.batch not in batches or edge.retracted is not None or edge.side == "OUT":
                continue
            amount = in_base(call.tables, call.tables.batches[edge.batch], edge.amount, kind)
            if amount is None:
                comparable = False
                break
            shares[edge.batch] += amount if edge.side == "IN" else -amount
        total = sum(shares.values())
        if comparable and total > 0:
            return {batch for batch, share in shares.items() if share / total >= material.date_share}
    return batches


def from_inputs(call: Call, run: Run, material: Material, lines: list[Edge], only: str | None) -> Dates:
    """Return the earliest expiry and retest of lines that were fed, among those that count."""
    counted = {edge.batch for edge in lines}
    if run.kind not in HANDLING:
        counted &= counting(call, run.id, material, goods_fed(call, run.id, only))
    batches = [call.tables.batches[batch] for batch in counted]
    return earliest(batch.expires_on for batch in batches), earliest(batch.retest_on for batch in batches)


def rules(kind: str, material: Material) -> tuple[str, str]:
    """Return the rules for expiry and retest of what a run of that kind makes of a material."""
    if kind in HANDLING:
        return "FROM_INPUTS", "FROM_INPUTS"
    defaults = ["FROM_PRODUCTION" if days is not None else "FROM_INPUTS" for days in intervals(material)]
    return material.expiry_rule or defaults[0], material.expiry_rule or defaults[1]


def intervals(material: Material) -> tuple[int | None, int | None]:
    return material.shelf_life_days, material.retest_days


def output_dates(call: Call, run: str, material: Material, produced_at: datetime, only: str | None) -> Dates:
    """Return the latest expiry and retest that an output yielded now may have. None is no limit."""
    row = call.tables.runs[run]
    if not call.settings.dates_inherited:
        day = call.day(produced_at)
        return days_after(day, material.shelf_life_days), days_after(day, material.retest_days)
    lines = [edge for edge in goods_fed(call, run, only) if not is_fed_after(call, edge, call.at, call.index)]
    inherited = from_inputs(call, row, material, lines, only)
    found: list[date | None] = []
    for rule, days, other in zip(rules(row.kind, material), intervals(material), inherited, strict=True):
        fresh = days_after(call.day(produced_at), days)
        choice = {"FROM_PRODUCTION": fresh, "FROM_INPUTS": other, "EARLIER": earliest((fresh, other))}
        found.append(choice[rule])
    return found[0], found[1]


def received_dates(call: Call, material: Material, produced_at: datetime, given: Mapping[str, Any]) -> Dates:
    """Return the expiry and retest of a receipt: as stated, else from the day of production."""
    day = call.day(produced_at)
    stated = stated_expiry(call, given, produced_at)
    return stated or days_after(day, material.shelf_life_days), days_after(day, material.retest_days)


def stated_expiry(call: Call, given: Mapping[str, Any], produced_at: datetime, *path: str) -> date | None:
    """Return the expiry that the input states; refuses one before the day of production."""
    if given.get("expiresOn") is None:
        return None
    stated = read_day(given["expiresOn"], *path, "expiresOn")
    if stated < call.day(produced_at):
        raise RefusalFound("DATE_INVALID", *path, "expiresOn")
    return stated


def limited_expiry(call: Call, limit: date | None, stated: date | None, *path: str) -> date | None:
    """Return the stated expiry, or the limit without one; a later one is a gated change."""
    if call.settings.dates_inherited and stated is not None and limit is not None and stated > limit:
        raise RefusalFound("EXPIRY_ABOVE_LIMIT", *path, "expiresOn")
    return stated or limit


def shorten(call: Call, batch: str, dates: Dates, *path: str) -> None:
    """Bring the dates of a batch forward to those of an addition; refused once goods of it left the plant."""
    row: Batch = call.tables.batches[batch]
    expires_on, retest_on = earliest((row.expires_on, dates[0])), earliest((row.retest_on, dates[1]))
    if (expires_on, retest_on) == (row.expires_on, row.retest_on) or not call.settings.dates_inherited:
        return
    if row.left:
        raise RefusalFound("ADDITION_SHORTENS_EXPIRY", *path)
    call.amend(batch, expires_on=expires_on, retest_on=retest_on)


def shorten_outputs(call: Call, run: str) -> None:
    """Bring the dates of a run's outputs forward for lines of this command that were fed before their last yield."""
    outputs = [edge for edge in call.tables.edges.values() if edge.run == run and edge.side == "OUT"]
    for batch in dict.fromkeys(edge.batch for edge in outputs if edge.retracted is None):
        last = max((edge for edge in outputs if edge.batch == batch), key=lambda edge: (edge.at, edge.entry))
        row, material = call.tables.runs[run], call.tables.materials[call.tables.batches[batch].material]
        fed = [
            edge
            for edge in goods_fed(call, run, last.only)
            if edge.entry == call.index and not is_fed_after(call, edge, last.at, last.entry)
        ]
        dates = from_inputs(call, row, material, fed, last.only)
        expiry, retest = rules(row.kind, material)
        applies = expiry != "FROM_PRODUCTION", retest != "FROM_PRODUCTION"
        shorten(call, batch, (dates[0] if applies[0] else None, dates[1] if applies[1] else None), "lines")

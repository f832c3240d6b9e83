"""Gaps that amounts leave in a trace (rule 4).

Choices where domain.md is silent:
- Only runs that people open count: production, repack, rework and relabel. A split or merge always balances.
- A run gave more than its inputs if all its lines convert to one kind, and every output's material says that all inputs
  are tracked. The least yield limit of the materials counts, as a share of the inputs.
- Materials count as they are defined now.
- An open run may still get inputs: it has no gap of amounts, but an output without inputs shows at once.
"""

from dataclasses import dataclass
from fractions import Fraction

from simulation.reference_model.amounts import in_base
from simulation.reference_model.dates import KINDS
from simulation.reference_model.rows import Edge, Run, Tables


@dataclass(frozen=True)
class Gap:
    """A process record with a gap. `kind` is OUTPUT_WITHOUT_INPUTS or YIELD_ABOVE_LIMIT."""

    kind: str
    run: str


def gaps(tables: Tables) -> list[Gap]:
    """Return the gaps of a plant's process records, in the order opened."""
    found = []
    for run in sorted(tables.runs.values(), key=lambda run: run.entry):
        edges = [edge for edge in tables.edges.values() if edge.run == run.id and edge.retracted is None]
        if run.void or run.kind in ("SPLIT", "MERGE") or not any(edge.side == "OUT" for edge in edges):
            continue
        if not any(edge.side == "IN" for edge in edges):
            found.append(Gap("OUTPUT_WITHOUT_INPUTS", run.id))
        elif gave_too_much(tables, run, edges):
            found.append(Gap("YIELD_ABOVE_LIMIT", run.id))
    return found


def gave_too_much(tables: Tables, run: Run, edges: list[Edge]) -> bool:
    outputs = {tables.batches[edge.batch].material for edge in edges if edge.side == "OUT"}
    materials = [tables.materials[code] for code in outputs if code in tables.materials]
    if run.closed_at is None or not all(material.inputs_tracked for material in materials):
        return False
    limit = min(material.yield_limit for material in materials)
    for kind in KINDS:
        amounts = [(edge.side, in_base(tables, tables.batches[edge.batch], edge.amount, kind)) for edge in edges]
        known = [(side, amount) for side, amount in amounts if amount is not None]
        if len(known) == len(amounts):
            used = sum((amount if side == "IN" else -amount for side, amount in known if side != "OUT"), Fraction(0))
            made = sum((amount for side, amount in known if side == "OUT"), Fraction(0))
            return made > used * (1 + limit)
    return False

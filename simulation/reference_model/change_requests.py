"""Records a gated change as a change request of exactly this version of a batch."""

from simulation.reference_model.calls import Call, Policy
from simulation.reference_model.rows import Change

Detail = dict[str, object]


def request(call: Call, kind: str, batch: str, detail: Detail, policy: str | None = None) -> None:
    """Record a change request for the batch as it is now."""
    version = call.tables.batches[batch].version if batch else 0
    chosen: Policy = call.settings.policies[policy or kind]
    call.tables.changes[call.index] = Change(
        call.index,
        kind,
        batch,
        tuple(sorted(detail.items())),
        version,
        call.by,
        call.at,
        call.now + chosen.life,
        chosen.levels,
        f"{call.plant}/{call.index}",
    )
    call.subject = f"{call.plant}/{call.index}"

"""A plant returns directives that a restored hub has lost."""

from plants.store.ledger import mirrors
from plants.store.replication.checkpoints import checkpoints_between
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.plant.rebasing import fork_of_directives
from sync_jobs.protocol.wire import ENTRIES_MAX, Parcel, Welcome


def return_directives(context: ExchangeContext, welcome: Welcome) -> int:
    """Send the hub the directives that it has lost; returns how many it has then. Raises as the hub answered.

    Each parcel ends where the hub signed its ledger: only that signature proves that the hub wrote the directives.
    """
    node, log_id = context.node, -context.node.number
    fork = fork_of_directives(context, welcome.directives.position)
    with node.store.reading() as reads:
        position = mirrors.position_of(reads, log_id)
        assert position is not None
        kept = checkpoints_between(reads, log_id, fork.size + 1, position[1].size)
    low, size = fork.size, welcome.directives.size
    for at, checkpoint in enumerate(kept):
        end, further = checkpoint.size, kept[at + 1].size if at + 1 < len(kept) else None
        if further is not None and further - low <= ENTRIES_MAX:
            continue
        with node.store.reading() as reads:
            rows = mirrors.rows_within(reads, log_id, low, end, welcome.limits.max_bytes)
        parcel = Parcel(tuple(body for body, _ in rows), checkpoint.note)
        size = context.client.send(node.directive_origin, low, welcome.session, parcel).size
        low = end
    return size

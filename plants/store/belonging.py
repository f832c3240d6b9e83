"""Whose store it is: a node that opens another's must notice before it writes into it."""

from infra.database import ReadSession, StoreUnfit
from plants.store.ledger import HUB_LOG

SELECT_WRITTEN = "SELECT log_id, origin FROM logs WHERE size > 0 ORDER BY log_id"


def check_belongs(reads: ReadSession, origin: str, number: int) -> None:
    """Raise StoreUnfit, saying whose it is, unless a store is new or the node's own; `number` is 0 at the hub.

    A plant's store has the plant's ledger and its directives alone, the hub's begins with the hub's own ledger.
    """
    written: dict[int, str] = dict(reads.rows(SELECT_WRITTEN))
    if number == HUB_LOG:
        whose = written.get(HUB_LOG, next(iter(written.values()), origin))
    else:
        others = [log_id for log_id in written if log_id not in {number, -number}]
        whose = written[others[0]] if others else written.get(number, origin)
    if whose != origin:
        raise StoreUnfit(
            f"This store belongs to {whose}, and this node is {origin}. Nothing was written. Bring the right database, "
            f"or start the node that it belongs to. / 此数据库属于 {whose}，而本节点是 {origin}，未写入任何内容。"
            "请换回正确的数据库，或启动其所属节点。"
        )

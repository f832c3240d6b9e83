"""`batchloom plant sync-now`: exchange with the hub at once."""

from typing import Final

from api.cli.alarms import node_alarms
from api.cli.nodes import AsJson, Home, opened, replicating
from api.cli.output import CONSOLE, CannotDo, language, pick, show_json
from api.cli.plant import app
from plants.store.replication.status import ReplicationState
from sync_jobs.plant.exchange import ExchangeResult, exchange

SLICES_MAX: Final = 1_000


WENT_WELL: Final = frozenset({ReplicationState.IN_SYNC, ReplicationState.BEHIND})


@app.command()
def sync_now(home: Home, as_json: AsJson = False) -> None:
    """Exchange with the hub at once, whatever wait a failure has left, until both are level. Exit status 1 if not.

    Example:  batchloom plant sync-now --home sh1
    """
    sent, received, came = 0, 0, ExchangeResult()
    with opened(home) as node:
        plant = replicating(node)
        for _ in range(SLICES_MAX):
            came = exchange(plant, forced=True)
            sent, received = sent + came.sent, received + came.received
            if not came.more:
                break
        amiss = [one.said.word(language()) for one in node_alarms(node)]
    state = None if came.state is None else came.state.value
    if as_json:
        show_json({"ran": came.ran, "state": state, "sent": sent, "received": received, "alarms": amiss})
    if not came.ran:
        raise CannotDo(
            "Another process is exchanging, or the plant is fenced: see `batchloom alarms`.",
            "另一进程正在同步，或本厂已被隔离，请查看 batchloom alarms。",
        )
    if came.state not in WENT_WELL:
        raise CannotDo(
            f"It did not work: {state}. " + " ".join(amiss),
            f"同步未成功：{state}。" + " ".join(amiss),
        )
    if not as_json:
        CONSOLE.print(
            pick(
                f"[green]✓[/] {state}: {sent} entries sent, {received} directives fetched.",
                f"[green]✓[/] {state}：已发送 {sent} 条记录，收到 {received} 条指令。",
            )
        )

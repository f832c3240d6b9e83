"""`batchloom plant sync-now`: exchange with the hub at once."""

from typing import Final

from api.cli.alarms import node_alarms
from api.cli.nodes import AsJson, Home, opened_plant, replicating
from api.cli.output import CONSOLE, show_json
from api.cli.plant import OPERATION, app
from api.language import language, marked
from infra.messages import Failure, message
from plants.store.replication.status import ReplicationState
from sync_jobs.plant.exchange import ExchangeResult, exchange

SLICES_MAX: Final = 1_000


WENT_WELL: Final = frozenset({ReplicationState.IN_SYNC, ReplicationState.BEHIND})


@app.command(rich_help_panel=OPERATION)
def sync_now(home: Home, as_json: AsJson = False) -> None:
    """Exchange with the hub now, until both sides are up to date. The wait after a failure is skipped.

    Run it after the network or the hub was repaired. Exit status 1 when the exchange fails.

    Example:  batchloom plant sync-now --home sh1
    """
    sent, received, came = 0, 0, ExchangeResult()
    with opened_plant(home) as node:
        plant = replicating(node)
        for __ in range(SLICES_MAX):
            came = exchange(plant, forced=True)
            sent, received = sent + came.sent, received + came.received
            if not came.more:
                break
        active = [one.said.word(language()) for one in node_alarms(node)]
    state = None if came.state is None else came.state.value
    if as_json:
        show_json({"ran": came.ran, "state": state, "sent": sent, "received": received, "alarms": active})
    if not came.ran:
        raise Failure(
            message(
                "EXCHANGE_NOT_POSSIBLE",
                "Another process exchanges with the hub now, or the plant is fenced. See: batchloom alarms",
            )
        )
    if came.state not in WENT_WELL:
        alarms = " ".join(active)
        raise Failure(message("EXCHANGE_FAILED", "The exchange failed ({state}). {alarms}"), state=state, alarms=alarms)
    if not as_json:
        CONSOLE.print(
            marked(
                "[green]✓[/] {state}: {sent} entries sent, {received} directives fetched.",
                state=state,
                sent=sent,
                received=received,
            )
        )

"""Running a node day by day: its alarms, an exchange at once, and which copy of a plant is the one that counts."""

from typing import Annotated, Final

import typer
from rich.markup import escape

from api.cli.nodes import AsJson, Home, console_actor, opened
from api.cli.output import CONSOLE, EXIT_REFUSED, CannotDo, pick, show_json
from api.node.node import Node
from auth.actors import Role
from auth.permissions import Permission
from auth.scope import plants_for
from infra.ids import new_id
from plants.rules.identification.codes import HUB
from plants.rules.values.instants import format_instant, from_micros
from plants.store.materials.plants import known_plants
from plants.store.monitoring.alarms import AlarmKind, end_alarm
from plants.store.monitoring.overview import AlarmSeen, alarms_seen
from plants.store.replication.status import ReplicationState
from sync_jobs.assembly import NotConnected, plant_node
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange import ExchangeResult, exchange
from sync_jobs.protocol.sessions import lift_fence

LISTED_MAX: Final = 1_000
SLICES_MAX: Final = 1_000
WENT_WELL: Final = frozenset({ReplicationState.IN_SYNC, ReplicationState.BEHIND})


def alarms(
    home: Home,
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is amiss at a node, the newest first. Exit status 1 while anything is.

    Example:  batchloom alarms --home sh1
    """
    with opened(home) as node:
        seen = node_alarms(node, over=ended)
    lasting = [one for one in seen if one.over_us is None]
    if as_json:
        show_json([_as_object(one) for one in seen])
    for one in () if as_json else seen:
        mark = "[bold red]✗[/]" if one.over_us is None else "[green]✓[/]"
        when = format_instant(from_micros(one.last_us))
        times = pick(f"{one.times} times, last {when}", f"{one.times} 次，最近 {when}")
        CONSOLE.print(f"{mark} [bold]{one.kind}[/] {escape(one.about)}  [dim]{times}[/]", soft_wrap=True)
        CONSOLE.print(f"  {escape(one.text)}", soft_wrap=True)
    if not as_json and not seen:
        CONSOLE.print(pick("[green]✓[/] Nothing is amiss.", "[green]✓[/] 一切正常。"))
    if lasting:
        raise typer.Exit(EXIT_REFUSED)


def end(
    home: Home,
    kind: Annotated[AlarmKind, typer.Argument(help="Kind of the alarm, as it is listed.")],
    about: Annotated[str, typer.Argument(help="What it is about, as it is listed.")],
) -> None:
    """End an alarm that was dealt with and cannot notice so itself; it comes back if the reason does.

    Example:  batchloom end-alarm --home hub REPLICATION_REFUSED "not recognised"
    """
    with opened(home) as node:
        now = node.clock.now()
        if not node.writer.write(lambda session: end_alarm(session, kind, about, now)):
            raise CannotDo(f"No alarm {kind} about {about} lasts.", f"没有关于 {about} 的告警 {kind}。")
    CONSOLE.print(pick("[green]✓[/] It is ended.", "[green]✓[/] 告警已结束。"))


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
        amiss = [one.text for one in node_alarms(node)]
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


def take_over(
    home: Home,
    sure: Annotated[bool, typer.Option("--yes", help="The other copy is stopped: do not ask.")] = False,
) -> None:
    """Make this copy of a fenced plant the one that counts. Stop the other copy for good before you do.

    What the other copy recorded and this one does not have comes from the hub; what collides becomes a worklist.

    Example:  batchloom plant take-over --home sh1
    """
    with opened(home) as node:
        number, now = node.settings.plant_number, node.clock.now()
        with node.store.reading() as reads:
            rows = reads.rows("SELECT fenced FROM logs WHERE log_id = :log_id", {"log_id": number})
            state = reads.rows("SELECT state FROM replication WHERE log_id = :log_id", {"log_id": number})
        if not (rows and rows[0][0]) and not (state and state[0][0] == ReplicationState.FENCED):
            raise CannotDo("This plant is not fenced: nothing was changed.", "本厂未被隔离，未作任何更改。")
        asked = pick("Is every other copy of this plant stopped for good?", "本厂的其他副本是否均已永久停用？")
        if not sure and not typer.confirm(asked, default=False):
            raise CannotDo("Nothing was changed.", "未作任何更改。")
        node.writer.write(lambda session: lift_fence(session, number, now))
        node.writer.write(lambda session: end_alarm(session, AlarmKind.PLANT_FENCED, node.settings.origin, now))
    CONSOLE.print(
        pick(
            "[green]✓[/] This copy counts from its next contact with the hub on.",
            "[green]✓[/] 下次联系中心起，以此副本为准。",
        )
    )


def node_alarms(node: Node, *, over: bool = False) -> list[AlarmSeen]:
    """Return everything amiss at a node, for whoever stands at its console."""
    actor = console_actor(Role.ADMINISTRATOR)
    with node.store.reading() as reads:
        scope = plants_for(actor, Permission.REPLICATION_READ, {HUB, *known_plants(reads)})
        return alarms_seen(reads, scope, over=over, first=LISTED_MAX)


def replicating(node: Node) -> PlantNode:
    """Return the plant's side of replication, under a holder of its own; raises CannotDo where there is no hub."""
    try:
        return plant_node(node.settings, node.store, node.writer, node.clock, holder=f"console-{new_id()}")
    except NotConnected:
        raise CannotDo(
            "This node has no hub: set hub_url and hub_key, or it is the hub itself.",
            "本节点未设置中心（hub_url、hub_key），或其本身即为中心。",
        ) from None


def _as_object(one: AlarmSeen) -> dict[str, object]:
    over = None if one.over_us is None else format_instant(from_micros(one.over_us))
    return {
        "kind": one.kind,
        "about": one.about,
        "text": one.text,
        "firstAt": format_instant(from_micros(one.first_us)),
        "lastAt": format_instant(from_micros(one.last_us)),
        "times": one.times,
        "overAt": over,
    }

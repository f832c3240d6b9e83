"""`batchloom demo`: a hub and three plants play a year, and show where a pallet came from and where a lot went."""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from api.cli import app
from api.cli.output import CONSOLE, CannotDo, pick
from api.cli.trace import show_report
from api.demo.floor import Floor, Headquarters, positions_at
from api.demo.homes import DemoNode, make_homes
from api.demo.processes import Processes
from api.demo.scenario import DAYS, ROUNDS, Played, Year
from api.node.shutdown import Ending
from api.trace.client import trace_over_http
from infra.clock import SystemClock
from plants.rules.genealogy.walks import TraceDirection

REPLICATION_SECONDS_MAX: Final = 60
POLL_SECONDS: Final = 0.2
ROOT_SHOWN: Final = 16  # of the 64 hexadecimal digits
Positions = dict[str, tuple[int, int, str]]


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End by itself when the year has been played.")] = False,
    home: Annotated[Path, typer.Option("--home", help="Where the nodes live; made anew each time.")] = Path(".demo"),
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=0.01, help="Days of the calendar in a second; as fast as it goes unless given."),
    ] = None,
) -> None:
    """Start a hub and three plants, play a biscuit maker's year through their APIs, and trace across all of them.

    The flow of a year is played in twelve rounds; their dates lie in the last 29 days, because a plant takes nothing
    that is written down more than 31 days late. Afterwards everything stays up until Ctrl-C, unless --once is given.

    Examples:
      batchloom demo

      batchloom demo --once --home /tmp/batchloom-demo
    """
    with Ending(128 + signal.SIGTERM) as ending:
        _show(home, once=once, speed=speed, ending=ending)


def _show(home: Path, *, once: bool, speed: float | None, ending: Ending) -> None:
    CONSOLE.print()
    CONSOLE.print(
        pick(
            "[bold]Batchloom[/]  a hub and three plants on this machine",
            "[bold]Batchloom[/]  本机上的一个中心和三家工厂",
        )
    )
    CONSOLE.print()
    with _step(pick("Making homes, keys and people", "建立节点目录、密钥与人员")):
        nodes = make_homes(home)
    with Processes(nodes) as processes:
        with _step(pick("Starting the hub and three plants", "启动中心与三家工厂")):
            processes.start(ending.check)
        played = _play(nodes, speed, ending)
        _show_positions(*_wait_for_replication(nodes, ending))
        _show_events(played)
        _show_traces(nodes[0], played)
        if once:
            return
        _show_ways_on(processes, played, home)
        _stay(processes, ending)


@contextmanager
def _step(what: str) -> Iterator[None]:
    began = time.monotonic()
    with CONSOLE.status(f"{what} …"):
        yield
    CONSOLE.print(f" [green]✓[/] {what}  [dim]{time.monotonic() - began:.1f} s[/]")


def _play(nodes: tuple[DemoNode, ...], speed: float | None, ending: Ending) -> Played:
    hub, *plants = nodes
    columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"), TimeElapsedColumn())
    floors = {plant.code: Floor(plant) for plant in plants}
    headquarters = Headquarters(hub)
    began = time.monotonic()
    with Progress(*columns, console=CONSOLE, transient=True) as progress:
        task = progress.add_task("…", total=1)

        def tell(scene: str, number: int) -> None:
            progress.update(
                task,
                description=pick(f"round {number + 1} of {ROUNDS}: {scene}", f"第 {number + 1}/{ROUNDS} 轮：{scene}"),
            )

        year = Year(floors, headquarters, SystemClock().now(), tell)
        progress.update(task, total=year.scenes)
        for passed in year.play():
            ending.check()
            progress.advance(task)
            if speed is not None:
                time.sleep(passed / timedelta(days=1) / speed)
    for floor in floors.values():
        floor.close()
    headquarters.close()
    took = f"[dim]{time.monotonic() - began:.1f} s[/]"
    CONSOLE.print(
        pick(
            f" [green]✓[/] A year's flow in {ROUNDS} rounds, dated over the last {DAYS} days  {took}",
            f" [green]✓[/] 一年的业务，分 {ROUNDS} 轮，日期在最近 {DAYS} 天内  {took}",
        )
    )
    return year.played


def _wait_for_replication(nodes: tuple[DemoNode, ...], ending: Ending) -> tuple[Positions, Positions]:
    """Return how far each plant says it is and how far the hub is, once both say the same."""
    hub, *plants = nodes
    headquarters = Headquarters(hub)
    deadline = time.monotonic() + REPLICATION_SECONDS_MAX
    with _step(pick("Waiting until the hub has heard all of it", "等待中心收齐全部账本")):
        while True:
            ending.check()
            here = {plant.code: positions_at(plant)[plant.code] for plant in plants}
            there = headquarters.positions()
            if all(there.get(code) == (size, size, root) for code, (size, _, root) in here.items()):
                headquarters.close()
                return here, there
            if time.monotonic() > deadline:
                raise CannotDo(f"The hub did not hear of everything in time: {there}, {here}", "中心未能及时收齐账本。")
            time.sleep(POLL_SECONDS)


def _show_positions(here: Positions, there: Positions) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column(pick("Plant", "工厂"), style="bold")
    table.add_column(pick("entries there", "工厂条目数"), justify="right")
    table.add_column(pick("at the hub", "中心条目数"), justify="right")
    table.add_column(pick("root of both trees", "两侧的树根"), style="dim")
    for code, (size, _, root) in here.items():
        table.add_row(code, str(size), str(there[code][0]), f"{root[:ROOT_SHOWN]}… [green]✓[/]")
    CONSOLE.print(table)


def _show_events(played: Played) -> None:
    lines = (
        pick(
            f"Wuhan held {played.held}; its release was asked there and approved at the hub by {played.released_by}.",
            f"武汉冻结了 {played.held}；放行由工厂申请，中心的 {played.released_by} 批准。",
        ),
        pick(
            f"Qingdao typed in a delivery that never came; entry {played.correction} takes it back, and both stay.",
            f"青岛误录了一笔收货；条目 {played.correction} 予以更正，两者均可查阅。",
        ),
        pick(
            "Shanghai received 3 kg less than Wuhan sent, and split, joined and shipped pallets.",
            "上海比武汉的发货少收 3 kg，并拆分、合并、发运了托盘。",
        ),
    )
    for line in lines:
        CONSOLE.print(Text(f" · {line}"))


def _show_traces(hub: DemoNode, played: Played) -> None:
    person = hub.people[0].id
    for name, direction in (
        (played.pallet, TraceDirection.BACKWARD),
        (played.suspect_lot, TraceDirection.FORWARD),
    ):
        report = trace_over_http(hub.url, person, hub.passwords[person], name, direction)
        CONSOLE.print()
        CONSOLE.print(
            Text(
                pick(f"Pallet {name}, which was shipped", f"已发运的托盘 {name}")
                if direction is TraceDirection.BACKWARD
                else pick(f"Supplier lot {name}, which is under suspicion", f"可疑的供应商批次 {name}"),
                style="bold",
            )
        )
        show_report(CONSOLE, report)


def _show_ways_on(processes: Processes, played: Played, home: Path) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_lines=False)
    for heading in (pick("Node", "节点"), pick("Person", "人员"), pick("Role", "角色"), pick("Password", "密码")):
        table.add_column(heading, no_wrap=True)
    for node in processes.nodes:
        people = "\n".join(person.id for person in node.people)
        roles = "\n".join(role.value for person in node.people for role in person.roles)
        passwords = "\n".join(node.passwords[person.id] for person in node.people)
        table.add_row(f"[bold]{node.code or 'hub'}[/]\n{node.url}", people, roles, passwords, end_section=True)
    CONSOLE.print()
    CONSOLE.print(table)
    program = shutil.which("batchloom") or str(Path(sys.executable).with_name("batchloom"))
    hub, bakery = processes.nodes[0], processes.nodes[2]
    graphiql, person = f"{hub.url}/graphiql", hub.people[0].id
    trace = f"{program} trace {played.suspect} --both --home {home / 'hub'}"
    stop = f"kill {processes.number_of(bakery)}"
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, (en, zh) in enumerate(
        (
            (f"Open {graphiql}, sign in as {person}, and ask.", f"打开 {graphiql}，以 {person} 登录并查询。"),
            (f"Trace for yourself:\n{trace}", f"自行追溯：\n{trace}"),
            (
                (
                    f"Stop Wuhan: {stop}\nThe others go on. A trace ends with how long ago Wuhan was heard; "
                    "after 15 minutes the answer says that it is not complete."
                ),
                f"停掉武汉：{stop}\n其他节点照常。追溯的最后一行说明多久没有武汉的消息；15 分钟后答案会标明不完整。",
            ),
        ),
        1,
    ):
        grid.add_row(str(number), Text(pick(en, zh)))
    CONSOLE.print(Panel(grid, title=pick("Three things to try", "可以试试"), border_style="cyan"))


def _stay(processes: Processes, ending: Ending) -> None:
    """Stay until Ctrl-C; a node that is stopped meanwhile is only told of."""
    CONSOLE.print(Text(pick("Everything is up. Ctrl-C ends it.", "全部节点运行中，按 Ctrl-C 结束。"), style="bold"))
    told: set[str] = set()
    try:
        while True:
            ending.check()
            time.sleep(1)
            for node in processes.ended():
                if node.url not in told:
                    told.add(node.url)
                    CONSOLE.print(pick(f"{node.code or 'The hub'} has ended.", f"{node.code or '中心'} 已停止。"))
    except KeyboardInterrupt:
        with _step(pick("Ending every node", "正在结束所有节点")):
            processes.stop()

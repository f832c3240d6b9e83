"""`batchloom plant`: commands that run at a plant."""

from typing import Final

import typer

app: Final = typer.Typer(
    help="A plant: writes to its own store and keeps working when the network is down.\n\n"
    "工厂节点：写入本地数据库，断网时照常工作。",
    no_args_is_help=True,
)

"""`batchloom hub`: commands that run at the hub."""

from typing import Final

import typer

app: Final = typer.Typer(
    help="The hub: where the ledgers of all plants come together.\n\n中心节点：汇集各工厂的账本。",
    no_args_is_help=True,
)

"""`batchloom import`: documents of other systems."""

from typing import Final

import typer

app: Final = typer.Typer(help="Import documents of others.\n\n导入外部文档。", no_args_is_help=True)


@app.callback()
def imports() -> None:
    """Import documents of others. 导入外部文档。"""  # noqa: D400 -- Chinese has its own full stop.

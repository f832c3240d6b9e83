"""Pages of lists that a trace has computed whole: paths, figures and gaps."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from schema.engine.connections import Connection, Key, Listing
from schema.engine.context import Info

Row = TypeVar("Row")
Shown = TypeVar("Shown")


def listed(
    info: Info,
    parts: tuple[object, ...],
    rows: Sequence[Row],
    page: tuple[int | None, str | None],
    *,
    key: Callable[[Row], Key],
    make: Callable[[Row], Shown],
) -> Connection[Shown]:
    """Return one page, given as `first` and `after`, of rows in the order of their keys.

    `parts` tell the list from others at the same place of the SDL.
    """
    listing = Listing(info.coordinate, info.services.cursors, parts)
    wanted = listing.page(*page)
    ordered = sorted(rows, key=key)
    later = ordered if wanted.after is None else [row for row in ordered if key(row) > wanted.after]
    shown = later[: wanted.limit]
    info.context.spend(len(shown))

    async def count() -> int:
        return len(rows)

    return listing.connection(wanted, shown, key, make, count)

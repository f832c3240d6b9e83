"""Saves of many rows: up to the limit they are run before the answer, and above it after the answer."""

import pytest

from schema.materials.many import AT_ONCE_MAX
from tests.factories import Plant
from tests.schema.asking import JSON, MANAGER, Served

JOB = "... on JobAccepted { job { state progress { total done recorded } } }"


@pytest.mark.parametrize("more, state, recorded", [(0, "DONE", AT_ONCE_MAX), (1, "WAITING", 0)])
async def test_as_many_rows_as_are_run_at_once_or_one_more_then_the_answer_says_which(
    here: Plant, node: Served, more: int, state: str, recorded: int
) -> None:
    size, before = AT_ONCE_MAX + more, len(here.entries())
    rows: list[JSON] = [{"code": f"L-{number:04}", "name": f"Place {number}"} for number in range(size)]

    job = (await node.do(MANAGER, "saveLocations", JOB, rows=rows, onRefusal="SKIP_ROW"))["job"]

    assert job == {"state": state, "progress": {"total": size, "done": recorded, "recorded": recorded}}
    assert len(here.entries()) == before + recorded

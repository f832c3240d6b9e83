"""Turns of users: the number of operations at the same time, and the order of waiting ones."""

import asyncio

import pytest

from schema.engine.errors import WordedError
from schema.engine.limits import OPERATIONS_PER_PERSON_MAX, OPERATIONS_WAITING_MAX
from schema.engine.turns import Turns


class Running:
    """Operations that run until `end` is set."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[int] = []
        self.end = asyncio.Event()

    async def operation(self, number: int, person: str = "li") -> None:
        async with self.turns.turn(person):
            self.begun.append(number)
            await self.end.wait()


async def settled() -> None:
    """Let every task go on as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_many_operations_of_one_user_then_further_ones_wait_in_order_and_others_run() -> None:
    running, count = Running(Turns()), 4 * OPERATIONS_PER_PERSON_MAX
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(running.operation(number))
        await settled()
        assert running.begun == list(range(OPERATIONS_PER_PERSON_MAX))
        tasks.create_task(running.operation(-1, "wang"))
        await settled()
        assert running.begun[-1] == -1
        running.end.set()
    assert [number for number in running.begun if number >= 0] == list(range(count))


async def test_wait_too_long_then_refused_with_the_time_to_wait_and_the_place_is_free_later() -> None:
    running = Running(Turns(seconds=0.01))
    tasks = [asyncio.create_task(running.operation(number)) for number in range(OPERATIONS_PER_PERSON_MAX)]
    await settled()
    with pytest.raises(WordedError) as refused:
        await running.operation(99)
    assert refused.value.retry_after is not None
    assert (refused.value.extensions or {})["limitName"] == "OPERATION_WAIT_SECONDS_MAX"
    running.end.set()
    await asyncio.gather(*tasks)
    await running.operation(100)
    assert running.begun == [*range(OPERATIONS_PER_PERSON_MAX), 100]


async def test_too_many_wait_then_refused_at_once() -> None:
    running = Running(Turns())
    count = OPERATIONS_PER_PERSON_MAX + OPERATIONS_WAITING_MAX
    tasks = [asyncio.create_task(running.operation(number)) for number in range(count)]
    await settled()
    with pytest.raises(WordedError) as refused:
        await running.operation(-1)
    assert (refused.value.extensions or {})["limitName"] == "OPERATIONS_WAITING_MAX"
    running.end.set()
    await asyncio.gather(*tasks)
    assert running.begun == list(range(count))

"""The bell of one process, and those who listen."""

import asyncio

import pytest
from tests.patience import patience

from ringpost.usecases.bell import Bell


async def test_a_ring_is_heard_by_each_who_has_not_heard_it(bell: Bell) -> None:
    heard = bell.rings
    bell.ring()
    async with patience(5):
        await bell.wait(heard)
        await bell.wait(heard)


async def test_all_who_wait_hear_the_next_ring_and_each_ring_once(bell: Bell) -> None:
    bell.ring()
    waiting = [asyncio.create_task(bell.wait(bell.rings)) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    bell.ring()
    async with patience(5):
        await asyncio.gather(*waiting)


@pytest.fixture
def bell() -> Bell:
    return Bell()

"""A worker whose task is cancelled ends, at whatever moment: as when another one of its process has failed."""

import asyncio

import pytest

from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions


@pytest.mark.parametrize("turns", range(6))
async def test_it_ends_also_when_the_bell_rings_at_that_moment(room: Room, turns: int) -> None:
    working = asyncio.create_task(Worker(room, WorkerOptions(slots=64, poll_s=3600)).run())
    await asyncio.sleep(0.5)  # it has nothing to do and rests
    room.bell.ring()
    for _ in range(turns):
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working], timeout=10)
    assert working.cancelled()

"""Sweeping beside the sending: what is in a worker's own hands stays there, and what it finds is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select
from tests.conftest import Clock
from tests.usecases.test_purge import DAY_MS, ended, put

from ringpost.domain.deliveries import State
from ringpost.storage import leases
from ringpost.storage.tables import deliveries
from ringpost.usecases.deliver import Work
from ringpost.usecases.room import Room
from ringpost.worker import WorkerOptions
from ringpost.worker.in_hand import InHand
from ringpost.worker.presence import Presence
from ringpost.worker.sweeper import Sweeper


@pytest.fixture
async def in_hand() -> AsyncIterator[InHand]:
    """What the worker that sweeps has in hand."""
    in_hand = InHand()
    yield in_hand
    await in_hand.finish(grace_s=0)


@pytest.fixture
def sweeper(room: Room, in_hand: InHand) -> Sweeper:
    """Of a worker that takes leases for over at the second look."""
    return Sweeper(room, WorkerOptions(lease_s=0, sweep_s=0), Presence(None, "ours"), in_hand)


async def claimed(room: Room, now: int, claim: str, name: str = "e", **fields: Any) -> Work:
    """A mail under a claim whose lease is over."""
    sending = {"state": State.SENDING, "claim": claim, "lease_until": 0, "claims": 1, "ended_at": None} | fields
    await room.database.write(put, now, 1, {**sending, "erase_at": None}, name=name)
    ((item, _),) = await room.database.read(leases.held_under, [claim], 10)
    return Work(item, None, None, 0)


async def in_force(room: Room) -> set[str]:
    """The claims under which something is being sent."""
    return {claim for claim, _ in await room.database.read(leases.leases)}


async def test_a_worker_whose_own_leases_are_over_keeps_what_it_has_in_hand(
    room: Room, clock: Clock, sweeper: Sweeper, in_hand: InHand
) -> None:
    in_hand.begin(await claimed(room, clock.ms, "ours-1.2"), asyncio.sleep(60))
    await claimed(room, clock.ms, "lost-1.2", "lost")
    for _ in range(3):
        await sweeper.sweep()
    assert await in_force(room) == {"ours-1.2"}, "only what a lost worker had goes to others"


async def test_what_a_worker_has_tried_without_an_outcome_is_not_given_back_as_untried(
    room: Room, clock: Clock, in_hand: InHand
) -> None:
    sweeper = Sweeper(room, WorkerOptions(), Presence(None, "ours"), in_hand)
    in_hand.begin(await claimed(room, clock.ms, "ours-1.2"), asyncio.sleep(60))
    await claimed(room, clock.ms, "ours-2.2", "unheard")
    await in_hand.finish(grace_s=0)
    for _ in range(3):
        await sweeper.sweep()
    assert await in_force(room) == {"ours-1.2"}, "its mail may have gone; the other one was never begun"


async def test_what_a_lost_worker_had_in_hand_rings_the_bell(room: Room, clock: Clock, sweeper: Sweeper) -> None:
    await claimed(room, clock.ms, "lost-1.2")
    before = room.bell.rings
    for _ in range(3):
        await sweeper.sweep()
    assert await in_force(room) == set()
    assert room.bell.rings > before, "or it waits until somebody looks"


async def test_what_a_worker_gives_back_rings_the_bell(room: Room, clock: Clock, in_hand: InHand) -> None:
    sweeper = Sweeper(room, WorkerOptions(), Presence(None, "ours"), in_hand)
    await claimed(room, clock.ms, "ours-1.2")
    before = room.bell.rings
    await sweeper.sweep()
    assert await in_force(room) == {"ours-1.2"}, "its commit may just be ending"
    await sweeper.sweep()
    assert await in_force(room) == set()
    assert room.bell.rings > before, "or it waits until somebody looks"


async def test_a_worker_that_loses_mail_more_than_once_is_counted_once(
    room: Room, clock: Clock, sweeper: Sweeper
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("ringpost_workers_lost_total") or 0

    before = counted()
    for number in (1, 2):  # it slept, and claimed again
        await claimed(room, clock.ms, f"lost-{number}.2", f"e{number}")
        for _ in range(3):
            await sweeper.sweep()
    assert await in_force(room) == set()
    assert counted() - before == 1


async def test_a_clock_that_is_set_back_later_on_keeps_no_mail_waiting(
    room: Room, clock: Clock, in_hand: InHand
) -> None:
    sweeper = Sweeper(room, WorkerOptions(), Presence(None, "ours"), in_hand)
    day_ms = 24 * 3_600_000
    await sweeper.sweep()
    later = {"state": State.QUEUED, "due_at": clock.ms + day_ms, "deferred": True, "ended_at": None, "erase_at": None}
    await room.database.write(put, clock.ms + day_ms, 1, later)
    await sweeper.sweep()
    assert await due(room) == [clock.ms + day_ms], "nobody has touched the clock"
    clock.advance(-60)
    await sweeper.sweep()
    assert await due(room) == [clock.ms]


async def due(room: Room) -> list[int]:
    """When everything is due."""
    return await room.database.read(lambda connection: list(connection.execute(select(deliveries.c.due_at)).scalars()))


async def test_one_sweep_purges_more_than_one_bite(
    room: Room, clock: Clock, in_hand: InHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.usecases.purge.BITE", 1)
    await room.database.write(put, clock.ms - 100 * DAY_MS, 5, ended(clock.ms - 100 * DAY_MS))
    await Sweeper(room, WorkerOptions(sweep_s=60), Presence(None, "ours"), in_hand).sweep()
    assert await due(room) == []

"""When a lease is over: by the wall clock, and by nobody renewing it; never while its worker lives."""

import asyncio

from tests.conftest import Clock
from tests.patience import patience
from tests.usecases.test_purge import put

from ringpost.domain.deliveries import State
from ringpost.storage import leases, workers
from ringpost.storage.workers import SignOfLife
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions
from ringpost.worker.lease_watch import LONGEST_LEASE_MS, LeaseWatch, Moment

WALL = 1_800_000_000_000
AHEAD = "lost-1.2", WALL + 1_800_000
"""A lease that a clock has written which was ahead by half an hour."""
LENGTHS = {"lost": 60_000, "slow": 3_000_000}


def watch() -> LeaseWatch:
    """Of a worker with leases of a minute, which looks every five seconds."""
    return LeaseWatch(WorkerOptions(lease_s=60, sweep_s=5))


def look(asked: float, *, took: float = 0) -> Moment:
    """A look whose answer took so many seconds."""
    return Moment(WALL, asked, asked + took)


def test_a_lease_that_the_clock_says_is_over_is_believed_when_it_stays_so() -> None:
    watched, lease = watch(), ("lost-1.2", WALL)
    assert watched.over([lease], LENGTHS, look(1000)) == set()
    assert watched.over([lease], LENGTHS, look(1024)) == set()
    assert watched.over([lease], LENGTHS, look(1025)) == {"lost-1.2"}


def test_a_lease_that_ends_too_far_in_the_future_is_over_when_nobody_renews_it_for_its_length() -> None:
    watched = watch()
    for now in range(1000, 1085, 5):
        assert watched.over([AHEAD], LENGTHS, look(now)) == set()
    assert watched.over([AHEAD], LENGTHS, look(1085)) == {"lost-1.2"}, "its length, and the time to renew it"


def test_a_lease_that_is_renewed_is_never_over_whatever_the_clocks_say() -> None:
    for ahead_ms in (-86_400_000, 0, 86_400_000):
        watched = watch()
        for now in range(1000, 3000, 5):
            renewed = "lost-1.2", WALL + ahead_ms + now // 20 * 20_000
            assert watched.over([renewed], LENGTHS, look(now)) == set()


def test_an_answer_that_took_long_leaves_a_living_worker_its_time() -> None:
    watched, lease = watch(), ("lost-1.2", WALL)
    assert watched.over([lease], LENGTHS, look(1000, took=30)) == set()
    assert watched.over([lease], LENGTHS, look(1035)) == set(), "five seconds after it was first known"
    assert watched.over([lease], LENGTHS, look(1055)) == {"lost-1.2"}


def test_while_the_database_was_away_nobody_could_renew() -> None:
    watched = watch()
    assert watched.over([AHEAD], LENGTHS, look(1000)) == set()
    assert watched.over([AHEAD], LENGTHS, look(2000)) == set(), "the first look after it"
    assert watched.over([("lost-1.2", WALL + 1_800_001)], LENGTHS, look(2020)) == set()


def test_a_worker_with_longer_leases_than_ones_own_has_its_own_time_to_renew() -> None:
    watched, lease = watch(), ("slow-1.2", WALL - 1)
    assert watched.over([lease], LENGTHS, look(1000)) == set()
    assert watched.over([lease], LENGTHS, look(2000)) == set()
    assert watched.over([lease], LENGTHS, look(2005)) == {"slow-1.2"}


def test_a_worker_that_has_not_said_how_long_its_leases_are_has_the_longest() -> None:
    watched, lease, hour_s = watch(), ("unknown-1.2", WALL + 86_400_000), LONGEST_LEASE_MS // 1000
    assert watched.over([lease], LENGTHS, look(1000)) == set()
    assert watched.over([lease], LENGTHS, look(1000 + hour_s)) == set()
    assert watched.over([lease], LENGTHS, look(1000 + hour_s + 25)) == {"unknown-1.2"}


HALF_AN_HOUR_MS = 1_800_000


async def in_hand_of(room: Room, now: int, *names: str) -> None:
    """Each of these workers has claimed a mail by a clock that was ahead, and said how long its leases are."""
    claimed = {"state": State.SENDING, "lease_until": now + HALF_AN_HOUR_MS, "ended_at": None, "erase_at": None}
    for name in names:
        await room.database.write(put, now, 1, {**claimed, "claim": f"{name}-1.2"}, name=name)
        sign = SignOfLife(name, "host-1", now, now, 16, 1, lease_ms=3000)
        await room.database.write(workers.report, now, sign, {})


async def test_after_the_clock_was_set_right_what_a_lost_worker_had_in_hand_comes_back_and_a_living_one_keeps_its_own(
    room: Room, clock: Clock
) -> None:
    await in_hand_of(room, clock.ms, "lost", "alive")
    worker = Worker(room, WorkerOptions(slots=64, sweep_s=0.05))
    task = asyncio.create_task(worker.run())
    until = clock.ms + HALF_AN_HOUR_MS
    try:
        async with patience(60):
            while "lost-1.2" in dict(await room.database.read(leases.leases)):
                until += 50
                await room.database.write(leases.renew, ["alive-1.2"], [], until)
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await task
    assert await room.database.read(leases.leases) == [("alive-1.2", until)]

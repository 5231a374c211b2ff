"""How a worker looks for mail: the event loop does it itself while it finds what is usual; and how long it took."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import Connection, insert
from tests.conftest import Clock
from tests.patience import patience
from tests.storage.mails import put, row
from tests.worker.posts import report, report_large, save
from tests.worker.test_memory import wanted

from ringpost.domain.deliveries import Urgency
from ringpost.storage import at_once
from ringpost.storage.tables import holds
from ringpost.usecases.claim_deliveries import LATELY_MS, QUICK_BYTES, QUICK_MAILS, Look, Ring
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions

LOOP, THREAD = "MainThread", "ringpost-write"


class Looker:
    """Looks round one ring, and notes which thread does it."""

    def __init__(self, room: Room) -> None:
        self.threads: list[str] = []
        self._room = room
        self._ring = Ring()
        self._looks = 0

    async def look(self) -> Look:
        self._looks += 1
        asked = wanted(f"w-{self._looks}", 100_000_000, one_however_large=False)
        return await self._ring.claim_deliveries(
            self._room, replace(asked, slots=1000, emergency_slots=1000, share_out=self._share_out)
        )

    def _share_out(
        self, queues: Sequence[str], _urgency: Urgency, free: int, _taken: Mapping[str, int]
    ) -> dict[str, int]:
        if queues:
            self.threads.append(threading.current_thread().name)
        return dict.fromkeys(queues, free)


@pytest.fixture
async def looker(tenant_client: httpx.AsyncClient, room: Room, monkeypatch: pytest.MonkeyPatch) -> Looker:
    """Somebody who looks for the mail of a tenant whose mail server is never asked, on a machine that may be slow."""
    monkeypatch.setattr(at_once, "SLOW_S", 60.0)
    await save(tenant_client, 2525)
    return Looker(room)


@pytest.fixture
def quickly(kind_of_database: str) -> str:
    """The thread of a quick look."""
    return LOOP if kind_of_database == "sqlite" else THREAD


async def test_after_small_mail_of_late_or_nothing_the_event_loop_looks(
    tenant_client: httpx.AsyncClient, looker: Looker, quickly: str
) -> None:
    nothing = await looker.look()
    assert (nothing.works, nothing.more) == ([], False)
    await report(tenant_client, "DISK_LOW", 3)
    assert len((await looker.look()).works) == 3
    await report(tenant_client, "DISK_LOW", 2)
    assert len((await looker.look()).works) == 2
    assert looker.threads == [quickly, quickly]


async def test_after_old_mail_the_thread_looks_because_messages_may_have_to_come_from_the_disk(
    tenant_client: httpx.AsyncClient, looker: Looker, clock: Clock, quickly: str
) -> None:
    await looker.look()
    await report(tenant_client, "DISK_LOW")
    clock.advance(LATELY_MS / 1000 + 1)
    await report(tenant_client, "DISK_LOW")
    assert len((await looker.look()).works) == 2
    await report(tenant_client, "DISK_LOW")
    assert len((await looker.look()).works) == 1
    assert looker.threads == [quickly, THREAD]


async def test_after_a_recording_the_thread_looks(
    tenant_client: httpx.AsyncClient, looker: Looker, quickly: str
) -> None:
    await looker.look()
    await report_large(tenant_client, 100_000)
    assert len((await looker.look()).works) == 1
    await report(tenant_client, "DISK_LOW")
    assert len((await looker.look()).works) == 1
    assert looker.threads == [quickly, THREAD]


@pytest.mark.parametrize("small", [0, 2])
async def test_the_event_loop_leaves_large_messages_to_the_thread(
    tenant_client: httpx.AsyncClient, looker: Looker, kind_of_database: str, small: int
) -> None:
    await looker.look()
    if small:
        await report(tenant_client, "DISK_LOW", small)
    await report_large(tenant_client, QUICK_BYTES)
    if kind_of_database == "sqlite":
        quick = await looker.look()
        assert (len(quick.works), quick.more) == (small, True)
        small = 0
    found = await looker.look()
    assert len(found.works) == small + 1
    assert found.works[-1].size > QUICK_BYTES
    assert found.works[-1].claimed.attempts == 0
    assert looker.threads[-1] == THREAD


async def test_the_event_loop_takes_few_at_a_time(
    tenant_client: httpx.AsyncClient, looker: Looker, kind_of_database: str
) -> None:
    await looker.look()
    await report(tenant_client, "DISK_LOW", QUICK_MAILS + 4)
    found = await looker.look()
    assert len(found.works) == (QUICK_MAILS if kind_of_database == "sqlite" else QUICK_MAILS + 4)
    assert found.more


async def test_waiting_for_others_to_write_is_no_part_of_looking(room: Room, looker: Looker) -> None:
    free = threading.Event()
    other = asyncio.create_task(room.database.write(lambda _connection: free.wait(60)))
    begun = time.monotonic()
    looking = asyncio.create_task(looker.look())
    await asyncio.sleep(0.5)
    free.set()
    found = await looking
    assert time.monotonic() - begun - found.took_s >= 0.5
    await other


async def test_each_ring_is_walked_round_once_however_long_the_others_are(looker: Looker, room: Room) -> None:
    def put_on_hold(connection: Connection) -> None:
        far = room.clock() + 600_000
        why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
        for number in range(11 * 64):
            lane = f"held{number:03}"
            put(connection, lane, lane, expires_at=far)
            if number < 10 * 64:
                put(connection, f"alert-{lane}", lane, urgency=Urgency.ALERT, expires_at=far)
            connection.execute(insert(holds), {"lane": lane, "since": room.clock(), "until": far, **why})

    await room.database.write(put_on_hold)

    looks = 1
    while (await looker.look()).more:
        looks += 1
    assert looks <= 12


async def test_what_comes_behind_a_walk_is_found_by_the_next_one_at_once(room: Room) -> None:
    far = room.clock() + 600_000

    def put_on_hold(connection: Connection) -> None:
        why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
        lanes = [f"held{number:03}" for number in range(700)]
        for lane in lanes:
            put(connection, lane, lane, expires_at=far)
        times = {"since": room.clock(), "until": far}
        connection.execute(insert(holds), [{"lane": lane, **times, **why} for lane in lanes])

    await room.database.write(put_on_hold)
    worker = Worker(room, WorkerOptions(poll_s=3600, sweep_s=3600))
    working = asyncio.create_task(worker.run())
    async with patience(20):
        for number in range(10):
            await asyncio.sleep(0.1)
            room.bell.ring()
            await asyncio.sleep(0.005 * number)
            await room.database.write(put, f"new{number}", f"held100-{number}", expires_at=far)
            room.bell.ring()
            while not (await room.database.read(row, f"new{number}-1")).attempts:
                await asyncio.sleep(0.01)
    worker.stop()
    await working

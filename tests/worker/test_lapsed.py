"""A worker whose lease has ended sends no more of what another may be sending by now."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.journeys.running import Mailbox, mailbox
from tests.patience import patience
from tests.postgresql import PostgresServer
from tests.transports.scripted_server import Client, ScriptedServer, Trick, polite
from tests.worker.middleman import middleman
from tests.worker.posts import report, save

from ringpost.storage import leases
from ringpost.storage.database import open_database
from ringpost.storage.standing import Memory
from ringpost.transports import lease
from ringpost.usecases.bell import Bell
from ringpost.usecases.hand_over import Takers
from ringpost.usecases.recover_lost import recover_lost
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions
from ringpost.worker.concurrency import FIRST_WINDOW

CONNECTIONS = 4
"""So many mails may be past their final dot."""
MAILS = 40


@pytest.fixture
def fall_asleep(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As if the process had stood still for longer than any lease."""
    slept_s, awake = 0.0, lease.now

    def sleep() -> None:
        nonlocal slept_s
        slept_s += 1000

    monkeypatch.setattr(lease, "now", lambda: awake() + slept_s)
    return sleep


async def has_in_hand(client: httpx.AsyncClient, box: Mailbox, worker: Worker) -> None:
    """Until the worker has more in hand than it has connections; none of it is answered."""
    box.hold_back.clear()
    await report(client, "DISK_LOW", MAILS)
    async with patience(30):
        while worker.in_hand < FIRST_WINDOW:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # all connections are busy


async def all_sent(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """All deliveries, once they are recorded as sent."""
    async with patience(20):
        while len(items := (await client.get("/deliveries?state=sent&top=200")).json()["items"]) < MAILS:
            await asyncio.sleep(0.05)
    return items


async def test_after_a_standstill_only_what_was_past_its_final_dot_comes_twice(
    tenant_client: httpx.AsyncClient, room: Room, worker: Worker, fall_asleep: Callable[[], None]
) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        await has_in_hand(tenant_client, box, worker)
        fall_asleep()
        await recover_lost(room, {claim for claim, _ in await room.database.read(leases.leases)})  # by another worker
        box.hold_back.set()
        await all_sent(tenant_client)
        await asyncio.sleep(0.3)  # time to do harm
    assert len(box.message_ids) == MAILS
    assert sum(box.message_ids.values()) - len(box.message_ids) <= CONNECTIONS


async def test_what_nobody_has_taken_over_meanwhile_is_given_back_and_sent_once(
    tenant_client: httpx.AsyncClient, worker: Worker, fall_asleep: Callable[[], None]
) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        await has_in_hand(tenant_client, box, worker)
        fall_asleep()
        box.hold_back.set()
        items = await all_sent(tenant_client)
    assert set(box.message_ids.values()) == {1}
    assert {item["attempts"] for item in items} == {1}


async def test_what_is_given_back_does_not_wait_for_what_was_claimed_with_it(
    tenant_client: httpx.AsyncClient, worker: Worker, fall_asleep: Callable[[], None]
) -> None:
    asleep = asyncio.Event()
    says_nothing_to_a_message = polite({"DOT": Trick.SILENCE}, capabilities=())

    async def greets_late(client: Client) -> None:
        await asleep.wait()
        await polite()(client)

    async with ScriptedServer(says_nothing_to_a_message, greets_late, polite()) as server:
        await save(tenant_client, server.port)
        both = await report(tenant_client, "DISK_LOW", 2)
        async with patience(10):
            while server.connections < 2 or not server.mails:
                await asyncio.sleep(0.01)
        fall_asleep()
        asleep.set()
        async with patience(10):
            while not (sent := (await tenant_client.get("/deliveries?state=sent")).json()["items"]):
                await asyncio.sleep(0.02)
            while worker.in_hand > 1:
                await asyncio.sleep(0.01)
        assert worker.in_hand == 1, "the other one has not been answered yet"
    assert {one["id"] for one in sent} < {*both}
    assert [one["attempts"] for one in sent] == [1]


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_who_is_cut_off_from_the_database_only_stops_sending_when_its_lease_ends(
    tenant_client: httpx.AsyncClient, room: Room, postgres: PostgresServer, database_url: str
) -> None:
    options = WorkerOptions(slots=64, poll_s=0.02, sweep_s=0.1, lease_s=1)
    async with mailbox() as box, middleman(postgres.port) as between:
        await save(tenant_client, box.port)
        database = await open_database(database_url.replace(f":{postgres.port}/", f":{between.port}/"))
        elsewhere = replace(room, database=database, bell=Bell(), takers=Takers(), standing=Memory())
        cut_off = Worker(elsewhere, replace(options, grace_s=0.1))
        working = asyncio.create_task(cut_off.run())
        await has_in_hand(tenant_client, box, cut_off)
        before = {claim for claim, _ in await room.database.read(leases.leases)}
        between.cut()
        other = Worker(room, options)
        others_work = asyncio.create_task(other.run())
        async with patience(15):
            while before & {claim for claim, _ in await room.database.read(leases.leases)}:
                await asyncio.sleep(0.05)
        box.hold_back.set()
        await all_sent(tenant_client)
        await asyncio.sleep(0.3)  # time to do harm
        other.stop()
        await others_work
        cut_off.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(working, 10)
        await database.close()
    assert len(box.message_ids) == MAILS
    assert sum(box.message_ids.values()) - len(box.message_ids) <= CONNECTIONS

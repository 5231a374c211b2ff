"""Whoever floods, and whoever's server is slow or silent, holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, func, select
from tests.conftest import client_with, make_key
from tests.journeys.running import settings_for
from tests.patience import patience
from tests.worker.posts import report, save
from tests.worker.slow_server import SlowServer, slow_server

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantDraft
from ringpost.storage.database import Database
from ringpost.storage.tables import deliveries
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions

NORMAL, EMERGENCY = "DISK_LOW", "EMERGENCY_CALL"


@pytest.fixture
async def full_worker(room: Room) -> AsyncIterator[Worker]:
    """A worker as it comes."""
    worker = Worker(room, WorkerOptions(poll_s=0.1, sweep_s=1, grace_s=0))
    task = asyncio.create_task(worker.run())
    yield worker
    worker.stop()
    await task


class Crowd:
    """Tenants by name, each with a mail server of its own settings; their sender is `<name>@example.com`."""

    def __init__(self, room: Room, app: FastAPI, open_clients: AsyncExitStack) -> None:
        self._room = room
        self._app = app
        self._open_clients = open_clients

    async def joined_by(self, name: str, server: SlowServer) -> httpx.AsyncClient:
        """A client of a new tenant that sends through this server."""
        tenant = await create_tenant(self._room, TenantDraft(name, f"{name}.example"))
        client = client_with(self._app, await make_key(self._room, tenant))
        await self._open_clients.enter_async_context(client)
        await save(client, server.port, username=f"{name}@example.com")
        return client


@pytest.fixture
async def crowd(room: Room, app: FastAPI) -> AsyncIterator[Crowd]:
    """Nobody yet."""
    async with AsyncExitStack() as stack:
        yield Crowd(room, app, stack)


async def until(done: Callable[[], bool], within_s: float = 60) -> None:
    async with patience(within_s):
        while not done():
            await asyncio.sleep(0.01)


async def flood(client: httpx.AsyncClient, mails: int) -> None:
    for _ in range(mails // 500):
        await report(client, NORMAL, 500)


@pytest.mark.usefixtures("full_worker")
async def test_a_flood_and_servers_that_never_greet_hold_up_nobody(crowd: Crowd) -> None:
    async with slow_server() as quick, slow_server() as flooded, slow_server(silent=True) as black_hole:
        flooded.each_takes_s = 0.01
        a = await crowd.joined_by("a", flooded)
        b = await crowd.joined_by("b", quick)
        for number in range(10):
            silent = await crowd.joined_by(f"silent{number}", black_hole)
            await report(silent, NORMAL, 50)
        await flood(a, 3000)

        await report(b, EMERGENCY)
        await report(b, NORMAL)
        await until(lambda: quick.mails[b"b@example.com"] == 2)
        before_b = sum(flooded.mails.values())
        [own] = await report(a, EMERGENCY)
        await until_sent(a, own)
        before_a = sum(flooded.mails.values())

    assert before_b < 2000, "B did not wait for A's flood"
    assert before_a < 2500, "nor did A's own emergency"
    assert black_hole.connections <= 10 * 2, "a server that never greets is asked once at a time"


async def until_sent(client: httpx.AsyncClient, delivery: str) -> None:
    async with patience(60):
        while (await client.get(f"/deliveries/{delivery}")).json()["state"] != "sent":
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("full_worker")
async def test_hundreds_of_slow_servers_are_waited_for_at_once_and_quick_ones_do_not_notice(crowd: Crowd) -> None:
    lanes = 120
    async with slow_server() as quick, slow_server() as slow:
        slow.answers.clear()
        b = await crowd.joined_by("b", quick)
        for number in range(lanes):
            await report(await crowd.joined_by(f"slow{number}", slow), NORMAL, 3)

        await flood(b, 1000)
        await until(lambda: quick.mails[b"b@example.com"] == 1000)
        await until(lambda: len(+slow.held) == lanes)
        taken_before = sum(slow.mails.values())
        slow.answers.set()
        await until(lambda: sum(slow.mails.values()) == 3 * lanes)

    assert taken_before == 0


@pytest.mark.usefixtures("worker")
async def test_when_slots_are_scarce_more_queues_than_a_look_sees_get_on_alike(crowd: Crowd) -> None:
    queues, each = 80, 20
    async with slow_server() as server:
        server.answers.clear()
        for number in range(queues):
            await report(await crowd.joined_by(f"t{number:02}", server), NORMAL, each)
        server.each_takes_s = 0.05
        server.answers.set()
        await until(lambda: sum(server.mails.values()) >= queues * each // 2)
        got = [server.mails[f"t{number:02}@example.com".encode()] for number in range(queues)]

    assert min(got) >= each // 5


@pytest.mark.usefixtures("worker")
async def test_a_flood_leaves_three_quarters_to_who_waits_where_its_look_does_not_see_it(
    room: Room, crowd: Crowd
) -> None:
    async with slow_server() as flooded, slow_server() as others:
        a, b = await crowd.joined_by("a", flooded), await crowd.joined_by("b", others)
        others.answers.clear()
        await report(b, NORMAL, 100)
        await until(lambda: others.held.total() > 0)
        for _ in range(6):
            await report(a, "RECHARGE", 500)  # of another class: each is looked at apart
        most = 0
        while flooded.mails.total() < 3000:
            most = max(most, await room.database.read(in_hand, "RECHARGE"))
        others.answers.set()

    assert 8 < most <= 16  # of 64 slots


@pytest.mark.usefixtures("worker")
async def test_a_flood_leaves_them_also_when_the_database_is_slow(
    room: Room, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_each = Database.write_each

    async def write_late(*arguments: Any, **how: Any) -> Any:
        await asyncio.sleep(0.12)  # more than two sweeps
        return await write_each(*arguments, **how)

    async with slow_server() as flooded, slow_server() as others:
        a, b = await crowd.joined_by("a", flooded), await crowd.joined_by("b", others)
        others.answers.clear()
        await report(b, "RECHARGE", 100)
        await until(lambda: others.held.total() > 0)
        await report(a, NORMAL, 300)  # of a class that is looked at sooner
        monkeypatch.setattr(Database, "write_each", write_late)
        most = 0
        while flooded.mails.total() < 250:
            most = max(most, await room.database.read(in_hand, NORMAL))
        monkeypatch.undo()
        others.answers.set()

    assert 8 < most <= 16  # of 64 slots


def in_hand(connection: Connection, kind: str) -> int:
    sending = deliveries.c.state == State.SENDING, deliveries.c.type == kind
    return connection.execute(select(func.count()).where(*sending)).scalar_one()


@pytest.mark.usefixtures("worker")
async def test_borrowers_of_one_slow_server_take_turns(
    room: Room, app: FastAPI, admin_client: httpx.AsyncClient
) -> None:
    async with slow_server() as systems, AsyncExitStack() as stack:
        systems.each_takes_s = 0.05
        await save(admin_client, systems.port, username="system@example.net")
        clients: list[httpx.AsyncClient] = []
        for name in ("large", "small"):
            tenant = await create_tenant(room, TenantDraft(name, f"{name}.example"))
            client = await stack.enter_async_context(client_with(app, await make_key(room, tenant)))
            await client.post("/tenant/notification", json=settings_for(25, username="nobody"))
            clients.append(client)
        large, small = clients
        await report(large, EMERGENCY, 200)

        for delivery in await report(small, EMERGENCY, 2):
            await until_sent(small, delivery)

    assert sum(systems.mails.values()) < 150

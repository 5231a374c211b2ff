"""A probe that ends without a word of its server keeps its lane waiting no longer, however it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import Connection, insert, update
from tests.conftest import Clock
from tests.journeys.running import mailbox
from tests.patience import patience
from tests.transports.scripted_server import ScriptedServer, Trick, polite
from tests.worker.posts import report, report_large, save
from tests.worker.test_memory import wanted

from ringpost.domain.tenants import TenantId
from ringpost.storage.outbox import Claimed
from ringpost.storage.queues import SYSTEMS_OWN
from ringpost.storage.tables import deliveries, holds
from ringpost.usecases.claim_deliveries import Ring
from ringpost.usecases.give_back import give_back
from ringpost.usecases.recover_lost import leave_in_hand, recover_lost
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions
from ringpost.worker.windows import SLOT_BYTES


@pytest.fixture
async def held(tenant_client: httpx.AsyncClient, room: Room, acme: TenantId, clock: Clock) -> None:
    """Two mails on a lane that is due for a probe."""
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW", 2)
    await room.database.write(_hold, acme, clock.ms)


def _hold(connection: Connection, lane: str, now: int) -> None:
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    connection.execute(insert(holds).values(lane=lane, since=now, until=now, **why))


async def claims(room: Room, name: str, bytes_left: int = 1_000_000) -> list[Claimed]:
    """What a worker with mail in hand takes."""
    works, *_ = await Ring().claim_deliveries(room, wanted(name, bytes_left, one_however_large=False))
    return [work.claimed for work in works]


@pytest.mark.usefixtures("held")
async def test_a_probe_that_one_worker_has_no_memory_for_is_left_to_another(room: Room) -> None:
    assert await claims(room, "w1-1", bytes_left=1) == []
    assert [item.probe for item in await claims(room, "w2-1")] == [True]
    assert await claims(room, "w3-1") == [], "one at a time"


async def unheard(room: Room, probes: Sequence[Claimed]) -> None:
    """The answer of the commit was lost."""
    await give_back(room, {item.claim for item in probes})


async def lost(room: Room, probes: Sequence[Claimed]) -> None:
    """The worker died."""
    await recover_lost(room, {item.claim for item in probes})


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("ends", [unheard, lost, leave_in_hand])
async def test_a_lane_is_probed_anew_when_its_probe_ends_without_an_outcome(
    room: Room, ends: Callable[[Room, Sequence[Claimed]], Awaitable[None]]
) -> None:
    probes = await claims(room, "w1-1")
    assert await claims(room, "w2-1") == []
    await ends(room, probes)
    assert [item.probe for item in await claims(room, "w3-1")] == [True]
    assert await claims(room, "w4-1") == [], "one at a time"


@pytest.mark.usefixtures("held")
async def test_mail_is_of_the_lane_that_it_goes_through_whatever_queue_it_was_put_into(
    room: Room, acme: TenantId
) -> None:
    """Its tenant had no mail server of its own when it was last tried."""
    await room.database.write(_put_into, f"system:{acme}")
    assert {(item.queue, item.lane) for item in await claims(room, "w1-1")} == {(acme, acme)}


def _put_into(connection: Connection, queue: str) -> None:
    connection.execute(update(deliveries).values(queue=queue))


async def test_no_more_lanes_are_probed_at_once_than_a_worker_has_slots_for(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient, acme: TenantId, other: TenantId, room: Room
) -> None:
    for client, tenant in ((tenant_client, acme), (other_client, other)):
        await save(client, 2525)
        await report(client, "DISK_LOW", 2)
        await room.database.write(_hold, tenant, room.clock())
    one_slot = replace(wanted("w1-1", 1_000_000, one_however_large=False), probe_slots=1)

    works, *_ = await Ring().claim_deliveries(room, one_slot)

    assert [work.claimed.probe for work in works] == [True]
    assert [item.probe for item in await claims(room, "w2-1")] == [True], "the other one"


async def test_a_flood_does_not_keep_a_server_from_being_tried_again(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient, acme: TenantId, room: Room, clock: Clock
) -> None:
    flood, most = 3_000, 2_000
    async with mailbox() as own, mailbox() as flooded:
        await save(tenant_client, own.port)
        await save(other_client, flooded.port)
        for _ in range(flood // 1_000):
            await report(other_client, "DISK_LOW", 1_000)
        await report(tenant_client, "DISK_LOW")
        await room.database.write(_hold, acme, clock.ms + 1_000)
        worker = Worker(room, WorkerOptions(slots=32, poll_s=0.02, sweep_s=0.5))
        running = asyncio.create_task(worker.run())

        await flooded.holds(200)
        clock.advance(2)
        await own.holds(1)

        assert len(flooded.message_ids) < most
        worker.stop()
        await running


async def test_a_worker_that_has_more_than_half_in_hand_probes_a_sixteenth_at_once(
    tenant_client: httpx.AsyncClient,
    other_client: httpx.AsyncClient,
    admin_client: httpx.AsyncClient,
    other: TenantId,
    room: Room,
    clock: Clock,
) -> None:
    async with ScriptedServer(polite({"GREETING": Trick.SILENCE})) as server:
        await save(tenant_client, server.port, username="one@example.com")
        await save(other_client, server.port, username="two@example.com")
        operator = {"recipients": "operator@example.com", "notify_ip_blocked": True}
        await save(admin_client, server.port, username="three@example.com", **operator)
        for lane in (other, SYSTEMS_OWN):
            await room.database.write(_hold, lane, clock.ms + 1_000)
        await report(other_client, "DISK_LOW")
        await report(admin_client, "IP_BLOCKED")
        await report_large(tenant_client, 8 * SLOT_BYTES)  # before the worker: no look begins while all is free
        worker = Worker(room, WorkerOptions(slots=16, poll_s=0.02, sweep_s=0.5))
        running = asyncio.create_task(worker.run())
        await connections(server, 1)

        clock.advance(2)
        await connections(server, 2)
        await asyncio.sleep(0.5)  # in which it looks many times

        assert server.connections == 2, "the one that holds the slots, and one probe"
        worker.stop()
    await running


async def connections(server: ScriptedServer, count: int) -> None:
    async with patience(15):
        while server.connections < count:
            await asyncio.sleep(0.01)

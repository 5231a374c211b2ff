"""A mail server with a pace gets no more than that; what waits for its turn is in nobody's hands and has not failed."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from tests.journeys.running import mailbox
from tests.worker.posts import is_sent, report, save, story

from ringpost.domain.endpoints import Endpoint, SmtpEndpoint
from ringpost.domain.paces import parse_paces
from ringpost.transports.pacing import Pace, Paces
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions

PER_MINUTE = 120
AT_ONCE = PER_MINUTE // 10


@pytest.fixture
def per_minute() -> int:
    """The pace of this machine's mail servers."""
    return PER_MINUTE


@pytest.fixture
async def paced_worker(room: Room, per_minute: int) -> AsyncIterator[Worker]:
    """A worker at work, for whom this machine's mail servers have a pace."""
    paces = Paces(parse_paces(f"127.0.0.1={per_minute}"))

    def pace_of(endpoint: Endpoint) -> Pace | None:
        return paces.of(endpoint.host) if isinstance(endpoint, SmtpEndpoint) else None

    worker = Worker(replace(room, pace_of=pace_of), WorkerOptions(poll_s=0.05, sweep_s=0.2))
    task = asyncio.create_task(worker.run())
    yield worker
    worker.stop()
    await task


@pytest.mark.usefixtures("paced_worker")
async def test_a_server_gets_its_pace_and_an_emergency_does_not_wait_for_it(tenant_client: httpx.AsyncClient) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        begin = time.monotonic()
        deliveries = await report(tenant_client, "DISK_LOW", 40)
        await box.holds(AT_ONCE)
        [emergency] = await report(tenant_client, "EMERGENCY_CALL")
        await story(tenant_client, emergency, is_sent)
        before = len(box.raw)
        hands = (await tenant_client.get("/deliveries?state=sending")).json()["items"]
        await box.holds(AT_ONCE + 4)
        took = time.monotonic() - begin
        stories = [(await tenant_client.get(f"/deliveries/{one}")).json() for one in deliveries]

    assert took > 2, "the first tenth goes at once, the next when its time has come"
    assert before <= AT_ONCE * 2
    assert len(hands) <= 3 * AT_ONCE, "most of them wait in the outbox"
    assert {one["attempts"] for one in stories} <= {0, 1}
    assert not any(one["waiting_for_server"] for one in stories)


@pytest.mark.parametrize("per_minute", [1])
@pytest.mark.usefixtures("paced_worker")
async def test_an_emergency_is_taken_on_when_the_minute_is_used_up(tenant_client: httpx.AsyncClient) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        await report(tenant_client, "DISK_LOW", 5)
        await box.holds(1)
        for _ in range(2):
            [emergency] = await report(tenant_client, "EMERGENCY_CALL")
            await story(tenant_client, emergency, is_sent)
        assert len(box.raw) == 3


@pytest.mark.parametrize("per_minute", [30])
@pytest.mark.usefixtures("paced_worker")
async def test_tenants_whose_servers_share_a_pace_have_no_more_in_hand_than_one_would(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    tenants = tenant_client, other_client
    async with mailbox() as box:
        for tenant in tenants:
            await save(tenant, box.port)
            await report(tenant, "DISK_LOW", 20)
        await box.holds(4)  # three at once, and one when its time has come
        found = [one for tenant in tenants for one in (await tenant.get("/deliveries")).json()["items"]]

    in_hand = [one for one in found if one["state"] == "sending"]
    assert len(in_hand) <= 6, "what is under way, and what may go within the time that one waits"
    assert sum(one["attempts"] for one in found) <= 6, "what waits for its turn has not failed"

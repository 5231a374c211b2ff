"""What was acknowledged is never lost, also when the process is killed without warning."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest
from chaos.oracle import have_all_ended
from tests.journeys.running import Service, mailbox, new_tenant, service
from tests.patience import patience

EVENTS = 2000
A_REQUEST = 5
KILLS = 3


async def post(client: httpx.AsyncClient, numbers: range) -> bool:
    """Post events in one request; True when they were acknowledged."""
    events = [{"type": "QUEUE_SLA", "id": f"e-{n}", "variables": {"QUEUE_NAME": f"Queue {n}"}} for n in numbers]
    try:
        answer = await client.post("/events", json={"events": events})
    except httpx.TransportError:
        return False
    return answer.status_code == 202 and all(result["status"] == 202 for result in answer.json()["results"])


async def post_all(client: httpx.AsyncClient, acknowledged: set[int]) -> None:
    """Eight senders post every event, again and again until each was acknowledged."""
    parts = iter([range(start, start + A_REQUEST) for start in range(0, EVENTS, A_REQUEST)])

    async def sender() -> None:
        for numbers in parts:
            while not await post(client, numbers):
                await asyncio.sleep(0.02)
            acknowledged.update(numbers)

    await asyncio.gather(*(sender() for _ in range(8)))


async def kill_now_and_then(running: Service, acknowledged: set[int]) -> None:
    """Kill it each time another share of the events was acknowledged, and start it again."""
    for kill in range(1, KILLS + 1):
        while len(acknowledged) < kill * EVENTS // (KILLS + 1):
            await asyncio.sleep(0.005)
        await running.stop(signal.SIGKILL)
        await running.start()


@pytest.mark.timeout(400)
async def test_what_was_acknowledged_arrives_although_the_process_is_killed(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    async with mailbox() as box, service(tmp_path / "data") as running:
        async with new_tenant(running, box.port) as tenant:
            await asyncio.gather(post_all(tenant, acknowledged), kill_now_and_then(running, acknowledged))
            assert len(acknowledged) == EVENTS
            await box.holds(EVENTS, within_s=120)
            await no_delivery_is_open(tenant)
            arrived = {str(mail["Subject"]) for mail in box.received}
            assert len(arrived) == EVENTS, "every event has its own queue in its subject"
            await what_came_twice_was_ambiguous(tenant, [key for key, count in box.message_ids.items() if count > 1])
        assert await running.stop() == 0


async def no_delivery_is_open(tenant: httpx.AsyncClient) -> None:
    """Wait until everything has ended: what was in hand at two kills comes back within a minute."""
    async with patience(100):
        while not await have_all_ended(tenant):
            await asyncio.sleep(0.1)


async def what_came_twice_was_ambiguous(tenant: httpx.AsyncClient, message_ids: list[str]) -> None:
    """A mail may come twice only when nobody could know whether the server had it."""
    for message_id in message_ids:
        delivery = message_id.strip("<>").partition("@")[0]
        story = (await tenant.get(f"/deliveries/{delivery}")).json()
        assert any(attempt["ambiguous"] for attempt in story["all_attempts"]), story

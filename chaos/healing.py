"""What an operator does after a bad day: save the settings once more, retry what waits, and have patience."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx

from chaos.oracle import in_state
from chaos.processes import settings


async def until_empty(clients: Sequence[httpx.AsyncClient], mail_ports: Sequence[int], patience_s: float) -> None:
    """Return when every delivery of these tenants has ended. TimeoutError when that takes too long."""
    async with asyncio.timeout(patience_s):
        for client, port in zip(clients, mail_ports, strict=True):
            (await client.post("/tenant/notification", json=settings(port))).raise_for_status()
        while await _open(clients):
            await asyncio.sleep(0.3)


async def _open(clients: Sequence[httpx.AsyncClient]) -> int:
    """How many deliveries have not ended, as far as pages show; what waits for its time is retried at once."""
    found = 0
    for client in clients:
        queued = await in_state(client, "queued")
        found += len(queued) + len(await in_state(client, "sending"))
        soon = f"{datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%S}"
        for delivery in queued:
            if delivery["due_at"] > soon:
                await client.post(f"/deliveries/{delivery['id']}/retry")  # 409: it is being tried right now
    return found

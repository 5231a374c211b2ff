"""What an operator does after a bad day: save the settings once more, retry what waits, and have patience."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx

from chaos.oracle import have_all_ended, in_state
from chaos.processes import settings


async def until_empty(clients: Sequence[httpx.AsyncClient], mail_ports: Sequence[int], patience_s: float) -> None:
    """Return when every delivery of these tenants has ended. TimeoutError when that takes too long.

    `mail_ports`: of the first of them; any others have no mail servers of their own.
    """
    async with asyncio.timeout(patience_s):
        for client, port in zip(clients, mail_ports, strict=False):
            (await client.post("/tenant/notification", json=settings(port))).raise_for_status()
        while await _are_open(clients):
            await asyncio.sleep(0.3)


async def _are_open(clients: Sequence[httpx.AsyncClient]) -> bool:
    """Whether there are deliveries that have not ended; what waits for its time is retried at once."""
    found = False
    for client in clients:
        queued = await in_state(client, "queued")
        found = found or bool(queued) or not await have_all_ended(client)
        soon = f"{datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%S}"
        for delivery in queued:
            if delivery["due_at"] > soon:
                await client.post(f"/deliveries/{delivery['id']}/retry")  # 409: it is being tried right now
    return found

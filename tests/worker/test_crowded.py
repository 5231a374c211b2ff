"""A mail server that permits few connections to one client: emergencies and other mail share those that there are."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select
from tests.patience import patience
from tests.transports.scripted_server import Client, ScriptedServer
from tests.worker.posts import is_sent, report, save, story

from ringpost.storage.tables import holds
from ringpost.usecases.room import Room
from ringpost.worker import Worker

EACH_TAKES_S = 0.1


def permits(most: int, refusal: bytes) -> Callable[[Client], Coroutine[Any, Any, None]]:
    """Takes so many connections at once, and a mail in a tenth of a second on each."""
    numbers = set[int]()

    async def script(client: Client) -> None:
        if len(numbers) >= most:
            await client.say(refusal)
            return
        numbers.add(client.number)
        try:
            await client.say(b"220 hi\r\n")
            while (line := await client.command()) and not line.startswith(b"QUIT"):
                if line.startswith(b"EHLO"):
                    await client.say(b"250-hi\r\n250 PIPELINING\r\n")
                    continue
                if line.startswith(b"DATA"):
                    await client.say(b"354 go\r\n")
                    client.server.mails.append(await client.message())
                    await asyncio.sleep(EACH_TAKES_S)
                await client.say(b"250 ok\r\n")
        finally:
            numbers.discard(client.number)

    return script


def on_hold(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(holds)).scalar_one()


async def taken(server: ScriptedServer, count: int) -> None:
    async with patience(15):
        while len(server.mails) < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "refusal", [b"421 too many connections\r\n", b"450 4.7.1 Too many connections from your address\r\n"]
)
async def test_an_emergency_goes_before_what_waits_when_other_mail_has_all_connections(
    tenant_client: httpx.AsyncClient, worker: Worker, room: Room, refusal: bytes
) -> None:
    assert worker
    async with ScriptedServer(permits(2, refusal)) as server:
        await save(tenant_client, server.port)
        await report(tenant_client, "DISK_LOW", 300)  # half a minute
        await taken(server, 20)
        for _ in range(2):  # the second one without asking for a connection first
            (emergency,) = await report(tenant_client, "EMERGENCY_CALL")
            async with patience(3):
                found = await story(tenant_client, emergency, is_sent)
            assert found["attempts"] == 1
        assert await room.database.read(on_hold) == 0
        assert len(server.mails) < 200, "it has not waited for the others"


async def test_other_mail_goes_when_emergencies_have_all_connections(
    tenant_client: httpx.AsyncClient, worker: Worker, room: Room
) -> None:
    assert worker
    async with ScriptedServer(permits(1, b"421 4.7.0 Too many connections\r\n")) as server:
        await save(tenant_client, server.port)
        await report(tenant_client, "EMERGENCY_CALL", 5)
        await taken(server, 1)
        (other,) = await report(tenant_client, "DISK_LOW")
        found = await story(tenant_client, other, is_sent)
        assert found["attempts"] == 1
        assert await room.database.read(on_hold) == 0

"""Settings that another process saves at the moment at which a worker records what the server before them did."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import psycopg
import pytest
from tests.journeys.running import settings_for
from tests.transports.scripted_server import ScriptedServer, polite, thinks_at_mail
from tests.worker.posts import is_sent, report, save, story

from ringpost.domain.access import Principal, Role
from ringpost.domain.tenants import TenantId
from ringpost.storage.database import open_database
from ringpost.storage.standing import Memory
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


@pytest.fixture
def kind_of_database() -> str:
    """The one that processes write at the same time."""
    return "postgresql"


@pytest.fixture
async def elsewhere(room: Room, database_url: str) -> AsyncIterator[Room]:
    """The room of another process."""
    database = await open_database(database_url)
    yield replace(room, database=database, standing=Memory())
    await database.close()


@pytest.mark.usefixtures("worker")
async def test_a_password_that_is_corrected_while_its_refusal_is_recorded_is_used_at_once(
    tenant_client: httpx.AsyncClient, acme: TenantId, elsewhere: Room, database_url: str
) -> None:
    go_on = asyncio.Event()
    administrator = Principal(acme, Role.TENANT_ADMIN, frozenset(), "ann", "token")

    async with (
        ScriptedServer(thinks_at_mail(go_on, b"535 5.7.8 Wrong password\r\n")) as old,
        ScriptedServer(polite()) as new,
        await psycopg.AsyncConnection.connect(database_url) as slow,
    ):
        await save(tenant_client, old.port)
        [delivery] = await report(tenant_client, "DISK_LOW")
        async with asyncio.timeout(15):
            while not old.said(b"MAIL"):
                await asyncio.sleep(0.01)
        await slow.execute("SELECT id FROM deliveries FOR UPDATE")
        go_on.set()
        async with asyncio.timeout(10):
            while not (await (await slow.execute(WAITING)).fetchall()):
                await asyncio.sleep(0.01)
        saved = asyncio.create_task(change_settings(elsewhere, administrator, settings_for(new.port)))
        await asyncio.wait({saved}, timeout=0.5)
        await slow.rollback()
        await saved

        await story(tenant_client, delivery, is_sent)

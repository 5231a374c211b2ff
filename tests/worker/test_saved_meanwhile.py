"""Settings that another process saves at the moment at which mail goes by those before them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import psycopg
import pytest
from tests.journeys.running import settings_for
from tests.transports.scripted_server import ScriptedServer, polite, thinks_at_mail
from tests.worker.posts import borrow, is_sent, report, save, story
from tests.worker.test_moving_on import hold_the_systems

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


@pytest.fixture
def administrator(acme: TenantId) -> Principal:
    """Who saves."""
    return Principal(acme, Role.TENANT_ADMIN, frozenset(), "ann", "token")


@pytest.fixture
async def slow(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Whose open transaction others wait for."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        yield connection


async def somebody_waits(connection: psycopg.AsyncConnection) -> None:
    """Until it is so, for a row that is locked."""
    async with asyncio.timeout(10):
        while not (await (await connection.execute(WAITING)).fetchall()):
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("worker")
async def test_a_password_that_is_corrected_while_its_refusal_is_recorded_is_used_at_once(
    tenant_client: httpx.AsyncClient, administrator: Principal, elsewhere: Room, slow: psycopg.AsyncConnection
) -> None:
    go_on = asyncio.Event()

    async with (
        ScriptedServer(thinks_at_mail(go_on, b"535 5.7.8 Wrong password\r\n")) as old,
        ScriptedServer(polite()) as new,
    ):
        await save(tenant_client, old.port)
        [delivery] = await report(tenant_client, "DISK_LOW")
        await old.hears(b"MAIL")
        await slow.execute("SELECT id FROM deliveries FOR UPDATE")
        go_on.set()
        await somebody_waits(slow)
        saved = asyncio.create_task(change_settings(elsewhere, administrator, settings_for(new.port)))
        await asyncio.wait({saved}, timeout=0.5)
        await slow.rollback()
        await saved

        await story(tenant_client, delivery, is_sent)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("saved_before", [True, False])
async def test_what_is_accepted_while_its_tenant_gets_a_server_of_its_own_does_not_wait_behind_the_one_lent(
    tenant_client: httpx.AsyncClient,
    admin_client: httpx.AsyncClient,
    administrator: Principal,
    elsewhere: Room,
    slow: psycopg.AsyncConnection,
    saved_before: bool,
) -> None:
    voicemail = {"type": "VOICEMAIL_RECEIVED", "id": "e", "recipients": ["a@example.com"]}
    same_id = (
        "INSERT INTO events (key, tenant, id, type, occurred_at, accepted_at, fingerprint) "
        "VALUES ('k', %s, 'e', 'DISK_LOW', 0, 0, '')"
    )

    async with ScriptedServer(polite()) as lent, ScriptedServer(polite()) as own:
        await save(admin_client, lent.port)
        if saved_before:
            await borrow(tenant_client)
        await hold_the_systems(elsewhere)
        await slow.execute(same_id, [administrator.tenant])
        posted = asyncio.create_task(tenant_client.post("/events", json=voicemail))
        await somebody_waits(slow)
        saved = asyncio.create_task(change_settings(elsewhere, administrator, settings_for(own.port)))
        await asyncio.wait({saved}, timeout=0.5)
        await slow.rollback()
        await saved
        [made] = (await posted).json()["deliveries"]

        await story(tenant_client, made["id"], is_sent)

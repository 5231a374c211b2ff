"""Settings that another process saves at the moment at which mail goes by those before them."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import psycopg
import pytest
from sqlalchemy import Connection
from tests.journeys.running import settings_for
from tests.postgresql import somebody_waits
from tests.storage.mails import claim, put, row
from tests.transports.scripted_server import ScriptedServer, polite, thinks_at_mail
from tests.worker.posts import borrow, is_sent, report, save, story
from tests.worker.test_moving_on import hold_the_systems

from ringpost.domain.access import Principal, Role
from ringpost.domain.tenants import TenantId
from ringpost.storage.outbox import Claimed
from ringpost.usecases.cancel_delivery import cancel_delivery
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.give_back import give_back, give_back_one
from ringpost.usecases.recover_lost import leave_in_hand, recover_lost
from ringpost.usecases.retry_delivery import retry_delivery
from ringpost.usecases.room import Room

PutBack = Callable[[Room, Claimed], Awaitable[object]]
"""How a mail that is in hand comes back into its queue."""
PUTS_BACK: dict[str, PutBack] = {
    "its lease was over": give_back_one,
    "its claim was never heard of": lambda room, item: give_back(room, {item.claim}),
    "its worker was lost": lambda room, item: recover_lost(room, {item.claim}),
    "its worker stops": lambda room, item: leave_in_hand(room, [item]),
}


@pytest.fixture
def kind_of_database() -> str:
    """The one that processes write at the same time."""
    return "postgresql"


@pytest.fixture
def administrator(acme: TenantId) -> Principal:
    """Who saves."""
    return Principal(acme, Role.TENANT_ADMIN, frozenset(), "ann", "token")


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


@pytest.mark.parametrize("put_back", PUTS_BACK.values(), ids=PUTS_BACK.keys())
async def test_what_comes_back_while_its_tenant_gets_a_server_of_its_own_goes_through_that(
    room: Room, elsewhere: Room, administrator: Principal, slow: psycopg.AsyncConnection, put_back: PutBack
) -> None:
    def borrowed(connection: Connection) -> Claimed:
        put(connection, "waits", administrator.tenant, queue=f"system:{administrator.tenant}", due_at=1)
        put(connection, "in-hand", administrator.tenant, queue=f"system:{administrator.tenant}", due_at=0)
        (item,) = claim(connection, limit=1)
        return item

    item = await room.database.write(borrowed)
    await slow.execute("SELECT id FROM deliveries WHERE id = 'waits-1' FOR UPDATE")
    saved = asyncio.create_task(change_settings(elsewhere, administrator, settings_for(25)))
    await somebody_waits(slow)
    comes_back = asyncio.ensure_future(put_back(room, item))
    await asyncio.wait({comes_back}, timeout=0.5)
    await slow.rollback()
    await asyncio.gather(saved, comes_back)

    found = await room.database.read(row, item.id)
    assert (found.state, found.queue) == ("queued", administrator.tenant)


async def test_what_is_retried_by_hand_while_its_tenant_gets_a_server_of_its_own_goes_through_that(
    room: Room, elsewhere: Room, administrator: Principal, slow: psycopg.AsyncConnection
) -> None:
    delivery = await room.database.write(put, "m", administrator.tenant, queue=f"system:{administrator.tenant}")
    await cancel_delivery(room, administrator, delivery)
    await slow.execute("SELECT id FROM deliveries FOR UPDATE")
    retried = asyncio.create_task(retry_delivery(room, administrator, delivery))
    await somebody_waits(slow)
    saved = asyncio.create_task(change_settings(elsewhere, administrator, settings_for(25)))
    await asyncio.wait({saved}, timeout=0.5)
    await slow.rollback()
    await asyncio.gather(saved, retried)

    found = await room.database.read(row, delivery)
    assert (found.state, found.queue) == ("queued", administrator.tenant)

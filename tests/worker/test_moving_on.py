"""A tenant that gets a mail server of its own while it borrows: all of its mail goes on through that one."""

import asyncio

import httpx
import pytest
from sqlalchemy import insert
from tests.journeys.running import mailbox
from tests.transports.scripted_server import ScriptedServer, polite, thinks_at_mail
from tests.worker.posts import borrow, is_sent, report, save, story

from ringpost.storage.tables import holds
from ringpost.usecases.room import Room

pytestmark = pytest.mark.usefixtures("worker")


async def hold_the_systems(room: Room) -> None:
    """The system's mail server fails, and is left alone for longer than the test lasts."""
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    held = insert(holds).values(lane="system", since=room.clock(), until=room.clock() + 900_000, **why)
    await room.database.write(lambda connection: connection.execute(held).close())


async def test_so_does_what_was_in_hand_when_the_settings_changed(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room
) -> None:
    go_on = asyncio.Event()

    async with ScriptedServer(thinks_at_mail(go_on, b"421 4.3.2 Away for now\r\n")) as lent, mailbox() as own:
        await save(admin_client, lent.port)
        await borrow(tenant_client)
        [under_way] = await report(tenant_client, "DISK_LOW")
        await lent.hears(b"MAIL")
        await hold_the_systems(room)
        await save(tenant_client, own.port)
        go_on.set()

        found = await story(tenant_client, under_way, is_sent)

    assert found["attempts"] == 2


async def test_so_does_what_had_ended_and_is_retried_by_hand(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room
) -> None:
    async with ScriptedServer(polite({"RCPT": b"550 5.7.1 No\r\n"})) as lent, mailbox() as own:
        await save(admin_client, lent.port)
        await borrow(tenant_client)
        [delivery] = await report(tenant_client, "DISK_LOW")
        await story(tenant_client, delivery, lambda found: found["state"] == "rejected")
        await hold_the_systems(room)
        await save(tenant_client, own.port)

        assert (await tenant_client.post(f"/deliveries/{delivery}/retry")).status_code == 204

        await story(tenant_client, delivery, is_sent)

"""What is stored of one tenant and cannot be read, as when a newer version saved it, holds up nobody else."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from tests.journeys.running import mailbox
from tests.worker.posts import report, save

from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import settings
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions


@pytest.mark.parametrize("stored", [{"type": "PIGEON"}, {"auth": "SCRAM"}], ids=["type", "auth"])
async def test_mail_of_others_goes_and_its_own_once_it_is_saved_again(
    tenant_client: httpx.AsyncClient,
    other_client: httpx.AsyncClient,
    acme: TenantId,
    room: Room,
    stored: dict[str, Any],
) -> None:
    async with mailbox() as own, mailbox() as others:
        await save(tenant_client, own.port)
        await save(other_client, others.port)
        await report(tenant_client, "DISK_LOW")
        await report(other_client, "EMERGENCY_CALL")
        await report(other_client, "DISK_LOW", 5)
        await room.database.write(_store, acme, stored)
        worker = Worker(room, WorkerOptions(slots=64, poll_s=0.02, sweep_s=0.05))
        running = asyncio.create_task(worker.run())

        await others.holds(6)
        (late,) = await report(tenant_client, "DISK_LOW")
        shown = await tenant_client.get("/tenant/notification")
        assert (shown.status_code, shown.json()["type"]) == (200, None)
        assert late, "it is acknowledged, and waits"
        assert not own.message_ids
        await save(tenant_client, own.port)
        await own.holds(2)

        worker.stop()
        await running


async def test_an_address_that_would_be_refused_today_is_left_out_and_no_more(
    tenant_client: httpx.AsyncClient, acme: TenantId, room: Room
) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        stored = {"reply_to": "a b@example.com", "recipients": "a\u200bb@example.com, manager@example.com"}
        await room.database.write(_store, acme, stored)

        shown = (await tenant_client.get("/tenant/notification")).json()

        assert (shown["reply_to"], shown["recipients"]) == (None, "manager@example.com")


def _store(connection: Any, tenant: TenantId, stored: dict[str, Any]) -> None:
    connection.execute(update(settings).where(settings.c.tenant == tenant).values(stored))

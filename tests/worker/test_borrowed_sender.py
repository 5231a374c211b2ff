"""Whose name and address a mail carries when a tenant sends through the system's server; and what stops only itself."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection
from tests.journeys.running import Mailbox, mailbox
from tests.worker.posts import borrow, is_sent, report, save, story, tried

from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import settings
from ringpost.usecases.room import Room

SYSTEM, HELP, OFFICE = "system@example.net", "help@example.net", "office@acme.example"

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    """A mail server."""
    async with mailbox() as box:
        yield box


@pytest.mark.parametrize(
    ("system", "tenant", "sender", "answers"),
    [
        ({"username": SYSTEM}, {"reply_to": OFFICE}, SYSTEM, OFFICE),
        ({"username": SYSTEM}, {}, SYSTEM, None),
        ({"username": "login", "reply_to": HELP}, {"reply_to": OFFICE}, HELP, OFFICE),
        ({"username": SYSTEM, "reply_to": HELP}, {}, SYSTEM, HELP),
    ],
)
async def test_borrowed_mail_has_the_systems_address_the_templates_name_and_the_tenants_reply_to(
    tenant_client: httpx.AsyncClient,
    admin_client: httpx.AsyncClient,
    box: Mailbox,
    *,
    system: dict[str, Any],
    tenant: dict[str, Any],
    sender: str,
    answers: str | None,
) -> None:
    await save(admin_client, box.port, **system)
    await borrow(tenant_client, type="MS365", auth="AUTO", **tenant)  # cannot send, for want of credentials
    template = {"name": "DISK_LOW", "from": "%%TENANT_NAME%% phones"}
    assert (await tenant_client.post("/custom_email_templates", json=template)).status_code == 201

    await report(tenant_client, "DISK_LOW")
    await box.holds(1)

    [mail] = box.received
    assert (mail["From"], mail["Reply-To"]) == (f"Acme phones <{sender}>", answers)


async def test_a_password_that_does_not_open_stops_its_own_tenants_mail_and_no_other(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient, room: Room, acme: TenantId, box: Mailbox
) -> None:
    await save(tenant_client, box.port, password="secret")
    await save(other_client, box.port, recipients="other@example.com")

    def spoil(connection: Connection) -> None:
        connection.execute(settings.update().where(settings.c.tenant == acme).values(password=b"no seal at all"))

    await room.database.write(spoil)
    [broken] = await report(tenant_client, "DISK_LOW")
    [good] = await report(other_client, "DISK_LOW")

    assert (await story(other_client, good, is_sent))["state"] == "sent"
    waiting = await story(tenant_client, broken, tried(1))
    assert (waiting["state"], waiting["last_attempt"]["party"]) == ("queued", "configuration")


async def test_an_emergency_goes_even_when_its_own_password_does_not_open(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room, acme: TenantId, box: Mailbox
) -> None:
    await save(admin_client, box.port)
    await save(tenant_client, box.port, password="secret")

    def spoil(connection: Connection) -> None:
        connection.execute(settings.update().where(settings.c.tenant == acme).values(password=b"no seal at all"))

    await room.database.write(spoil)
    [delivery] = await report(tenant_client, "EMERGENCY_CALL")

    assert (await story(tenant_client, delivery, is_sent))["attempts"] == 2

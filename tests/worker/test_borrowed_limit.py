"""A tenant that borrows the system's mail server sends so many mails an hour; what is over waits and is not lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.conftest import Clock
from tests.journeys.running import Mailbox, mailbox
from tests.worker.posts import borrow, is_sent, is_waiting, report, save, sent, story

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
async def lent(admin_client: httpx.AsyncClient) -> AsyncIterator[Mailbox]:
    """The system's mail server; five mails an hour for each tenant."""
    async with mailbox() as box:
        await save(admin_client, box.port)
        yield box


async def test_what_is_over_the_limit_waits_and_its_story_says_why(
    tenant_client: httpx.AsyncClient, lent: Mailbox
) -> None:
    await borrow(tenant_client)
    deliveries = await report(tenant_client, "DISK_LOW", 8)

    waiting = await story(tenant_client, deliveries[-1], is_waiting)
    await lent.holds(5)

    assert "5 mails" in waiting["waiting_for_server"]["hint"]
    assert (waiting["state"], waiting["attempts"], waiting["all_attempts"]) == ("queued", 0, [])


async def test_it_goes_by_itself_when_the_hour_is_over(
    tenant_client: httpx.AsyncClient, lent: Mailbox, clock: Clock
) -> None:
    await borrow(tenant_client)
    deliveries = await report(tenant_client, "DISK_LOW", 13)
    await story(tenant_client, deliveries[-1], is_waiting)
    await sent(tenant_client, 5)
    clock.advance(3599)
    await asyncio.sleep(0.2)
    assert len(lent.message_ids) == 5

    clock.advance(1)
    await sent(tenant_client, 10)
    clock.advance(3600)
    await sent(tenant_client, 13)

    assert set(lent.message_ids.values()) == {1}


async def test_one_tenants_flood_takes_nothing_from_another(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient, lent: Mailbox
) -> None:
    await borrow(tenant_client, recipients="flood@example.com")
    await borrow(other_client, recipients="calm@example.com")
    flood = await report(tenant_client, "DISK_LOW", 60)
    await story(tenant_client, flood[-1], is_waiting)

    calm = await report(other_client, "DISK_LOW", 3)
    for delivery in calm:
        await story(other_client, delivery, is_sent)
    await lent.holds(8)

    assert Counter(lent.recipients) == {"flood@example.com": 5, "calm@example.com": 3}


async def test_an_emergency_is_neither_limited_nor_counted(tenant_client: httpx.AsyncClient, lent: Mailbox) -> None:
    await borrow(tenant_client)
    emergencies = await report(tenant_client, "EMERGENCY_CALL", 7)
    for delivery in emergencies:
        await story(tenant_client, delivery, is_sent)
    flood = await report(tenant_client, "DISK_LOW", 8)
    await story(tenant_client, flood[-1], is_waiting)

    [last] = await report(tenant_client, "EMERGENCY_CALL")
    await story(tenant_client, last, is_sent)
    await lent.holds(13)

    assert len(lent.received) == 13


async def test_the_systems_own_mail_is_not_limited(admin_client: httpx.AsyncClient, lent: Mailbox) -> None:
    await save(admin_client, lent.port, notify_ip_blocked=True)

    await report(admin_client, "IP_BLOCKED", 9)
    await lent.holds(9)

    assert len(lent.received) == 9


async def test_a_mail_server_of_ones_own_ends_the_waiting(tenant_client: httpx.AsyncClient, lent: Mailbox) -> None:
    await borrow(tenant_client)
    deliveries = await report(tenant_client, "DISK_LOW", 8)
    await story(tenant_client, deliveries[-1], is_waiting)
    async with mailbox() as own:
        await save(tenant_client, own.port)
        await own.holds(3)

    assert len(lent.message_ids) == 5


async def test_what_the_system_lends_no_more_does_not_keep_its_own_mail_waiting(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, lent: Mailbox
) -> None:
    await borrow(tenant_client)
    [borrowed] = await report(tenant_client, "EMERGENCY_CALL")
    await story(tenant_client, borrowed, is_sent)
    await save(admin_client, lent.port, enable_tenant_access=False, notify_ip_blocked=True)
    await report(tenant_client, "EMERGENCY_CALL")

    [own] = await report(admin_client, "IP_BLOCKED")

    assert (await story(admin_client, own, is_sent))["state"] == "sent"

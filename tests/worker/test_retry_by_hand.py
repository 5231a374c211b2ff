"""A retry by hand is tried at once, and has a whole life before it."""

import socket

import httpx
import pytest
from tests.conftest import Clock
from tests.worker.posts import report, save, story, tried

from ringpost.cli.opening import operator
from ringpost.domain.tenants import SYSTEM
from ringpost.usecases.retry_delivery import retry_delivery
from ringpost.usecases.room import Room

pytestmark = pytest.mark.usefixtures("worker")


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def test_it_is_tried_although_its_server_is_left_alone(tenant_client: httpx.AsyncClient) -> None:
    await save(tenant_client, closed_port())
    (delivery,) = await report(tenant_client, "DISK_LOW")
    await story(tenant_client, delivery, tried(1))

    assert (await tenant_client.post(f"/deliveries/{delivery}/retry")).status_code == 204

    assert (await story(tenant_client, delivery, tried(2)))["state"] == "queued"


async def test_so_is_mail_of_the_system_level(admin_client: httpx.AsyncClient, room: Room) -> None:
    await save(admin_client, closed_port(), notify_ip_blocked=True)
    (delivery,) = await report(admin_client, "IP_BLOCKED")
    await story(admin_client, delivery, tried(1))

    await retry_delivery(room, operator(SYSTEM), delivery)  # as `ringpost delivery retry --system`

    assert (await story(admin_client, delivery, tried(2)))["state"] == "queued"


async def test_what_had_expired_does_not_expire_again_at_its_first_failure(
    tenant_client: httpx.AsyncClient, clock: Clock
) -> None:
    await save(tenant_client, closed_port())
    (delivery,) = await report(tenant_client, "DISK_LOW")
    await story(tenant_client, delivery, tried(1))
    clock.advance(73 * 3600)
    before = await story(tenant_client, delivery, lambda found: found["state"] == "expired")

    assert (await tenant_client.post(f"/deliveries/{delivery}/retry")).status_code == 204

    assert (await story(tenant_client, delivery, tried(before["attempts"] + 1)))["state"] == "queued"

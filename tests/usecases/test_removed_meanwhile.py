"""A tenant that is removed while somebody writes something of its own: nothing of it is left."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import psycopg
import pytest
from sqlalchemy import Connection, func, select
from tests.postgresql import somebody_waits

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound
from ringpost.storage import tables
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.change_settings import change_settings, edit_settings
from ringpost.usecases.destroy_tenant import destroy_tenant
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.room import Room

SERVER = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@acme.example", "password": "p"}
APP = {"provider": "MS365", "tenant": "example.org", "client_id": "an-app", "client_secret": "a-secret"}
VOICEMAIL = {"type": "VOICEMAIL_RECEIVED", "id": "e", "recipients": ["a@example.com"]}
SKIPPED = {"type": "RECHARGE", "id": "e"}
SAME_ID = (
    "INSERT INTO events (key, tenant, id, type, occurred_at, accepted_at, fingerprint) "
    "VALUES ('k', %s, 'e', 'DISK_LOW', 0, 0, '')"
)

Change = Callable[[Room, Principal], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "settings": lambda room, ann: change_settings(room, ann, SERVER),
    "settings edited": lambda room, ann: edit_settings(room, ann, lambda _: SERVER),
    "oauth": lambda room, ann: change_oauth(room, ann, APP),
    "template": lambda room, ann: create_template(room, ann, "DISK_LOW", Parts(subject="Full")),
}


side_by_side = pytest.mark.parametrize("kind_of_database", ["postgresql"], indirect=True)
"""On the database that several processes write at the same time."""


@pytest.fixture
def ann(acme: TenantId) -> Principal:
    """Whose token was good when the request came in."""
    return Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "ann", "token")


def left_of(connection: Connection, tenant: TenantId) -> dict[str, int]:
    """How many rows of it there are, by table; its entries in the audit log stay."""
    of_tenants = [table for table in tables.metadata.sorted_tables if "tenant" in table.c and table is not tables.audit]
    counts = {
        table.name: connection.scalar(select(func.count()).where(table.c.tenant == tenant)) for table in of_tenants
    }
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_what_is_saved_for_it_too_late_is_refused(
    room: Room, acme: TenantId, ann: Principal, change: Change
) -> None:
    await destroy_tenant(room, acme)
    with pytest.raises(NotFound):
        await change(room, ann)
    assert await room.database.read(left_of, acme) == {}


async def test_a_token_that_is_still_remembered_saves_nothing(
    room: Room, acme: TenantId, tenant_client: httpx.AsyncClient
) -> None:
    assert (await tenant_client.get("/tenant/notification")).status_code == 200
    await destroy_tenant(room, acme)
    assert (await tenant_client.post("/tenant/notification", json=SERVER)).status_code == 404
    assert await room.database.read(left_of, acme) == {}


@side_by_side
@pytest.mark.parametrize("event", [VOICEMAIL, SKIPPED], ids=["told", "skipped"])
async def test_what_is_accepted_while_it_is_removed_goes_with_it(
    room: Room,
    elsewhere: Room,
    ann: Principal,
    tenant_client: httpx.AsyncClient,
    slow: psycopg.AsyncConnection,
    event: dict[str, object],
) -> None:
    await change_settings(room, ann, SERVER)
    await slow.execute(SAME_ID, [ann.tenant])
    posted = asyncio.create_task(tenant_client.post("/events", json=event))
    await somebody_waits(slow)
    removed = asyncio.create_task(destroy_tenant(elsewhere, ann.tenant))
    await asyncio.wait({removed}, timeout=0.5)
    await slow.rollback()
    answer, _ = await asyncio.gather(posted, removed)

    assert answer.status_code == 202
    assert await room.database.read(left_of, ann.tenant) == {}


@side_by_side
async def test_what_is_accepted_once_it_is_being_removed_is_refused(
    room: Room, acme: TenantId, ann: Principal, tenant_client: httpx.AsyncClient, slow: psycopg.AsyncConnection
) -> None:
    await change_settings(room, ann, SERVER)
    await slow.execute("DELETE FROM tenants WHERE id = %s", [acme])
    posted = asyncio.create_task(tenant_client.post("/events", json=VOICEMAIL))
    await somebody_waits(slow)
    await slow.commit()

    assert (await posted).status_code == 404
    assert not {"events", "messages", "deliveries"} & (await room.database.read(left_of, acme)).keys()

"""Credentials that end soon are told of at each threshold, once, through the system's mail server."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Connection, select
from tests.conftest import Clock
from tests.postgresql import somebody_waits
from tests.transports.oauth_samples import CLIENT, SECRET
from tests.transports.provider_stand_in import DIRECTORY

from ringpost.domain.access import Principal, Role
from ringpost.domain.messages import Message
from ringpost.domain.tenants import SYSTEM
from ringpost.storage.sealing import Place
from ringpost.storage.tables import deliveries, messages, oauth
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.room import Room
from ringpost.usecases.warn_of_expiry import warn_of_expiry

DAY = 86_400
OAUTH = "/tenant/notification/oauth"
SYSTEM_SERVER = {"type": "SMTP", "server": "mail.example.com", "username": "system@example.com", "auth": "DISABLE"}


def app(clock: Clock, days: float) -> dict[str, Any]:
    """Credentials that end in so many days."""
    ends = datetime.fromtimestamp(clock.ms / 1000 + days * DAY, UTC).isoformat()
    return {
        "provider": "MS365", "tenant": DIRECTORY, "client_id": CLIENT, "client_secret": SECRET,
        "secret_expires_at": ends,
    }  # fmt: skip


@pytest.fixture
async def clients(tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A tenant that sends by OAuth, and a system with a mail server."""
    own = {"type": "MS365", "username": "pbx@sender.example", "recipients": "ann@example.com, bob@example.com"}
    await tenant_client.post("/tenant/notification", json=own)
    await admin_client.post("/admin/notification", json=SYSTEM_SERVER)
    return tenant_client


async def queued(room: Room) -> list[tuple[str, str, str]]:
    """Owner, type and recipient of all deliveries."""

    def read(connection: Connection) -> list[tuple[str, str, str]]:
        rows = connection.execute(select(deliveries).order_by(deliveries.c.id))
        return [(row.tenant, row.type, row.recipient) for row in rows]

    return await room.database.read(read)


async def the_message(room: Room) -> Message:
    """The one that waits."""

    def read(connection: Connection) -> Message:
        row = connection.execute(select(messages)).one()
        return Message.unpack(room.sealer.unseal(Place(row.tenant, "messages", row.event, "content"), row.content))

    return await room.database.read(read)


async def test_each_threshold_is_told_once_to_the_tenants_recipients(
    clients: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    await clients.post(OAUTH, json=app(clock, 31))
    told: list[int] = []
    for _ in range(33):
        told.append(await warn_of_expiry(room))
        assert await warn_of_expiry(room) == 0  # also after a restart: what was told is in the database
        clock.advance(DAY)

    assert [31 - day for day, mails in enumerate(told) if mails] == [30, 14, 7, 1]
    assert (await queued(room))[:2] == [
        (SYSTEM, "OAUTH_EXPIRING", "ann@example.com"),
        (SYSTEM, "OAUTH_EXPIRING", "bob@example.com"),
    ]
    assert len(await queued(room)) == 8


async def test_who_starts_late_gets_one_mail_and_not_three(
    clients: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    await clients.post(OAUTH, json=app(clock, 5))
    assert [await warn_of_expiry(room), await warn_of_expiry(room)] == [1, 0]


async def test_new_credentials_start_over(clients: httpx.AsyncClient, room: Room, clock: Clock) -> None:
    await clients.post(OAUTH, json=app(clock, 5))
    await warn_of_expiry(room)
    await clients.post(OAUTH, json=app(clock, 29))
    assert await warn_of_expiry(room) == 1


async def test_other_credentials_that_end_at_the_same_time_are_warned_of_too(
    clients: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    ends = app(clock, 5)
    await clients.post(OAUTH, json=ends)
    assert await warn_of_expiry(room) == 1
    clock.advance(1)
    await clients.post(OAUTH, json={**ends, "client_id": CLIENT[::-1]})
    assert [await warn_of_expiry(room), await warn_of_expiry(room)] == [1, 0]
    assert len(await queued(room)) == 4


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_so_do_those_that_another_process_saves_while_their_predecessors_are_warned_of(
    clients: httpx.AsyncClient, room: Room, elsewhere: Room, clock: Clock, slow: psycopg.AsyncConnection
) -> None:
    await clients.post(OAUTH, json=app(clock, 5))
    (acme,) = await room.database.read(lambda connection: connection.execute(select(oauth.c.tenant)).scalars().all())
    await slow.execute(
        "INSERT INTO events (key, tenant, id, type, occurred_at, accepted_at, fingerprint) "
        "VALUES ('k', 'system', %s, 'OAUTH_EXPIRING', 0, 0, '')",
        [f"oauth-{acme}-{clock.ms}-7"],
    )
    warning = asyncio.create_task(warn_of_expiry(room))
    await somebody_waits(slow)
    clock.advance(1)
    ann = Principal(acme, Role.TENANT_ADMIN, frozenset(), "ann", "token")
    await change_oauth(elsewhere, ann, {**app(clock, 5), "client_id": CLIENT[::-1]})
    await slow.rollback()

    assert [await warning, await warn_of_expiry(room), await warn_of_expiry(room)] == [1, 1, 0]


async def test_the_mail_names_the_mailbox_and_the_end_and_no_secret(
    clients: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    await clients.post(OAUTH, json=app(clock, 14))
    await warn_of_expiry(room)

    text = repr(await the_message(room))
    assert "Microsoft 365" in text
    assert "pbx@sender.example" in text
    assert SECRET not in text


@pytest.mark.parametrize(("locale", "name"), [("en", "client secret"), ("de-AT", "geheimer Clientschlüssel")])
async def test_what_ends_is_named_in_the_language_of_the_mail(
    clients: httpx.AsyncClient, room: Room, clock: Clock, locale: str, name: str
) -> None:
    speaking = replace(room, options=replace(room.options, system_locale=locale))
    await clients.post(OAUTH, json=app(clock, 14))
    await warn_of_expiry(speaking)

    mail = message_from_bytes((await the_message(room)).content, policy=SMTP)
    text = mail.get_body(("plain",))
    assert text
    assert name in text.get_content()


async def test_without_a_mail_server_of_the_system_it_waits_for_one(
    clients: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    await admin_client.post("/admin/notification", json={**SYSTEM_SERVER, "username": "nobody"})
    await clients.post(OAUTH, json=app(clock, 14))
    assert await warn_of_expiry(room) == 0
    await admin_client.post("/admin/notification", json=SYSTEM_SERVER)
    assert await warn_of_expiry(room) == 1


async def test_the_systems_own_credentials_are_told_to_its_own_recipients(
    clients: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    system = {"type": "MS365", "username": "system@example.com", "recipients": "operator@example.com"}
    await admin_client.post("/admin/notification", json=system)
    await admin_client.post("/admin/notification/oauth", json=app(clock, 7))
    assert await warn_of_expiry(room) == 1
    assert await queued(room) == [(SYSTEM, "OAUTH_EXPIRING", "operator@example.com")]
    assert (await clients.get(OAUTH)).json()["provider"] is None


@pytest.mark.parametrize("days", [-1, 0, 30.5, 400])
async def test_nothing_is_told_too_early_or_too_late(
    clients: httpx.AsyncClient, room: Room, clock: Clock, days: float
) -> None:
    await clients.post(OAUTH, json=app(clock, days))
    assert await warn_of_expiry(room) == 0

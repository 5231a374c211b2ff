"""Editing settings: two at the same moment, in one process or in two, both have what they saved."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from ringpost.cli.opening import operator
from ringpost.domain.addresses import format_recipients
from ringpost.domain.settings import settings_to_json
from ringpost.domain.tenants import TenantId
from ringpost.errors import Invalid
from ringpost.storage import settings
from ringpost.storage.database import open_database
from ringpost.usecases.change_settings import change_settings, edit_settings
from ringpost.usecases.room import Room

SERVER = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "password": "made-up-secret"}


def with_recipient(tenant: TenantId, address: str) -> Callable[[Connection], Mapping[str, object]]:
    """What is stored, and one recipient more."""

    def edited(connection: Connection) -> Mapping[str, object]:
        saved = settings.show(connection, tenant)
        time.sleep(0.1)  # long enough for somebody else to read the same
        recipients = ",".join(filter(None, (format_recipients(saved.recipients), address)))
        return {**settings_to_json(saved, system_server_offered=False), "recipients": recipients}

    return edited


@pytest.mark.parametrize("processes", [1, 2])
async def test_nothing_is_lost_of_what_two_save_at_once(
    room: Room, acme: TenantId, database_url: str, processes: int
) -> None:
    await change_settings(room, operator(acme), {**SERVER})
    other = room if processes == 1 else replace(room, database=await open_database(database_url))

    await asyncio.gather(
        edit_settings(room, operator(acme), with_recipient(acme, "ann@example.com")),
        edit_settings(other, operator(acme), with_recipient(acme, "bob@example.com")),
    )

    if other is not room:
        await other.database.close()
    saved = await room.database.read(settings.load, room.sealer, acme)
    assert {one.spec for one in saved.recipients} == {"ann@example.com", "bob@example.com"}
    assert saved.mail_server is not None
    assert saved.mail_server.password is not None


async def test_what_may_not_be_saved_changes_nothing(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), {**SERVER})
    before = await room.database.read(settings.load, room.sealer, acme)

    with pytest.raises(Invalid):
        await edit_settings(room, operator(acme), with_recipient(acme, "nobody"))

    assert await room.database.read(settings.load, room.sealer, acme) == before

"""One-time links: the first administrator's, and those of people who are invited."""

import pytest
from tests.conftest import Clock
from tests.console.conftest import PASSWORD, ClientOf, csrf_of

from ringpost.domain.access import INVITATION_S, Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import access
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.invite_user import Guest, invite_first_administrator, invite_user
from ringpost.usecases.room import Room


async def test_the_first_administrator_comes_by_a_link_that_works_once(client_of: ClientOf, room: Room) -> None:
    for user in await room.database.read(access.list_users, SYSTEM):
        await room.database.write(access.remove_user, SYSTEM, user.id)
    earlier, secret = await invite_first_administrator(room), await invite_first_administrator(room)
    assert earlier
    assert secret
    client = await client_of()
    assert (await client.get(f"/console/welcome/{earlier.reveal()}")).status_code == 404
    path = f"/console/welcome/{secret.reveal()}"
    form = {"csrf": await csrf_of(client, path), "password": PASSWORD, "again": PASSWORD}
    assert (await client.post(path, data={**form, "again": "other"})).status_code == 422

    answer = await client.post(path, data=form)

    assert answer.status_code == 303
    assert (await client.get("/console/system/tenants")).status_code == 200
    assert (await client.get(path)).status_code == 404
    assert await invite_first_administrator(room) is None


@pytest.mark.parametrize("username", ["admin", "olga"])
async def test_the_link_of_the_first_start_ends_with_an_administrator_made_by_command(
    client_of: ClientOf, room: Room, username: str
) -> None:
    for user in await room.database.read(access.list_users, SYSTEM):
        await room.database.write(access.remove_user, SYSTEM, user.id)
    secret = await invite_first_administrator(room)
    assert secret

    await create_user(room, SYSTEM, NewUser(username, "a long passphrase", Role.SYSTEM_ADMIN))

    assert (await (await client_of()).get(f"/console/welcome/{secret.reveal()}")).status_code == 404


async def test_a_second_administrator_takes_no_link_away(client_of: ClientOf, room: Room) -> None:
    secret = await invite_user(room, SYSTEM, Guest("admin", Role.SYSTEM_ADMIN))

    await create_user(room, SYSTEM, NewUser("olga", "a long passphrase", Role.SYSTEM_ADMIN))

    assert (await (await client_of()).get(f"/console/welcome/{secret.reveal()}")).status_code == 200


async def test_a_link_ends_after_a_day(client_of: ClientOf, room: Room, acme: TenantId, clock: Clock) -> None:
    secret = await invite_user(room, acme, Guest("new", Role.READ_ONLY))
    clock.advance(INVITATION_S + 1)

    assert (await (await client_of()).get(f"/console/welcome/{secret.reveal()}")).status_code == 404

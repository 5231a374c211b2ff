"""The pages of API keys: made, shown once, in force, revoked; of tenants and of the system level."""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.console.keys import OF_SYSTEM, OF_TENANT
from ringpost.domain.access import SCOPES_OF_ROLE, Role, Scope
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import access
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.room import Room

KEY = re.compile(r"rp_key_[\w-]{40,}")


async def make(client: httpx.AsyncClient, at: str, **form: str) -> httpx.Response:
    return await client.post(
        at, data={"csrf": await csrf_of(client), "name": "pbx", "use": "events", "days": "", **form}
    )


async def test_a_key_is_shown_once_and_works(client_of: ClientOf, app: FastAPI) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await make(client, "/console/keys", use="settings")

    key = KEY.search(answer.text)
    assert key is not None
    assert answer.headers["cache-control"] == "no-store"
    assert KEY.search((await client.get("/console/keys")).text) is None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as machine:
        machine.headers["Authorization"] = f"Bearer {key[0]}"
        assert (await machine.get("/tenant/notification")).status_code == 200
        assert (await machine.post("/events", json={"events": []})).status_code == 403


@pytest.mark.parametrize("use", OF_TENANT, ids=lambda use: use.name)
async def test_a_tenants_key_has_the_scopes_of_its_use(
    client_of: ClientOf, room: Room, acme: TenantId, use: Any
) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    await make(client, "/console/keys", use=use.name, days="30")

    (key,) = await room.database.read(access.list_keys, acme)
    assert (key.scopes, key.role, key.name) == (use.scopes, use.role, "pbx")
    assert key.expires_at == room.clock() + 30 * 86_400_000
    assert use.title in (await client.get("/console/keys")).text.partition("Keys there are")[2]


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        (SCOPES_OF_ROLE[Role.SYSTEM_ADMIN], "Administer, Send events, Change settings"),
        ({Scope.ADMIN}, "Administer"),
        ({Scope.SETTINGS}, "Change settings"),
        ({Scope.ADMIN, Scope.SETTINGS}, "Administer, Change settings"),
    ],
)
async def test_a_key_of_the_command_line_says_in_words_what_it_may(
    client_of: ClientOf, room: Room, scopes: set[Scope], words: str
) -> None:
    await create_token(room, SYSTEM, NewKey("cli", frozenset(scopes), Role.SYSTEM_ADMIN))
    client = await client_of(Role.SYSTEM_ADMIN)

    page = (await client.get("/console/system/keys")).text

    assert re.findall(r'data-label="May"><span>(.*?)</span>', page) == [words]


@pytest.mark.parametrize("use", OF_SYSTEM, ids=lambda use: use.name)
async def test_a_key_of_the_system_is_the_systems_also_while_acting(
    client_of: ClientOf, room: Room, acme: TenantId, use: Any
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    await client.post(f"/console/system/tenants/{acme}/act", data={"csrf": await csrf_of(client)})

    await make(client, "/console/system/keys", use=use.name)

    (key,) = await room.database.read(access.list_keys, SYSTEM)
    assert (key.scopes, key.role) == (use.scopes, use.role)
    assert await room.database.read(access.list_keys, acme) == []


async def test_what_no_key_can_be_is_refused_beside_the_field(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    for form, field in (({"name": ""}, "name"), ({"use": "admin"}, "use"), ({"days": "1e9"}, "days")):
        answer = await make(client, "/console/keys", **form)
        assert answer.status_code == 422
        assert f'id="{field}-error"' in answer.text

    assert await room.database.read(access.list_keys, acme) == []


async def test_a_revoked_key_stays_in_the_list_and_works_no_more(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    await make(client, "/console/keys")
    (key,) = await room.database.read(access.list_keys, acme)

    await client.post(f"/console/keys/{key.id}/revoke", data={"csrf": await csrf_of(client)})

    (key,) = await room.database.read(access.list_keys, acme)
    assert key.revoked_at == room.clock()
    assert "Revoked" in (await client.get("/console/keys")).text


async def test_nobody_reaches_anothers_key(client_of: ClientOf, room: Room, other: TenantId) -> None:
    admin = await client_of(Role.SYSTEM_ADMIN)
    await admin.post(f"/console/system/tenants/{other}/act", data={"csrf": await csrf_of(admin)})
    await make(admin, "/console/keys")
    (key,) = await room.database.read(access.list_keys, other)
    client = await client_of(Role.TENANT_ADMIN)

    answer = await client.post(f"/console/keys/{key.id}/revoke", data={"csrf": await csrf_of(client)})

    assert answer.status_code == 404
    assert (await room.database.read(access.list_keys, other))[0].revoked_at is None


async def test_reloading_after_a_key_was_made_makes_no_other(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/keys")
    await page.get_by_label("Name").fill('<b onclick="x">pbx</b>')
    async with page.expect_navigation():
        await page.get_by_role("button", name="Make the key").click()
    await page.locator(".once").wait_for()
    await page.wait_for_function("location.pathname === '/console/keys'")
    await assert_accessible(page)
    assert KEY.search(await page.locator(".once").inner_text())

    await page.reload()

    assert await page.locator(".once").count() == 0
    assert await page.locator("main b").count() == 0
    assert len(await room.database.read(access.list_keys, acme)) == 1
    await assert_accessible(page)


async def test_who_only_looks_sees_keys_and_no_buttons(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/keys")

    await assert_accessible(page)
    assert await page.locator("main button").count() == 0

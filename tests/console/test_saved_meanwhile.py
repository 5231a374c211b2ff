"""Two at one form: who saves or removes what somebody else has changed is told first."""

import asyncio
import re
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from tests.console.conftest import ClientOf, csrf_of
from tests.console.server_forms import FORM, SAVED, send, stored

from ringpost.cli.opening import operator
from ringpost.console.app import InFront, create_console
from ringpost.console.levels import LEVELS, Level
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import tenants
from ringpost.storage.database import open_database
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

APP = {
    "method": "client_secret",
    "directory": "acme.example",
    "client_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "cloud": "global",
    "client_secret": "made-up-secret",
}
TENANT = {"name": "Acme", "domain": "first.example", "timezone": "UTC", "locale": "en"}


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.path)
async def test_who_saves_what_somebody_else_has_changed_is_told_first(client_of: ClientOf, level: Level) -> None:
    client = await client_of(Role.SYSTEM_ADMIN if level.is_system else Role.TENANT_ADMIN)
    shown = (await client.get(f"/console{level.path}")).text
    fields = {**FORM, "password": "made-up-secret", "seen": _seen(shown)}
    assert (await send(client, level.path, **{**fields, "server": "mail.first.example"})).status_code == 303

    late = await send(client, level.path, **{**fields, "server": "mail.second.example"})

    assert late.status_code == 409
    assert "Somebody else was faster" in late.text
    assert "Server: <strong>mail.first.example</strong>" in late.text
    assert 'value="mail.second.example"' in late.text
    again = await send(client, level.path, **{**fields, "server": "mail.second.example", "seen": _seen(late.text)})
    assert again.status_code == 303
    assert 'value="mail.second.example"' in (await client.get(f"/console{level.path}")).text


def _seen(page: str) -> str:
    return re.findall(r'name="seen" value="(\w+)"', page)[0]


async def test_of_two_who_save_at_the_same_moment_one_is_told(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    shown = (await client.get("/console/mail-server")).text
    fields = {**FORM, "csrf": await csrf_of(client), "password": "made-up-secret", "seen": _seen(shown)}
    servers = ("mail.first.example", "mail.second.example")

    answers = await asyncio.gather(
        *(client.post("/console/mail-server", data={**fields, "server": server}) for server in servers)
    )

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    kept = next(server for server, answer in zip(servers, answers, strict=True) if answer.status_code == 303)
    saved = (await stored(room, acme)).mail_server
    assert saved is not None
    assert saved.host == kept


async def test_a_mail_server_and_recipients_that_are_saved_at_the_same_moment_are_both_saved(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    token = {"csrf": await csrf_of(client)}

    await asyncio.gather(
        client.post("/console/mail-server", data={**token, **FORM, "password": "made-up-secret"}),
        client.post("/console/notifications", data={**token, "recipients": "ann@example.com"}),
    )

    saved = await stored(room, acme)
    assert saved.mail_server is not None
    assert [one.spec for one in saved.recipients] == ["ann@example.com"]


async def test_where_answers_go_is_not_saved_over_what_somebody_else_has_saved(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_settings(room, operator(SYSTEM), SAVED)
    client = await client_of(Role.TENANT_ADMIN)
    seen = _seen((await client.get("/console/mail-server")).text)
    first, second = "first@example.com", "second@example.com"
    assert (await send(client, "/mail-server/answers", answers_to=first, seen=seen)).status_code == 303

    late = await send(client, "/mail-server/answers", answers_to=second, seen=seen)

    assert late.status_code == 409
    assert f"Answers go to: <strong>{first}</strong>" in late.text
    assert re.search(rf'name="answers_to"[^>]* value="{second}"', late.text)
    again = await send(client, "/mail-server/answers", answers_to=second, seen=_seen(late.text))
    assert again.status_code == 303
    reply_to = (await stored(room, acme)).reply_to
    assert reply_to is not None
    assert reply_to.spec == second


async def test_where_answers_go_does_not_change_a_mail_server_that_was_set_up_meanwhile(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_settings(room, operator(SYSTEM), SAVED)
    client = await client_of(Role.TENANT_ADMIN)
    seen = _seen((await client.get("/console/mail-server")).text)
    await change_settings(room, operator(acme), {**SAVED, "reply_to": "office@example.com"})
    before = await stored(room, acme)

    late = await send(client, "/mail-server/answers", answers_to="me@example.com", seen=seen)

    assert late.status_code == 409
    assert re.search(r'name="reply_to"[^>]* value="me@example.com"', late.text), "in the form that there is now"
    assert await stored(room, acme) == before


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.path)
async def test_a_mail_server_that_somebody_else_has_saved_is_not_removed_unseen(
    client_of: ClientOf, level: Level
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN if level.is_system else Role.TENANT_ADMIN)
    typed = {**FORM, "password": "made-up-secret"}
    assert (await send(client, level.path, **typed)).status_code == 303
    opened = (await client.get(f"/console{level.path}")).text
    assert (await send(client, level.path, **{**typed, "server": "mail.second.example"})).status_code == 303

    late = await send(client, f"{level.path}/remove", seen=_seen_to_remove(opened))

    assert late.status_code == 409
    assert "Nothing was removed" in late.text
    assert 'value="mail.second.example"' in late.text
    again = await send(client, f"{level.path}/remove", seen=_seen_to_remove(late.text))
    assert again.headers["location"] == f"/console{level.path}?done=removed"
    gone = await send(client, f"{level.path}/remove", seen=_seen_to_remove(late.text))
    assert gone.headers["location"] == f"/console{level.path}?done=removed", "somebody else has done it"


def _seen_to_remove(page: str) -> str:
    return re.findall(r'/remove" data-confirm="[^>]*>.*?name="seen" value="(\w+)"', page)[0]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.path)
async def test_credentials_that_somebody_else_has_saved_are_neither_replaced_nor_deleted_unseen(
    client_of: ClientOf, level: Level
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN if level.is_system else Role.TENANT_ADMIN)
    path = f"{level.path}/oauth"
    assert (await send(client, path, **APP)).status_code == 303
    opened = (await client.get(f"/console{path}")).text
    assert (await send(client, path, **{**APP, "directory": "first.example"})).status_code == 303

    late = await send(client, path, **{**APP, "directory": "second.example", "seen": _seen(opened)})
    unseen = await send(client, f"{path}/remove", seen=_seen_to_remove(opened))

    assert late.status_code == unseen.status_code == 409
    assert "Directory (tenant) ID: <strong>first.example</strong>" in late.text
    assert 'value="second.example"' in late.text
    assert APP["client_secret"] not in late.text
    assert "Nothing was removed" in unseen.text
    assert 'value="first.example"' in unseen.text
    again = await send(client, path, **{**APP, "directory": "second.example", "seen": _seen(late.text)})
    assert again.status_code == 303
    shown = (await client.get(f"/console{path}")).text
    assert 'value="second.example"' in shown
    for _ in ("the first", "another, of the same page"):
        removed = await send(client, f"{path}/remove", seen=_seen_to_remove(shown))
        assert removed.headers["location"] == f"/console{path}?done=removed"


async def test_credentials_that_somebody_else_has_deleted_are_told_as_deleted(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    assert (await send(client, "/mail-server/oauth", **APP)).status_code == 303
    opened = (await client.get("/console/mail-server/oauth")).text
    assert (await send(client, "/mail-server/oauth/remove")).status_code == 303

    late = await send(client, "/mail-server/oauth", **APP, seen=_seen(opened))

    assert late.status_code == 409
    assert "The credentials were deleted after you had opened this page." in late.text
    assert "Saved now:" not in late.text


async def test_a_tenant_is_not_saved_over_what_somebody_else_has_saved(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    path = f"/system/tenants/{acme}"
    opened = (await client.get(f"/console{path}")).text
    assert (await send(client, path, **TENANT, seen=_seen(opened))).status_code == 303
    await send(client, f"{path}/disable")

    late = await send(client, path, **{**TENANT, "domain": "late.example", "seen": _seen(opened)})

    assert late.status_code == 409
    assert "Domain: <strong>first.example</strong>" in late.text
    assert 'value="late.example"' in late.text
    assert (await room.database.read(tenants.show, acme)).domain == "first.example"
    again = await send(client, path, **{**TENANT, "domain": "late.example", "seen": _seen(late.text)})
    assert again.status_code == 303
    assert (await room.database.read(tenants.show, acme)).domain == "late.example"


@pytest.mark.parametrize("kind_of_database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("path", ["/system/tenants/{}", "/system/mail-server/oauth"])
async def test_of_two_processes_that_save_at_the_same_moment_one_is_told(
    client_of: ClientOf, app: FastAPI, room: Room, acme: TenantId, database_url: str, path: str
) -> None:
    client, here = await client_of(Role.SYSTEM_ADMIN), path.format(acme)
    await send(client, "/system/mail-server/oauth", **APP)
    seen, csrf = _seen((await client.get(f"/console{here}")).text), await csrf_of(client)
    other = replace(room, database=await open_database(database_url))
    beside = httpx.ASGITransport(InFront(create_console(other, app.state.limits), app))
    name = "directory" if here.endswith("oauth") else "domain"

    async with httpx.AsyncClient(transport=beside, base_url=client.base_url, cookies=client.cookies) as second:
        answers = await asyncio.gather(
            *(
                one.post(f"/console{here}", data={**APP, **TENANT, name: value, "seen": seen, "csrf": csrf})
                for one, value in ((client, "one.example"), (second, "two.example"))
            )
        )
    await other.database.close()

    assert sorted(answer.status_code for answer in answers) == [303, 409]

"""Two at the forms of one mail server: who saves what somebody else has changed is told first."""

import asyncio
import re

import pytest
from tests.console.conftest import ClientOf, csrf_of
from tests.console.server_forms import FORM, SAVED, send, stored

from ringpost.cli.opening import operator
from ringpost.console.levels import LEVELS, Level
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room


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

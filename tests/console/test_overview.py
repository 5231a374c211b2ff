"""The overviews of both levels: what works, what needs somebody, and why."""

import re

import pytest
from sqlalchemy import Connection, insert, or_, update
from tests.conftest import Clock
from tests.console.conftest import ClientOf
from tests.console.mails import refused, report

from ringpost.cli.opening import operator
from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.domain.traps import reaching
from ringpost.storage.tables import deliveries, holds, workers
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.room import Room

SERVER = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "auth": "DISABLE"}


async def test_the_system_level_says_what_is_missing_and_where_to_go(client_of: ClientOf) -> None:
    page = (await (await client_of(Role.SYSTEM_ADMIN)).get("/console/")).text

    for said in ("No worker is at work", "There is no system mail server", "Nobody is told of trouble"):
        assert said in page, said
    for path in ("mail-server", "notifications", "tenants", "health"):
        assert f'href="/console/system/{path}"' in page.partition("<main")[2], path


async def test_the_system_level_says_that_all_is_well(client_of: ClientOf, room: Room) -> None:
    await change_settings(room, operator(SYSTEM), {**SERVER, "recipients": "op@example.com"})
    await room.database.write(_put_worker, room.clock())

    page = (await (await client_of(Role.SYSTEM_ADMIN)).get("/console/", headers={"HX-Request": "true"})).text

    assert "<html" not in page
    assert "Mail is being sent" in page
    assert "The system&#39;s mail server is set" in page
    assert "tenants without one of their own may send through it" in page
    assert "1 recipient is told of the phone system itself" in page
    assert 'class="warning"' not in page


async def test_why_mail_waits_is_told_in_the_visitors_language(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SERVER)
    await room.database.write(_put_hold, acme, room.clock())
    await report(room, acme, "jane@example.com")
    for role, path, said, translated in (
        (Role.TENANT_ADMIN, "/console/", "The mail server refused the connection.", "hat die Verbindung abgelehnt."),
        (
            Role.SYSTEM_ADMIN,
            "/console/system/health",
            "Nothing answers at this port",
            "An diesem Port antwortet nichts",
        ),
    ):
        client = await client_of(role)

        english = (await client.get(path)).text
        client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")
        german = (await client.get(path)).text

        assert said in english, path
        assert said not in german, path
        assert translated in german, path


async def test_a_hold_is_told_while_something_waits_and_leads_to_what_helps(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_settings(room, operator(acme), SERVER)
    await room.database.write(_put_hold, acme, room.clock())
    client, operators = await client_of(Role.TENANT_ADMIN), await client_of(Role.SYSTEM_ADMIN)

    nothing_waits = [(await client.get("/console/")).text, (await operators.get("/console/system/health")).text]
    await report(room, acme, "jane@example.com")
    waits = [(await client.get("/console/")).text, (await operators.get("/console/system/health")).text]

    for before, after, said in zip(
        nothing_waits, waits, ("The mail server fails, so mail waits", "Nothing answers at this port"), strict=True
    ):
        assert said not in before
        assert said in after
    line = waits[0].partition("The mail server fails, so mail waits")[2].partition("</li>")[0]
    assert 'href="/console/mail-server"' in line
    assert 'href="/console/deliveries?state=waiting"' in line


FIGURE = re.compile(r"<dt>(\w+)</dt><dd>(\d+)</dd>")
TROUBLE = re.compile(r'<th scope="row"><a href="/console/deliveries/[^"]+">(\w+)@')


async def test_today_is_the_tenants_own_and_what_failed_is_told_from_the_newest_on(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="America/Los_Angeles"))
    clock.advance(-60)  # 23:59 over there, and another day than in Greenwich
    await refused(room, acme, await report(room, acme, "yesterday@example.com"))
    client = await client_of(Role.TENANT_ADMIN)
    late = (await client.get("/console/")).text
    clock.advance(60)
    for name in ("one", "two", "three"):
        clock.advance(1)
        delivery = await report(room, acme, f"{name}@example.com")
        if name != "three":
            await refused(room, acme, delivery)
    await room.database.write(_let_go, "two@example.com", "expired")
    await room.database.write(_let_go, await report(room, acme, "four@example.com"), "sending")
    early = (await client.get("/console/")).text

    assert dict(FIGURE.findall(late)) == {"Sent": "0", "Waiting": "0", "Failed": "1"}
    assert TROUBLE.findall(late) == ["yesterday"]
    assert dict(FIGURE.findall(early)) == {"Sent": "0", "Waiting": "2", "Failed": "2"}
    assert TROUBLE.findall(early) == ["two", "one"]


@pytest.mark.parametrize(
    "server",
    [
        {**SERVER, "auth": "PLAIN", "password": "made up"},
        {**SERVER, "auth": "LOGIN", "password": "made up"},
        {"type": "GMAIL", "username": "pbx@example.com", "password": "made up"},
        {"type": "MS365", "username": "pbx@example.com", "password": "made up"},
    ],
    ids=["PLAIN", "LOGIN", "GMAIL", "MS365"],
)
async def test_a_server_that_needs_its_password_is_known_to_have_it(
    client_of: ClientOf, room: Room, acme: TenantId, server: dict[str, str]
) -> None:
    await change_settings(room, operator(acme), server)
    delivery = await report(room, acme, "jane@example.com")
    client = await client_of(Role.TENANT_ADMIN)

    paths = ("", "notifications", "deliveries?q=nobody%40example.com", f"deliveries/{delivery}")
    pages = {path: (await client.get(f"/console/{path}")).text for path in paths}
    await change_settings(room, operator(SYSTEM), server)
    lent = (await client.get("/console/")).text
    of_system = (await (await client_of(Role.SYSTEM_ADMIN)).get("/console/")).text

    assert [path for path, page in pages.items() if "There is no" in page or "There is none" in page] == []
    for page in (pages[""], lent):
        assert "The mail server is set" in page
    assert "There is no system mail server" not in of_system


async def test_which_mail_server_is_used_is_told_by_what_can_send(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    none, own, lent = (
        "There is no mail server, so nothing is sent",
        "The mail server is set",
        "Mail goes through the phone system&#39;s mail server",
    )

    async def told() -> list[str]:
        page = (await client.get("/console/")).text
        return [said for said in (none, own, lent) if said in page]

    await change_settings(room, operator(acme), {**SERVER, "username": "nobody"})  # no address to send from
    assert await told() == [none]
    await change_settings(room, operator(SYSTEM), SERVER)
    assert await told() == [lent]
    await change_settings(room, operator(acme), SERVER)
    assert await told() == [own]


def _let_go(connection: Connection, whose: str, state: str) -> None:
    one = or_(deliveries.c.recipient == whose, deliveries.c.id == whose)
    claimed = {"claim": "w-1", "lease_until": 1} if state == "sending" else {}
    connection.execute(update(deliveries).where(one).values(state=state, **claimed))


def _put_worker(connection: Connection, now: int) -> None:
    worker = {"name": "w1", "host": "mail1", "since": now, "until": now + 60_000, "slots": 16, "in_hand": 0}
    connection.execute(insert(workers).values(**worker))


def _put_hold(connection: Connection, lane: TenantId, now: int) -> None:
    hold = {"lane": lane, "since": now - 60_000, "until": now + 60_000, "failures": 2, "party": "network"}
    said = {"stage": "connect", "reply": "", "hint": reaching.CONNECTION_REFUSED.hint}
    connection.execute(insert(holds).values(**hold, **said))

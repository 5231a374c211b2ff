"""Why a mail did not come: nobody was told, another address was meant, or the mail server fails."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.conftest import Clock
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of
from tests.console.mails import admin, names_in, refused, report

from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.domain.access import Role
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.storage.outcomes import hold_queue
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.room import Room

SERVER = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "auth": "DISABLE"}


async def test_why_nobody_got_a_mail_is_one_search(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await report(room, acme, "jane@example.org")
    await report(room, acme, type="QUEUE_SLA", variables={}, id="sla-1")
    await visitor.sign_in_as(Role.TENANT_ADMIN)

    page = await visitor.open("/deliveries?q=jane%40example.com")

    said = await page.locator("main").inner_text()
    assert "No mail was ever made for this address" in said
    assert "jane@example.org" in said
    assert "They are not among the recipients" in said
    assert "A caller has waited for too long" in said
    await page.get_by_text("When each thing last happened").click()
    await assert_accessible(page)
    page = await visitor.open("/deliveries?q=sla-1")
    assert "This notification is switched off" in await page.locator("main").inner_text()


@pytest.mark.parametrize("asked", ["Sam.Lee@Example.com", "sam.lee@EXAMPLE.com", "SAM.L"])
async def test_a_recipient_is_known_however_the_address_is_written(
    client_of: ClientOf, room: Room, acme: TenantId, asked: str
) -> None:
    await change_settings(room, admin(acme), {**SERVER, "recipients": "Sam.Lee@example.com"})
    client = await client_of(Role.TENANT_ADMIN)

    answer = (await client.get("/console/deliveries", params={"q": asked})).text

    assert "They are among the recipients under Notifications" in answer
    assert "These addresses are alike" not in answer, "it is the same"


@pytest.mark.parametrize("reply", ["It minds.", ""])
async def test_nobody_is_told_to_read_the_words_of_a_server_that_said_none(
    client_of: ClientOf, room: Room, acme: TenantId, reply: str
) -> None:
    delivery = await report(room, acme, "jane@example.com")
    await refused(room, acme, delivery, reply)
    page = (await (await client_of(Role.TENANT_ADMIN)).get(f"/console/deliveries/{delivery}")).text
    assert ("own words below" in page, "What to do now" in page) == (bool(reply), bool(reply))
    assert "Whom to ask" in page


async def test_a_whole_address_is_not_taken_for_the_beginning_of_another(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    recipients = "jane@acme.example.com, jane@acme.example.net"
    await change_settings(room, admin(acme), {**SERVER, "recipients": recipients})
    await report(room, acme, "jane@acme.example.com")
    client = await client_of(Role.TENANT_ADMIN)

    mistyped = await client.get("/console/deliveries?q=jane%40acme.example.co")
    right = await client.get("/console/deliveries?q=Jane%40ACME.example.net")
    beginning = await client.get("/console/deliveries?q=jane%40acme")

    assert names_in(mistyped) == []
    assert "No mail was ever made for this address" in mistyped.text
    assert "They are not among the recipients" in mistyped.text
    alike = mistyped.text.partition("These addresses are alike")[2].partition("</li>")[0]
    assert re.findall(r">(jane@[^<]+)<", alike) == ["jane@acme.example.com", "jane@acme.example.net"]
    assert "They are among the recipients" in right.text
    assert sorted(names_in(beginning)) == ["jane@acme.example.com", "jane@acme.example.net"]
    assert "They are among the recipients" in beginning.text
    assert "These addresses are alike" not in beginning.text


async def test_what_keeps_every_mail_from_being_sent_is_told_while_it_does(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    nothing_to_send_through, disabled = "There is no mail server, so nothing", "The tenant was disabled"
    tenant, operators = await client_of(Role.TENANT_ADMIN), await client_of(Role.SYSTEM_ADMIN)

    async def told(client: httpx.AsyncClient) -> list[str]:
        page = (await client.get("/console/deliveries?q=jane%40example.com")).text
        return [said for said in (nothing_to_send_through, disabled) if said in page]

    await change_settings(room, admin(acme), {**SERVER, "username": "nobody"})  # no address to send from
    assert await told(tenant) == [nothing_to_send_through]
    await change_settings(room, admin(SYSTEM), SERVER)
    assert await told(tenant) == [], "it is lent"
    await operators.post(f"/console/system/tenants/{acme}/act", data={"csrf": await csrf_of(operators)})
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", enabled=False))
    assert await told(operators) == [disabled]


async def test_a_search_that_only_its_state_leaves_empty_says_so_and_leads_to_the_mail(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await report(room, acme, "jane@example.com", id="call-1")
    await refused(room, acme, await report(room, acme, "john@example.com"))
    client = await client_of(Role.TENANT_ADMIN)

    for q in ("jane@example.com", "jane", "call-1"):
        page = await client.get("/console/deliveries", params={"q": q, "state": "failed"})

        said = page.text.partition("<main")[2]
        assert names_in(page) == []
        assert "No mail for this is in this state" in said, q
        for untrue in ("No mail was ever made", "that sent no mail", "No mail was found", "that it sent."):
            assert untrue not in said, (q, untrue)
        link = re.search(r'<a href="/console/deliveries([^"]+)">Show all mail for this<', said)
        assert link is not None
        assert names_in(await client.get(f"/console/deliveries{link[1]}")) == ["jane@example.com"]


async def test_a_search_that_is_narrowed_in_several_ways_can_be_widened_step_by_step(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await report(room, acme, "jane@example.com", "john@example.com", id="call-1")
    await refused(room, acme, await report(room, acme, "jane@example.com"))
    client = await client_of(Role.TENANT_ADMIN)
    narrow = {"state": "sent", "when": "day"}

    person = (await client.get("/console/deliveries", params={"q": "jane@example.com", **narrow})).text
    event = (await client.get("/console/deliveries", params={"q": "call-1", "type": "QUEUE_SLA"})).text
    whole = await client.get("/console/deliveries", params={"q": "call-1", "state": "waiting"})

    assert "No mail for this fits what is chosen" in person
    assert 'href="/console/deliveries?q=jane%40example.com&amp;when=day">Look in all states<' in person
    assert 'href="/console/deliveries?q=jane%40example.com">Show all mail for this<' in person
    assert "No mail for this fits what is chosen" in event
    assert "Look in all states" not in event
    assert sorted(names_in(whole)) == ["jane@example.com", "john@example.com"]
    assert "These are the mails that it sent." in whole.text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("VOICEMAIL_RECEIVED", "Enter a mail address for the person in the phone system. Recipients under"),
        ("USER_CREATION", "Enter a mail address for the person in the phone system. Recipients under"),
        ("DISK_LOW", "Add recipients. It holds for events from then on."),
        ("EMERGENCY_CALL", "Add recipients, or enter a mail address for the person in the phone system."),
        ("RECHARGE", "Add recipients, or enter a mail address for the person in the phone system."),
    ],
)
async def test_whom_to_add_is_told_by_who_can_be_told(
    client_of: ClientOf, room: Room, acme: TenantId, kind: str, said: str
) -> None:
    toggle = CATALOGUE[kind].toggle
    await change_settings(room, admin(acme), {**SERVER, toggle: True} if toggle else SERVER)
    await report(room, acme, type=kind, variables={}, id="nobody-1")
    client = await client_of(Role.TENANT_ADMIN)

    for path in ("/console/deliveries/skipped", "/console/deliveries?q=nobody-1"):
        page = (await client.get(path)).text.partition("<main")[2]

        assert "There was nobody to tell" in page
        assert said in page
        assert (">Add recipients<" in page) is said.startswith("Add recipients")


async def test_events_that_sent_nothing_say_why_and_what_to_change(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    await report(room, acme, type="QUEUE_SLA", variables={}, id="sla-1")
    await report(room, acme, id="emergency-1")
    await visitor.sign_in_as(Role.TENANT_ADMIN)

    page = await visitor.open("/deliveries/skipped")

    said = await page.locator("main").inner_text()
    assert "This notification is switched off" in said
    assert "There was nobody to tell" in said
    await assert_accessible(page)
    page = await visitor.open("/deliveries/skipped?reason=NO_RECIPIENTS")
    said = await page.locator("tbody").inner_text()
    assert "emergency-1" in said
    assert "sla-1" not in said


async def hold(room: Room) -> None:
    """The system's mail server fails, and is tried again in a minute."""

    def change(connection: Any) -> None:
        connection.exec_driver_sql(
            "INSERT INTO holds (lane, since, until, failures, party, stage, reply, hint) "
            "VALUES ('system', 0, ?, 1, 'network', 'connect', '', 'The cable is out.')",
            (room.clock() + 60_000,),
        )

    await room.database.write(change)


async def test_a_mail_that_waits_for_a_server_says_so(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    delivery = await report(room, acme, "a@example.com")

    await hold(room)

    story = (await (await client_of(Role.TENANT_ADMIN)).get(f"/console/deliveries/{delivery}")).text

    assert "The mail server fails, so all mail for it waits" in story
    assert "The cable is out." in story
    assert "Whoever runs the network" in story


async def test_the_list_says_why_mail_waits_behind_a_failing_server_and_until_when(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await report(room, acme, "a@example.com")
    await refused(room, acme, await report(room, acme, "b@example.com"))
    client = await client_of(Role.TENANT_ADMIN)
    before = (await client.get("/console/deliveries")).text
    live = re.search(r'data-live="([^"]+)"', before)
    assert live is not None

    await hold(room)
    held = await client.get(live[1].replace("&amp;", "&"), headers={"HX-Request": "true"})
    clock.advance(90)
    due = (await client.get("/console/deliveries")).text

    assert "The cable is out." not in before
    assert held.status_code == 200, "it is news"
    assert held.text.count("The cable is out.") == 1, "only at the mail that waits"
    assert "Next try <time" in held.text
    assert "Next try: any moment now." in due


async def use_up_the_share(room: Room, tenant: TenantId) -> None:
    """The tenant has borrowed enough of the system's mail server; its hour is over in 20 minutes."""
    hint = (
        "The 5 mails that may go through the system's mail server in an hour have gone. The rest goes by itself when "
        "the hour is over; a mail server of your own has no such limit."
    )
    why = Outcome(RETRY, Stage.RESOLVE, Party.CONFIGURATION, hint=hint)
    now = room.clock()
    await room.database.write(hold_queue, f"system:{tenant}", now, now + 20 * 60_000, why)


async def test_a_share_that_is_used_up_is_not_told_as_a_failing_mail_server(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_settings(room, admin(SYSTEM), SERVER)
    mail = await report(room, acme, "a@example.com", type="VOICEMAIL_RECEIVED", variables={})
    await use_up_the_share(room, acme)
    client = await client_of(Role.TENANT_ADMIN)
    until = datetime.fromtimestamp((room.clock() + 20 * 60_000) / 1000, UTC).strftime("%Y-%m-%dT%H:%M")

    pages = {path: (await client.get(f"/console{path}")).text for path in ("/", "/deliveries", f"/deliveries/{mail}")}
    client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")
    german = (await client.get("/console/")).text

    for path, page in pages.items():
        assert "Your share of the phone system&#39;s mail server is used up" in page, path
        assert "The mail server fails" not in page, path
        assert "One mail tries it out" not in page, path
        assert f'datetime="{until}' in page, path
    assert "The 5 mails that may go through the phone system&#39;s mail server in an hour have gone." in pages["/"]
    assert "Ihr Anteil am Mailserver der Telefonanlage ist aufgebraucht" in german


async def test_an_emergency_does_not_wait_for_a_share(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await change_settings(room, admin(SYSTEM), SERVER)
    mail = await report(room, acme, "a@example.com")
    await use_up_the_share(room, acme)
    client = await client_of(Role.TENANT_ADMIN)

    for path in ("/console/deliveries", f"/console/deliveries/{mail}"):
        assert "Your share" not in (await client.get(path)).text, path


async def test_the_list_of_mails_that_wait_fits_every_screen(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await report(room, acme, "operations@acme.example.com")
    await hold(room)
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries")

    for width in (360, 641, 760, 900, 1000, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width

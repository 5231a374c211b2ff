"""The pages of deliveries: a failure found, understood and mended; who got nothing and why."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller
from markupsafe import escape
from sqlalchemy import update
from tests.api.mailboxes import Mailbox
from tests.conftest import Clock
from tests.console.conftest import ClientOf, Visitor, assert_accessible
from tests.console.mails import admin, ended, refused, report, states

from ringpost.console.languages import languages
from ringpost.domain.access import Role
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.deliveries import State
from ringpost.domain.endpoints import Endpoint, SmtpEndpoint
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.tenants import TenantId
from ringpost.domain.traps import TRAPS
from ringpost.storage.tables import deliveries
from ringpost.transports import Transport
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import Deadlines, SmtpOptions, SmtpTransport
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Options, Room
from ringpost.worker import Worker, WorkerOptions

NO_SUCH_USER = "550 5.1.1 No such user here"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        box = Mailbox("127.0.0.1", probe.getsockname()[1], [])
    controller = Controller(box, box.host, box.port)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def room(room: Room, mailbox: Mailbox) -> Room:
    """The room, with a way out to the mailbox."""
    loopback = parse_allowed_networks(f"127.0.0.0/8:{mailbox.port}")
    egress = EgressRules(allowed=loopback, extra_ports=frozenset({mailbox.port}))

    def open_transport(endpoint: Endpoint, *, overall_s: float | None = None, **_: object) -> Transport:
        assert isinstance(endpoint, SmtpEndpoint)
        return SmtpTransport(endpoint, SmtpOptions("ringpost.test", Deadlines(overall=overall_s), egress=egress))

    return replace(room, open_transport=open_transport, options=Options("pbx.example", ServerRules(allowed=loopback)))


@pytest.fixture
async def worker(room: Room) -> AsyncIterator[Worker]:
    """A worker at work."""
    worker = Worker(room, WorkerOptions(slots=64, poll_s=0.05, sweep_s=0.2))
    task = asyncio.create_task(worker.run())
    yield worker
    worker.stop()
    await task


@pytest.mark.usefixtures("worker")
async def test_a_failed_delivery_is_found_understood_and_retried(
    visitor: Visitor, room: Room, acme: TenantId, mailbox: Mailbox
) -> None:
    await change_settings(room, admin(acme), mailbox.settings())
    mailbox.refuse = NO_SUCH_USER
    delivery = await report(room, acme, "jane@example.com")
    await ended(room, acme, delivery)
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries")

    await page.get_by_role("searchbox").fill("jane")
    await page.get_by_label("State", exact=True).select_option("failed")
    await page.get_by_role("button", name="Find").click()
    await page.wait_for_url("**state=failed**")
    await page.get_by_role("heading", name="Why did this person not get a mail?").wait_for()
    await assert_accessible(page)
    await page.get_by_role("link", name="jane@example.com").first.click()

    verdict = page.locator(".verdict")
    await verdict.get_by_text("Refused", exact=True).wait_for()
    assert "The address does not exist" in await verdict.inner_text() or "mailbox" in await verdict.inner_text()
    assert "What to do now" in await verdict.inner_text()
    dialogue = await page.locator(".dialogue").inner_text()
    assert "RCPT TO:<jane@example.com>" in dialogue
    assert "550 5.1.1 No such user here" in dialogue
    mail = page.frame_locator("iframe.mail")
    await mail.get_by_text("112").first.wait_for()
    await page.get_by_role("link", name="More about this").wait_for()
    await assert_accessible(page)

    mailbox.refuse = None
    await page.get_by_role("button", name="Try again now").click()
    await page.get_by_text("It is queued again and goes at once.").wait_for()
    await page.locator(".verdict").get_by_text("Sent", exact=True).wait_for()  # without a reload

    assert len(mailbox.mails) == 1
    assert (await ended(room, acme, delivery)).state == State.SENT


async def test_new_mail_is_told_of_and_moves_nothing(
    visitor: Visitor, room: Room, acme: TenantId, clock: Clock
) -> None:
    await report(room, acme, "first@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries")
    assert await page.locator("#list tbody tr").count() == 1

    clock.advance(1)
    await report(room, acme, "second@example.com")
    news = page.get_by_role("link", name="1 new")
    await news.wait_for()

    assert await page.locator("#list tbody tr").count() == 1
    await assert_accessible(page)
    await news.click()
    await page.get_by_role("link", name="second@example.com").wait_for()


async def test_the_last_day_is_drawn_and_told_by_the_hour(
    visitor: Visitor, room: Room, acme: TenantId, clock: Clock
) -> None:
    await refused(room, acme, await report(room, acme, "a@example.com"))
    clock.advance(3600)
    await report(room, acme, "b@example.com", "c@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries")
    await page.locator(".chart svg").wait_for()
    await assert_accessible(page)

    page = await visitor.open("/deliveries/hours")
    await page.get_by_text("The same as a table").click()

    cells = await page.locator(".chart tbody td").all_text_contents()
    assert cells == ["0", "0", "2", "0", "1", "0"]
    await assert_accessible(page)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("USER_CREATION", "USER_PASSWORD"),
        ("CONFERENCE_INVITATION", "PASSWORD"),
        ("EMERGENCY_CALL", "VOICEMAIL_PIN"),  # which its own template does not ask for
    ],
)
async def test_a_mail_with_a_password_is_shown_to_nobody(
    client_of: ClientOf, room: Room, acme: TenantId, mailbox: Mailbox, kind: str, name: str
) -> None:
    toggle = CATALOGUE["USER_CREATION"].toggle or ""
    await change_settings(room, admin(acme), mailbox.settings(**{toggle: True}))
    delivery = await report(room, acme, "new@example.com", type=kind, variables={name: "canary-secret"})
    client = await client_of(Role.TENANT_ADMIN)

    story = await client.get(f"/console/deliveries/{delivery}")
    mail = await client.get(f"/console/deliveries/{delivery}/message")

    assert story.status_code == 200
    assert "canary-secret" not in story.text
    assert "<iframe" not in story.text
    assert "carries a password" in story.text
    assert mail.status_code == 404
    assert "canary-secret" not in mail.text


async def test_a_delivery_that_waits_is_cancelled_after_a_question(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    delivery = await report(room, acme, "a@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open(f"/deliveries/{delivery}")

    await page.get_by_role("button", name="Do not send it").click()
    await page.get_by_role("dialog").wait_for()
    await assert_accessible(page)
    await page.get_by_role("dialog").get_by_role("button", name="Do not send it").click()

    await page.get_by_text("It is cancelled.").wait_for()
    assert (await states(room, acme))["a@example.com"] is State.CANCELLED


async def test_every_trap_has_a_page(client_of: ClientOf, visitor: Visitor) -> None:
    client = await client_of(Role.READ_ONLY)
    for trap in TRAPS.values():
        page = await client.get(f"/console/traps/{trap.code}")
        assert page.status_code == 200, trap
        assert escape(trap.title) in page.text
        assert escape(languages()["en"].say(trap.explanation)) in page.text
    assert (await client.get("/console/traps/NONE")).status_code == 404
    pages = [(await client.get(f"/console/traps/{code}")).text for code in ("DMARC_MISSING", "AUTH_ONLY_AFTER_TLS")]
    assert "<code>v=DMARC1; p=none</code>" in pages[0]
    assert not any("`" in page for page in pages)
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    await assert_accessible(await visitor.open("/traps/LOGIN_REFUSED"))


async def test_what_is_unchanged_is_not_sent_again(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await report(room, acme, "a@example.com")
    client = await client_of(Role.TENANT_ADMIN)
    page = (await client.get("/console/deliveries")).text
    live = re.search(r'data-live="([^"]+)"', page)
    assert live is not None
    path, by_htmx = live[1].replace("&amp;", "&"), {"HX-Request": "true"}

    assert (await client.get(path, headers=by_htmx)).status_code == 204

    clock.advance(1)
    await report(room, acme, "b@example.com")
    changed = await client.get(path, headers=by_htmx)
    assert changed.status_code == 200
    assert "b@example.com" not in changed.text


async def test_that_a_mail_is_tried_at_another_time_is_news(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    delivery = await report(room, acme, "a@example.com")
    client = await client_of(Role.TENANT_ADMIN)
    live = re.search(r'data-live="([^"]+)"', (await client.get("/console/deliveries")).text)
    assert live is not None
    path, by_htmx = live[1].replace("&amp;", "&"), {"HX-Request": "true"}
    assert (await client.get(path, headers=by_htmx)).status_code == 204
    later = update(deliveries).where(deliveries.c.id == delivery).values(due_at=room.clock() + 60_000, deferred=True)
    await room.database.write(lambda connection: connection.execute(later).close())
    assert (await client.get(path, headers=by_htmx)).status_code == 200

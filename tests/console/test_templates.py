"""The pages of templates in a browser: writing one, and what a hostile one can do."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from playwright.async_api import Page, expect
from tests.api.mailboxes import Mailbox
from tests.console.conftest import PATIENCE_MS, Visitor, assert_accessible
from tests.console.mail_servers import issue, wired

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.storage import templates
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.room import Room

expect.set_options(timeout=PATIENCE_MS)


ANSWERED_AFTER_MS = 100
"""CodeMirror does not believe a key that comes within 75 ms after its list has opened."""


@pytest.fixture
def room(room: Room, tmp_path: Path) -> Room:
    """The room, with a way out to this machine."""
    return wired(room, issue(tmp_path))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server that takes everything, without login."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    box = Mailbox("127.0.0.1", port, [])
    controller = Controller(box, box.host, box.port)
    controller.start()
    yield box
    controller.stop()


def anna_of(tenant: TenantId) -> Principal:
    """The tenant's administrator."""
    return Principal(tenant, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "anna", "t")


async def previewed(page: Page, text: str) -> None:
    """Wait until the mail in the frame says this."""
    await expect(page.frame_locator(".stage iframe:not(.coming)").locator("body")).to_contain_text(text)


async def inspect(page: Page) -> None:
    """Look for what keeps people out, and be wide again."""
    await assert_accessible(page)
    await page.set_viewport_size({"width": 1440, "height": 900})


async def test_a_template_is_edited_checked_previewed_sent_and_restored(
    visitor: Visitor, room: Room, acme: TenantId, mailbox: Mailbox
) -> None:
    await change_settings(room, anna_of(acme), {**mailbox.settings(), "recipients": "jane@example.org"})
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/templates")
    await inspect(page)
    await page.get_by_role("link", name="A caller has waited for too long").click()
    await previewed(page, "Callers are waiting too long")
    await inspect(page)

    await edit(page)
    await heed_the_check(page)
    await preview(page)
    assert await templates_of(room, acme) == []
    await compare(page)
    await send(page, mailbox)
    await save_and_restore(visitor)
    assert await templates_of(room, acme) == [("QUEUE_SLA", 3)]
    await page.get_by_role("button", name="Reset to the default").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Reset to the default").click()
    await expect(page.get_by_text("This is the default again.")).to_be_visible()
    assert await templates_of(room, acme) == []


async def test_what_was_meant_as_a_variable_is_found_and_replaced(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/templates/DISK_LOW")
    await page.get_by_role("textbox", name="Subject").focus()
    await page.keyboard.insert_text("Only %%FREE_SIZE% and %%free_size%% of 100%%, not %%FREE_SIZES")

    marked = page.locator(".cm-unknown")
    await expect(marked).to_have_text(["%%FREE_SIZE%", "%%free_size%%", "%%FREE_SIZES"])
    await page.keyboard.press("Control+Home")
    await page.keyboard.press("F8")
    said = page.locator(".cm-tooltip")
    await expect(said).to_contain_text("%%FREE_SIZE% is no variable, and stands in the mail as it is.")
    await expect(said).to_contain_text("Did you mean %%FREE_SIZE%%?")
    await page.keyboard.press("Escape")
    for name, written in (("%%FREE_SIZE%", "%%FREE_SIZE%"), ("free_size", "%%free_size%%")):
        finding = page.locator(f'#checked [data-unknown="{name}"]')
        await expect(finding).to_contain_text(f"{written} is no variable, and stands in the mail as it is.")
        await finding.get_by_role("button", name="Replace").click()
        await expect(finding).to_have_count(0)

    left = "Only %%FREE_SIZE%% and %%FREE_SIZE%% of 100%%, not %%FREE_SIZES"
    await expect(page.locator("[name=subject]")).to_have_value(left)
    await expect(marked).to_have_text(["%%FREE_SIZES"])


async def test_the_editor_marks_what_the_check_finds_and_nothing_else(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    body = (
        "<p>%%SIZE%% %%size%% %%Free-Size%% %%FREE_SIZE% %%FREE_SIZE</p>\n"
        "<p>%%FREE_SIZE%% 100%% 50%%off %%nothing% %%NO_SUCH_THING%% https://example.com/%%20%%20</p>\n"
    )
    await create_template(room, anna_of(acme), "DISK_LOW", Parts(body=body))
    for role in (Role.TENANT_ADMIN, Role.READ_ONLY):
        await visitor.sign_in_as(role)
        page = await visitor.open("/templates/DISK_LOW")
        found = page.locator("#checked [data-unknown] > code:first-child")
        await expect(found).not_to_have_count(0)

        marked = page.locator(".cm-unknown")
        await expect(marked).to_have_count(await found.count())
        assert sorted(await marked.all_inner_texts()) == sorted(await found.all_inner_texts())


async def edit(page: Page) -> None:
    """Write into two fields; completion offers what the event has."""
    body, subject = page.get_by_role("textbox", name="Body"), page.get_by_role("textbox", name="Subject")
    await subject.focus()
    await page.keyboard.type("Too long: %%queue_na")
    await page.get_by_role("option", name="%%QUEUE_NAME%%").wait_for()
    await page.wait_for_timeout(ANSWERED_AFTER_MS)
    await page.keyboard.press("Enter")
    await expect(page.locator("[name=subject]")).to_have_value("Too long: %%QUEUE_NAME%%")
    await expect(page.locator("[data-shown=subject]")).to_have_text("Too long: Sales")
    await body.focus()
    await page.keyboard.type("<h1>Please help")
    await page.keyboard.press("Control+End")
    await page.keyboard.type("\n\n<p>In %%QUEU_NAME%%: %%CALLER_NUMBER%%")


async def heed_the_check(page: Page) -> None:
    """What is unknown is underlined, named with its line, and replaced by what was meant."""
    await expect(page.locator(".cm-unknown")).to_have_text("%%QUEU_NAME%%")
    finding = page.locator("#checked [data-unknown=QUEU_NAME]")
    await expect(finding).to_contain_text("Did you mean %%QUEUE_NAME%%?")
    await finding.get_by_role("link", name="Body, line 3").click()
    await expect(page.get_by_role("textbox", name="Body")).to_be_focused()
    await page.keyboard.press("Control+Home")
    await page.keyboard.press("F8")
    await expect(page.locator(".cm-tooltip")).to_contain_text("Did you mean %%QUEUE_NAME%%?")
    await page.keyboard.press("Escape")
    await inspect(page)
    await finding.get_by_role("button", name="Replace").click()
    await expect(page.locator(".cm-unknown")).to_have_count(0)
    await expect(page.locator("#checked")).to_contain_text("All variables are known.")


async def preview(page: Page) -> None:
    """Look at it as HTML, as text, on a phone, in the dark."""
    await previewed(page, "In Sales: +1 555 0143")
    await page.get_by_label("Phone", exact=True).check()
    frame = page.locator(".stage iframe")
    assert await frame.evaluate("one => one.clientWidth") == 360
    await page.get_by_label("Dark", exact=True).check()
    assert await frame.evaluate("one => getComputedStyle(one).colorScheme") == "dark"
    await page.get_by_label("Text", exact=True).check()
    await previewed(page, "Please help")
    await expect(page.frame_locator(".stage iframe:not(.coming)").locator("pre")).to_have_count(1)


async def compare(page: Page) -> None:
    """See what differs from the default, before it is saved."""
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator("#difference .added").first).to_contain_text("Added: Too long: %%QUEUE_NAME%%")


async def send(page: Page, mailbox: Mailbox) -> None:
    """Send the draft, before it is saved."""
    await page.get_by_role("button", name="Send a test").click()
    await expect(page.locator("#test-result")).to_contain_text("The mail server has taken it for jane@example.org.")
    (envelope, mail), *_ = mailbox.mails
    assert envelope.rcpt_tos == ["jane@example.org"]
    assert mail["Subject"] == "Too long: Sales"
    html = mail.get_body(("html",))
    assert html is not None
    assert "In Sales: " in html.get_content()
    await inspect(page)


async def save_and_restore(visitor: Visitor) -> None:
    """Save, change once more, and bring back what was saved first."""
    page = visitor.page
    await visitor.press_save()
    await expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    await page.get_by_role("textbox", name="Subject").focus()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Another subject")
    await visitor.press_save()
    await page.get_by_role("link", name="Revisions").click()
    await inspect(page)
    await page.get_by_role("link", name="Revision 1").click()
    await previewed(page, "Please help")
    await page.get_by_role("link", name="From what is in force").click()
    await expect(page.locator(".difference .removed")).to_contain_text("Another subject")
    await inspect(page)
    await page.get_by_role("button", name="Restore").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    await expect(page.get_by_role("status").filter(has_text="Restored")).to_be_visible()
    await expect(page.locator("[name=subject]")).to_have_value("Too long: %%QUEUE_NAME%%")


async def test_starting_from_the_default_and_the_list_of_variables(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/templates/RECHARGE")

    await page.get_by_role("link", name="Start from the default").click()
    await expect(page.locator("[name=body]")).not_to_have_value("")
    await page.get_by_text("Variables", exact=True).click()
    await inspect(page)
    await page.get_by_role("textbox", name="Subject").focus()
    await page.get_by_role("button", name="Insert PAYMENT_AMOUNT").click()

    await expect(page.locator("[name=subject]")).to_have_value("%%PAYMENT_AMOUNT%%")
    await expect(page.locator("form.changed")).to_have_count(1)
    await page.get_by_role("textbox", name="Subject").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[name=subject]")).to_have_value("%%PAYMENT_AMOUNT%%")
    assert page.url.endswith("/templates/RECHARGE")


async def test_once_there_is_no_body_of_ones_own_the_defaults_text_is_shown_in_grey(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    await create_template(room, anna_of(acme), "RECHARGE", Parts(body="<p>Paid</p>"))
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/templates/RECHARGE")
    grey = page.locator(".editor.of-text").get_by_text("Thank you for your payment")
    await expect(page.locator(".editor.of-text .cm-content")).to_be_visible()
    await expect(grey).to_be_hidden()

    await page.get_by_role("textbox", name="Body").focus()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Delete")

    await expect(grey).to_be_visible()


async def test_a_hostile_template_does_and_loads_nothing(visitor: Visitor, room: Room, acme: TenantId) -> None:
    hostile = (
        "<script>top.hacked = 1; alert(1)</script><img src=x onerror='top.hacked=1'>"
        "<img src='https://elsewhere.example/pixel.png'><link rel=stylesheet href='https://elsewhere.example/a.css'>"
        "<meta http-equiv=refresh content='0;url=https://elsewhere.example/'><base href='https://elsewhere.example/'>"
        "<iframe src='https://elsewhere.example/'></iframe><form action='https://elsewhere.example/'><input></form>"
        "<style>body{background:url(https://elsewhere.example/b.png)}</style><p>still here</p>"
    )
    subject = "</title><script>top.hacked = 1</script><img src=x onerror=top.hacked=1>"
    await create_template(room, anna_of(acme), "RECHARGE", Parts(from_=subject, subject=subject, body=hostile))
    await visitor.sign_in_as(Role.TENANT_ADMIN)

    kept: set[str] = set()
    page = visitor.page
    page.on("requestfailed", lambda request: kept.add(request.url) if request.failure == "csp" else None)
    await visitor.open("/templates/RECHARGE")
    await previewed(page, "still here")
    await page.get_by_label("Text", exact=True).check()
    await previewed(page, "still here")
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator("#difference")).to_contain_text("elsewhere.example/pixel.png")
    await visitor.open("/templates/RECHARGE/revisions/1")
    await previewed(page, "still here")

    assert await page.evaluate("window.hacked") is None
    for fault in visitor.faults:  # the browser says what it has kept from happening
        blocked = "Content Security Policy" in fault or "sandboxed" in fault
        assert blocked or fault.removeprefix("a request to ") in kept, fault
    visitor.faults.clear()


async def test_who_may_only_look_sees_the_mail_in_every_way(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await create_template(room, anna_of(acme), "RECHARGE", Parts(body="<p>Thanks %%NAME%%</p>"))
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/templates/RECHARGE")
    await previewed(page, "Thanks")
    await assert_accessible(page)
    await page.get_by_label("Text", exact=True).check()
    await previewed(page, "Thanks")

    for name in ("Save", "Send a test", "Compare", "Reset to the default", "Insert PAYMENT_AMOUNT"):
        assert await page.get_by_role("button", name=name, exact=True).count() == 0
    await page.get_by_role("textbox", name="Body").focus()
    await page.keyboard.type("changed")
    assert await page.locator("[name=body]").input_value() == "<p>Thanks %%NAME%%</p>"


async def test_the_browser_shows_what_somebody_else_has_saved_meanwhile(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/templates/RECHARGE")
    await page.get_by_role("textbox", name="Subject").focus()
    await page.keyboard.type("Mine")
    await create_template(room, anna_of(acme), "RECHARGE", Parts(subject="Theirs"))

    await visitor.press_save()

    await expect(page.get_by_text("Somebody else was faster.")).to_be_visible()
    await expect(page.locator(".difference .removed")).to_contain_text("Theirs")
    await expect(page.locator(".difference .added")).to_contain_text("Mine")
    await expect(page.locator("[data-shown=subject]")).to_have_text("Mine")
    await previewed(page, "topped up")
    await assert_accessible(page)
    await visitor.press_save()
    assert (await room.database.read(templates.get, acme, "RECHARGE")).parts.subject == "Mine"


async def templates_of(room: Room, tenant: TenantId) -> list[tuple[str, int]]:
    """What the tenant has customised."""
    return [(name, one.number) for name, one in (await room.database.read(templates.list_in_force, tenant)).items()]

"""Sessions that end in mid-form: what was typed is not lost, and whoever typed it is told."""

import re

import pytest
from playwright.async_api import Dialog, Page
from tests.console.conftest import PASSWORD, ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.console.not_done import SECRETS
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.storage import access, settings, templates
from ringpost.usecases.room import Room
from ringpost.usecases.sign_out import sign_out_everywhere

EDITOR = "/templates/RECHARGE"


async def end_sessions(room: Room, acme: TenantId) -> None:
    """What "Sign out everywhere" on another computer does."""
    users = {user.username: user for user in await room.database.read(access.list_users, acme)}
    await sign_out_everywhere(room, users["anna"])


async def sign_in(page: Page) -> None:
    """Fill in the form, as Anna."""
    await page.get_by_label("User name").fill("anna")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Domain").fill("acme.example")
    async with page.expect_navigation():
        await page.get_by_role("button", name="Sign in").click()


async def test_an_editor_stays_and_saves_after_signing_in_again_elsewhere(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    page = await visitor.open(EDITOR)
    await sign_in(page)
    asked: list[str] = []

    async def note(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", note)
    await page.get_by_label("Subject").first.fill("Paid")
    await page.locator("#checked").get_by_text("Paid").wait_for()
    await end_sessions(room, acme)
    await page.get_by_label("Subject").first.fill("Paid at last")

    await page.locator("#checked").get_by_text("You are signed out.").wait_for()
    await page.frame_locator("iframe:not(.coming)").get_by_text("You are signed out.").wait_for()
    assert (page.url, asked) == (f"{visitor.url}/console{EDITOR}", [])

    async with page.context.expect_page() as opening:
        await page.get_by_role("link", name="Sign in in another tab").click()
    other = await opening.value
    await sign_in(other)
    await page.bring_to_front()
    await visitor.press_save()

    assert page.url.startswith(f"{visitor.url}/console{EDITOR}")
    saved = await room.database.read(templates.get, acme, "RECHARGE")
    assert saved.parts.subject == "Paid at last"
    visitor.faults[:] = [fault for fault in visitor.faults if "Response Status Error Code 401" not in fault]


async def test_of_two_tabs_that_ask_to_sign_in_the_second_leads_on_as_well(visitor: Visitor) -> None:
    page = await visitor.open("/people")
    other = await page.context.new_page()
    await other.goto(f"{visitor.url}/console/audit?action=create_user")
    await sign_in(page)

    await sign_in(other)

    assert page.url == f"{visitor.url}/console/people"
    assert other.url == f"{visitor.url}/console/audit?action=create_user"


async def test_what_was_sent_too_late_is_kept_and_sent_again(visitor: Visitor, room: Room, acme: TenantId) -> None:
    page = await visitor.open("/notifications")
    await sign_in(page)
    await page.get_by_role("textbox", name="Addresses").fill("jane@example.com")
    await page.get_by_label("A queue called a caller back", exact=True).check()
    await end_sessions(room, acme)

    await visitor.press_save()

    await page.get_by_text("nothing was saved or done").wait_for()
    await assert_accessible(page)
    async with page.context.expect_page() as opening:
        await page.get_by_role("link", name="Sign in in another tab").click()
    await sign_in(await opening.value)
    async with page.expect_navigation():
        await page.get_by_role("button", name="Send it again").click()
    assert await page.get_by_text("Saved. It holds").is_visible()
    saved = await room.database.read(settings.show, acme)
    assert [one.spec for one in saved.recipients] == ["jane@example.com"]
    assert [name for name, on in saved.switches.items() if on] == ["notify_queue_callback"]


async def test_a_password_is_not_given_back_and_the_way_leads_to_its_page(client_of: ClientOf) -> None:
    client = await client_of()
    form = {"csrf": "x", "username": "u@example.com", "password": "very secret", "server": "mail.example.com"}
    came_from = {"Referer": "https://ringpost.example/console/mail-server?done=saved"}

    answer = await client.post("/console/mail-server", data=form, headers=came_from)

    assert answer.status_code == 401
    assert "very secret" not in answer.text
    assert "Send it again" not in answer.text
    assert 'href="/console/sign-in?next=/console/mail-server%3Fdone%3Dsaved"' in answer.text


@pytest.mark.parametrize("path", ["/account", "/mail-server", "/mail-server/oauth"])
async def test_every_field_of_a_password_is_known_as_secret(client_of: ClientOf, path: str) -> None:
    page = (await (await client_of(Role.TENANT_ADMIN)).get(f"/console{path}")).text

    assert set(re.findall(r'name="(\w+)" type="password"', page)) <= SECRETS


async def test_a_page_that_renews_itself_leads_back_to_itself(client_of: ClientOf) -> None:
    client, token = await client_of(), await csrf_of(await client_of(Role.TENANT_ADMIN))
    asked = {"HX-Request": "true", "HX-Current-URL": "https://ringpost.example/console/deliveries?state=sent"}
    asked["X-CSRF-Token"] = token

    answer = await client.get("/console/deliveries?state=sent&seen=x", headers=asked)

    assert answer.headers["hx-redirect"] == "/console/sign-in?next=%2Fconsole%2Fdeliveries%3Fstate%3Dsent"

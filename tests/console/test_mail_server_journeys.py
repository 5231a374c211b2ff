"""Setting up a mail server in a browser, from the first sign-in to the first mail."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.async_api import Dialog, Page
from tests.console.conftest import PASSWORD, ClientOf, Visitor, assert_accessible, csrf_of
from tests.console.mail_servers import Authority, issue, wired
from tests.patience import patience

from ringpost.cli.opening import operator
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import settings
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.room import Room


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Vouches for the test's mail servers."""
    return issue(tmp_path)


@pytest.fixture
def room(room: Room, authority: Authority) -> Room:
    """The room, with a way out to this machine."""
    return wired(room, authority)


async def fill_in(page: Page, port: int, encryption: str) -> None:
    """Fill in the form for a server on this machine."""
    await page.get_by_label("Server name", exact=True).fill("127.0.0.1")
    await page.get_by_label(encryption).check()
    await page.get_by_label("Port", exact=True).fill(str(port))
    await page.get_by_label("User name", exact=True).fill("pbx@example.com")
    await page.get_by_label("Password", exact=True).fill("made-up-password")


async def test_a_wrong_tls_mode_is_found_by_diagnose_and_mended_by_its_suggestion(
    visitor: Visitor, room: Room, acme: TenantId, authority: Authority
) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    async with authority.server() as server:
        page = await visitor.open("/mail-server")
        await fill_in(page, server.port, "From the start (TLS)")

        await page.get_by_role("button", name="Diagnose").click()
        verdict = page.locator("#verdict")
        await verdict.get_by_text("No mail can be sent with these settings.").wait_for()
        assert "The port begins in clear text" in await verdict.inner_text()
        assert await page.locator("#steps .step.bad").count() == 1
        assert "Encryption" in await page.locator("#steps .step.bad").inner_text()
        await assert_accessible(page)
        assert (await room.database.read(settings.show, acme)).mail_server is None

        await verdict.get_by_role("button", name="Use this setting").click()
        assert await page.get_by_label("After the greeting (STARTTLS)").is_checked()
        assert await page.locator(".suggested").get_attribute("data-field") == "tls"
        assert "not saved yet" in await page.locator("#said").inner_text()

        await page.get_by_role("button", name="Diagnose").click()
        await verdict.get_by_text("Mail can be sent with these settings.").wait_for()
        assert server.mails == []
        await visitor.press_save()

    saved = await room.database.read(settings.load, room.sealer, acme)
    assert saved.mail_server is not None
    assert (saved.mail_server.enable_tls_ssl, saved.mail_server.enable_starttls_auto) == (True, True)
    assert saved.mail_server.password is not None
    assert saved.mail_server.password.reveal() == "made-up-password"
    assert "made-up-password" not in await page.content()


@pytest.mark.usefixtures("acme")
async def test_a_new_administrator_gets_from_the_link_to_a_received_mail(
    visitor: Visitor, room: Room, authority: Authority
) -> None:
    link = await invite_user(room, SYSTEM, Guest("olga", Role.SYSTEM_ADMIN))
    async with authority.server() as server:
        page = await visitor.open(f"/welcome/{link.reveal()}")
        await page.get_by_label("New password").fill(PASSWORD)
        await page.get_by_label("Once more").fill(PASSWORD)
        await page.get_by_role("button", name="Set the password and sign in").click()
        await page.get_by_role("link", name="Tenants", exact=True).first.click()
        await page.get_by_role("button", name="Work in Acme").click()
        await page.get_by_role("link", name="Set up the mail server").click()

        await fill_in(page, server.port, "After the greeting (STARTTLS)")
        await visitor.press_save()
        await page.get_by_text("Saved. Mail that waits is tried again at once.").wait_for()

        await page.get_by_label("To", exact=True).fill("anna@example.com")
        await page.get_by_role("button", name="Send a test mail").click()
        await page.get_by_text("The mail server has accepted the mail for anna@example.com").wait_for()

        await page.get_by_role("link", name="Notifications", exact=True).click()
        await page.get_by_role("textbox", name="Addresses").fill("anna@example.com")
        await page.get_by_label("A caller has waited for too long", exact=True).check()
        await visitor.press_save()
        await page.get_by_role("button", name="Send a sample of: A caller has waited for too long").click()
        await page.locator("#sample-QUEUE_SLA .notice.good").wait_for()

        test, sample = (message_from_bytes(mail, policy=policy.default) for mail in server.mails)
    assert test["To"] == sample["To"] == "anna@example.com"
    assert test["From"].addresses[0].addr_spec == "pbx@example.com"
    assert test["Subject"] == "Test mail"
    assert server.said(b"STARTTLS")


async def test_the_port_follows_the_encryption_and_the_other_way_round(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/mail-server")
    port = page.get_by_label("Port", exact=True)
    await page.get_by_label("After the greeting (STARTTLS)").check()
    assert await port.get_attribute("placeholder") == "587"
    await port.fill("465")
    await port.blur()
    assert await page.get_by_label("From the start (TLS)").is_checked()

    await page.get_by_label("After the greeting (STARTTLS)").check()
    assert await port.input_value() == "587"
    await port.fill("26")
    await page.get_by_label("From the start (TLS)").check()
    assert await port.input_value() == "26"


async def test_a_provider_is_recognised_while_typing_and_its_settings_are_offered(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/mail-server")
    await page.get_by_label("User name", exact=True).fill("anna@fastmail.com")
    await page.get_by_label("User name", exact=True).blur()

    offered = page.locator("#recognised .notice")
    await offered.get_by_text("This is Fastmail").wait_for()
    await assert_accessible(page)
    await offered.get_by_role("button", name="Use these settings").click()
    assert await page.get_by_label("Server name", exact=True).input_value() == "smtp.fastmail.com"
    assert await page.get_by_label("Port", exact=True).input_value() == "465"

    await page.get_by_label("Server name", exact=True).fill("smtp.office365.com")
    await page.get_by_label("Server name", exact=True).blur()
    retired = page.locator("#recognised .notice.warning")
    await retired.get_by_role("button", name="Use this setting").click()
    assert await page.get_by_label("Microsoft 365").is_checked()
    assert not await page.get_by_label("Server name", exact=True).is_visible()
    assert await page.get_by_role("link", name="Set up OAuth").is_visible()
    await assert_accessible(page)


async def test_what_fails_a_test_mail_reads_like_a_diagnosis(visitor: Visitor, authority: Authority) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    hostile = b"535 5.7.8 <img src=x onerror=alert(1)> no\r\n"
    async with authority.server({"AUTH": hostile}) as server:
        page = await visitor.open("/mail-server")
        await fill_in(page, server.port, "After the greeting (STARTTLS)")
        await visitor.press_save()
        await page.get_by_label("To", exact=True).fill("anna@example.com")
        await page.get_by_role("button", name="Send a test mail").click()
        tested = page.locator("#tested")
        await tested.get_by_text("The mail was not sent.").wait_for()

        assert "User name or password is wrong" in await tested.inner_text()
        assert "<img src=x" in await tested.locator("code").inner_text()
        assert await tested.locator(".step.bad").count() == 1
        await page.get_by_role("button", name="Diagnose").click()
        await page.locator("#verdict .notice").first.wait_for()
        await page.locator("#steps .step.bad summary").click()
        assert "<img src=x" in await page.locator("#steps .step.bad dl").inner_text()
        await assert_accessible(page)


async def test_a_sample_and_a_draft_that_fail_say_what_to_do_in_words_of_the_form(
    client_of: ClientOf, room: Room, acme: TenantId, authority: Authority
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    form = {"csrf": await csrf_of(client), "to": "anna@example.com", "subject": "Paid"}
    async with authority.server() as server:
        fields = {"type": "SMTP", "server": "127.0.0.1", "port": server.port, "username": "pbx@example.com"}
        await change_settings(room, operator(acme), {**fields, "enable_tls_ssl": True, "auth": "DISABLE"})
        for path in ("/console/notifications/RECHARGE/sample", "/console/templates/RECHARGE/test"):
            answer = await client.post(path, data=form, headers={"HX-Request": "true"})

            assert "It was not sent. The port does not speak TLS from the first byte." in answer.text
            assert "Choose encryption after the greeting (STARTTLS)" in answer.text
            assert "enable_" not in answer.text


async def test_changes_of_a_mail_server_are_not_lost_without_asking(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/mail-server")
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.get_by_label("Server name", exact=True).fill("mail.example.com")
    await page.get_by_role("link", name="Overview").click(no_wait_after=True)
    async with patience(30):
        while not asked:
            await page.wait_for_timeout(50)

    assert asked == ["beforeunload"]
    assert page.url.endswith("/mail-server")
    assert await page.get_by_label("Server name", exact=True).input_value() == "mail.example.com"


async def test_oauth_is_set_up_by_what_the_page_says_and_deleted(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/mail-server/oauth")
    await assert_accessible(page)
    await visitor.press_save()
    assert await page.get_by_text("This field is required.").count() == 6
    await assert_accessible(page)
    await page.get_by_label("Directory (tenant) ID").fill("11111111-2222-4333-8444-555555555555")
    await page.get_by_label("Application (client) ID").fill("66666666-7777-4888-9999-000000000000")
    await page.get_by_label("Client secret (the column Value)").fill("made-up-secret")
    await page.get_by_label("Ends on").fill("2027-01-30")
    await visitor.press_save()

    assert "end within 15 days" in await page.locator(".notice.warning").inner_text()
    assert "made-up-secret" not in await page.content()
    await assert_accessible(page)
    await page.get_by_label("Gmail: service account").check()
    await visitor.press_save()
    assert await page.locator("#service_account-error").is_visible()
    await assert_accessible(page)

    await page.get_by_role("button", name="Delete the credentials").first.click()
    await page.locator("dialog[open] [data-yes]").click()
    await page.get_by_text("The credentials are deleted.").wait_for()

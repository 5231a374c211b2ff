"""Where a mail server is missing or not complete: what becomes of mail is told as it is."""

import re

from tests.console.conftest import ClientOf
from tests.console.server_forms import FORM, SAVED, send, stored

from ringpost.cli.opening import operator
from ringpost.domain.access import Role
from ringpost.domain.addresses import parse_address
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room


def _question(page: str) -> str:
    """What is asked before something is removed."""
    (text,) = re.findall(r"<dialog id=\"remove-[a-z]+\".*?<p>(.*?)</p>", page, re.DOTALL)
    return text


async def test_the_green_notice_says_when_nothing_need_be_filled_in(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    assert "There is no mail server yet" in (await client.get("/console/mail-server")).text

    await change_settings(room, operator(SYSTEM), SAVED)

    page = (await client.get("/console/mail-server")).text
    assert "Mail is sent already: through the phone system&#39;s mail server." in page


async def test_what_becomes_of_mail_without_a_server_is_told_as_it_is(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    not_kept = (
        "Without a mail server, new mail is neither sent nor kept for later; only emergencies wait, for 24 hours."
    )
    lent = "Without it, mail goes through the phone system&#39;s mail server."
    promise = "Mail that waits is tried again at once."
    assert not_kept in (await client.get("/console/mail-server")).text

    saved = await send(client, "/mail-server", **{**FORM, "type": "MS365"})
    incomplete = (await client.get(saved.headers["location"])).text

    warning = incomplete.partition("These settings are not complete")[2].partition("<form")[0]
    assert "There is nothing to sign in with. Set up OAuth under Mail server, or type an app password there." in warning
    assert 'href="/console/mail-server/oauth"' in warning
    assert not_kept in warning
    assert "Saved." in incomplete
    assert promise not in incomplete
    assert not_kept in _question(incomplete)

    await change_settings(room, operator(SYSTEM), SAVED)
    borrowing = (await client.get(saved.headers["location"])).text
    assert not_kept not in borrowing
    assert promise not in borrowing
    assert lent in _question(borrowing)

    await change_settings(room, operator(acme), SAVED)
    complete = (await client.get(saved.headers["location"])).text
    assert promise in complete
    assert "it waits" not in complete


async def test_what_deleting_oauth_credentials_does_is_told_as_it_is(client_of: ClientOf, room: Room) -> None:
    client, path = await client_of(Role.TENANT_ADMIN), "/console/mail-server/oauth?done=saved"
    form = {"method": "client_secret", "directory": "example.com", "client_id": "an-app", "cloud": "global"}
    server = {**FORM, "type": "MS365"}

    async def page() -> tuple[bool, str]:
        text = (await client.get(path)).text
        return "Mail that waits is tried again at once." in text, _question(text)

    await send(client, "/mail-server/oauth", **form, client_secret="made-up-secret")
    assert await page() == (False, "They are forgotten, secrets and all.")
    await send(client, "/mail-server", **server)
    can_send, question = await page()
    assert can_send
    assert "new mail is neither sent nor kept for later" in question
    await change_settings(room, operator(SYSTEM), SAVED)
    assert "Without it, mail goes through the phone system&#39;s mail server." in (await page())[1]
    await send(client, "/mail-server", **server, password="made-up-secret")
    assert (await page())[1] == "They are forgotten, secrets and all. Mail then goes with the password that is stored."


async def test_who_borrows_the_mail_server_says_where_answers_go(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    system, client = await client_of(Role.SYSTEM_ADMIN), await client_of(Role.TENANT_ADMIN)
    await send(system, "/system/mail-server", **FORM, password="made-up-secret", enable_tenant_access="on")

    wrong = await send(client, "/mail-server/answers", answers_to="office")
    assert wrong.status_code == 422
    assert 'id="answers_to-error"' in wrong.text
    assert (await send(client, "/mail-server/answers", answers_to="office@acme.example")).status_code == 303

    saved = await stored(room, acme)
    assert (saved.mail_server, saved.reply_to) == (None, parse_address("office@acme.example"))
    page = (await client.get("/console/mail-server")).text
    assert re.search(r'name="answers_to"[^>]* value="office@acme.example"', page)

"""The mail server's pages without a browser: what is saved, what is kept, and what is never shown."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from tests.console.conftest import ClientOf, csrf_of
from tests.console.leftovers import english_of
from tests.console.mail_servers import Authority, issue, wired

from ringpost.cli.opening import operator
from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.console.levels import LEVELS, Level
from ringpost.console.server_form import FLAGS
from ringpost.domain.access import Role
from ringpost.domain.addresses import parse_address
from ringpost.domain.mail_servers import tls_mode
from ringpost.domain.settings import Settings, SystemSettings
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import oauth, settings
from ringpost.usecases.change_settings import change_settings, change_system_settings
from ringpost.usecases.room import Room

FORM = {
    "type": "SMTP",
    "server": "mail.example.com",
    "port": "",
    "tls": "implicit",
    "username": "pbx@example.com",
    "auth": "AUTO",
    "reply_to": "",
}
SAVED = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@example.com",
    "password": "made-up-secret",
    "recipients": "ann@example.com",
    "notify_queue_callback": True,
}
HOSTILE = "<script>alert(1)</script>"


async def send(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Send a form of the page without scripts."""
    return await client.post(f"/console{path}", data={"csrf": await csrf_of(client), **fields})


async def stored(room: Room, tenant: TenantId) -> Settings:
    return await room.database.read(settings.load, room.sealer, tenant)


def _question(page: str) -> str:
    """What is asked before something is removed."""
    (text,) = re.findall(r"<dialog id=\"remove-[a-z]+\".*?<p>(.*?)</p>", page, re.DOTALL)
    return text


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


@pytest.mark.parametrize(
    ("ssl", "auto", "port"),
    [(s, a, p) for s in (True, False) for a in (True, False) for p in (None, 0, 25, 465, 587, 2525)],
)
async def test_what_is_shown_and_sent_back_changes_nothing_and_keeps_the_password(
    client_of: ClientOf, room: Room, acme: TenantId, ssl: bool, auto: bool, port: int | None
) -> None:
    server = {**SAVED, "port": port, "enable_tls_ssl": ssl, "enable_starttls_auto": auto}
    if not (ssl or auto):
        server |= {"auth": "DISABLE"}
    await change_settings(room, operator(acme), server)
    before = await stored(room, acme)
    client = await client_of(Role.TENANT_ADMIN)
    mode, _ = tls_mode(ssl, auto, port)
    page = (await client.get("/console/mail-server")).text
    assert f'value="{mode.value}" checked' in page

    shown = {**FORM, "tls": mode.value, "port": str(port or ""), "auth": str(server.get("auth", "AUTO"))}
    answer = await send(client, "/mail-server", **shown)

    assert answer.status_code == 303
    assert await stored(room, acme) == before


@pytest.mark.parametrize("mode", FLAGS)
async def test_a_kind_of_encryption_becomes_its_flags(
    client_of: ClientOf, room: Room, acme: TenantId, mode: str
) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await send(client, "/mail-server", **{**FORM, "tls": mode, "auth": "DISABLE"})

    assert answer.status_code == 303
    server = (await stored(room, acme)).mail_server
    assert server is not None
    assert server.tls[0] == mode


async def test_a_changed_server_asks_for_the_password_again_and_forgetting_it_is_a_choice(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_settings(room, operator(acme), SAVED)
    client = await client_of(Role.TENANT_ADMIN)

    answer = await send(client, "/mail-server", **{**FORM, "server": "evil.example.net"})

    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert "made-up-secret" not in answer.text
    assert (await send(client, "/mail-server/diagnose", **{**FORM, "server": "evil.example.net"})).status_code == 422
    assert (await send(client, "/mail-server", **FORM, forget_password="on")).status_code == 303
    server = (await stored(room, acme)).mail_server
    assert server is not None
    assert server.password is None


async def test_saving_and_removing_leave_recipients_and_switches_alone(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_settings(room, operator(acme), SAVED)
    client = await client_of(Role.TENANT_ADMIN)
    await send(client, "/mail-server", **{**FORM, "reply_to": "office@example.com"})
    after_saving = await stored(room, acme)

    await send(client, "/mail-server/remove")

    after_removing = await stored(room, acme)
    assert after_removing.mail_server is None
    for one in (after_saving, after_removing):
        assert [each.spec for each in one.recipients] == ["ann@example.com"]
        assert one.switches["notify_queue_callback"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"port": "abc"}, "port"),
        ({"port": "70000"}, "port"),
        ({"port": "22"}, "port"),
        ({"server": "http://x/"}, "server"),
        ({"server": "10.0.0.1"}, "server"),
        ({"server": ""}, "server"),
        ({"username": ""}, "username"),
        ({"reply_to": "nobody"}, "reply_to"),
        ({"tls": "clear"}, "tls"),
        ({"type": "NONE"}, "type"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(client_of: ClientOf, change: dict[str, str], field: str) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await send(client, "/mail-server", **{**FORM, "password": "made-up-secret", **change})

    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "made-up-secret" not in answer.text
    assert "enable_tls_ssl" not in answer.text


async def test_the_green_notice_says_when_nothing_need_be_filled_in(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    assert "There is no mail server yet" in (await client.get("/console/mail-server")).text

    await change_system_settings(room, operator(SYSTEM), SAVED)

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

    await change_system_settings(room, operator(SYSTEM), SAVED)
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
    await change_system_settings(room, operator(SYSTEM), SAVED)
    assert "Without it, mail goes through the phone system&#39;s mail server." in (await page())[1]
    await send(client, "/mail-server", **server, password="made-up-secret")
    assert (await page())[1] == "They are forgotten, secrets and all. Mail then goes with the password that is stored."


async def test_hostile_text_is_shown_as_text(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    hostile = {**FORM, "server": HOSTILE, "username": HOSTILE, "reply_to": HOSTILE, "port": HOSTILE, "tls": HOSTILE}

    for path in ("/mail-server", "/mail-server/diagnose", "/mail-server/provider", "/mail-server/use"):
        answer = await send(client, path, **hostile, use=f'{{"server": "{HOSTILE}", "type": 5, "x": []}}')
        assert HOSTILE not in answer.text, path
        assert "&lt;script&gt;" in answer.text, path
    assert HOSTILE not in (await send(client, "/mail-server/test", to=HOSTILE)).text
    for junk in ("[]", "{", "[" * 1000, "5", "x" * 3000):
        assert (await send(client, "/mail-server/use", **FORM, use=junk)).status_code == 200


async def test_a_suggestion_is_put_into_the_form_without_scripts_and_not_saved(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await send(client, "/mail-server/use", **FORM, use='{"tls": "starttls", "port": 587}')

    assert 'value="starttls" checked' in answer.text
    assert answer.text.count(" suggested") == 2
    assert "Filled in, and not saved yet:" in answer.text
    assert (await stored(room, acme)).mail_server is None


async def test_who_may_only_look_sees_the_server_and_no_button(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SAVED)
    client = await client_of(Role.READ_ONLY)

    for path in ("/console/mail-server", "/console/mail-server/oauth"):
        page = (await client.get(path)).text
        assert "You may look at everything here but change nothing." in page
        assert 'class="primary"' not in page
        assert "data-diagnose" not in page
    assert "mail.example.com" in (await client.get("/console/mail-server")).text


async def test_a_sixth_try_in_a_minute_is_told_when_to_come_back(
    client_of: ClientOf, app: FastAPI, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    for _ in range(6):
        page = (await send(client, "/mail-server/test", to="anna@example.com")).text
        assert "There is no mail server" in page  # nothing was tried
    for _ in range(5):
        app.state.limits.test_mails.hit(acme)  # as over the API

    page = (await send(client, "/mail-server/test", to="anna@example.com")).text

    assert "Five tries a minute are the most" in page
    assert "in 60 seconds" in page


async def test_the_system_level_has_the_same_form_and_its_own_settings(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    await client.post(f"/console/system/tenants/{acme}/act", data={"csrf": await csrf_of(client)})
    lent = {**FORM, "server": "mailhost", "password": "made-up-secret", "of_system": "1"}

    assert (await send(client, "/system/mail-server", **lent)).status_code == 303
    told = {
        "recipients": "op@example.com",
        "notify_cpu_exceeded_threshold": "on",
        "notify_ip_blocked": "on",
        "cpu_threshold": "90 %",
    }
    assert (await send(client, "/system/notifications", **told)).status_code == 303
    refused = await send(client, "/system/notifications", cpu_threshold="101", memory_threshold=HOSTILE)

    assert refused.status_code == 422
    assert 'id="cpu_threshold-error"' in refused.text
    assert HOSTILE not in refused.text
    saved: SystemSettings = await room.database.read(settings.load_system, room.sealer)
    assert saved.mail_server is not None
    assert (saved.mail_server.host, saved.enable_tenant_access, saved.cpu_threshold) == ("mailhost", False, 0.9)
    assert saved.switches["notify_ip_blocked"] is True
    assert (await stored(room, acme)).mail_server is None


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


async def test_oauth_secrets_stay_when_left_empty_and_are_never_shown(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    form = {"method": "client_secret", "directory": "example.com", "client_id": "an-app", "cloud": "global"}
    assert (await send(client, "/mail-server/oauth", **form, client_secret="made-up-secret")).status_code == 303

    kept = await send(client, "/mail-server/oauth", **form, secret_expires_at="2027-06-30")
    moved = await send(client, "/mail-server/oauth", **{**form, "directory": "evil.example.net"})

    assert (kept.status_code, moved.status_code) == (303, 422)
    assert 'id="client_secret-error"' in moved.text
    page = (await client.get("/console/mail-server/oauth")).text
    assert 'value="2027-06-30"' in page
    assert "made-up-secret" not in page
    saved = await room.database.read(oauth.load, room.sealer, acme)
    assert saved is not None
    assert saved.secret is not None
    assert saved.secret.reveal() == "made-up-secret"


class TestWithWaysOut:
    """Where servers on loopback can be reached."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        """Vouches for the servers."""
        return issue(tmp_path)

    @pytest.fixture
    def room(self, room: Room, authority: Authority) -> Room:
        """The room, with a way out."""
        return wired(room, authority)

    async def test_diagnose_is_one_page_at_the_end_without_scripts(
        self, client_of: ClientOf, authority: Authority
    ) -> None:
        client = await client_of(Role.TENANT_ADMIN)
        async with authority.server() as server:
            tried = {**FORM, "server": "127.0.0.1", "port": str(server.port), "password": "made-up-secret"}
            answer = await send(client, "/mail-server/diagnose", **tried)
            mended = await send(client, "/mail-server/diagnose", **{**tried, "tls": "starttls"})

        assert "The port begins in clear text" in answer.text
        assert "Choose encryption after the greeting (STARTTLS)" in answer.text
        assert 'value="{&#34;tls&#34;: &#34;starttls&#34;}"' in answer.text
        assert "Mail can be sent with these settings." in mended.text
        assert "made-up-secret" not in answer.text + mended.text

    async def test_a_diagnosis_in_german_has_no_english_but_the_servers_own_words(
        self, client_of: ClientOf, authority: Authority
    ) -> None:
        client = await client_of(Role.TENANT_ADMIN)
        client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")
        async with authority.server() as server:
            tried = {**FORM, "server": "127.0.0.1", "port": str(server.port), "password": "made-up-secret"}
            pages = [
                (await send(client, "/mail-server/diagnose", **{**tried, **other})).text
                for other in ({}, {"tls": "starttls"}, {"tls": "clear", "auth": "DISABLE"}, {"server": "127.0.0.2"})
            ]

        assert all("Einzelheiten für Fachleute" in page for page in pages)
        assert "Tage, die das Zertifikat noch gilt" in pages[1]
        assert "Gilt bis" in pages[1]
        assert {text for page in pages for text in english_of(page)} == {"2.7.0 welcome"}

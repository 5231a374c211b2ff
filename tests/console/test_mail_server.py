"""The mail server's pages without a browser: what is saved, what is kept, and what is never shown."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.console.conftest import ClientOf, csrf_of
from tests.console.leftovers import english_of
from tests.console.mail_servers import Authority, issue, wired
from tests.console.server_forms import FORM, SAVED, send, stored

from ringpost.cli.opening import operator
from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.console.server_form import FLAGS
from ringpost.domain.access import Role
from ringpost.domain.mail_servers import tls_mode
from ringpost.domain.tenants import TenantId
from ringpost.storage import oauth, settings
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

HOSTILE = "<script>alert(1)</script>"


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
    assert "When the new server needs none, choose “Forget the stored password”." in answer.text
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

    for path in ("/mail-server/test", "/notifications/VOICEMAIL_RECEIVED/sample", "/templates/QUEUE_SLA/test"):
        page = (await send(client, path, to="anna@example.com")).text
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
    saved = await room.database.read(settings.show_system)
    assert saved.mail_server is not None
    assert (saved.mail_server.host, saved.enable_tenant_access, saved.cpu_threshold) == ("mailhost", False, 0.9)
    assert saved.switches["notify_ip_blocked"] is True
    assert (await stored(room, acme)).mail_server is None


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

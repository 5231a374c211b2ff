"""The contract of /tenant/notification and /admin/notification: what is saved, shown, kept and taken away."""

from typing import Any

import httpx
import pytest
from tests.conftest import Clock

from ringpost.api.schemas import SettingsAnswer, SettingsRequest, SystemSettingsAnswer, SystemSettingsRequest
from ringpost.domain.settings import Settings, SystemSettings, settings_to_json, system_settings_to_json
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import audit
from ringpost.storage.audit import Filter
from ringpost.usecases.room import Room

SETTINGS = "/tenant/notification"
GOOD: dict[str, Any] = {
    "type": "SMTP",
    "server": "mail.example.com",
    "port": 587,
    "username": "pbx@example.com",
    "password": "a password of theirs",
}
DEFAULTS: dict[str, Any] = {
    "type": None,
    "server": None,
    "port": None,
    "reply_to": None,
    "username": None,
    "auth": "AUTO",
    "enable_tls_ssl": True,
    "enable_starttls_auto": False,
    "recipients": None,
    "enable_system_email_server": False,
    "notify_user_registration": False,
    "notify_queue_sla_breached": False,
    "notify_queue_callback": False,
    "notify_queue_callback_failed": False,
    "notify_queue_call_lost": False,
}
ADMIN_DEFAULTS: dict[str, Any] = {
    **{name: value for name, value in DEFAULTS.items() if not name.startswith(("notify_", "enable_system"))},
    "enable_tenant_access": True,
    "hard_disk_threshold": 0,
    "cpu_threshold": 0,
    "memory_threshold": 0,
    "notify_hard_disk_exceeded_threshold": False,
    "notify_cpu_exceeded_threshold": False,
    "notify_memory_exceeded_threshold": False,
    "notify_ip_blocked": False,
    "notify_license_limited": False,
    "notify_service_disconnected": False,
    "notify_push_certs_update_failed": False,
}


def code_of(answer: httpx.Response) -> str:
    code: str = answer.json()["errors"][0]["code"]
    return code


def test_the_document_and_the_domain_know_the_same_fields() -> None:
    shown = settings_to_json(Settings(), system_server_offered=False)
    of_the_system = system_settings_to_json(SystemSettings())

    assert list(SettingsAnswer.model_fields) == list(shown)
    assert list(SystemSettingsAnswer.model_fields) == list(of_the_system)
    assert set(SettingsRequest.model_fields) == shown.keys() - {"enable_system_email_server"} | {"password"}
    assert set(SystemSettingsRequest.model_fields) == of_the_system.keys() | {"password"}


async def test_before_anything_was_saved_there_are_defaults(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.get(SETTINGS)

    assert (answer.status_code, answer.json()) == (200, DEFAULTS)


async def test_what_was_saved_is_shown_but_for_the_password(tenant_client: httpx.AsyncClient) -> None:
    saved = GOOD | {
        "reply_to": "Office <office@example.com>",
        "recipients": "ann@example.com; bob@example.com",
        "notify_queue_callback": True,
    }

    answer = await tenant_client.post(SETTINGS, json=saved)

    assert (answer.status_code, answer.content) == (200, b"")
    shown = DEFAULTS | saved | {"recipients": "ann@example.com, bob@example.com"}
    del shown["password"]
    assert (await tenant_client.get(SETTINGS)).json() == shown


async def test_what_was_shown_posted_back_changes_nothing(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await tenant_client.post(SETTINGS, json=GOOD | {"recipients": '"Doe, Jane" <jane@example.com>', "port": 0})
    before = (await tenant_client.get(SETTINGS)).json()
    entries = await room.database.read(audit.page, acme, Filter(), 99)

    answer = await tenant_client.post(SETTINGS, json=before)

    assert answer.status_code == 200
    assert (await tenant_client.get(SETTINGS)).json() == before
    assert await room.database.read(audit.page, acme, Filter(), 99) == entries


async def test_a_post_replaces_so_what_is_left_out_takes_its_default(tenant_client: httpx.AsyncClient) -> None:
    await tenant_client.post(SETTINGS, json=GOOD | {"recipients": "a@example.com", "notify_queue_callback": True})

    await tenant_client.post(SETTINGS, json=GOOD | {"port": None})

    shown = (await tenant_client.get(SETTINGS)).json()
    assert (shown["port"], shown["recipients"], shown["notify_queue_callback"]) == (None, None, False)


async def test_text_is_trimmed(tenant_client: httpx.AsyncClient) -> None:
    await tenant_client.post(SETTINGS, json=GOOD | {"server": " mail.example.com ", "username": "\tpbx@example.com "})

    shown = (await tenant_client.get(SETTINGS)).json()
    assert (shown["server"], shown["username"]) == ("mail.example.com", "pbx@example.com")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "GMAIL"},
        {"server": "evil.example.com"},
        {"port": 465},
        {"username": "other@example.com"},
        {"enable_tls_ssl": False, "enable_starttls_auto": True},
        {"enable_starttls_auto": True},
    ],
)
async def test_a_stored_password_does_not_travel(tenant_client: httpx.AsyncClient, change: dict[str, Any]) -> None:
    await tenant_client.post(SETTINGS, json=GOOD)
    before = (await tenant_client.get(SETTINGS)).json()

    answer = await tenant_client.post(SETTINGS, json=before | change)

    assert (answer.status_code, code_of(answer)) == (422, "PASSWORD_REQUIRED")
    assert answer.json()["errors"][0]["detail"] == {"field": "password"}
    assert (await tenant_client.get(SETTINGS)).json() == before


@pytest.mark.parametrize("change", [{"recipients": "a@example.com"}, {"reply_to": "b@example.com"}, {"auth": "LOGIN"}])
async def test_a_stored_password_stays_while_the_server_does(
    tenant_client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    await tenant_client.post(SETTINGS, json=GOOD)
    without = {name: value for name, value in GOOD.items() if name != "password"}

    assert (await tenant_client.post(SETTINGS, json=without | change)).status_code == 200


async def test_a_first_password_is_required_unless_there_is_no_login(tenant_client: httpx.AsyncClient) -> None:
    without = {name: value for name, value in GOOD.items() if name != "password"}

    assert code_of(await tenant_client.post(SETTINGS, json=without)) == "PASSWORD_REQUIRED"
    assert (await tenant_client.post(SETTINGS, json=without | {"auth": "DISABLE"})).status_code == 200


async def test_an_empty_password_takes_the_stored_one_away(tenant_client: httpx.AsyncClient) -> None:
    await tenant_client.post(SETTINGS, json=GOOD)

    assert (await tenant_client.post(SETTINGS, json=GOOD | {"password": ""})).status_code == 200

    shown = (await tenant_client.get(SETTINGS)).json()
    assert (await tenant_client.post(SETTINGS, json=shown)).status_code == 200
    assert (await tenant_client.get(SETTINGS)).json() == shown
    moved = shown | {"server": "other.example.com"}
    assert code_of(await tenant_client.post(SETTINGS, json=moved)) == "PASSWORD_REQUIRED"


async def test_what_is_shown_at_first_can_be_posted_back(tenant_client: httpx.AsyncClient) -> None:
    shown = (await tenant_client.get(SETTINGS)).json()

    assert (await tenant_client.post(SETTINGS, json=shown)).status_code == 200
    assert (await tenant_client.get(SETTINGS)).json() == shown


async def test_recipients_and_switches_need_no_mail_server(tenant_client: httpx.AsyncClient) -> None:
    wanted = {"type": None, "recipients": "a@example.com", "notify_queue_callback": True}

    assert (await tenant_client.post(SETTINGS, json=wanted)).status_code == 200

    shown = (await tenant_client.get(SETTINGS)).json()
    assert shown.items() >= wanted.items()
    assert (await tenant_client.post(SETTINGS, json=GOOD)).status_code == 200


async def test_a_saved_mail_server_is_taken_away_with_its_password(tenant_client: httpx.AsyncClient) -> None:
    at_first = (await tenant_client.get(SETTINGS)).json()
    await tenant_client.post(SETTINGS, json=GOOD)

    assert (await tenant_client.post(SETTINGS, json=at_first)).status_code == 200

    assert (await tenant_client.get(SETTINGS)).json() == at_first
    test_mail = {"recipient": "a@example.com", "subject": "x", "content": "x"}
    assert code_of(await tenant_client.post(f"{SETTINGS}/test_email", json=test_mail)) == "NOT_CONFIGURED"
    without = {name: value for name, value in GOOD.items() if name != "password"}
    assert code_of(await tenant_client.post(SETTINGS, json=without)) == "PASSWORD_REQUIRED"


@pytest.mark.parametrize(
    "given", [{"server": "mail.example.com"}, {"port": 25}, {"username": "a@example.com"}, {"password": "x"}]
)
async def test_half_a_mail_server_is_not_none(tenant_client: httpx.AsyncClient, given: dict[str, Any]) -> None:
    await tenant_client.post(SETTINGS, json=GOOD)

    answer = await tenant_client.post(SETTINGS, json={"type": None, "recipients": "a@example.com"} | given)

    assert answer.status_code == 422
    assert (await tenant_client.post(SETTINGS, json={"recipients": "a@example.com"})).status_code == 422
    assert (await tenant_client.get(SETTINGS)).json()["server"] == GOOD["server"]


@pytest.mark.parametrize("blank", [{"server": "", "port": 0, "username": " ", "password": ""}, {"reply_to": ""}])
async def test_a_form_without_a_mail_server_may_be_posted_with_its_fields_blank(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, blank: dict[str, Any]
) -> None:
    for client, path in ((tenant_client, SETTINGS), (admin_client, "/admin/notification")):
        answer = await client.post(path, json={"type": None, "recipients": "a@example.com"} | blank)

        assert answer.status_code == 200, answer.text
        shown = (await client.get(path)).json()
        assert (shown["type"], shown["server"], shown["port"]) == (None, None, None)
        assert (shown["username"], shown["reply_to"], shown["recipients"]) == (None, None, "a@example.com")


async def test_tenants_do_not_see_each_others_settings(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await tenant_client.post(SETTINGS, json=GOOD)

    assert (await other_client.get(SETTINGS)).json() == DEFAULTS


async def test_the_audit_log_names_fields_and_no_values(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId, clock: Clock
) -> None:
    await tenant_client.post(SETTINGS, json=GOOD)
    clock.advance(1)
    await tenant_client.post(SETTINGS, json=GOOD | {"password": "another one", "recipients": "a@example.com"})

    newest = (await room.database.read(audit.page, acme, Filter(), 99))[0]

    assert (newest.action, newest.actor) == ("change_settings", "test")
    assert set(newest.fields) == {"password", "recipients"}


async def test_the_system_level_starts_from_defaults_too(admin_client: httpx.AsyncClient) -> None:
    assert (await admin_client.get("/admin/notification")).json() == ADMIN_DEFAULTS


async def test_the_system_level_saves_what_only_it_has(admin_client: httpx.AsyncClient, room: Room) -> None:
    saved = GOOD | {"server": "mailpit", "cpu_threshold": 0.9, "notify_ip_blocked": True, "enable_tenant_access": False}

    assert (await admin_client.post("/admin/notification", json=saved)).status_code == 200

    shown = ADMIN_DEFAULTS | saved
    del shown["password"]
    assert (await admin_client.get("/admin/notification")).json() == shown
    assert (await admin_client.post("/admin/notification", json=shown)).status_code == 200
    assert len(await room.database.read(audit.page, SYSTEM, Filter(), 99)) == 1


async def test_tenants_see_whether_the_system_lends_its_server(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient
) -> None:
    async def offered() -> bool:
        shown: dict[str, bool] = (await tenant_client.get(SETTINGS)).json()
        return shown["enable_system_email_server"]

    assert not await offered()
    await admin_client.post("/admin/notification", json=GOOD)
    assert await offered()
    await admin_client.post("/admin/notification", json=GOOD | {"enable_tenant_access": False})
    assert not await offered()


async def test_the_first_event_after_a_change_goes_by_what_is_in_force_now(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, acme: TenantId
) -> None:
    """What an event becomes is planned before the commit, from what the last commit knew to be in force."""

    async def told(kind: str, *recipients: str) -> dict[str, Any]:
        event = {"type": kind, "recipients": list(recipients)}
        answer = (await tenant_client.post("/events", json=event)).json()
        return {"to": [one["recipient"] for one in answer["deliveries"]], "skipped": answer["skipped"]}

    settings = {**GOOD, "recipients": "old@example.com", "notify_queue_call_lost": True}
    await tenant_client.post(SETTINGS, json=settings)
    assert await told("QUEUE_CALL_LOST") == {"to": ["old@example.com"], "skipped": None}

    await tenant_client.post(SETTINGS, json={**settings, "recipients": "new@example.com"})
    assert await told("QUEUE_CALL_LOST") == {"to": ["new@example.com"], "skipped": None}
    await tenant_client.post(SETTINGS, json={**settings, "notify_queue_call_lost": False})
    assert await told("QUEUE_CALL_LOST") == {"to": [], "skipped": "NOTIFICATION_OFF"}

    assert await told("RECHARGE", "a@example.com") == {"to": ["a@example.com"], "skipped": None}
    tenant = {"name": "Acme", "domain": "acme.example", "enabled": True}
    await tenant_client.post("/custom_email_templates", json={"name": "RECHARGE", "subject": "custom"})
    event = (await tenant_client.post("/events", json={"type": "RECHARGE", "recipients": ["a@example.com"]})).json()
    shown = (await tenant_client.get(f"/events/{event['id']}")).json()
    assert shown["template"] == {"custom": True, "revision": 1}

    assert (await admin_client.post(f"/tenants/{acme}", json={**tenant, "enabled": False})).status_code == 200
    listed = {"type": "RECHARGE", "tenant": acme, "recipients": ["a@example.com"]}
    assert (await admin_client.post("/events", json=listed)).json()["skipped"] == "TENANT_DISABLED"

"""Settings and templates as one file: out, in, out again the same; what is refused; what stays secret."""

import json
from typing import Any

import httpx
import pytest
from tests.conftest import ADMIN_TOKEN

from ringpost.domain.tenants import TenantId
from ringpost.storage import audit, templates
from ringpost.storage import settings as settings_rows
from ringpost.storage.audit import Filter
from ringpost.usecases.room import Room

CANARY = "canary-export-password-5d0e"
JSON = {"Content-Type": "application/json"}
SETTINGS = {
    "type": "SMTP",
    "server": "mail.example.com",
    "port": 587,
    "username": "pbx@example.com",
    "password": CANARY,
    "enable_starttls_auto": True,
    "recipients": '"Doe, Jane" <jane@example.com>, ops@example.com',
    "notify_queue_sla_breached": True,
}
CREDENTIALS = {
    "provider": "MS365",
    "tenant": "contoso.example",
    "client_id": "1f2d7c1a-6a2b-4d0e-8c3e-0a1b2c3d4e5f",
    "client_secret": CANARY + "-oauth",
    "secret_expires_at": "2031-01-31T00:00:00Z",
}
BODY = "<p>Zu lange:\n  \u201e%%QUEUE_NAME%%\u201c</p>\r\n<p>\tTab</p>\n"
TEMPLATES = [
    {"name": "QUEUE_SLA", "from": "Phones", "subject": "Late", "body": BODY, "text_body": "one\n\ntwo"},
    {"name": "DISK_LOW", "subject": "Full"},
]
EMPTY: dict[str, Any] = {"format": "ringpost-tenant", "version": 1}


async def fill(client: httpx.AsyncClient, *, oauth: bool = False) -> None:
    """Settings and two templates, and credentials if wanted."""
    answers = [await client.post("/tenant/notification", json=SETTINGS)]
    answers += [await client.post("/custom_email_templates", json=template) for template in TEMPLATES]
    if oauth:
        answers.append(await client.post("/tenant/notification/oauth", json=CREDENTIALS))
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]


async def export(client: httpx.AsyncClient, level: str = "tenant") -> dict[str, Any]:
    answer = await client.get(f"/{level}/export")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def bring(client: httpx.AsyncClient, content: Any, **query: Any) -> dict[str, Any]:
    answer = await client.post("/tenant/import", json=content, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(client: httpx.AsyncClient, content: Any) -> list[str]:
    """The places that an import is refused for."""
    answer = await client.post("/tenant/import", json=content)
    assert answer.status_code == 422, answer.text
    return [error["detail"]["field"] for error in answer.json()["errors"]]


def places(imported: dict[str, Any]) -> list[str]:
    return [change["place"] for change in imported["changes"]]


async def test_what_was_exported_and_imported_elsewhere_is_exported_the_same(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await fill(tenant_client)
    content = await export(tenant_client)

    imported = await bring(other_client, content)

    assert await export(other_client) == content
    assert [one["field"] for one in imported["enter_again"]] == ["settings.password"]
    assert content["secrets_left_out"] == ["settings.password"]
    for path in ("/tenant/notification", "/custom_email_templates"):
        assert (await other_client.get(path)).json() == (await tenant_client.get(path)).json()


async def test_templates_can_be_read_line_by_line(tenant_client: httpx.AsyncClient) -> None:
    await fill(tenant_client)

    answer = await tenant_client.get("/tenant/export")

    assert answer.headers["content-disposition"] == 'attachment; filename="ringpost-tenant.json"'
    assert answer.json()["templates"]["QUEUE_SLA"]["body"] == BODY.split("\n")
    assert '\n        "<p>Zu lange:",\n' in answer.text


async def test_no_secret_is_in_a_file_or_in_what_an_import_says(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await fill(tenant_client, oauth=True)
    exported = await tenant_client.get("/tenant/export")
    content = exported.json()
    content["settings"]["password"] = CANARY + "-new"
    content["oauth"]["client_secret"] = CANARY + "-new"

    for client in (tenant_client, other_client):
        for query in ({"dry_run": True}, {}):
            imported = await client.post("/tenant/import", json=content, params=query)
            assert {"settings.password", "oauth.secret"} <= set(places(imported.json()))
            assert CANARY not in exported.text + imported.text + (await client.get("/tenant/export")).text
    wrong = {**content, "settings": {**content["settings"], "password": CANARY + "\n", "port": -1}}
    assert CANARY not in (await tenant_client.post("/tenant/import", json=wrong)).text


async def test_what_is_no_dry_run_is_told_in_plain_words(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post("/tenant/import", params={"dry_run": "maybe"}, json={})

    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "This must be true or false.")


async def test_a_dry_run_tells_every_difference_and_changes_nothing(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await fill(tenant_client)
    await other_client.post("/custom_email_templates", json={"name": "DISK_LOW", "subject": "Empty"})
    await other_client.post("/custom_email_templates", json={"name": "RECHARGE"})
    content, before = await export(tenant_client), await export(other_client)

    told = await bring(other_client, content, dry_run=True)

    assert await export(other_client) == before
    assert told["dry_run"] is True
    changes = {change["place"]: (change["before"], change["after"], change["line"]) for change in told["changes"]}
    assert changes["settings.port"] == (None, 587, None)
    assert changes["templates.DISK_LOW.subject"] == ("Empty", "Full", None)
    assert changes["templates.QUEUE_SLA"] == ("default", "custom", None)
    assert changes["templates.QUEUE_SLA.body"] == (None, "<p>Zu lange:", 1)
    assert changes["templates.RECHARGE"] == ("custom", "default", None)
    assert (await bring(other_client, content)) == {**told, "dry_run": False}


async def test_the_first_line_that_differs_is_shown(tenant_client: httpx.AsyncClient) -> None:
    await fill(tenant_client)
    content = await export(tenant_client)
    content["templates"]["QUEUE_SLA"]["body"][2] = "<p>" + "x" * 500

    [change] = (await bring(tenant_client, content, dry_run=True))["changes"]

    assert (change["place"], change["line"], change["before"]) == ("templates.QUEUE_SLA.body", 3, "<p>\tTab</p>")
    assert change["after"] == "<p>" + "x" * 197 + "\u2026"


async def test_a_second_import_changes_nothing_and_leaves_no_trace(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await fill(tenant_client)
    content = await export(tenant_client)
    log = await room.database.read(audit.page, acme, Filter(), 99)

    again = await bring(tenant_client, content)

    assert (again["changes"], again["enter_again"]) == ([], [])
    assert await room.database.read(audit.page, acme, Filter(), 99) == log
    assert len(await room.database.read(templates.list_saved, acme, "QUEUE_SLA", 9)) == 1


async def test_only_a_template_that_differs_gets_a_new_revision(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await fill(tenant_client)
    content = await export(tenant_client)
    content["templates"]["DISK_LOW"]["subject"] = "Fuller"

    await bring(tenant_client, content)

    assert len(await room.database.read(templates.list_saved, acme, "QUEUE_SLA", 9)) == 1
    assert [one.number for one in await room.database.read(templates.list_saved, acme, "DISK_LOW", 9)] == [2, 1]
    log = await room.database.read(audit.page, acme, Filter(), 99)
    imports = ("import_tenant", "update_template")
    assert {(entry.action, entry.subject, entry.fields) for entry in log if entry.action in imports} == {
        ("import_tenant", "ringpost-tenant", ("templates",)),
        ("update_template", "DISK_LOW", ("subject",)),
    }


async def test_a_stored_password_stays_while_it_would_go_to_the_same_server(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await fill(tenant_client)
    content = await export(tenant_client)
    content["settings"]["recipients"] = "new@example.com"

    same = await bring(tenant_client, content)
    kept = await room.database.read(settings_rows.load, room.sealer, acme)
    elsewhere = await bring(tenant_client, {**content, "settings": {**content["settings"], "server": "mx.example.net"}})
    gone = await room.database.read(settings_rows.load, room.sealer, acme)

    assert same["enter_again"] == []
    assert kept.mail_server is not None
    assert kept.mail_server.password is not None
    assert kept.mail_server.password.reveal() == CANARY
    assert gone.mail_server is not None
    assert gone.mail_server.password is None
    assert {"place": "settings.password", "before": "***", "after": None, "line": None} in elsewhere["changes"]
    assert [one["field"] for one in elsewhere["enter_again"]] == ["settings.password"]


async def test_oauth_credentials_wait_for_their_secret_and_the_rest_is_imported(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await fill(tenant_client, oauth=True)
    content = await export(tenant_client)

    imported = await bring(other_client, content)
    without = await export(other_client)
    await other_client.post("/tenant/notification/oauth", json={**content["oauth"], "client_secret": "entered-again"})

    assert [one["field"] for one in imported["enter_again"]] == ["settings.password", "oauth.client_secret"]
    assert (without["oauth"], without["settings"]) == (None, content["settings"])
    assert await export(other_client) == content
    assert (await bring(other_client, content))["changes"] == []


async def test_a_section_that_is_left_out_stays_and_one_that_is_empty_is_emptied(
    tenant_client: httpx.AsyncClient,
) -> None:
    await fill(tenant_client, oauth=True)
    before = await export(tenant_client)

    nothing = await bring(tenant_client, EMPTY)
    emptied = await bring(tenant_client, {**EMPTY, "oauth": None, "templates": {}})

    after = await export(tenant_client)
    assert nothing["changes"] == []
    assert {"templates.QUEUE_SLA", "templates.DISK_LOW", "oauth.provider", "oauth.secret"} <= set(places(emptied))
    assert (after["settings"], after["oauth"], after["templates"]) == (before["settings"], None, {})


async def test_all_faults_are_told_with_their_place_and_nothing_is_changed(tenant_client: httpx.AsyncClient) -> None:
    await fill(tenant_client)
    before = await export(tenant_client)
    content = {
        **EMPTY,
        "settings": {**before["settings"], "port": 65536, "server": "169.254.169.254", "notify_queue_callback": "yes"},
        "oauth": {"provider": "MS365"},
        "templates": {
            "QUEUE_SLA": {"subject": "two\nlines", "body": ["fine"]},
            "DISK_LOW": {"body": ["text", 7], "colour": "red"},
            "queue_sla": {},
            "RECHARGE": "text",
            "TRUNK_CONNECTED": {"subject": "fine"},
        },
        "template": {},
    }

    assert set(await refused(tenant_client, content)) == {
        "settings.port",
        "settings.server",
        "settings.notify_queue_callback",
        "oauth.tenant",
        "oauth.client_id",
        "templates.QUEUE_SLA.subject",
        "templates.DISK_LOW.body",
        "templates.DISK_LOW.colour",
        "templates.queue_sla",
        "templates.RECHARGE",
        "template",
    }
    assert await export(tenant_client) == before


@pytest.mark.parametrize("whole", ["file", "templates", "templates.DISK_LOW"])
async def test_of_very_many_unknown_names_the_first_are_told_and_how_many_more(
    tenant_client: httpx.AsyncClient, whole: str
) -> None:
    names = [f"made up {number:06}" for number in range(200_000)]
    content: dict[str, Any] = dict.fromkeys(names)
    sections = [] if whole == "file" else whole.split(".")
    for section in reversed(sections):
        content = {section: content}

    answer = await tenant_client.post("/tenant/import", json=EMPTY | content)

    assert answer.status_code == 422
    assert len(answer.content) < 65536
    *named, last = answer.json()["errors"]
    assert [error["detail"]["field"] for error in named] == [".".join([*sections, name]) for name in names[:20]]
    assert (last["detail"]["field"], last["message"]) == (whole, "There are 199980 more such names.")


async def test_names_of_a_file_are_told_cut_and_without_what_cannot_be_seen(tenant_client: httpx.AsyncClient) -> None:
    names = {"\x1b[2J\u202e" + "x" * 1000: 1}

    found = await refused(tenant_client, {**EMPTY, **names, "templates": {**names, "DISK_LOW": names}})

    shown = "<U+001B>[2J<U+202E>" + "x" * 59
    assert sorted(found) == sorted([shown, f"templates.{shown}", f"templates.DISK_LOW.{shown}"])


@pytest.mark.parametrize(
    ("content", "field", "words"),
    [
        ({}, "format", "no file that Ringpost exported"),
        ({"format": "something", "version": 1}, "format", "ringpost-tenant"),
        ({"format": "ringpost-system", "version": 1}, "format", "of the system level"),
        ({"format": ["ringpost-tenant"], "version": 1}, "format", "ringpost-tenant"),
        ({"format": "ringpost-tenant"}, "version", "whole number"),
        ({"format": "ringpost-tenant", "version": "1"}, "version", "whole number"),
        ({"format": "ringpost-tenant", "version": True}, "version", "whole number"),
        ({"format": "ringpost-tenant", "version": 2}, "version", "a newer one"),
        ({**EMPTY, "settings": None}, "settings", "JSON object"),
        ({**EMPTY, "templates": []}, "templates", "JSON object"),
        ({**EMPTY, "oauth": "x"}, "oauth", "JSON object"),
        ({**EMPTY, "settings": {"type": "GMAIL", "username": "x", "port": -1}}, "settings.port", "65535"),
        ({**EMPTY, "templates": {"DISK_LOW": {"body": "x" * 600_000}}}, "templates.DISK_LOW.body", "512 KiB"),
        ({**EMPTY, "templates": {"DISK_LOW": {"subject": "a\u2028b"}}}, "templates.DISK_LOW.subject", "one line"),
        ({**EMPTY, "templates": {"DISK_LOW": {"subject": "\0"}}}, "templates.DISK_LOW.subject", "U+0000"),
    ],
)
async def test_files_of_another_kind_are_refused_in_clear_words(
    tenant_client: httpx.AsyncClient, content: dict[str, Any], field: str, words: str
) -> None:
    answer = await tenant_client.post("/tenant/import", json=content)

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["detail"]["field"] == field
    assert words in error["message"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"[]", 422, "object"),
        (b'{"format": "ringpost-tenant", "format": "ringpost-tenant", "version": 1}', 400, "same key twice"),
        (b'{"format": "ringpost-tenant", "version": 1, "templates": {"DISK_LOW": {}, "DISK_LOW": {}}}', 400, "twice"),
        (b"\xef\xbb\xbf{}", 400, "byte order mark"),
        (b'{"format": "\xff"}', 400, "UTF-8"),
        (b'{"version": 1e400}', 400, "too large"),
        (b"[" * 40 + b"]" * 40, 400, "32 levels"),
        (b"format: ringpost-tenant", 400, "not JSON"),
        (b" " * (17 << 20), 413, "16 MiB"),
    ],
)
async def test_what_two_readers_could_read_in_two_ways_is_refused(
    tenant_client: httpx.AsyncClient, body: bytes, status: int, words: str
) -> None:
    answer = await tenant_client.post("/tenant/import", content=body, headers=JSON)

    assert answer.status_code == status
    assert words in answer.json()["errors"][0]["message"]


async def test_a_file_may_be_larger_than_other_bodies(tenant_client: httpx.AsyncClient) -> None:
    lines = ["%%QUEUE_NAME%%", *["\u00e4" * 55] * 4000]
    content = {**EMPTY, "templates": {name: {"body": lines, "text_body": lines} for name in ("QUEUE_SLA", "DISK_LOW")}}
    assert len(json.dumps(content, ensure_ascii=False).encode()) > 1 << 20

    await bring(tenant_client, content)

    assert (await export(tenant_client))["templates"]["DISK_LOW"]["body"] == lines


async def test_the_system_level_moves_likewise(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient
) -> None:
    limits = {"type": None, "recipients": "ops@example.com", "cpu_threshold": 0.9, "enable_tenant_access": False}
    await admin_client.post("/admin/notification", json=limits)
    await admin_client.post("/admin/custom_email_templates", json={"name": "CPU_EXCEEDED", "subject": "Hot"})
    content = await export(admin_client, "admin")
    await admin_client.post("/admin/notification", json={"type": None})
    await admin_client.post("/admin/custom_email_templates/CPU_EXCEEDED/destroy")

    imported = await admin_client.post("/admin/import", json=content)

    assert imported.status_code == 200, imported.text
    assert imported.json()["enter_again"] == []
    assert await export(admin_client, "admin") == content
    assert content["settings"]["cpu_threshold"] == 0.9
    assert (await tenant_client.post("/tenant/import", json=content)).status_code == 422
    assert (await admin_client.post("/tenant/import", json=content)).status_code == 403
    assert ADMIN_TOKEN not in json.dumps(content)

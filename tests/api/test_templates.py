"""The contract of default and custom templates, and the check of a draft."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection, select
from tests.conftest import Clock, KeyOf, client_with

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.messages import Message
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.storage import audit, tables, templates
from ringpost.storage.audit import Filter
from ringpost.storage.sealing import Place
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.room import Room

LENT = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "auth": "DISABLE"}
CUSTOM = "/custom_email_templates"
CHECK = "/email_templates/QUEUE_SLA/check"


async def test_all_defaults_are_listed_in_the_order_of_the_types(tenant_client: httpx.AsyncClient) -> None:
    items = (await tenant_client.get("/default_email_templates")).json()["items"]

    assert [item["name"] for item in items] == list(CATALOGUE)
    assert len(items) == 14
    assert all(set(item) == {"name", "from", "subject", "body", "text_body"} for item in items)


async def test_one_default_is_shown_as_it_is_listed(tenant_client: httpx.AsyncClient) -> None:
    items = (await tenant_client.get("/default_email_templates")).json()["items"]

    for item in items:
        assert (await tenant_client.get(f"/default_email_templates/{item['name']}")).json() == item


async def test_defaults_previews_and_mails_are_in_the_language_of_the_tenant(
    app: FastAPI, room: Room, admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, key_of: KeyOf
) -> None:
    german = await create_tenant(room, TenantDraft("Muster", "muster.example", locale="de-AT"))
    await admin_client.post("/admin/notification", json=LENT)
    async with client_with(app, await key_of(room, german)) as client:
        for reader, opening in ((client, "Sie erhalten diese E-Mail"), (tenant_client, "You get this mail")):
            listed = (await reader.get("/default_email_templates")).json()["items"]
            one = (await reader.get("/default_email_templates/QUEUE_SLA")).json()
            preview = (await reader.post(CHECK, json={"subject": "x"})).json()["preview"]
            assert all(opening in item["body"] and opening in item["text_body"] for item in listed)
            assert opening in one["body"]
            assert opening in preview["html"]


async def test_a_tenant_that_changes_its_language_gets_its_next_mail_in_it(
    room: Room, admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, acme: TenantId
) -> None:
    await admin_client.post("/admin/notification", json=LENT)
    subjects: list[bytes] = []
    for locale in ("en", "de", "fr"):
        await admin_client.post(f"/tenants/{acme}", json={"name": "Acme", "domain": "acme.example", "locale": locale})
        event = {"type": "VOICEMAIL_RECEIVED", "recipients": ["a@example.com"], "variables": {"CALLER_NAME": "Jo"}}
        receipt = (await tenant_client.post("/events", json=event)).json()
        subjects.append(await room.database.read(_subject, room, acme, receipt["id"]))

    assert [subject.strip() for subject in subjects] == [
        b"Subject: New voicemail: Jo",
        b"Subject: Neue Sprachnachricht: Jo",
        b"Subject: New voicemail: Jo",
    ]


async def test_a_tenant_customises_changes_and_goes_back(tenant_client: httpx.AsyncClient) -> None:
    parts: dict[str, Any] = {"from": "Phones", "subject": "Late", "body": "<p>%%QUEUE_NAME%%</p>", "text_body": None}

    created = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", **parts})
    assert (created.status_code, created.json()) == (201, {"id": "QUEUE_SLA"})
    assert (await tenant_client.get(CUSTOM)).json() == {"items": [{"name": "QUEUE_SLA", **parts}]}

    updated = await tenant_client.post(f"{CUSTOM}/QUEUE_SLA", json={"subject": "Too late"})
    assert (updated.status_code, updated.content) == (200, b"")
    replaced = {"name": "QUEUE_SLA", "from": None, "subject": "Too late", "body": None, "text_body": None}
    assert (await tenant_client.get(f"{CUSTOM}/QUEUE_SLA")).json() == replaced

    destroyed = await tenant_client.post(f"{CUSTOM}/QUEUE_SLA/destroy")
    assert (destroyed.status_code, destroyed.content) == (204, b"")
    assert (await tenant_client.get(f"{CUSTOM}/QUEUE_SLA")).status_code == 404
    assert (await tenant_client.get(CUSTOM)).json() == {"items": []}


@pytest.mark.parametrize("blank", ["", "  "])
async def test_a_blank_part_is_the_defaults_also_where_it_is_sent(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room, acme: TenantId, blank: str
) -> None:
    await admin_client.post("/admin/notification", json=LENT)
    parts = dict.fromkeys(("from", "subject", "body", "text_body"), blank)
    await tenant_client.post(CUSTOM, json={"name": "VOICEMAIL_RECEIVED", **parts})

    nothing = {"name": "VOICEMAIL_RECEIVED", **dict.fromkeys(parts)}
    assert (await tenant_client.get(f"{CUSTOM}/VOICEMAIL_RECEIVED")).json() == nothing
    checked = await tenant_client.post("/email_templates/VOICEMAIL_RECEIVED/check", json=parts)
    assert checked.json()["preview"]["subject"].startswith("New voicemail: ")
    event = {"type": "VOICEMAIL_RECEIVED", "recipients": ["a@example.com"], "variables": {"CALLER_NAME": "Jo"}}
    receipt = (await tenant_client.post("/events", json=event)).json()
    assert (await room.database.read(_subject, room, acme, receipt["id"])).strip() == b"Subject: New voicemail: Jo"


async def test_custom_templates_are_listed_in_the_order_of_the_types(tenant_client: httpx.AsyncClient) -> None:
    for name in ("TRUNK_CONNECTED", "USER_CREATION", "DISK_LOW"):
        await tenant_client.post(CUSTOM, json={"name": name})

    items = (await tenant_client.get(CUSTOM)).json()["items"]

    assert [item["name"] for item in items] == ["USER_CREATION", "DISK_LOW", "TRUNK_CONNECTED"]


async def test_what_was_shown_posted_back_changes_nothing(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    await tenant_client.post(CUSTOM, json={"name": "RECHARGE", "subject": "Thank you"})
    before = (await tenant_client.get(f"{CUSTOM}/RECHARGE")).json()

    assert (await tenant_client.post(f"{CUSTOM}/RECHARGE", json=before)).status_code == 200

    assert (await tenant_client.get(f"{CUSTOM}/RECHARGE")).json() == before
    assert len(await room.database.read(templates.list_saved, acme, "RECHARGE", 9)) == 1
    actions = sorted(entry.action for entry in await room.database.read(audit.page, acme, Filter(), 99))
    assert actions == ["create_template", "create_token"]


async def test_tenants_do_not_see_each_others_templates(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await tenant_client.post(CUSTOM, json={"name": "RECHARGE", "subject": "Thank you"})

    assert (await other_client.get(CUSTOM)).json() == {"items": []}
    assert (await other_client.post(f"{CUSTOM}/RECHARGE", json={})).status_code == 404
    assert (await other_client.post(f"{CUSTOM}/RECHARGE/destroy")).status_code == 404
    assert (await tenant_client.get(f"{CUSTOM}/RECHARGE")).json()["subject"] == "Thank you"


async def test_a_variable_that_nobody_knows_is_saved_all_the_same(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "body": "%%QUEUE_NAM%%"})

    assert answer.status_code == 201


async def test_a_check_names_what_is_unknown_and_what_is_missing(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(CHECK, json={"subject": "Late", "body": "<p>%%QUEUE_NAM%% %%CALLER_NUMBER%%</p>"})

    assert answer.status_code == 200
    assert answer.json()["unknown_variables"] == [{"name": "QUEUE_NAM", "nearest": "QUEUE_NAME"}]
    assert answer.json()["missing_variables"] == ["QUEUE_NAME"]
    assert (await tenant_client.get(CUSTOM)).json() == {"items": []}


async def test_a_check_names_what_was_meant_as_a_variable(tenant_client: httpx.AsyncClient) -> None:
    draft = {"subject": "Disk %%FREE_SIZE% low, %%free_size%%", "body": "100%% of %%FREE_SIZE%%"}

    answer = await tenant_client.post("/email_templates/DISK_LOW/check", json=draft)

    assert answer.json()["unknown_variables"] == [
        {"name": "%%FREE_SIZE%", "nearest": "FREE_SIZE"},
        {"name": "free_size", "nearest": "FREE_SIZE"},
    ]
    assert answer.json()["preview"]["subject"] == "Disk %%FREE_SIZE% low, %%free_size%%"


async def test_a_preview_is_filled_with_samples(tenant_client: httpx.AsyncClient) -> None:
    draft = {"subject": "%%QUEUE_NAME%% of %%TENANT_NAME%%", "body": "<p>%%CALLER_NUMBER%%</p>"}

    preview = (await tenant_client.post(CHECK, json=draft)).json()["preview"]

    assert (preview["subject"], preview["values"]) == ("Sales of Acme", "samples")
    assert "+1 555 0143" in preview["html"]
    assert "+1 555 0143" in preview["text"]


async def test_a_preview_of_nothing_is_the_default(tenant_client: httpx.AsyncClient) -> None:
    for name in CATALOGUE:
        answer = await tenant_client.post(f"/email_templates/{name}/check", json={"values": "samples"})
        assert answer.status_code == 200, name
        assert answer.json()["unknown_variables"] == answer.json()["missing_variables"] == []


async def test_a_preview_may_show_the_last_event(tenant_client: httpx.AsyncClient, clock: Clock) -> None:
    for queue in ("Support", "Billing"):
        clock.advance(1)
        await tenant_client.post("/events", json={"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": queue}})

    preview = (await tenant_client.post(CHECK, json={"subject": "%%QUEUE_NAME%%", "values": "last_event"})).json()

    assert preview["preview"]["subject"] == "Billing"
    assert preview["preview"]["values"] == "last_event"


@pytest.mark.parametrize("level", ["", "/admin"])
async def test_values_that_are_null_are_those_that_are_left_out(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, level: str
) -> None:
    client, name = (admin_client, "IP_BLOCKED") if level else (tenant_client, "QUEUE_SLA")
    checked = [
        await client.post(f"{level}/email_templates/{name}/check", json=draft) for draft in ({}, {"values": None})
    ]

    assert [answer.status_code for answer in checked] == [200, 200]
    assert checked[0].json() == checked[1].json()
    wrong = await client.post(f"{level}/email_templates/{name}/check", json={"values": "event"})
    message = "This must be samples or last_event, spelled exactly so."
    assert (wrong.status_code, wrong.json()["errors"][0]["message"]) == (422, message)


async def test_without_an_event_a_preview_falls_back_to_samples(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(CHECK, json={"subject": "%%QUEUE_NAME%%", "values": "last_event"})

    assert (answer.json()["preview"]["subject"], answer.json()["preview"]["values"]) == ("Sales", "samples")


async def test_the_events_of_others_are_in_no_preview(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await other_client.post("/events", json={"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Theirs"}})

    answer = await tenant_client.post(CHECK, json={"subject": "%%QUEUE_NAME%%", "values": "last_event"})

    assert answer.json()["preview"]["subject"] == "Sales"


async def test_a_preview_never_shows_the_secrets_of_an_event(tenant_client: httpx.AsyncClient) -> None:
    values = {"TOPIC": "Plans", "PASSWORD": "the-real-one"}
    event = {"type": "CONFERENCE_INVITATION", "variables": values, "recipients": ["ann@example.com"]}
    assert (await tenant_client.post("/events", json=event)).status_code == 202

    draft = {"subject": "%%TOPIC%%", "body": "%%PASSWORD%%", "values": "last_event"}
    preview = (await tenant_client.post("/email_templates/CONFERENCE_INVITATION/check", json=draft)).json()["preview"]

    assert preview["subject"] == "Plans"
    assert "the-real-one" not in preview["text"]


async def test_the_lines_of_a_template_are_trimmed(tenant_client: httpx.AsyncClient) -> None:
    await tenant_client.post(CUSTOM, json={"name": "QUEUE_SLA", "subject": " \u2003Late\u00a0", "body": " x "})
    shown = (await tenant_client.get(f"{CUSTOM}/QUEUE_SLA")).json()
    assert (shown["subject"], shown["body"]) == ("Late", " x ")

    await tenant_client.post(f"{CUSTOM}/QUEUE_SLA", json={"from": "\u202fPhones "})
    assert (await tenant_client.get(f"{CUSTOM}/QUEUE_SLA")).json()["from"] == "Phones"
    assert (await tenant_client.post(f"{CUSTOM}/QUEUE_SLA", json={"subject": "Late\n"})).status_code == 422


def _subject(connection: Connection, room: Room, tenant: TenantId, event: str) -> bytes:
    """The subject of the message in the outbox."""
    row = connection.execute(
        select(tables.messages.c.event, tables.messages.c.content)
        .join(tables.events, tables.events.c.key == tables.messages.c.event)
        .where(tables.events.c.tenant == tenant, tables.events.c.id == event)
    ).one()
    packed = room.sealer.unseal(Place(tenant, "messages", row.event, "content"), row.content)
    return Message.unpack(packed).content.split(b"\r\n", 1)[0]

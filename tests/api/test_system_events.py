"""Events of the system level: who may report them, whom they reach, and their templates."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.api.mailboxes import Mailbox
from tests.conftest import client_with

from ringpost.domain.access import Role, Scope
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.room import Room

SETTINGS = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "auth": "DISABLE"}
TOLD = {**SETTINGS, "enable_tls_ssl": False, "recipients": "operator@example.com", "notify_ip_blocked": True}
BLOCKED = {"type": "IP_BLOCKED", "id": "b-1", "variables": {"BLOCKED_IP": "203.0.113.77"}}


async def report(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/events", json={**BLOCKED, **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_an_event_without_a_tenant_goes_to_the_systems_recipients(admin_client: httpx.AsyncClient) -> None:
    await admin_client.post("/admin/notification", json=TOLD)

    receipt = await report(admin_client, recipients=["somebody@example.com"])

    assert [one["recipient"] for one in receipt["deliveries"]] == ["operator@example.com"]


async def test_the_system_level_follows_its_own_events_and_mail(admin_client: httpx.AsyncClient) -> None:
    await admin_client.post("/admin/notification", json=TOLD)
    receipt = await report(admin_client)

    story = (await admin_client.get("/events/b-1")).json()
    delivery = (await admin_client.get(f"/deliveries/{receipt['deliveries'][0]['id']}")).json()

    assert story["variables"] == BLOCKED["variables"]
    assert (delivery["type"], delivery["state"], delivery["urgency"]) == ("IP_BLOCKED", "queued", "alert")


async def test_no_tenant_sees_an_event_of_the_system(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient
) -> None:
    await admin_client.post("/admin/notification", json=TOLD)
    receipt = await report(admin_client)

    assert (await tenant_client.get("/events/b-1")).status_code == 404
    assert (await tenant_client.get(f"/deliveries/{receipt['deliveries'][0]['id']}")).status_code == 404


async def test_who_sent_a_tenants_event_with_a_token_of_the_system_reads_it_back(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, acme: TenantId
) -> None:
    sent = {"type": "VOICEMAIL_RECEIVED", "id": "v/1", "recipients": ["a@example.com"], "tenant": "acme.example"}
    assert (await admin_client.post("/events", json=sent)).status_code == 202
    own = (await tenant_client.get("/events/v/1")).json()

    for name in ("acme.example", "ACME.example", str(acme)):
        assert (await admin_client.get("/events/v/1", params={"tenant": name})).json() == own
    for query in ("", "?tenant=", "?tenant=other.example", "?tenant=system"):
        answer = await admin_client.get(f"/events/v/1{query}")
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (404, "There is no such event."), query


async def test_a_tenants_token_reads_its_own_events_whatever_tenant_is_named(
    admin_client: httpx.AsyncClient, other_client: httpx.AsyncClient, acme: TenantId
) -> None:
    sent = {"type": "VOICEMAIL_RECEIVED", "id": "v-1", "recipients": ["a@example.com"], "tenant": acme}
    await admin_client.post("/events", json=sent)

    assert (await other_client.get("/events/v-1", params={"tenant": acme})).status_code == 404


async def test_a_system_token_that_may_not_send_events_reads_no_tenants(
    app: FastAPI, room: Room, admin_client: httpx.AsyncClient, acme: TenantId
) -> None:
    sent = {"type": "VOICEMAIL_RECEIVED", "id": "v-1", "recipients": ["a@example.com"], "tenant": acme}
    await admin_client.post("/events", json=sent)
    key = NewKey("reports", frozenset({Scope.SETTINGS}), Role.SYSTEM_ADMIN)
    _, token = await create_token(room, SYSTEM, key)

    async with client_with(app, token.reveal()) as client:
        assert (await client.get("/events/v-1", params={"tenant": acme})).status_code == 403


@pytest.mark.parametrize(
    "kind", [kind for kind in SYSTEM_CATALOGUE.values() if kind.toggle], ids=lambda kind: kind.name
)
async def test_every_toggle_is_off_until_it_is_turned_on(admin_client: httpx.AsyncClient, kind: Any) -> None:
    told = {**TOLD, "notify_ip_blocked": False}
    await admin_client.post("/admin/notification", json=told)
    off = await report(admin_client, type=kind.name, id="off")
    await admin_client.post("/admin/notification", json={**told, kind.toggle: True})
    on = await report(admin_client, type=kind.name, id="on")

    assert (off["skipped"], off["deliveries"]) == ("NOTIFICATION_OFF", [])
    assert (on["skipped"], len(on["deliveries"])) == (None, 1)


async def test_without_a_mail_server_of_the_system_it_says_so(admin_client: httpx.AsyncClient) -> None:
    await admin_client.post("/admin/notification", json={**TOLD, "server": "mail.example.com", "username": "nobody"})

    assert (await report(admin_client))["skipped"] == "NO_MAIL_SERVER"


async def test_a_tenant_cannot_report_for_the_system(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post("/events", json=BLOCKED)

    assert (answer.status_code, answer.json()["errors"][0]["detail"]["field"]) == (422, "type")


async def test_an_event_of_a_tenant_needs_its_tenant(admin_client: httpx.AsyncClient, acme: str) -> None:
    without = await admin_client.post("/events", json={"type": "DISK_LOW"})
    for_a_tenant = await admin_client.post("/events", json={**BLOCKED, "tenant": acme})
    not_even_text = await admin_client.post("/events", json={"type": ["IP_BLOCKED"]})

    assert (without.status_code, without.json()["errors"][0]["detail"]["field"]) == (422, "tenant")
    assert (for_a_tenant.status_code, for_a_tenant.json()["errors"][0]["detail"]["field"]) == (422, "type")
    assert not_even_text.status_code == 422


async def test_license_limited_is_the_systems_without_a_tenant_and_the_tenants_with_one(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, acme: str, mailbox: Mailbox
) -> None:
    await admin_client.post("/admin/notification", json={**TOLD, "notify_license_limited": True})
    await tenant_client.post("/tenant/notification", json=mailbox.settings(recipients="tenant@example.com"))
    fields = {"type": "LICENSE_LIMITED", "variables": {"LICENSE_TYPE": "Concurrent calls"}}

    system = await report(admin_client, **fields)
    tenants = await report(admin_client, **fields, tenant=acme)

    assert [one["recipient"] for one in system["deliveries"]] == ["operator@example.com"]
    assert [one["recipient"] for one in tenants["deliveries"]] == ["tenant@example.com"]


async def test_system_templates_are_listed_apart_from_the_tenants(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient
) -> None:
    system = (await admin_client.get("/admin/default_email_templates")).json()["items"]
    tenants = (await tenant_client.get("/default_email_templates")).json()["items"]

    assert [one["name"] for one in system] == list(SYSTEM_CATALOGUE)
    assert len(tenants) == 14
    assert (await admin_client.get("/admin/default_email_templates/CPU_EXCEEDED")).json() == system[2]
    assert (await admin_client.get("/admin/default_email_templates/QUEUE_SLA")).status_code == 404
    assert (await tenant_client.get("/default_email_templates/CPU_EXCEEDED")).status_code == 404


async def test_who_customises_a_template_twice_is_told_where_to_change_it(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient
) -> None:
    for client, path, name in (
        (admin_client, "/admin/custom_email_templates", "IP_BLOCKED"),
        (tenant_client, "/api/custom_email_templates", "QUEUE_SLA"),
    ):
        assert (await client.post(path, json={"name": name})).status_code == 201

        told = (await client.post(path, json={"name": name})).json()["errors"][0]["message"]

        assert told == f"{name} is customised already. To change it, post to the same path with /{name} at its end."
        assert (await client.post(f"{path}/{name}", json={"subject": "Changed"})).status_code == 200


async def test_a_system_template_is_customised_changed_and_given_up(admin_client: httpx.AsyncClient) -> None:
    path = "/admin/custom_email_templates"
    made = await admin_client.post(path, json={"name": "IP_BLOCKED", "subject": "Shut out: %%BLOCKED_IP%%"})
    again = await admin_client.post(path, json={"name": "IP_BLOCKED"})
    unknown = await admin_client.post(path, json={"name": "QUEUE_SLA"})

    assert (made.status_code, made.json()) == (201, {"id": "IP_BLOCKED"})
    assert (again.status_code, unknown.status_code) == (409, 422)
    assert (await admin_client.post(f"{path}/IP_BLOCKED", json={"subject": "Blocked"})).status_code == 200
    shown = (await admin_client.get(f"{path}/IP_BLOCKED")).json()
    assert shown == {"name": "IP_BLOCKED", "from": None, "subject": "Blocked", "body": None, "text_body": None}
    assert (await admin_client.get(path)).json() == {"items": [shown]}
    assert (await admin_client.post(f"{path}/IP_BLOCKED/destroy")).status_code == 204
    assert (await admin_client.get(f"{path}/IP_BLOCKED")).status_code == 404


async def test_a_system_template_is_checked_with_the_systems_variables(admin_client: httpx.AsyncClient) -> None:
    draft = {"subject": "%%HOST_NAME%% %%QUEUE_NAME%%"}

    answer = await admin_client.post("/admin/email_templates/CPU_EXCEEDED/check", json=draft)

    assert [one["name"] for one in answer.json()["unknown_variables"]] == ["QUEUE_NAME"]
    assert "pbx-1.example.com" in answer.json()["preview"]["subject"]

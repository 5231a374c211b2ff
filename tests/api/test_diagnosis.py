"""The mail doctor over HTTP: what it answers, how often, and to whom."""

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.api.mailboxes import Mailbox

from ringpost.domain.hosts import parse_allowed_networks
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import SmtpOptions
from ringpost.usecases.room import Room

DIAGNOSE = "/tenant/notification/diagnose"


@pytest.fixture
def room(room: Room, smtp_port: int) -> Room:
    """The room, with a doctor for this machine; its DNS server does not answer."""
    rules = EgressRules(parse_allowed_networks(f"127.0.0.0/8:{smtp_port}"), frozenset({smtp_port}))
    doctor = Doctor(SmtpOptions("ringpost.test", egress=rules), DnsServers((("127.0.0.1", 1),), limit=0.2))
    return replace(room, examine=doctor.examine)


async def test_the_server_in_force_is_examined_and_no_mail_sent(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await tenant_client.post("/tenant/notification", json=mailbox.settings(recipients="ann@example.com"))

    answer = await tenant_client.post(DIAGNOSE, json={})

    assert answer.status_code == 200
    diagnosis: dict[str, Any] = answer.json()
    assert set(diagnosis) == {"ok", "server", "provider", "steps", "findings"}
    went = {step["name"]: step["status"] for step in diagnosis["steps"]}
    assert diagnosis["ok"] is True
    assert (went["resolve"], went["connect"], went["rcpt_to"], went["spf"]) == ("ok", "ok", "ok", "warning")
    assert {one["code"] for one in diagnosis["findings"]} == {"NOT_ENCRYPTED", "DOMAIN_NOT_ASKED"}
    assert mailbox.mails == []


async def test_a_failure_is_200_and_names_the_cause(tenant_client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.refuse = "554 5.7.1 Relay access denied"

    answer = await tenant_client.post(DIAGNOSE, json=mailbox.settings() | {"recipient": "ann@example.com"})

    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    finding = answer.json()["findings"][0]
    assert (finding["code"], finding["suggested_settings"]) == ("RELAYING_DENIED", {"auth": "AUTO"})
    assert (await tenant_client.get("/tenant/notification")).json()["type"] is None, "nothing was saved"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "MICROSOFT_BASIC_AUTH_OFF"),
        ("535 5.7.3 Authentication unsuccessful", "MICROSOFT_WRONG_PASSWORD"),
        ("550 5.7.30 Basic authentication is not supported", "MICROSOFT_BASIC_AUTH_RETIRED"),
        ("530 5.7.57 Client not authenticated to send mail", "MICROSOFT_NOT_AUTHENTICATED"),
    ],
)
async def test_a_personal_address_at_microsoft_is_told_what_works_for_it(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox, reply: str, code: str
) -> None:
    mailbox.refuse = reply
    posted = mailbox.settings(username="jane@outlook.com") | {"recipient": "ann@example.com"}

    diagnosis = (await tenant_client.post(DIAGNOSE, json=posted)).json()

    [failed] = [step for step in diagnosis["steps"] if step["status"] == "failed"]
    [told] = [one for one in diagnosis["findings"] if one["code"] == code]
    assert failed["finding"] == code
    for advice in (told["what_to_do"], failed["hint"]):
        assert re.search(r"personal (address|one) \(outlook.com, hotmail.com, live.com, msn.com\)", advice)
        assert re.search(r"organisation's address|[Aa]n organisation may", advice.partition("MS365")[0])
    assert "Microsoft 365" not in told["title"] + told["explanation"], "which it has not"


async def test_nothing_to_examine_is_409(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(DIAGNOSE, json={})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "NOT_CONFIGURED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"server": "mail.example.com"}, "type"),
        ({"type": "SMTP", "username": "a@x.com", "server": "10.0.0.1"}, "server"),
        ({"type": "SMTP", "username": "a@x.com", "server": "x.example.com", "port": 22}, "port"),
        ({"recipient": "nobody"}, "recipient"),
        ({"recipient": "a@example.com, b@example.com"}, "recipient"),
        ({"recipient": 7}, "recipient"),
    ],
)
async def test_wrong_fields_are_422(tenant_client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await tenant_client.post(DIAGNOSE, json=body)

    assert answer.status_code == 422
    assert field in {error["detail"]["field"] for error in answer.json()["errors"]}


async def test_a_stored_password_is_not_used_for_a_changed_server(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    saved = {"type": "SMTP", "server": "mail.example.com", "username": "a@example.com", "password": "hunter2"}
    await tenant_client.post("/tenant/notification", json=saved)
    unsaved = mailbox.settings(auth="AUTO", enable_tls_ssl=True)

    answer = await tenant_client.post(DIAGNOSE, json=unsaved)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "PASSWORD_REQUIRED")


async def test_examinations_and_test_mails_are_counted_together(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await tenant_client.post("/tenant/notification", json=mailbox.settings())
    mail = {"recipient": "ann@example.com", "subject": "s", "content": "c"}
    assert (await tenant_client.post("/tenant/notification/test_email", json=mail)).status_code == 200

    statuses = [(await tenant_client.post(DIAGNOSE, json={})).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 200, 429]


async def test_a_refused_host_says_no_more_than_that(tenant_client: httpx.AsyncClient) -> None:
    body = {"type": "SMTP", "server": "localhost.localdomain", "port": 25, "username": "a@example.com", "password": "x"}

    answer = await tenant_client.post(DIAGNOSE, json=body)

    assert answer.status_code == 200
    assert "127.0.0.1" not in answer.text
    assert "::1" not in answer.text


async def test_the_system_administrator_examines_the_systems_server(
    admin_client: httpx.AsyncClient, tenant_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await admin_client.post("/admin/notification", json=mailbox.settings())

    mine = (await admin_client.post("/admin/notification/diagnose", json={})).json()
    borrowed = (await tenant_client.post(DIAGNOSE, json={})).json()

    assert (mine["ok"], mine["server"]) == (True, f"127.0.0.1:{mailbox.port}")
    assert (borrowed["ok"], borrowed["server"]) == (True, None)
    assert "127.0.0.1" not in repr(borrowed)
    summaries = {step["status"]: step["summary"] for step in borrowed["steps"]}
    assert (summaries["ok"], summaries["warning"]) == ("This works.", "This works, but take note.")

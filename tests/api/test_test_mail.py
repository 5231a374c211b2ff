"""Test mails through real servers: what arrives, through whose server, and what is said when it does not."""

import asyncio
import re
import socket
from typing import Any

import httpx
import pytest
from tests.api.mailboxes import Mailbox

from ringpost.domain.traps import TRAPS, Trap

TEST_MAIL = "/tenant/notification/test_email"
MAIL = {"recipient": "ann@example.com", "subject": "Grüße", "content": "It works."}


async def test_a_test_mail_arrives_through_the_tenants_own_server(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await tenant_client.post("/tenant/notification", json=mailbox.settings(reply_to="office@example.com"))

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    assert (answer.status_code, answer.content) == (200, b"")
    [(envelope, mail)] = mailbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("pbx@example.com", ["ann@example.com"])
    assert (mail["From"], mail["To"], mail["Reply-To"]) == ("pbx@example.com", "ann@example.com", "office@example.com")
    assert (mail["Subject"], mail.get_content_type()) == ("Grüße", "text/plain")
    assert mail.get_content().strip() == "It works."


async def test_what_looks_like_html_is_sent_as_html_with_a_text_beside_it(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await tenant_client.post("/tenant/notification", json=mailbox.settings())

    await tenant_client.post(TEST_MAIL, json=MAIL | {"content": "<p>It <b>works</b>.</p>"})

    [(_, mail)] = mailbox.mails
    assert mail.get_content_type() == "multipart/alternative"
    parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType, reportAttributeAccessIssue]
    assert "<b>works</b>" in parts["text/html"]
    assert parts["text/plain"].strip() == "It works."


@pytest.mark.parametrize("own", [{"type": None}, {"type": "GMAIL", "username": "me@example.com", "auth": "DISABLE"}])
async def test_a_borrowed_server_takes_test_mails_for_own_recipients_only(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, mailbox: Mailbox, own: dict[str, Any]
) -> None:
    await admin_client.post("/admin/notification", json=mailbox.settings(username="system@example.com"))
    saved = {**own, "recipients": "Ann <ann@example.com>", "reply_to": "Office <office@acme.example>"}
    await tenant_client.post("/tenant/notification", json=saved)
    assert (await tenant_client.get("/tenant/notification")).json()["reply_to"] == "Office <office@acme.example>"

    refused = await tenant_client.post(TEST_MAIL, json=MAIL | {"recipient": "stranger@example.com"})
    assert (refused.status_code, refused.json()["errors"][0]["detail"]["field"]) == (422, "recipient")
    assert mailbox.mails == []

    assert (await tenant_client.post(TEST_MAIL, json=MAIL)).status_code == 200
    [(envelope, mail)] = mailbox.mails
    assert (envelope.mail_from, mail["Reply-To"]) == ("system@example.com", "Office <office@acme.example>")


async def test_a_borrowed_server_is_of_no_use_without_recipients(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await admin_client.post("/admin/notification", json=mailbox.settings())

    assert (await tenant_client.post(TEST_MAIL, json=MAIL)).status_code == 422


async def test_a_server_that_is_not_lent_is_no_server(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await admin_client.post("/admin/notification", json=mailbox.settings(enable_tenant_access=False))

    assert (await tenant_client.post(TEST_MAIL, json=MAIL)).status_code == 409


async def test_the_system_administrator_tests_the_systems_server(
    admin_client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    assert (await admin_client.post("/admin/notification/test_email", json=MAIL)).status_code == 409
    await admin_client.post("/admin/notification", json=mailbox.settings())

    assert (await admin_client.post("/admin/notification/test_email", json=MAIL)).status_code == 200

    assert len(mailbox.mails) == 1


async def test_unfinished_settings_say_what_is_missing(tenant_client: httpx.AsyncClient) -> None:
    saved = {"type": "SMTP", "server": "mail.example.com", "username": "pbx", "auth": "DISABLE"}
    assert (await tenant_client.post("/tenant/notification", json=saved)).status_code == 200

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (409, "NOT_CONFIGURED")
    assert "address to send from" in error["message"]


async def test_a_refusal_is_424_with_the_servers_words(tenant_client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.refuse = "550 5.1.1 No such person here"
    await tenant_client.post("/tenant/notification", json=mailbox.settings())

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (424, "MAIL_SERVER_FAILED")
    detail: dict[str, Any] = error["detail"]
    assert set(detail) == {"stage", "code", "enhanced_code", "reply", "hint", "finding", "steps"}
    assert detail["finding"] == "NO_SUCH_MAILBOX"
    went = {step["name"]: step["status"] for step in detail["steps"]}
    assert (went["connect"], went["auth"], went["rcpt_to"], went["data"]) == ("ok", "skipped", "failed", "skipped")
    assert (detail["stage"], detail["code"], detail["enhanced_code"]) == ("rcpt_to", 550, "5.1.1")
    assert "No such person here" in detail["reply"]


async def test_a_test_mail_is_not_said_to_be_tried_again(tenant_client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.refuse = "451 4.3.0 Out of order"
    await tenant_client.post("/tenant/notification", json=mailbox.settings())

    [error] = (await tenant_client.post(TEST_MAIL, json=MAIL)).json()["errors"]

    assert error["detail"]["hint"] == ("The mail server had a problem of its own. A delivery is tried again by itself.")


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_advice_is_true_of_a_test_mail_too(trap: Trap) -> None:
    assert not re.search(r"\b(mail|it) is (tried|sent) again", trap.hint, re.IGNORECASE)


async def test_a_server_that_is_not_there_is_424_at_connect(tenant_client: httpx.AsyncClient, smtp_port: int) -> None:
    await tenant_client.post("/tenant/notification", json=Mailbox("127.0.0.1", smtp_port, []).settings())

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    assert (answer.status_code, answer.json()["errors"][0]["detail"]["stage"]) == (424, "connect")


async def test_a_refused_host_says_no_more_than_that_it_is_not_allowed(tenant_client: httpx.AsyncClient) -> None:
    saved = Mailbox("localhost.localdomain", 25, []).settings()
    await tenant_client.post("/tenant/notification", json=saved)

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    assert answer.status_code == 424
    assert "127.0.0.1" not in answer.text
    assert "::1" not in answer.text


async def test_a_silent_server_is_said_to_be_silent_at_the_greeting(
    tenant_client: httpx.AsyncClient, smtp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.usecases.send_test_mail.LONGEST_WAIT_S", 2.5)  # else this test would take 28 s
    with socket.create_server(("127.0.0.1", smtp_port)):
        await tenant_client.post("/tenant/notification", json=Mailbox("127.0.0.1", smtp_port, []).settings())
        async with asyncio.timeout(10):
            answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["detail"]["stage"], error["detail"]["code"]) == (424, "greeting", None)
    assert error["detail"]["hint"]


async def test_no_answer_repeats_the_password(tenant_client: httpx.AsyncClient, smtp_port: int) -> None:
    saved = Mailbox("127.0.0.1", smtp_port, []).settings(auth="LOGIN", password="hunter2-secret", enable_tls_ssl=True)
    assert (await tenant_client.post("/tenant/notification", json=saved)).status_code == 200

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    assert answer.status_code == 424
    assert "hunter2" not in answer.text
    assert "hunter2" not in (await tenant_client.get("/tenant/notification")).text

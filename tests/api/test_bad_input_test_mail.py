"""Bad input, test mails: every row of the list."""

import httpx
import pytest
from tests.api.mailboxes import Mailbox

from ringpost.domain.templates import MOST_TAGS

TEST_MAIL = "/tenant/notification/test_email"
MAIL = {"recipient": "ann@example.com", "subject": "Test", "content": "It works."}

WRONG = {
    "two recipients": ({"recipient": "ann@example.com, bob@example.com"}, "recipient"),
    "two recipients with a semicolon": ({"recipient": "ann@example.com;bob@example.com"}, "recipient"),
    "no recipient": ({"recipient": None}, "recipient"),
    "no address": ({"recipient": "ann"}, "recipient"),
    "recipient with CR LF": ({"recipient": "ann@example.com\r\nDATA"}, "recipient"),
    "no subject": ({"subject": None}, "subject"),
    "blank subject": ({"subject": " "}, "subject"),
    "subject with a line break": ({"subject": "Test\r\nBcc: z@example.com"}, "subject"),
    "no content": ({"content": None}, "content"),
    "empty content": ({"content": ""}, "content"),
    "content a number": ({"content": 1}, "content"),
}


@pytest.mark.parametrize(("changes", "field"), WRONG.values(), ids=WRONG)
async def test_a_wrong_field_is_422_and_nothing_is_sent(
    tenant_client: httpx.AsyncClient, mailbox: Mailbox, changes: dict[str, object], field: str
) -> None:
    assert (await tenant_client.post("/tenant/notification", json=mailbox.settings())).status_code == 200

    answer = await tenant_client.post(TEST_MAIL, json=MAIL | changes)

    assert answer.status_code == 422
    assert [one["detail"]["field"] for one in answer.json()["errors"]] == [field]
    assert mailbox.mails == []


@pytest.mark.parametrize("path", [TEST_MAIL, "/admin/notification/test_email"])
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["recipient", "subject", "content"]),
        ({"recipient": "ann", "subject": "Test\r\nBcc: z@example.com"}, ["recipient", "subject", "content"]),
        (
            {"recipient": "ann@example.com, bob@example.com", "subject": 7, "content": " "},
            ["recipient", "subject", "content"],
        ),
        ({"recipient": "ann@example.com", "content": "<b>" * (MOST_TAGS + 1)}, ["subject", "content"]),
    ],
)
async def test_all_wrong_fields_are_told_at_once_the_missing_and_the_others(
    tenant_client: httpx.AsyncClient,
    admin_client: httpx.AsyncClient,
    path: str,
    body: dict[str, object],
    fields: list[str],
) -> None:
    client = admin_client if path.startswith("/admin") else tenant_client

    answer = await client.post(path, json=body)

    assert answer.status_code == 422
    assert [one["detail"]["field"] for one in answer.json()["errors"]] == fields


async def test_nothing_configured_is_409(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "NOT_CONFIGURED")


async def test_all_that_is_missing_is_told_at_once(tenant_client: httpx.AsyncClient) -> None:
    unfinished = {"type": "MS365", "username": "pbx"}
    assert (await tenant_client.post("/tenant/notification", json=unfinished)).status_code == 200

    [error] = (await tenant_client.post(TEST_MAIL, json=MAIL)).json()["errors"]

    assert error["code"] == "NOT_CONFIGURED"
    assert "There is no address to send from." in error["message"]
    assert "The password is missing." in error["message"]


async def test_what_could_not_be_tried_does_not_count(tenant_client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    for _ in range(6):
        assert (await tenant_client.post(TEST_MAIL, json=MAIL)).status_code == 409
    await tenant_client.post("/tenant/notification", json=mailbox.settings())

    answers = [(await tenant_client.post(TEST_MAIL, json=MAIL)).status_code for _ in range(6)]

    assert answers == [200] * 5 + [429]


async def test_the_sixth_a_minute_is_429(tenant_client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    await tenant_client.post("/tenant/notification", json=mailbox.settings())
    for _ in range(5):
        assert (await tenant_client.post(TEST_MAIL, json=MAIL)).status_code == 200

    answer = await tenant_client.post(TEST_MAIL, json=MAIL)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert len(mailbox.mails) == 5

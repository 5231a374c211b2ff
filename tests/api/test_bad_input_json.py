"""Bad input, JSON: every row of the list, on routes of every kind."""

import json

import httpx
import pytest

JSON = {"Content-Type": "application/json"}
PATHS = (
    "/tenant/notification",
    "/tenant/notification/test_email",
    "/custom_email_templates",
    "/custom_email_templates/QUEUE_SLA",
    "/email_templates/QUEUE_SLA/check",
    "/events",
    "/login",
)

NOT_PARSEABLE = {
    "empty": b"",
    "blank": b" \n",
    "cut off": b'{"type": "SMTP"',
    "duplicate keys": b'{"type": "SMTP", "type": "GMAIL"}',
    "duplicate keys inside": b'{"type": "SMTP", "more": {"a": 1, "a": 2}}',
    "nesting over 32": b'{"more": ' + b"[" * 33 + b"]" * 33 + b"}",
    "5,000-digit integer": b'{"port": ' + b"9" * 5000 + b"}",
    "1e400": b'{"port": 1e400}',
    "NaN": b'{"port": NaN}',
    "Infinity": b'{"port": -Infinity}',
    "invalid UTF-8": b'{"username": "\xff\xfe"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "single quotes": b"{'type': 'SMTP'}",
    "trailing comma": b'{"type": "SMTP",}',
}

NOT_AN_OBJECT = {"array": b"[]", "null": b"null", "string": b'"x"', "number": b"1", "true": b"true"}

NO_TEXT = {
    "lone surrogate": b'{"username": "\\ud800", "id": "\\ud800"}',
    "U+0000": b'{"username": "a\\u0000b", "id": "a\\u0000b"}',
    "U+0000 in a key": b'{"a\\u0000b": 1}',
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", NOT_PARSEABLE.values(), ids=NOT_PARSEABLE)
async def test_what_does_not_parse_is_400(tenant_client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await tenant_client.post(path, content=body, headers=JSON)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "MALFORMED_JSON")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
async def test_what_is_no_object_is_422(tenant_client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await tenant_client.post(path, content=body, headers=JSON)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["detail"]) == (422, "VALIDATE_FAILED", {"field": "body"})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", NO_TEXT.values(), ids=NO_TEXT)
async def test_what_is_no_text_is_422(tenant_client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await tenant_client.post(path, content=body, headers=JSON)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "VALIDATE_FAILED")


@pytest.mark.parametrize("value", ["25", True])
async def test_a_port_is_a_number(tenant_client: httpx.AsyncClient, value: object) -> None:
    body = {"type": "SMTP", "server": "mail.example.com", "username": "u@example.com", "password": "p", "port": value}

    answer = await tenant_client.post("/tenant/notification", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (422, {"field": "port"})


async def test_unknown_fields_are_ignored(tenant_client: httpx.AsyncClient) -> None:
    body = {"type": "SMTP", "server": "mail.example.com", "username": "u@example.com", "password": "p", "colour": 1}
    assert (await tenant_client.post("/tenant/notification", json=body)).status_code == 200

    template = {"name": "QUEUE_SLA", "subject": "Late", "colour": {"deep": [1]}}
    assert (await tenant_client.post("/custom_email_templates", json=template)).status_code == 201

    assert "colour" not in (await tenant_client.get("/tenant/notification")).json()


async def test_32_levels_are_read(tenant_client: httpx.AsyncClient) -> None:
    deep: object = 1
    for _ in range(31):
        deep = [deep]

    answer = await tenant_client.post("/custom_email_templates", content=json.dumps({"more": deep}), headers=JSON)

    assert [one["detail"]["field"] for one in answer.json()["errors"]] == ["name"]

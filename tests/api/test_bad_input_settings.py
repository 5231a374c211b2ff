"""Bad input, settings: every row of the list, each with a 4xx that names the field and changes nothing."""

from typing import Any

import httpx
import pytest

GOOD: dict[str, Any] = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@example.com",
    "password": "a password of theirs",
}

WRONG = {
    "type absent": ({"type": ...}, "type"),
    "type null": ({"type": None}, "type"),
    "type smtp": ({"type": "smtp"}, "type"),
    "type SMTP and a blank": ({"type": "SMTP "}, "type"),
    "type a list": ({"type": ["SMTP"]}, "type"),
    "port -1": ({"port": -1}, "port"),
    "port 65536": ({"port": 65536}, "port"),
    "port 25.5": ({"port": 25.5}, "port"),
    "port a string": ({"port": "25"}, "port"),
    "port true": ({"port": True}, "port"),
    "port not a mail port": ({"port": 6379}, "port"),
    "username absent": ({"username": ...}, "username"),
    "username empty": ({"username": ""}, "username"),
    "username blank": ({"username": "  "}, "username"),
    "username null": ({"username": None}, "username"),
    "username 129 characters": ({"username": "u" * 129}, "username"),
    "username with CR LF": ({"username": "u@example.com\r\nRCPT TO:<z@y.example>"}, "username"),
    "username with NUL": ({"username": "u\x01@example.com"}, "username"),
    "auth CRAM-MD5": ({"auth": "CRAM-MD5"}, "auth"),
    "auth lower case": ({"auth": "auto"}, "auth"),
    "SMTP without server": ({"server": ...}, "server"),
    "SMTP with server null": ({"server": None}, "server"),
    "server a mapped address": ({"server": "[::ffff:10.0.0.1]"}, "server"),
    "server of the metadata service": ({"server": "169.254.169.254"}, "server"),
    "server with CR LF": ({"server": "mail.example.com\r\nQUIT"}, "server"),
    "server 0": ({"server": "0"}, "server"),
    "server 127.1": ({"server": "127.1"}, "server"),
    "server in hexadecimal": ({"server": "0x7f.1"}, "server"),
    "server as one number": ({"server": "2130706433"}, "server"),
    "server a URL": ({"server": "http://mail.example.com"}, "server"),
    "server with port": ({"server": "mail.example.com:25"}, "server"),
    "server without a dot": ({"server": "localhost"}, "server"),
    "two reply_to addresses": ({"reply_to": "a@example.com, b@example.com"}, "reply_to"),
    "reply_to no address": ({"reply_to": "office"}, "reply_to"),
    "enable_tls_ssl a string": ({"enable_tls_ssl": "true"}, "enable_tls_ssl"),
    "enable_tls_ssl 1": ({"enable_tls_ssl": 1}, "enable_tls_ssl"),
    "notify flag a string": ({"notify_queue_callback": "yes"}, "notify_queue_callback"),
    "password a number": ({"password": 12345678}, "password"),
    "password with a line break": ({"password": "first\nsecond"}, "password"),
    "login in clear text": ({"enable_tls_ssl": False}, "enable_tls_ssl"),
}

FINE = {
    "port 0": {"port": 0},
    "port null": {"port": None},
    "username 128 characters": {"username": "u" * 128},
    "clear text without login": {"enable_tls_ssl": False, "auth": "DISABLE"},
    "server null for MS365": {"type": "MS365", "server": None},
    "server no host for MS365": {"type": "MS365", "server": "https://outlook.office.com/mail"},
    "server no host for GMAIL": {"type": "GMAIL", "server": "a b:c"},
    "blanks of every script around it": {
        "server": "\u2003mail.example.com\u202f",
        "recipients": "\u2009a@example.com\u205f",
    },
    "unknown field": {"colour": "blue"},
    "read-only field": {"enable_system_email_server": True},
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | changes).items() if value is not ...}


@pytest.mark.parametrize(("changes", "field"), WRONG.values(), ids=WRONG)
async def test_a_wrong_field_is_named_and_nothing_changes(
    tenant_client: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    assert (await tenant_client.post("/tenant/notification", json=GOOD)).status_code == 200
    before = (await tenant_client.get("/tenant/notification")).json()

    answer = await tenant_client.post("/tenant/notification", json=changed(changes))

    assert answer.status_code == 422
    assert [(one["code"], one["detail"]["field"]) for one in answer.json()["errors"]] == [("VALIDATE_FAILED", field)]
    assert (await tenant_client.get("/tenant/notification")).json() == before


@pytest.mark.parametrize("changes", FINE.values(), ids=FINE)
async def test_what_looks_odd_but_is_right_is_taken(tenant_client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    answer = await tenant_client.post("/tenant/notification", json=changed(changes))

    assert (answer.status_code, answer.content) == (200, b"")


async def test_every_wrong_field_is_told_at_once(tenant_client: httpx.AsyncClient) -> None:
    wrong = {"type": "smtp", "port": -1, "username": "", "recipients": "nobody", "notify_queue_callback": 1}

    answer = await tenant_client.post("/tenant/notification", json=wrong)

    assert {one["detail"]["field"] for one in answer.json()["errors"]} == set(wrong)


@pytest.mark.parametrize("field", ["hard_disk_threshold", "cpu_threshold", "memory_threshold"])
@pytest.mark.parametrize("value", [1.1, -0.1, "0.5", True])
async def test_a_threshold_is_a_number_from_0_to_1(admin_client: httpx.AsyncClient, field: str, value: object) -> None:
    answer = await admin_client.post("/admin/notification", json=GOOD | {field: value})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"] == {"field": field}
    assert (await admin_client.get("/admin/notification")).json()["type"] is None


async def test_no_error_repeats_a_password(tenant_client: httpx.AsyncClient) -> None:
    wrong = GOOD | {"password": "hunter2-secret\n", "port": "hunter2-secret"}

    answer = await tenant_client.post("/tenant/notification", json=wrong)

    assert answer.status_code == 422
    assert "hunter2" not in answer.text

"""Bad input, recipients: every row of the list."""

from typing import Any

import httpx
import pytest

SERVER: dict[str, Any] = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@example.com",
    "password": "p",
}


def addresses(count: int) -> str:
    return ",".join(f"user{number}@example.com" for number in range(count))


WRONG = {
    "16": (addresses(16), None),
    "two at signs and a bracket": ("alice@example.org)bob@example.com", "alice@example.org)bob@example.com"),
    "CR LF and a header": ("a@x.com\r\nBcc: z@y", None),
    "address literal": ("a@[127.0.0.1]", "a@[127.0.0.1]"),
    "localhost": ("a@localhost", "a@localhost"),
    "local part of 65": ("a" * 65 + "@example.com", None),
    "domain of 256": ("a@" + ".".join(["d" * 63] * 4) + ".com", None),
    "encoded word": ("=?utf-8?q?a=40b?=@x", "=?utf-8?q?a=40b?=@x"),
    "bidi": ("a\u202e@example.com", None),
    "bidi in a name": ('"\u202emoc" <a@example.com>', None),
    "zero width": ("a\u200b@example.com", None),
    "no address": ("good@example.com, nobody", "nobody"),
    "not text": (["a@example.com"], None),
    "NUL": ("a\x00@example.com", None),
}

FINE = {
    "15": (addresses(15), addresses(15).replace(",", ", ")),
    "comma in a name": ('"Doe, John" <a@example.com>', '"Doe, John" <a@example.com>'),
    "duplicates": ("a@example.com, b@example.com,a@EXAMPLE.com", "a@example.com, b@example.com"),
    "semicolons and lines": (
        "a@example.com; b@example.com\nc@example.com",
        "a@example.com, b@example.com, c@example.com",
    ),
    "empty items": (",, a@example.com,;", "a@example.com"),
    "German domain": ("a@m\u00fcnchen.de", "a@m\u00fcnchen.de"),
    "Chinese": ("\u7528\u6237@\u4f8b\u5b50.\u516c\u53f8", "\u7528\u6237@\u4f8b\u5b50.\u516c\u53f8"),
    "empty": ("", None),
    "null": (None, None),
}


@pytest.mark.parametrize(("recipients", "item"), WRONG.values(), ids=WRONG)
async def test_a_bad_recipient_is_422_and_named(
    tenant_client: httpx.AsyncClient, recipients: object, item: str | None
) -> None:
    before = (await tenant_client.get("/tenant/notification")).json()

    answer = await tenant_client.post("/tenant/notification", json=SERVER | {"recipients": recipients})

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["code"], error["detail"].get("field")) == ("VALIDATE_FAILED", "recipients") or "\x00" in str(
        recipients
    )
    if item is not None:
        assert error["detail"]["item"] == item
    assert (await tenant_client.get("/tenant/notification")).json() == before


@pytest.mark.parametrize(("recipients", "shown"), FINE.values(), ids=FINE)
async def test_good_recipients_are_shown_in_one_form(
    tenant_client: httpx.AsyncClient, recipients: str | None, shown: str | None
) -> None:
    answer = await tenant_client.post("/tenant/notification", json=SERVER | {"recipients": recipients})

    assert answer.status_code == 200
    assert (await tenant_client.get("/tenant/notification")).json()["recipients"] == shown


async def test_who_is_among_the_tenants_recipients_and_the_events_is_told_once(
    tenant_client: httpx.AsyncClient,
) -> None:
    await tenant_client.post("/tenant/notification", json=SERVER | {"recipients": "a@M\u00dcNCHEN.de, b@example.com"})
    event = {"type": "EMERGENCY_CALL", "recipients": ["a@xn--mnchen-3ya.de", "b@EXAMPLE.com", "c@example.com"]}

    made = (await tenant_client.post("/events", json=event)).json()["deliveries"]

    assert sorted(one["recipient"] for one in made) == ["a@m\u00fcnchen.de", "b@example.com", "c@example.com"]

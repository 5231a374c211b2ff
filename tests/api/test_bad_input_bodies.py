"""Bad input, bodies: what they say they are, how they are sent, how large they are."""

import time
from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import capture_logs
from tests.api.octets import code_of, raw

from ringpost.api.http_rules import MAX_BODY, MAX_HEADERS
from ringpost.api.json_routes import is_json

SETTINGS = "/tenant/notification"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; CHARSET=latin-1",
        'application/json; charset="utf-16"',
        "application/json; foo",
        "application/jsonp",
    ],
)
@pytest.mark.parametrize("path", [SETTINGS, "/custom_email_templates", "/events"])
async def test_a_body_that_is_not_said_to_be_json_is_415(
    tenant_client: httpx.AsyncClient, path: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await tenant_client.post(path, content=b"{}", headers=headers)

    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=UTF-8",
        "Application/JSON",
        "application/json;",
        "application/json ; ;",
        "application/json; foo=bar",
        'application/json;foo="a\\"b; charset=x" ; Charset="utf-8";',
    ],
)
@pytest.mark.parametrize("path", [SETTINGS, "/events"])
async def test_json_in_utf8_is_taken_however_it_is_said(
    tenant_client: httpx.AsyncClient, path: str, content_type: str
) -> None:
    answer = await tenant_client.post(path, content=b"{}", headers={"Content-Type": content_type})

    assert answer.status_code == 422


def test_a_content_type_is_read_in_no_time() -> None:
    started = time.perf_counter()

    for piece in (b"; ", b";\t ;", b"; a=b", b';a="'):
        assert not is_json(b"application/json" + piece * (MAX_HEADERS // len(piece)) + b"\x00")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("path", [SETTINGS, "/events"])
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_body_in_another_coding_is_415_and_told_so(
    tenant_client: httpx.AsyncClient, path: str, coding: str
) -> None:
    answer = await tenant_client.post(path, content=b"\x1f\x8b\x08", headers=JSON | {"Content-Encoding": coding})

    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "Content-Encoding" in answer.json()["errors"][0]["message"]


async def test_a_body_that_is_said_to_be_as_it_is_is_taken(tenant_client: httpx.AsyncClient) -> None:
    headers = JSON | {"Content-Encoding": "Identity"}

    assert (await tenant_client.post("/events", json={"type": "DISK_LOW"}, headers=headers)).status_code == 202


@pytest.mark.parametrize("path", [SETTINGS, "/events"])
async def test_two_content_types_are_400(tenant_client: httpx.AsyncClient, path: str) -> None:
    twice = [("Content-Type", "application/json"), ("Content-Type", "application/json")]

    answer = await tenant_client.post(path, content=b'{"type": "DISK_LOW"}', headers=twice)

    assert (answer.status_code, code_of(answer)) == (400, "BAD_REQUEST")


async def test_json_in_another_charset_is_told_that_it_must_be_utf_8(tenant_client: httpx.AsyncClient) -> None:
    latin = {"Content-Type": "application/json; charset=iso-8859-1"}

    answer = await tenant_client.post(SETTINGS, content=b"{}", headers=latin)

    assert answer.json()["errors"][0]["message"].startswith("Send JSON in UTF-8, ")


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (b"Transfer-Encoding: gzip", b"x"),
        (b"Transfer-Encoding: chunked, gzip", b"x"),
        (b"Transfer-Encoding: gzip, chunked", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"nonsense\r\n"),
        (b"Transfer-Encoding: chunked", b"2\r\n{}X"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 2", b"{}"),
    ],
)
@pytest.mark.parametrize("path", [SETTINGS, "/events"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_body_that_is_not_http_is_400_in_the_one_form(
    live: str, acme_token: str, path: str, lines: bytes, body: bytes, at_once: bool
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()
    pieces = [head + b"Content-Type: application/json\r\n" + lines + b"\r\n\r\n", body]

    answer = await raw(live, *([b"".join(pieces)] if at_once else pieces), end=False)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"errors":[{"code":"BAD_REQUEST"' in answer
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_request_whose_body_is_not_http_does_nothing(live: str, acme_token: str) -> None:
    head = f"POST /logout HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n".encode()

    with capture_logs() as logs:
        answer = await raw(live, head + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", end=False)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [log for log in logs if log["log_level"] == "error"] == []


async def test_a_body_over_1_mib_is_413(tenant_client: httpx.AsyncClient) -> None:
    before = (await tenant_client.get(SETTINGS)).json()

    answer = await tenant_client.post(SETTINGS, content=b" " * (MAX_BODY + 1), headers=JSON)

    assert (answer.status_code, code_of(answer)) == (413, "TOO_LARGE")
    assert (await tenant_client.get(SETTINGS)).json() == before


async def test_a_chunked_body_over_1_mib_is_413(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(SETTINGS, content=chunks(MAX_BODY + 1), headers=JSON)

    assert (answer.status_code, code_of(answer)) == (413, "TOO_LARGE")


async def test_a_chunked_body_that_has_ended_is_not_waited_for(
    live: str, acme_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.api.http_rules._DRAIN_S", 3600)
    async with httpx.AsyncClient(headers=JSON | {"Authorization": f"Bearer {acme_token}"}, timeout=60) as client:
        assert (await client.post(live + SETTINGS, content=chunks(MAX_BODY + 1))).status_code == 413


async def test_events_that_are_too_large_without_attachments_are_not_even_read(
    tenant_client: httpx.AsyncClient,
) -> None:
    answer = await tenant_client.post("/events", content=b"[" * (MAX_BODY + 1), headers=JSON)

    assert (answer.status_code, code_of(answer)) == (413, "TOO_LARGE")


async def test_a_body_of_1_mib_is_read(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.post(SETTINGS, content=b"{}".ljust(MAX_BODY), headers=JSON)

    assert answer.status_code == 422


async def test_both_kinds_of_413_reach_a_real_client(live: str, acme_token: str) -> None:
    async with httpx.AsyncClient(
        base_url=live, headers=JSON | {"Authorization": f"Bearer {acme_token}"}, timeout=30
    ) as client:
        assert (await client.post(SETTINGS, content=b" " * (3 * MAX_BODY))).status_code == 413
        assert (await client.post(SETTINGS, content=chunks(3 * MAX_BODY))).status_code == 413
        assert (await client.get(SETTINGS)).status_code == 200


async def chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 65_536):
        yield b" " * min(65_536, size - start)

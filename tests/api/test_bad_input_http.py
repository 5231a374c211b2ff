"""Bad input, HTTP: every row of the list."""

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from ringpost.api.http_rules import MAX_BODY, MAX_HEADERS, is_json

SETTINGS = "/tenant/notification"
JSON = {"Content-Type": "application/json"}


def code_of(answer: httpx.Response) -> str:
    code: str = answer.json()["errors"][0]["code"]
    return code


async def test_no_token_and_basic_and_an_unknown_one_get_the_same_answer(anyone: httpx.AsyncClient) -> None:
    answers = [
        await anyone.get(SETTINGS, headers=headers)
        for headers in ({}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer nobody"}, {"Authorization": ""})
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("scheme", ["", "Token "])
async def test_who_leaves_bearer_out_learns_how_to_send_a_token(
    anyone: httpx.AsyncClient, acme_token: str, scheme: str
) -> None:
    answer = await anyone.get(SETTINGS, headers={"Authorization": f"{scheme}{acme_token}"})

    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHORIZED")
    assert "Authorization: Bearer TOKEN" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("path", ["/deliveries?recipient=%00", "/deliveries?event=a%00b", "/events/x?tenant=%00"])
async def test_no_query_holds_the_character_nul(tenant_client: httpx.AsyncClient, path: str) -> None:
    answer = await tenant_client.get(path)

    assert (answer.status_code, code_of(answer)) == (422, "VALIDATE_FAILED")


async def test_a_token_in_the_query_is_no_token(anyone: httpx.AsyncClient, acme_token: str) -> None:
    assert (await anyone.get(SETTINGS, params={"access_token": acme_token})).status_code == 401


async def test_two_authorization_headers_are_400(anyone: httpx.AsyncClient, acme_token: str) -> None:
    twice = [("Authorization", f"Bearer {acme_token}"), ("Authorization", f"Bearer {acme_token}")]

    answer = await anyone.get(SETTINGS, headers=twice)

    assert (answer.status_code, code_of(answer)) == (400, "BAD_REQUEST")


async def test_a_tenants_token_on_admin_is_403(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.get("/admin/notification")

    assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (SETTINGS, "GET, HEAD, POST"),
        (f"{SETTINGS}/test_email", "POST"),
        ("/default_email_templates", "GET, HEAD"),
        ("/custom_email_templates/QUEUE_SLA", "GET, HEAD, POST"),
        ("/events", "POST"),
        ("/healthz", "GET, HEAD"),
        ("/api/custom_email_templates", "GET, HEAD, POST"),
    ],
)
async def test_other_methods_are_405_with_allow(
    tenant_client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await tenant_client.request(method, path)

    assert (answer.status_code, answer.headers["allow"], code_of(answer)) == (405, allow, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", [SETTINGS, "/default_email_templates", "/healthz", "/api/custom_email_templates"])
async def test_head_on_a_get_path_is_200_and_empty(tenant_client: httpx.AsyncClient, path: str) -> None:
    answer = await tenant_client.head(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len((await tenant_client.get(path)).content))


async def test_head_on_a_post_path_is_405(tenant_client: httpx.AsyncClient) -> None:
    assert (await tenant_client.head(f"{SETTINGS}/test_email")).status_code == 405


@pytest.mark.parametrize(
    "path", [f"{SETTINGS}/", "/healthz/", "/custom_email_templates/QUEUE_SLA/", "/", "/api", "/api/"]
)
async def test_a_trailing_slash_is_404(tenant_client: httpx.AsyncClient, path: str) -> None:
    answer = await tenant_client.get(path)

    assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/events/", "/api/events/"])
async def test_events_with_a_trailing_slash_are_404_too(
    tenant_client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await tenant_client.request(method, path, json={"type": "DISK_LOW"})

    assert (answer.status_code, answer.headers.get("allow")) == (404, None)


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


@pytest.mark.parametrize("hosts", [b"", b"Host: x\r\nHost: x\r\n", b"Host:\r\nHost:\r\n"])
async def test_no_host_or_two_are_400(live: str, hosts: bytes) -> None:
    answer = await raw(live, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"errors":[{"code":"BAD_REQUEST"' in answer


async def test_json_in_another_charset_is_told_that_it_must_be_utf_8(tenant_client: httpx.AsyncClient) -> None:
    latin = {"Content-Type": "application/json; charset=iso-8859-1"}

    answer = await tenant_client.post(SETTINGS, content=b"{}", headers=latin)

    assert answer.json()["errors"][0]["message"].startswith("Send JSON in UTF-8, ")


async def test_http_1_0_needs_no_host(live: str) -> None:
    assert (await raw(live, b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


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


@pytest.mark.parametrize(
    "path",
    [
        "/x%00",
        f"{SETTINGS}%00",
        "/custom_email_templates/%2e%2e",
        "/api/%2E%2E/healthz",
        "/healthz%2f",
        "/api/default_email_templates%2FQUEUE_SLA",
        "/deliveries%5Cx",
    ],
)
async def test_nul_and_dots_in_a_path_are_404(live: str, acme_token: str, path: str) -> None:
    answer = await raw(live, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme_token}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"NOT_FOUND" in answer


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


async def test_headers_over_16_kib_are_431(tenant_client: httpx.AsyncClient) -> None:
    answer = await tenant_client.get(SETTINGS, headers={"X-Padding": "x" * MAX_HEADERS})

    assert (answer.status_code, code_of(answer)) == (431, "HEADERS_TOO_LARGE")


async def test_headers_that_do_not_end_are_431_while_they_arrive(live: str) -> None:
    answer = await raw(live, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Padding: " + b"x" * (MAX_HEADERS * 2), end=False)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"HEADERS_TOO_LARGE" in answer


async def test_what_is_not_http_is_400_in_the_one_form(live: str) -> None:
    answer = await raw(live, b"HELLO MAIL ROOM\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"errors":[{"code":"BAD_REQUEST"' in answer


async def test_the_11th_bad_token_a_minute_from_one_address_is_429(anyone: httpx.AsyncClient) -> None:
    for number in range(10):
        assert (await anyone.get(SETTINGS, headers={"Authorization": f"Bearer guess-{number}"})).status_code == 401

    answer = await anyone.get(SETTINGS, headers={"Authorization": "Bearer guess-11"})

    assert (answer.status_code, code_of(answer)) == (429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) > 0


async def test_every_path_is_served_under_api_as_well(tenant_client: httpx.AsyncClient) -> None:
    for path in (SETTINGS, "/default_email_templates/RECHARGE", "/healthz", "/nothing", "/openapi.json"):
        below, above = await tenant_client.get(f"/api{path}"), await tenant_client.get(path)
        assert (below.status_code, below.content) == (above.status_code, above.content)
    assert (await tenant_client.get("/api/api/healthz")).status_code == 404


async def test_every_answer_has_the_safe_headers(tenant_client: httpx.AsyncClient) -> None:
    for path in (SETTINGS, "/nothing", "/healthz", "/docs"):
        headers = (await tenant_client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (await tenant_client.get(SETTINGS)).headers["cache-control"] == "no-store"


async def test_a_fault_of_ours_is_500_without_details(app: FastAPI, anyone: httpx.AsyncClient) -> None:
    @app.get("/broken")
    async def broken() -> None:  # pyright: ignore[reportUnusedFunction]
        raise RuntimeError("the secret inside")

    answer = await anyone.get("/broken")

    assert (answer.status_code, code_of(answer)) == (500, "INTERNAL")
    assert "secret" not in answer.text


async def chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 65_536):
        yield b" " * min(65_536, size - start)


async def raw(url: str, *pieces: bytes, end: bool = True) -> bytes:
    """What the server answers to these very octets."""
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05 if len(pieces) > 1 else 0)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    answer += await reader.readexactly(length)
    if not end:
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"type": 7}'])
async def test_a_stranger_gets_401_whatever_the_body(anyone: httpx.AsyncClient, content: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        answer = await anyone.post("/tenant/notification", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 401, answer.text

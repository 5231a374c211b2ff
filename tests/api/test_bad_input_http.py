"""Bad input, HTTP: methods, paths, and heads."""

import httpx
import pytest
from fastapi import FastAPI
from tests.api.octets import code_of, raw

from ringpost.api.http_rules import MAX_HEADERS

SETTINGS = "/tenant/notification"


@pytest.mark.parametrize("path", ["/deliveries?recipient=%00", "/deliveries?event=a%00b", "/events/x?tenant=%00"])
async def test_no_query_holds_the_character_nul(tenant_client: httpx.AsyncClient, path: str) -> None:
    answer = await tenant_client.get(path)

    assert (answer.status_code, code_of(answer)) == (422, "VALIDATE_FAILED")


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


@pytest.mark.parametrize("hosts", [b"", b"Host: x\r\nHost: x\r\n", b"Host:\r\nHost:\r\n"])
async def test_no_host_or_two_are_400(live: str, hosts: bytes) -> None:
    answer = await raw(live, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"errors":[{"code":"BAD_REQUEST"' in answer


async def test_http_1_0_needs_no_host(live: str) -> None:
    assert (await raw(live, b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


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

"""Every route, found by itself: no token gets in, no foreign id is found, no tenant reaches the system level."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from tests.conftest import KeyOf, client_with

from ringpost.api import documented, openapi
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.usecases.room import Room

JSON = {"Content-Type": "application/json"}
BODIES: dict[str, dict[str, Any]] = {
    "/tenants": {"name": "Mine", "domain": "mine.example"},
    "/tenants/{tenant}": {"name": "Mine", "domain": "mine.example"},
    "/tenant/notification/test_email": {"recipient": "a@example.com", "subject": "s", "content": "c"},
    "/admin/notification/test_email": {"recipient": "a@example.com", "subject": "s", "content": "c"},
    "/custom_email_templates": {"name": "QUEUE_SLA"},
    "/admin/custom_email_templates": {"name": "CPU_EXCEEDED"},
    "/auth/refresh_token": {"refresh_token": "none"},
    "/login": {"username": "nobody", "password": "nothing"},
}
"""Bodies that are well-formed, where an empty object is not."""


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route that is served."""
    for route in iter_route_contexts(app.routes):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            assert route.path is not None
            yield method, route.path.replace(":path}", "}")


async def call(client: httpx.AsyncClient, method: str, path: str, ids: str) -> httpx.Response:
    """Call a route with an id in the place of every parameter."""
    filled = path
    for name in ("id", "tenant", "name"):
        filled = filled.replace(f"{{{name}}}", ids)
    assert "{" not in filled, "a parameter that this test does not know"
    return await client.request(method, filled, json=BODIES.get(path, {}) if method == "POST" else None)


async def test_every_route_is_documented(app: FastAPI) -> None:
    document = openapi.build(app, documented.router.routes)

    in_document = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert set(routes_of(app)) == in_document


async def test_every_route_without_a_token_is_401_unless_it_is_public(app: FastAPI, anyone: httpx.AsyncClient) -> None:
    for method, path in routes_of(app):
        if path in openapi.PUBLIC:
            continue
        answer = await call(anyone, method, path, "QUEUE_SLA")
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_document_says_which_routes_need_a_token(app: FastAPI, anyone: httpx.AsyncClient) -> None:
    document = openapi.build(app, documented.router.routes)

    for method, path in routes_of(app):
        answer = await call(anyone, method, path, "QUEUE_SLA")
        needs_token = answer.status_code == 401 and path not in ("/login", "/auth/refresh_token")
        assert bool(document["paths"][path][method.lower()]["security"]) == needs_token, (method, path)


async def test_every_foreign_id_is_404(
    app: FastAPI, tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    foreign = await belongings(tenant_client)
    tried = 0

    for method, path in routes_of(app):
        if "{" not in path or path.startswith(("/tenants", "/admin", "/default_email_templates", "/email_templates")):
            continue  # the first two are for system administrators; the others name what all tenants have
        for found in foreign:
            answer = await call(other_client, method, path, found)
            assert answer.status_code == 404, (method, path, found)
            tried += 1

    assert tried >= 7 * len(foreign)
    assert await belongings(tenant_client, make=False) == foreign


@pytest.mark.parametrize(
    "ids", ["nothing", "019b8d3f2a07c1d2e3f4a5b6", "..;", "'", "%27%20OR%201=1", "\u00e9", "a" * 300]
)
async def test_every_unknown_id_is_404(
    app: FastAPI, tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, ids: str
) -> None:
    for method, path in routes_of(app):
        if "{" in path:
            client = admin_client if path.startswith(("/tenants", "/admin")) else tenant_client
            assert (await call(client, method, path, ids)).status_code == 404, (method, path)


async def test_no_tenant_reaches_the_system_level(app: FastAPI, tenant_client: httpx.AsyncClient) -> None:
    for method, path in routes_of(app):
        if path.startswith(("/admin", "/tenants")):
            assert (await call(tenant_client, method, path, "acme.example")).status_code == 403, (method, path)


async def test_who_may_only_read_cannot_post(app: FastAPI, room: Room, acme: TenantId, key_of: KeyOf) -> None:
    async with client_with(app, await key_of(room, acme, Role.READ_ONLY)) as client:
        for method, path in routes_of(app):
            if method == "POST" and path not in (*openapi.PUBLIC, "/logout"):
                assert (await call(client, method, path, "QUEUE_SLA")).status_code == 403, (method, path)
        assert (await client.get("/tenant/notification")).status_code == 200


async def belongings(client: httpx.AsyncClient, *, make: bool = True) -> list[str]:
    """Ids of everything that a tenant has: event, deliveries, template, settings."""
    if make:
        settings = {"type": "SMTP", "server": "mail.example.com", "username": "u@example.com", "password": "p"}
        await client.post("/tenant/notification", json=settings)
        await client.post("/custom_email_templates", json={"name": "DISK_LOW"})
        event = {"type": "VOICEMAIL_RECEIVED", "id": "theirs", "recipients": ["a@example.com"]}
        assert (await client.post("/events", json=event)).status_code == 202
    deliveries = (await client.get("/deliveries")).json()["items"]
    templates = (await client.get("/custom_email_templates")).json()["items"]
    assert [one["state"] for one in deliveries] == ["queued"]
    assert (await client.get("/events/theirs")).status_code == 200
    return ["theirs", *(one["id"] for one in deliveries), *(one["name"] for one in templates)]

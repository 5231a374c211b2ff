"""Every route of the console, found by itself: who gets in, and what every answer says to browsers."""

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs
from tests.conftest import Clock
from tests.console.conftest import ClientOf, csrf_of
from tests.patience import patience

from ringpost.console.app import PAGES
from ringpost.console.guard import DAY_S
from ringpost.console.headers import HEADERS
from ringpost.console.routing import Access, Page
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.room import Room

OPEN = {
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/welcome/{secret}"),
    ("POST", "/welcome/{secret}"),
    ("POST", "/preferences"),
}
"""What strangers may use; everything else needs a session."""

MAY = {
    Access.PUBLIC: set(Role),
    Access.SIGNED_IN: set(Role),
    Access.TENANT: {Role.TENANT_ADMIN, Role.READ_ONLY},
    Access.EDITOR: {Role.TENANT_ADMIN},
    Access.SYSTEM: {Role.SYSTEM_ADMIN},
}
ENDS_SESSIONS = {"/sign-out", "/account/sign-out-everywhere"}


def test_strangers_may_use_what_is_listed_here_and_nothing_else() -> None:
    assert {(page.method, page.path) for page in PAGES if page.access is Access.PUBLIC} == OPEN


def test_what_is_read_and_what_is_changed_have_different_doors() -> None:
    assert [page.path for page in PAGES if page.method == "POST" and page.access is Access.TENANT] == []


async def test_every_other_route_sends_strangers_to_sign_in(client_of: ClientOf) -> None:
    client = await client_of()
    for page in PAGES:
        if (page.method, page.path) not in OPEN:
            answer = await call(client, page, "none")
            if page.method == "POST":
                assert answer.status_code == 401, page
                assert "nothing was saved" in answer.text, page
            else:
                assert answer.status_code == 303, page
                assert answer.headers["location"].startswith("/console/sign-in"), page


@pytest.mark.parametrize("role", Role)
async def test_every_route_is_open_to_its_roles_and_to_no_other(client_of: ClientOf, role: Role) -> None:
    client = await client_of(role)
    token = await csrf_of(client)
    for page in PAGES:
        if page.path in ENDS_SESSIONS:
            continue
        refused = (await call(client, page, token)).status_code == 403
        assert refused == (role not in MAY[page.access]), page


async def test_every_form_needs_its_token(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    await csrf_of(client)
    for page in PAGES:
        if page.method == "POST":
            for token in ("", "wrong", "\u00e9"):
                answer = await call(client, page, token)
                assert answer.status_code == (303 if page.path == "/sign-in" else 403), (
                    page
                )  # signed in, so it leads on
                assert "set-cookie" not in answer.headers, page


async def test_a_token_of_another_person_is_no_good(client_of: ClientOf) -> None:
    mine, theirs = await client_of(Role.TENANT_ADMIN), await client_of(Role.READ_ONLY)

    answer = await mine.post("/console/notifications", data={"csrf": await csrf_of(theirs)})

    assert answer.status_code == 403


@pytest.mark.parametrize(("days", "status"), [(1, 303), (2, 403)])
async def test_a_token_of_the_same_persons_last_session_is_good_until_the_next_day(
    client_of: ClientOf, clock: Clock, days: int, status: int
) -> None:
    token = await csrf_of(await client_of(Role.TENANT_ADMIN))
    clock.advance(days * DAY_S)

    answer = await (await client_of(Role.TENANT_ADMIN)).post("/console/notifications", data={"csrf": token})

    assert answer.status_code == status


async def test_a_token_of_one_tenant_is_no_good_in_another_after_a_new_session(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    other = await create_tenant(room, TenantDraft("Other", "other.example"))
    tokens: list[str] = []
    for tenant in (acme, other):
        client = await client_of(Role.SYSTEM_ADMIN)
        await client.post(f"/console/system/tenants/{tenant}/act", data={"csrf": await csrf_of(client)})
        tokens.append(await csrf_of(client))

    wrong = await client.post("/console/notifications", data={"csrf": tokens[0]})
    right = await client.post("/console/notifications", data={"csrf": tokens[1]})

    assert (wrong.status_code, right.status_code) == (403, 303)


async def test_no_token_is_made_of_what_a_stranger_has(client_of: ClientOf) -> None:
    stranger, anna = await client_of(), await client_of(Role.TENANT_ADMIN)
    given = await csrf_of(stranger, "/console/sign-in")
    session, _, proof = (await csrf_of(anna)).partition(".")
    assert session
    assert proof

    for token in (given, ".", f".{given}", f"{given}.", f"{given}.{given}", f"{proof}.{session}", proof):
        answer = await anna.post("/console/notifications", data={"csrf": token})
        assert answer.status_code == 403, token
    as_stranger = {"csrf": f".{proof}", "username": "anna", "password": "x"}
    assert (await stranger.post("/console/sign-in", data=as_stranger)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://ringpost.example:8025"},
    ],
)
async def test_a_form_of_another_site_is_refused_even_with_the_token(
    client_of: ClientOf, headers: dict[str, str]
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    form = {"csrf": await csrf_of(client)}

    answer = await client.post("/console/notifications", data=form, headers=headers)

    assert answer.status_code == 403
    ours = {"Origin": "https://ringpost.example"}
    assert (await client.post("/console/notifications", data=form, headers=ours)).status_code == 303


async def test_every_answer_keeps_frames_and_other_hosts_out(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    for path in ("/console/", "/console/notifications", "/console/nothing", "/console/static/x/nothing.js"):
        answer = await client.get(path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


async def test_a_body_over_the_limit_is_refused(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await client.post("/console/notifications", data={"recipients": "x" * (3 << 20)})

    assert answer.status_code == 413
    assert "too large" in answer.text


@pytest.mark.parametrize("path", ["/sign-in", "/welcome/rp_welcome_none"])
async def test_a_visitor_who_hangs_up_in_mid_form_is_no_fault_of_ours(live: str, path: str) -> None:
    target = urlsplit(live)
    _, writer = await asyncio.open_connection(target.hostname, target.port)

    with capture_logs() as logs:
        writer.write(f"POST /console{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncsrf=".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        async with patience(10):
            while not logs:
                await asyncio.sleep(0.01)

    assert [(log["event"], log["log_level"]) for log in logs] == [("client_hung_up", "info")]


async def call(client: httpx.AsyncClient, page: Page, token: str) -> httpx.Response:
    """Call a route, with something in the place of every parameter."""
    path = page.path
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + "none" + rest.partition("}")[2]
    if page.method == "GET":
        return await client.get(f"/console{path}")
    return await client.post(f"/console{path}", data={"csrf": token})

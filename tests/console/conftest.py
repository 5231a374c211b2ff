"""The console behind a real socket, people to sign in as, and a real Chromium that tells on every page.

`visitor` is a browser whose pages may not complain, fail or ask another host for anything; `assert_accessible` is axe.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright
from tests.left_out import left_out
from tools.browser import find_browser

from ringpost.api.server import server_config
from ringpost.console.app import InFront, create_console
from ringpost.console.guard import SESSION_COOKIE
from ringpost.domain.access import Role
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.serving import ApiServer, listen, url_of
from ringpost.storage import passwords
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.log_in import Login
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import sign_in

PASSWORD = "correct horse battery staple"
NAMES = {Role.SYSTEM_ADMIN: "root", Role.TENANT_ADMIN: "anna", Role.READ_ONLY: "ron"}
PATIENCE_MS = 30_000
"""For one step of a browser; machines may be busy."""


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests sign somebody in; in earnest, that is most of what they would cost (tests/usecases/test_people)."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def site(app: FastAPI, room: Room) -> InFront:
    """Console and API, as they are served."""
    return InFront(create_console(room, app.state.limits), app)


@pytest.fixture
async def people(room: Room, acme: TenantId) -> dict[Role, str]:
    """One person of each role, with PASSWORD; their names by role."""
    for role, name in NAMES.items():
        owner = SYSTEM if role is Role.SYSTEM_ADMIN else acme
        await create_user(room, owner, NewUser(name, PASSWORD, role))
    return NAMES


SessionOf = Callable[[Role], Awaitable[str]]


@pytest.fixture
def session_of(room: Room, people: dict[Role, str]) -> SessionOf:
    """Signs somebody in: `await session_of(Role.READ_ONLY)` is the value of the session's cookie."""

    async def begin(role: Role) -> str:
        domain = None if role is Role.SYSTEM_ADMIN else "acme.example"
        login = Login(people[role], Secret(PASSWORD), domain)
        return (await sign_in(room, login, "Test Browser")).reveal()

    return begin


ClientOf = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def client_of(site: InFront, session_of: SessionOf) -> AsyncIterator[ClientOf]:
    """An HTTP client without a browser: `await client_of(Role.TENANT_ADMIN)`, or `await client_of()` for a stranger."""
    opened: list[httpx.AsyncClient] = []

    async def make(role: Role | None = None) -> httpx.AsyncClient:
        # https, because a client with manners sends Secure cookies nowhere else
        client = httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="https://ringpost.example")
        if role is not None:
            client.cookies.set(SESSION_COOKIE, await session_of(role), domain="ringpost.example", path="/console")
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()


async def csrf_of(client: httpx.AsyncClient, path: str = "/console/account") -> str:
    """The token in the forms of a page."""
    page = (await client.get(path, follow_redirects=True)).text
    return page.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.fixture
async def live(site: InFront) -> AsyncIterator[str]:
    """The URL of the console behind a real socket, without a slash at its end."""
    listener = listen("127.0.0.1", 0)
    serving = ApiServer(server_config(site, "127.0.0.1", 0))
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    while not serving.started:
        await asyncio.sleep(0.01)
    yield url_of(listener)
    serving.stop()
    await task


@dataclass
class Visitor:
    """A browser at the console, and what its pages did that they must not."""

    page: Page
    url: str
    session_of: SessionOf
    faults: list[str]

    async def sign_in_as(self, role: Role) -> None:
        """Be signed in, without filling in the form."""
        cookie: Any = {"name": SESSION_COOKIE, "value": await self.session_of(role), "url": f"{self.url}/console"}
        cookie = {**cookie, "httpOnly": True, "secure": True, "sameSite": "Lax"}
        await self.page.context.add_cookies([cookie])

    async def open(self, path: str) -> Page:
        """Go to a page of the console, named without `/console`."""
        await self.page.goto(f"{self.url}/console{path}")
        return self.page

    async def press_save(self) -> None:
        """Press the button that sends the form, and wait for the next page."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name="Save", exact=True).click()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, for all tests of this process. They are left out where there is none and none could be installed."""
    path = find_browser()
    if path is None:
        left_out("pages in a browser, because there is no Chromium and none could be installed")
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
        kept_from = ["--disable-back-forward-cache"]  # which Playwright asks for, and nobody's browser has
        chromium = await playwright.chromium.launch(executable_path=path, args=arguments, ignore_default_args=kept_from)
        yield chromium
        await chromium.close()


@pytest.fixture
async def visitor(browser: Browser, live: str, session_of: SessionOf) -> AsyncIterator[Visitor]:
    """A fresh browser window; the test fails when a page complains, fails, or asks another host for anything."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    page.on("console", lambda message: _note_message(faults, message))
    page.on("pageerror", lambda error: faults.append(f"error in a script: {error}"))
    page.on("request", lambda request: _note_request(faults, request, live))
    yield Visitor(page, live, session_of, faults)
    await context.close()
    assert faults == []


def _note_message(faults: list[str], message: ConsoleMessage) -> None:
    # Chromium reports answers with 4xx as errors, which pages for people have on purpose (422, 403, 404).
    answered = message.text.startswith("Failed to load resource: the server responded with a status of 4")
    if message.type in ("error", "warning") and not answered:
        faults.append(f"{message.type} in the browser's console: {message.text}")


def _note_request(faults: list[str], request: Request, live: str) -> None:
    if not request.url.startswith((f"{live}/", "data:")):
        faults.append(f"a request to {request.url}")


_VIOLATIONS = """async () => (await axe.run({resultTypes: ['violations'], selectors: false})).violations.map(
    violation => `${violation.id}: ${violation.help}: ${violation.nodes.map(node => node.html)}`)"""


async def assert_accessible(page: Page) -> None:
    """No violation of WCAG 2.2 A and AA, nor of axe's good practice, in light and dark, wide and at 360 px."""
    axe: Any = Axe()  # whose own `run` puts half a megabyte of script into the page each time
    await page.evaluate(axe.axe_script)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1440, 360):
            await page.set_viewport_size({"width": width, "height": 900})
            over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{page.url} is {over} px too wide at {width}"
            found: list[str] = await page.evaluate(_VIOLATIONS)
            assert found == [], f"{page.url}, {scheme}, {width} px"

"""What holds for every page, found by itself: anybody can use it, nothing hostile gets into it, nobody frames it."""

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page
from tests.console.conftest import PASSWORD, ClientOf, Visitor, assert_accessible
from tests.console.hostile import HOSTILE, Place, address, furnish, places
from tests.console.leftovers import english_of

from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.console.headers import HEADERS
from ringpost.domain.access import Role
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.domain.traps import TRAPS
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.log_in import Login
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import sign_in

PLACES = list(places())
WIDTHS = (320, 360, 480, 639, 641, 700, 768, 831, 833, 860, 900, 960, 1024, 1100, 1200)
OVER = """Math.max(
  document.documentElement.scrollWidth - innerWidth,
  ...[...document.querySelectorAll("table")].map(({ parentElement: card, offsetWidth }) =>
    offsetWidth - Math.ceil(card.clientWidth - 2 * parseFloat(getComputedStyle(card).paddingLeft))))"""
"""By how much the page is wider than the window, or a table than the place in its card."""
FRAMED = ("/preview", "/message")
"""What a page shows in a frame of its own: a mail, shut off by a policy of its own."""
IN_ITS_FRAME = r"Blocked script execution in '\S+(/preview\?|/message')|directive: \"img-src data:\""


@pytest.fixture
async def known(room: Room, acme: TenantId, people: dict[Role, str]) -> dict[str, str]:
    """Both levels full of hostile texts; what stands for the parameters of addresses."""
    for role, domain in ((Role.TENANT_ADMIN, "acme.example"), (Role.SYSTEM_ADMIN, None)):
        await sign_in(room, Login(people[role], Secret(PASSWORD), domain), HOSTILE)
    return await furnish(room, acme)


async def too_wide(page: Page) -> dict[int, int]:
    """Width of the window -> by how much something is too wide for it."""
    found: dict[int, int] = {}
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900})
        over = await page.evaluate(OVER)
        if over > 0:
            found[width] = over
    return found


def is_whole(answer: httpx.Response) -> bool:
    """Whether it is a page of its own: no file and no part of a page."""
    return answer.headers.get("content-type", "").startswith("text/html") and 'class="skip"' in answer.text


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_a_page_full_of_hostile_texts_is_accessible_and_does_nothing(
    visitor: Visitor, known: dict[str, str], client_of: ClientOf, place: Place
) -> None:
    path = address(place, known)
    if not is_whole(await (await client_of(place.role)).get(f"/console{path}")):
        return
    if place.role:
        await visitor.sign_in_as(place.role)

    page = await visitor.open(path)

    assert await page.locator("img[src=x]").count() == 0
    await assert_accessible(page)
    german = {"name": LANGUAGE_COOKIE, "value": "de", "url": f"{visitor.url}/console"}
    await page.context.add_cookies([german])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    await page.reload()
    assert await page.locator("html").get_attribute("lang") == "de"
    assert await too_wide(page) == {}
    # The visitor tells on every script that runs or is kept from it; that of a mail in its frame is kept from it.
    visitor.faults[:] = [fault for fault in visitor.faults if not re.search(IN_ITS_FRAME, fault)]


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_a_page_escapes_what_is_hostile_and_lets_nobody_frame_it(
    known: dict[str, str], client_of: ClientOf, place: Place
) -> None:
    client = await client_of(place.role)
    for extra in ({}, {"HX-Request": "true"}):
        answer = await client.get(f"/console{address(place, known)}", headers=extra)

        assert answer.status_code in (200, 204), answer.text
        kept = {name: value for name, value in HEADERS.items() if answer.headers[name] != value}
        if place.path.endswith(FRAMED):
            assert "sandbox" in answer.headers["content-security-policy"]
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
            continue
        assert kept == {}
        if "html" in answer.headers.get("content-type", ""):
            assert "<script>alert" not in answer.text
            assert "<img" not in answer.text


class TestInGerman:
    """Where everybody speaks German: the tenant, the system level and who looks."""

    @pytest.fixture
    def room(self, room: Room) -> Room:
        """The room, with the system level's mails in German."""
        return replace(room, options=replace(room.options, system_locale="de"))

    @pytest.fixture
    async def known(self, room: Room, acme: TenantId, known: dict[str, str]) -> dict[str, str]:
        """The same, with the tenant's default templates in German."""
        await change_tenant(room, acme, TenantDraft(HOSTILE, "acme.example", locale="de"))
        return known

    @pytest.mark.parametrize("place", PLACES, ids=str)
    async def test_a_page_has_no_english_left(self, known: dict[str, str], client_of: ClientOf, place: Place) -> None:
        client = in_german(await client_of(place.role))

        answer = await client.get(f"/console{address(place, known)}")

        if is_whole(answer):
            assert '<html lang="de"' in answer.text
            assert english_of(answer.text) == []

    async def test_no_trap_has_english_left(self, client_of: ClientOf) -> None:
        client = in_german(await client_of(Role.TENANT_ADMIN))

        pages = {code: await client.get(f"/console/traps/{code}") for code in TRAPS}

        assert {code: left for code, page in pages.items() if (left := english_of(page.text))} == {}


def in_german(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client of somebody who has chosen German."""
    client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")
    return client


async def test_every_page_has_its_pictures_in_the_docs(known: dict[str, str], client_of: ClientOf) -> None:
    docs = Path(__file__).parents[2] / "docs"
    shown = (docs / "screenshots.md").read_text(encoding="utf-8")
    files = set(re.findall(r"\((screenshots/\S+\.png)\)", shown))

    for place in PLACES:
        if is_whole(await (await client_of(place.role)).get(f"/console{address(place, known)}")):
            assert f"\n`{place.path}`\n" in shown, f"make screenshots: {place.path} has none"
    assert [file for file in files if not (docs / file).is_file()] == []

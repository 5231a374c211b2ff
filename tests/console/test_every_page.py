"""What holds for every page, found by itself: anybody can use it, nothing hostile gets into it, nobody frames it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from babel.messages.pofile import read_po
from tests.console.conftest import PASSWORD, ClientOf, Visitor, assert_accessible
from tests.console.hostile import HOSTILE, Place, address, furnish, places

from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.console.headers import HEADERS
from ringpost.console.languages import FOLDER
from ringpost.domain.access import Role
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import TenantId
from ringpost.usecases.log_in import Credentials
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import sign_in

PLACES = list(places())
FRAMED = ("/preview", "/message")
"""What a page shows in a frame of its own: a mail, shut off by a policy of its own."""
IN_ITS_FRAME = r"Blocked script execution in '\S+(/preview\?|/message')|directive: \"img-src data:\""
READ = ("aria-label", "title", "placeholder", "alt")
"""Attributes that are read out."""


@pytest.fixture
async def known(room: Room, acme: TenantId, people: dict[Role, str]) -> dict[str, str]:
    """Both levels full of hostile texts; what stands for the parameters of addresses."""
    for role, domain in ((Role.TENANT_ADMIN, "acme.example"), (Role.SYSTEM_ADMIN, None)):
        await sign_in(room, Credentials(people[role], Secret(PASSWORD), domain), HOSTILE)
    return await furnish(room, acme)


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
    over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, f"{over} px too wide in German"
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


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_a_page_in_german_has_no_english_left(known: dict[str, str], client_of: ClientOf, place: Place) -> None:
    client = await client_of(place.role)
    client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")

    answer = await client.get(f"/console{address(place, known)}")

    if is_whole(answer):
        assert '<html lang="de"' in answer.text
        assert [text for text in texts_of(answer.text) if text in ENGLISH] == []


async def test_every_page_has_its_pictures_in_the_docs(known: dict[str, str], client_of: ClientOf) -> None:
    docs = Path(__file__).parents[2] / "docs"
    shown = (docs / "screenshots.md").read_text(encoding="utf-8")
    files = set(re.findall(r"\((screenshots/\S+\.png)\)", shown))

    for place in PLACES:
        if is_whole(await (await client_of(place.role)).get(f"/console{address(place, known)}")):
            assert f"\n`{place.path}`\n" in shown, f"make screenshots: {place.path} has none"
    assert [file for file in files if not (docs / file).is_file()] == []


def english() -> frozenset[str]:
    """Texts that are others in German."""
    with (FOLDER / "de" / "LC_MESSAGES" / "ringpost.po").open("rb") as file:
        catalogue = read_po(file, "de")
    return frozenset(text.id for text in catalogue if isinstance(text.id, str) and text.id and text.id != text.string)


ENGLISH = english()


def texts_of(page: str) -> list[str]:
    """What people read of a page, and what is read out to them."""
    found = Texts()
    found.feed(page)
    return found.texts


class Texts(HTMLParser):
    """Collects texts, without those of fields and code."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Labels that are read out are texts too."""
        self._within = tag
        self.texts += [
            value for name, value in attrs if value and name in ("aria-label", "title", "placeholder", "alt")
        ]

    def handle_data(self, data: str) -> None:
        """A text."""
        if self._within not in ("script", "style", "textarea", "code", "option") and data.strip():
            self.texts.append(data.strip())

"""Pages while the database is away: a person is told so in their language, and all goes on when it is back."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.console.conftest import ClientOf, Visitor
from tests.console.mails import report

from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.usecases.room import Room

PAGES = ("/", "/deliveries", "/mail-server", "/sign-in", "/account")


def go_away(path: Path) -> Callable[[], object]:
    """Move the file of the database; returns what brings it back."""
    elsewhere = path.rename(path.with_suffix(".elsewhere"))
    return lambda: elsewhere.rename(path)


@pytest.mark.parametrize("role", [Role.TENANT_ADMIN, Role.SYSTEM_ADMIN])
async def test_while_the_database_is_away_every_page_says_so(
    client_of: ClientOf, database_path: Path, role: Role
) -> None:
    client = await client_of(role)
    client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")
    assert (await client.get("/console/")).status_code == 200
    come_back = go_away(database_path)

    answers = [await client.get(f"/console{path}") for path in PAGES]
    renewal = await client.get("/console/deliveries", headers={"hx-request": "true"})
    sent = await client.post("/console/notifications", data={"recipients": "ann@example.com", "csrf": "any"})

    for answer in (*answers, renewal, sent):
        assert answer.status_code == 503
        assert "Die Daten sind nicht erreichbar" in answer.text
        assert "no-store" in answer.headers["cache-control"]
    assert "<html" not in renewal.text
    come_back()
    assert (await client.get("/console/")).status_code == 200, "nobody was signed out by it"
    (csrf,) = re.findall(r'name="csrf" value="([^"]+)"', answers[0].text)[:1]
    chosen = {"csrf": csrf, "language": "en", "theme": "dark"}
    assert (await client.post("/console/preferences", data=chosen)).status_code == 303


async def test_a_list_of_mails_says_that_the_database_is_away_and_comes_back_with_it(
    visitor: Visitor, room: Room, acme: TenantId, database_path: Path
) -> None:
    mail = await report(room, acme, "ann@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    for path in ("/deliveries", f"/deliveries/{mail}"):
        page = await visitor.open(path)
        known = page.get_by_role("link", name="ann@example.com").or_(page.get_by_text("What happened", exact=True))
        await known.wait_for()
        await page.wait_for_load_state("networkidle")

        come_back = go_away(database_path)
        await page.get_by_text("The data cannot be reached").wait_for()
        assert not await known.is_visible()
        come_back()

        await known.wait_for()
        assert not await page.get_by_text("The data cannot be reached").is_visible()
    visitor.faults[:] = [fault for fault in visitor.faults if "503" not in fault]

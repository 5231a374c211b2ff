"""What holds for every page: people can use it whatever their eyes, hands and screens are."""

from typing import Any

import pytest
from tests.console.conftest import Visitor, assert_accessible

from ringpost.console.guard import THEME_COOKIE
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.room import Room

INK = "getComputedStyle(document.querySelector('h1')).color"


@pytest.mark.parametrize(
    "path", ["/", "/notifications", "/mail-server", "/mail-server/oauth", "/account", "/nothing-here"]
)
async def test_pages_of_tenants_are_accessible(visitor: Visitor, path: str) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)

    await assert_accessible(await visitor.open(path))


@pytest.mark.parametrize(
    "path", ["/", "/system/tenants", "/system/mail-server", "/system/mail-server/oauth", "/system/notifications"]
)
async def test_pages_of_the_system_are_accessible(visitor: Visitor, path: str) -> None:
    await visitor.sign_in_as(Role.SYSTEM_ADMIN)

    await assert_accessible(await visitor.open(path))


async def test_pages_for_strangers_are_accessible(visitor: Visitor, room: Room, acme: TenantId) -> None:
    secret = await invite_user(room, acme, Guest("new", Role.READ_ONLY))

    for path in ("/sign-in", f"/welcome/{secret.reveal()}", "/welcome/over"):
        await assert_accessible(await visitor.open(path))


async def test_what_one_may_not_change_is_shown_and_cannot_be_sent(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/notifications")

    await assert_accessible(page)
    assert await page.get_by_role("button", name="Save", exact=True).count() == 0
    assert await page.get_by_role("switch", disabled=True).count() == 5


@pytest.mark.parametrize("theme", ["auto", "dark"])
async def test_what_is_dark_on_the_screen_is_light_on_paper(visitor: Visitor, theme: str) -> None:
    cookie: Any = {"name": THEME_COOKIE, "value": theme, "url": f"{visitor.url}/console"}
    await visitor.page.context.add_cookies([cookie])
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    await page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    on_screen = await page.evaluate(INK)

    await page.emulate_media(media="print")

    assert (on_screen, await page.evaluate(INK)) == ("rgb(236, 236, 238)", "rgb(24, 24, 27)")


async def test_the_keyboard_reaches_the_content_at_once(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")

    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    assert await page.evaluate("document.activeElement.id") == "content"


async def test_the_menu_opens_on_a_narrow_screen(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/")
    await page.set_viewport_size({"width": 360, "height": 700})
    link = page.get_by_role("link", name="Notifications", exact=True)
    assert not await link.is_visible()

    await page.locator("summary").press("Enter")
    await link.click()

    await page.wait_for_url("**/console/notifications")

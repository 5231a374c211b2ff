"""What renews itself takes nothing out of anybody's hands: ticks, marked texts, questions, the keyboard."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Route
from tests.conftest import Clock
from tests.console.conftest import Visitor
from tests.console.mails import refused, report

from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.usecases.room import Room

RENEWING = [
    ("/", Role.TENANT_ADMIN),
    ("/", Role.SYSTEM_ADMIN),
    ("/system/health", Role.SYSTEM_ADMIN),
]
TELL = """() => document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
  if ("X-Renewal" in detail.requestConfig.headers) document.documentElement.dataset.came = "yes";
})"""
CAME = "html[data-came]"


@asynccontextmanager
async def on_its_way(page: Page) -> AsyncGenerator[None]:
    """While the answer to a renewal is."""
    asked, may_come = asyncio.Event(), asyncio.Event()

    async def later(route: Route) -> None:
        if "x-renewal" in route.request.headers:
            asked.set()
            await may_come.wait()
        await route.continue_()

    await page.evaluate(TELL)
    await page.route("**/console/**", later)
    await asked.wait()
    yield
    may_come.set()
    await page.locator(CAME).wait_for()


async def test_a_box_stays_ticked_when_a_renewal_was_on_its_way(
    visitor: Visitor, room: Room, acme: TenantId, clock: Clock
) -> None:
    await report(room, acme, "jane@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries")
    clock.advance(1)
    await report(room, acme, "joe@example.com")  # so that there is something new to show
    box = page.get_by_label("Choose the mail to jane@example.com")

    async with on_its_way(page):
        await box.check()

    assert await box.is_checked()


async def test_buttons_stay_as_they_are_while_a_renewal_is_on_its_way(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    await report(room, acme, "jane@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries")

    async with on_its_way(page):
        looks = await page.locator("button").evaluate_all(
            "all => all.map(one => [getComputedStyle(one).opacity, getComputedStyle(one).cursor])"
        )

    assert {tuple(look) for look in looks} == {("1", "pointer")}


async def test_a_question_stays_open_when_a_renewal_was_on_its_way(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    delivery = await report(room, acme, "jane@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open(f"/deliveries/{delivery}")
    await page.evaluate("""() => {
        const story = document.getElementById("story");
        story.dataset.live = story.dataset.live.replace(/seen=.*/, "");  // so that there is something new to show
    }""")

    async with on_its_way(page):
        await page.get_by_role("button", name="Do not send it").click()

    assert await page.get_by_role("dialog", name="Do not send this mail?").is_visible()


@pytest.mark.parametrize(("path", "role"), RENEWING)
async def test_a_link_keeps_the_keyboard(visitor: Visitor, room: Room, acme: TenantId, path: str, role: Role) -> None:
    await report(room, acme, "jane@example.com")  # which waits, and is somebody's
    await visitor.sign_in_as(role)
    await visitor.page.clock.install()
    page = await visitor.open(path)
    place = page.locator("[hx-trigger^=every]")
    await place.evaluate("place => { place.firstElementChild.title = 'before'; }")
    await place.get_by_role("link").first.focus()
    address = await page.evaluate("document.activeElement.href")

    await page.clock.fast_forward(31_000)

    await place.locator("[title=before]").wait_for(state="detached")
    assert await page.evaluate("document.activeElement.href") == address


@pytest.mark.parametrize(("path", "role"), RENEWING)
async def test_a_text_stays_marked(visitor: Visitor, path: str, role: Role) -> None:
    await visitor.sign_in_as(role)
    await visitor.page.clock.install()
    page = await visitor.open(path)
    await page.evaluate(TELL)
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('[hx-trigger^=every] h2'))")
    marked = await page.evaluate("getSelection().toString()")

    await page.clock.fast_forward(31_000)

    await page.locator(CAME).wait_for()
    assert marked
    assert await page.evaluate("getSelection().toString()") == marked


async def test_news_are_said_by_what_was_on_the_page_before(
    visitor: Visitor, room: Room, acme: TenantId, clock: Clock
) -> None:
    delivery = await report(room, acme, "jane@example.com")
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open(f"/deliveries/{delivery}")
    await page.evaluate("for (const one of document.querySelectorAll('[role=status]')) one.dataset.known = 'yes'")
    heard = page.locator("[role=status][data-known]")

    await refused(room, acme, delivery)

    await heard.filter(has_text="Refused").wait_for(state="attached")
    await page.goto(f"{visitor.url}/console/deliveries")
    await page.evaluate("for (const one of document.querySelectorAll('[role=status]')) one.dataset.known = 'yes'")

    clock.advance(1)
    await report(room, acme, "joe@example.com")

    await heard.filter(has_text="1 new").wait_for(state="attached")

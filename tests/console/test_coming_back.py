"""Back, after a form was sent, and a form whose sending was broken off: browsers bring pages back as they were left."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Dialog, Page
from sqlalchemy import Connection
from tests.console.conftest import PATIENCE_MS, Visitor

from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.room import Room

LEAVE = "document.documentElement.dataset.left = 'yes'"
LEFT = "html[data-left]"
"""A page that was left, and is brought back and not asked for anew."""
SENT_AND_STOPPED = "button => { setTimeout(() => stop(), 500); button.click(); }"
AFTER_MS = 5_100
"""When a form that was sent may be sent once more."""


async def back(page: Page) -> None:
    async with page.expect_event("domcontentloaded"):
        await page.evaluate("history.back()")
    assert await page.locator(LEFT).count() == 0


async def ask_to_disable(page: Page) -> None:
    await page.get_by_role("row", name="zoe").get_by_role("button", name="Disable").click()


async def test_a_page_that_nothing_was_sent_from_comes_back_as_it_was_left(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/audit")
    await page.get_by_label("Who", exact=True).fill("anna")
    await page.evaluate(LEAVE)
    await page.get_by_role("link", name="People", exact=True).click()
    await page.get_by_role("heading", name="People", exact=True).wait_for()

    await page.evaluate("history.back()")

    await page.locator(LEFT).wait_for()
    assert await page.get_by_label("Who", exact=True).input_value() == "anna"


async def test_a_question_that_was_answered_is_not_open_any_more(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await create_user(room, acme, NewUser("zoe", "correct horse battery", Role.READ_ONLY))
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/people")
    await page.evaluate(LEAVE)
    await page.get_by_role("row", name="zoe").get_by_text("Change").click()
    await ask_to_disable(page)
    await page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    await page.get_by_role("status").filter(has_text="cannot sign in").wait_for()

    await back(page)

    assert await page.get_by_role("dialog").count() == 0
    assert await page.get_by_role("row", name="zoe").get_by_text("Disabled").is_visible()


async def test_what_was_saved_is_not_told_as_unsaved(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    await page.evaluate(LEAVE)
    await page.get_by_role("switch").first.click()
    unsaved = page.locator(".when-changed")
    assert await unsaved.is_visible()
    await visitor.press_save()

    await back(page)

    assert await page.get_by_role("switch").first.is_checked()
    assert not await unsaved.is_visible()


async def test_a_question_is_asked_again_when_the_sending_was_broken_off(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    await create_user(room, acme, NewUser("zoe", "correct horse battery", Role.READ_ONLY))
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/people")
    await page.get_by_role("row", name="zoe").get_by_text("Change").click()
    await ask_to_disable(page)
    async with slow_writes(room):
        await page.get_by_role("dialog").get_by_role("button", name="Disable").evaluate(SENT_AND_STOPPED)
        await page.wait_for_timeout(AFTER_MS)
        await page.keyboard.press("Escape")

        await ask_to_disable(page)

        await page.get_by_role("dialog", name="Disable zoe?").wait_for()


async def test_what_is_typed_after_a_sending_was_broken_off_is_not_lost_unasked(visitor: Visitor, room: Room) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    asked: list[str] = []

    async def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    page.on("dialog", accept)
    switches = page.get_by_role("switch")
    await switches.nth(0).click()
    async with slow_writes(room):
        await page.get_by_role("button", name="Save", exact=True).evaluate(SENT_AND_STOPPED)
        await page.wait_for_timeout(AFTER_MS)
        await switches.nth(1).click()

        await page.get_by_role("link", name="People", exact=True).click()

        await page.get_by_role("heading", name="People", exact=True).wait_for()
    assert asked == ["beforeunload"]


@asynccontextmanager
async def slow_writes(room: Room) -> AsyncGenerator[None]:
    """Nothing is stored meanwhile."""
    may_go = threading.Event()

    def wait(_: Connection) -> None:
        may_go.wait(PATIENCE_MS / 1000)

    writing = asyncio.create_task(room.database.write(wait))
    try:
        yield
    finally:
        may_go.set()
        await writing

"""Somebody presses a button once more because the answer takes its time: it is done once, and told as done."""

import asyncio
import threading

from playwright.async_api import Locator
from sqlalchemy import Connection
from tests.console.conftest import PATIENCE_MS, Visitor

from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.storage import access
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.room import Room

TWICE = "button => new Promise(done => { button.click(); setTimeout(() => { button.click(); done(); }, 100); })"


async def press_twice(button: Locator, room: Room) -> None:
    """Press it, and once more while the database still writes something else."""
    may_go = threading.Event()

    def wait(_: Connection) -> None:
        may_go.wait(PATIENCE_MS / 1000)

    writing = asyncio.create_task(room.database.write(wait))
    await button.evaluate(TWICE)
    may_go.set()
    await writing


async def test_one_key_is_made(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/keys")
    await page.get_by_label("Name", exact=True).fill("Hamburg")

    await press_twice(page.get_by_role("button", name="Make the key"), room)

    await page.get_by_role("heading", name="The key “Hamburg” is made").wait_for()
    assert [key.name for key in await room.database.read(access.list_keys, acme)] == ["Hamburg"]


async def test_who_is_deleted_is_told_as_deleted(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    await create_user(room, acme, NewUser("zoe", "correct horse battery", Role.READ_ONLY))
    page = await visitor.open("/people")
    row = page.get_by_role("row", name="zoe")
    await row.get_by_text("Change").click()
    await row.get_by_role("button", name="Delete").click()

    await press_twice(page.get_by_role("dialog").get_by_role("button", name="Delete"), room)

    await page.get_by_text("The person is deleted").wait_for()


async def test_nobody_is_told_to_have_been_slower_than_oneself(visitor: Visitor, room: Room) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/mail-server")
    await page.get_by_role("textbox", name="Server name").fill("mail.example.com")
    await page.get_by_role("textbox", name="User name").fill("pbx@example.com")
    await page.get_by_label("Password", exact=True).fill("made-up-secret")

    await press_twice(page.get_by_role("button", name="Save", exact=True), room)

    await page.get_by_text("Saved. Mail that waits").wait_for()

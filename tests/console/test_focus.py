"""Who uses the keyboard sees where they are, and stays there while something is tried; it is tried once."""

import asyncio
from typing import NamedTuple

import pytest
from playwright.async_api import Route
from tests.console.conftest import Visitor

from ringpost.cli.opening import operator
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

SERVER = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "password": "made-up-secret"}
NO_ADDRESS = "There is no @ in it."


class Trial(NamedTuple):
    """Where something is tried; the rest is told by CSS."""

    path: str
    field: str
    button: str
    answer: str


TRIALS = (
    Trial("/notifications", "#samples [name=to]", "[formaction$='/QUEUE_SLA/sample']", "#sample-QUEUE_SLA"),
    Trial("/mail-server", "#to", "#test button", "#tested"),
    Trial("/templates/RECHARGE", "[name=to]", "#send-test", "#test-result"),
)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.path)
async def test_the_button_keeps_the_keyboard(visitor: Visitor, room: Room, acme: TenantId, trial: Trial) -> None:
    path, field, button, answer = trial
    await change_settings(room, operator(acme), {**SERVER, "recipients": "ann@example.com"})
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open(path)
    pressed_again = asyncio.Event()
    sent: list[str] = []

    async def later(route: Route) -> None:
        sent.append(route.request.url)
        await pressed_again.wait()
        await route.continue_()

    await page.route("**/*sample", later)
    await page.route("**/test", later)
    await page.locator(field).evaluate("field => { (field.options?.[0] ?? field).value = 'nobody'; }")
    await page.locator(button).focus()

    await page.keyboard.press("Enter")
    await page.locator(f"{button}.htmx-request, .htmx-request {button.rpartition(' ')[2]}").wait_for()
    await page.keyboard.press("Enter")
    pressed_again.set()

    await page.locator(answer).get_by_text(NO_ADDRESS).wait_for()
    assert await page.locator(button).evaluate("button => button === document.activeElement")
    assert len(sent) == 1


COVERED = """() => {
  const here = document.activeElement, bar = document.querySelector(".save-bar");
  const { top, bottom } = here.getBoundingClientRect();
  const middle = (top + bottom) / 2;
  return middle > bar.getBoundingClientRect().top && !bar.contains(here);
}"""
NAME = "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()"
PAGES = ("/notifications", "/mail-server", "/templates/QUEUE_SLA")


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_that_has_the_keyboard_is_under_the_bar_to_save(visitor: Visitor, path: str) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open(path)
    covered: list[tuple[int, str]] = []
    for width in (1440, 360):
        await page.set_viewport_size({"width": width, "height": 700})
        await page.locator("#content").focus()
        while not await page.locator(".save-bar .primary").evaluate("button => button === document.activeElement"):
            await page.keyboard.press("Tab")
            if await page.evaluate(COVERED):
                covered.append((width, await page.evaluate(NAME)))

    assert covered == []

"""How pages look where it keeps nobody out, but would look broken: sizes, gaps, and where words break."""

from typing import Any

import pytest
from tests.console.conftest import Visitor

from ringpost.cli.opening import operator
from ringpost.domain.access import Role, Scope
from ringpost.domain.tenants import TenantId
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.room import Room

BOTH = frozenset({Scope.EVENTS_WRITE, Scope.SETTINGS})
SETTINGS = {
    "type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "auth": "DISABLE",
    "notify_user_registration": True, "notify_queue_call_lost": True,
}  # fmt: skip
GAPS = """[...document.querySelectorAll(".field:has([data-editor])")].slice(1).map(field =>
  field.getBoundingClientRect().top - field.previousElementSibling.getBoundingClientRect().bottom)"""
LINES = """button => {
  const words = document.createRange();
  words.selectNodeContents(button);
  return new Set([...words.getClientRects()].map(one => one.top)).size;
}"""
BROKEN_WORDS = """cell => {
  const one = document.createRange(), broken = [];
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    one.selectNodeContents(texts.currentNode);
    if (new Set([...one.getClientRects()].map(line => line.top)).size > 1) broken.push(texts.currentNode.data);
  }
  return broken.filter(text => !/\\s/.test(text.trim()));
}"""
SMALL = """[...document.querySelectorAll("main :is(button, a.button, select, .field input), .menu summary, .person a")]
  .filter(one => one.checkVisibility() && !["checkbox", "radio"].includes(one.type))
  .filter(one => one.getBoundingClientRect().height < 44).map(one => one.outerHTML)"""


@pytest.mark.parametrize("role", [Role.TENANT_ADMIN, Role.SYSTEM_ADMIN])
async def test_a_page_that_fits_into_the_window_does_not_scroll(visitor: Visitor, role: Role) -> None:
    await visitor.sign_in_as(role)
    page = await visitor.open("/")

    assert await page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0


async def test_the_parts_of_a_template_stand_equally_far_apart(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/templates/QUEUE_SLA")

    gaps = await page.evaluate(GAPS)

    assert gaps == [gaps[0]] * 3


async def test_the_word_on_a_button_in_a_table_stays_whole(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await create_token(room, acme, NewKey("phone system in Hamburg", BOTH, expires_in_s=90 * 86_400))
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/keys")
    await page.set_viewport_size({"width": 1100, "height": 900})

    assert await page.get_by_role("button", name="Revoke").evaluate(LINES) == 1


async def test_names_in_the_audit_log_break_where_their_words_end(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SETTINGS)
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/audit")

    (cell,) = await page.locator("td[data-label=Fields]", has_text="notify_user_registration").all()

    assert await cell.evaluate(BROKEN_WORDS) == []


@pytest.mark.parametrize("path", ["/account", "/people", "/keys", "/mail-server", "/deliveries"])
async def test_who_has_only_a_finger_finds_large_controls(visitor: Visitor, path: str) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open(path)
    phone: Any = await page.context.new_cdp_session(page)  # whose types are not whole
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    await phone.send("Emulation.setDeviceMetricsOverride", metrics)
    await phone.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    assert await page.evaluate("matchMedia('(pointer: coarse)').matches")
    assert await page.evaluate(SMALL) == []

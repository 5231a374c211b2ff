"""What the pages of deliveries must neither show nor allow."""

import httpx
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of
from tests.console.mails import refused, report, states

from ringpost.domain.access import Role
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.usecases.room import Room

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&"


async def test_nothing_from_outside_becomes_part_of_a_page(visitor: Visitor, room: Room, acme: TenantId) -> None:
    variables = {"CALLEE_NUMBER": HOSTILE, "CALLER_NAME": HOSTILE, "CALLER_NUMBER": HOSTILE}
    delivery = await report(room, acme, "a@example.com", id=HOSTILE, variables=variables)
    await refused(room, acme, delivery, HOSTILE)
    await report(room, acme, id=f"{HOSTILE}2", type="QUEUE_SLA", variables={})
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    queries = ("", "?q=a", f"?{httpx.QueryParams({'q': HOSTILE})}")
    paths = [f"/deliveries{query}" for query in queries]
    paths += [
        f"/deliveries/{delivery}",
        "/deliveries/skipped",
        f"/deliveries/many?do=retry&id={delivery}",
        "/deliveries/hours",
    ]

    for path in paths:
        page = await visitor.open(path)  # the visitor tells on every script that runs or is kept from it
        assert await page.locator("img[src=x]").count() == 0, path
        assert "<script>alert" not in await page.content(), path
    page = await visitor.open(f"/deliveries/{delivery}")
    assert HOSTILE in await page.locator(".dialogue").inner_text()
    assert await page.frame_locator("iframe.mail").locator("img[src=x]").count() == 0


async def test_a_mail_is_shown_in_a_frame_that_can_do_nothing(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    delivery = await report(room, acme, "a@example.com")

    answer = await (await client_of(Role.READ_ONLY)).get(f"/console/deliveries/{delivery}/message")

    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy.split("; ")
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_nobody_sees_or_changes_what_is_of_another_tenant(
    client_of: ClientOf, room: Room, other: TenantId
) -> None:
    delivery = await report(room, other, "theirs@example.com", id="their-event")
    client = await client_of(Role.TENANT_ADMIN)
    form = {"csrf": await csrf_of(client), "do": "cancel", "id": delivery}

    for path in ("", "?q=theirs", "?q=their-event", "/skipped"):
        assert "theirs@example.com" not in (await client.get(f"/console/deliveries{path}")).text
    for path in (delivery, f"{delivery}/message"):
        assert (await client.get(f"/console/deliveries/{path}")).status_code == 404
    assert (await client.post(f"/console/deliveries/{delivery}/cancel", data=form)).status_code == 404
    await client.post("/console/deliveries/many", data=form)
    assert await states(room, other) == {"theirs@example.com": State.QUEUED}


async def test_who_may_only_look_finds_nothing_to_press(visitor: Visitor, room: Room, acme: TenantId) -> None:
    delivery = await report(room, acme, "a@example.com")
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/deliveries")
    assert await page.locator("main input[type=checkbox]").count() == 0
    await assert_accessible(page)
    page = await visitor.open(f"/deliveries/{delivery}")

    assert await page.locator("main form").count() == 0
    await assert_accessible(page)

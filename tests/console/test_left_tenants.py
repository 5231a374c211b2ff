"""Two tabs of one system administrator: a page of the tenant that was left in the other tab changes no other tenant."""

import httpx
import pytest
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.console.app import PAGES
from ringpost.console.routing import Access
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.storage import settings
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.room import Room


@pytest.fixture
async def other(room: Room) -> TenantId:
    """The tenant of the other tab."""
    return await create_tenant(room, TenantDraft("Other", "other.example"))


async def go(client: httpx.AsyncClient, tenant: TenantId | None) -> str:
    """Work in this tenant, or at the system level; the token in the forms of pages there."""
    path = f"tenants/{tenant}/act" if tenant else "stop-acting"
    await client.post(f"/console/system/{path}", data={"csrf": await csrf_of(client)})
    return await csrf_of(client)


async def recipients(room: Room, tenant: TenantId) -> list[str]:
    return [one.spec for one in (await room.database.read(settings.show, tenant)).recipients]


async def test_no_form_of_a_tenant_that_was_left_does_anything_in_another(
    client_of: ClientOf, acme: TenantId, other: TenantId
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    of_acme = await go(client, acme)
    for elsewhere in (other, None):
        await go(client, elsewhere)
        for page in PAGES:
            if page.method == "POST" and page.access is Access.EDITOR:
                answer = await client.post(f"/console{page.path}", data={"csrf": of_acme})
                assert (answer.status_code, "You have left the tenant" in answer.text) == (409, True), page


async def test_what_is_nobodys_tenants_goes_on_in_every_tab(
    client_of: ClientOf, acme: TenantId, other: TenantId
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    of_system = await csrf_of(client)
    of_acme = await go(client, acme)
    await go(client, other)

    for token in (of_system, of_acme):
        made = {"csrf": token, "name": "New", "domain": f"{len(token)}{token[-3:].strip('-_')}.example"}
        assert (await client.post("/console/preferences", data={"csrf": token})).status_code == 303
        assert (await client.post("/console/system/tenants", data=made)).status_code in (303, 422)
    assert (await client.post("/console/sign-out", data={"csrf": of_system})).status_code == 303


@pytest.mark.parametrize("path", ["/", "/deliveries"])
async def test_what_renews_itself_shows_nothing_of_another_tenant(
    client_of: ClientOf, acme: TenantId, other: TenantId, path: str
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    renewal = {"HX-Request": "true", "X-Renewal": "true", "X-CSRF-Token": await go(client, acme)}
    assert (await client.get(f"/console{path}", headers=renewal)).status_code == 200
    await go(client, other)

    answer = await client.get(f"/console{path}", headers=renewal)

    assert (answer.status_code, answer.headers.get("hx-refresh"), answer.text) == (204, "true", "")


async def test_a_password_is_not_kept_on_the_page(client_of: ClientOf, acme: TenantId, other: TenantId) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    form = {"csrf": await go(client, acme), "server": "mail.example.com", "password": "very secret"}
    await go(client, other)

    answer = await client.post("/console/mail-server", data=form)

    assert answer.status_code == 409
    assert "very secret" not in answer.text
    assert 'href="/console/system/tenants">Choose the tenant<' in answer.text


async def test_what_was_typed_for_one_tenant_is_kept_until_it_is_chosen_again(
    visitor: Visitor, room: Room, acme: TenantId, other: TenantId
) -> None:
    await visitor.sign_in_as(Role.SYSTEM_ADMIN)

    async def work_in(name: str) -> None:
        async with visitor.page.context.expect_page() as opening:
            await visitor.page.evaluate("open('/console/system/tenants')")
        tab = await opening.value
        async with tab.expect_navigation():
            await tab.get_by_role("button", name=f"Work in {name}").click()
        await tab.close()

    await visitor.open("/system/tenants")
    await work_in("Acme")
    page = await visitor.open("/notifications")
    await page.get_by_role("textbox", name="Addresses").fill("jane@example.com")
    await work_in("Other")

    await visitor.press_save()

    await page.get_by_role("heading", name="You have left the tenant of this page").wait_for()
    assert (await recipients(room, acme), await recipients(room, other)) == ([], [])
    await assert_accessible(page)
    await work_in("Acme")
    async with page.expect_navigation():
        await page.get_by_role("button", name="Send it again").click()
    assert await page.get_by_text("Saved. It holds").is_visible()
    assert (await recipients(room, acme), await recipients(room, other)) == (["jane@example.com"], [])

"""The pages of tenants: found, made, changed, disabled, deleted, and worked in."""

import asyncio

from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.storage import audit, tenants
from ringpost.storage.audit import Filter
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.room import Room

AT = "/console/system/tenants"
HOSTILE = '<img src=x onerror="alert(1)">&amp;'


async def test_a_tenant_is_made_with_what_the_form_says(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    form = {"name": "Globex", "domain": "Globex.example", "timezone": "Europe/Berlin", "locale": "de-CH"}

    answer = await client.post(AT, data={"csrf": await csrf_of(client), **form})

    assert answer.status_code == 303
    made = await room.database.read(tenants.find_by_domain, "globex.example")
    assert made is not None
    assert answer.headers["location"] == f"{AT}/{made.id}?done=made"
    assert (made.name, made.timezone, made.locale, made.enabled) == ("Globex", "Europe/Berlin", "de-CH", True)
    entries = await room.database.read(audit.page, SYSTEM, Filter(actor="root"), 9)
    assert ("create_tenant", made.id) in [(entry.action, entry.subject) for entry in entries]


async def test_what_is_wrong_stands_beside_its_field(client_of: ClientOf, acme: TenantId) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    csrf = await csrf_of(client)

    wrong = {"name": "", "domain": "a b", "timezone": "Mars/Olympus", "locale": "?"}
    answer = await client.post(AT, data={"csrf": csrf, **wrong})
    assert answer.status_code == 422
    assert [name for name in wrong if f'id="{name}-error"' not in answer.text] == []

    taken = {"name": "Two", "domain": "acme.example", "timezone": "UTC", "locale": "en"}
    answer = await client.post(AT, data={"csrf": csrf, **taken})
    assert answer.status_code == 422
    assert "Another tenant has this domain." in answer.text
    assert acme not in answer.text


async def test_a_tenant_is_changed_disabled_and_enabled(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    csrf = {"csrf": await csrf_of(client)}
    form = {"name": "Acme Ltd", "domain": "acme.example", "timezone": "Asia/Tokyo", "locale": "en"}

    await client.post(f"{AT}/{acme}/disable", data=csrf)
    await client.post(f"{AT}/{acme}", data=csrf | form)
    changed = await room.database.read(tenants.show, acme)
    assert (changed.name, changed.timezone, changed.enabled) == ("Acme Ltd", "Asia/Tokyo", False)

    await client.post(f"{AT}/{acme}/enable", data=csrf)
    assert (await room.database.read(tenants.show, acme)).enabled


async def test_a_tenant_is_deleted_only_when_its_domain_is_typed(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    csrf = await csrf_of(client)

    for typed in ("", "other.example", "acme"):
        answer = await client.post(f"{AT}/{acme}/destroy", data={"csrf": csrf, "typed": typed})
        assert answer.status_code == 422
        assert 'id="typed-error"' in answer.text

    answer = await client.post(f"{AT}/{acme}/destroy", data={"csrf": csrf, "typed": " ACME.example"})
    assert answer.status_code == 303
    assert await room.database.read(tenants.find_by_domain, "acme.example") is None
    assert (await client.get(f"{AT}/{acme}")).status_code == 404


async def test_one_is_found_among_many_and_pages_lead_on_and_back(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    for number in range(101):
        await create_tenant(room, TenantDraft(f"Customer {number:03}", f"c{number}.example"))

    first = await client.get(AT)
    assert "Customer 049" not in first.text  # Acme comes before all of them
    assert "102 tenants" in first.text
    second = await client.get(_link(first.text, "next"))
    third = await client.get(_link(second.text, "next"))
    assert "Customer 049" in second.text
    assert "Customer 100" in third.text
    assert 'rel="next"' not in third.text
    assert (await client.get(_link(third.text, "prev"))).text.count("<tr>") == second.text.count("<tr>")
    again = await client.get(_link(second.text, "prev"))
    assert 'rel="prev"' not in again.text
    assert "Customer 048" in again.text

    found = await client.get(AT, params={"q": "customer 07"})
    assert "10 tenants found" in found.text
    fragment = await client.get(AT, params={"q": "c100.ex"}, headers={"HX-Request": "true"})
    assert "<html" not in fragment.text
    assert "Customer 100" in fragment.text


async def test_acting_begins_where_it_was_asked_for_and_nowhere_else(client_of: ClientOf, acme: TenantId) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    csrf = await csrf_of(client)
    for first, leads_to in (("/people", "/console/people"), ("//evil.example", "/console/"), ("", "/console/")):
        answer = await client.post(f"{AT}/{acme}/act", data={"csrf": csrf, "first": first})
        assert answer.headers["location"] == leads_to


async def test_names_from_outside_are_text(visitor: Visitor, room: Room) -> None:
    hostile = await create_tenant(room, TenantDraft(HOSTILE, "hostile.example"))
    await visitor.sign_in_as(Role.SYSTEM_ADMIN)

    for path in ("/system/tenants", f"/system/tenants/{hostile}", "/system/audit"):
        page = await visitor.open(path)
        assert await page.locator("img").count() == 0
        assert HOSTILE in await page.locator("main").inner_text()


async def test_the_pages_are_accessible_with_and_without_faults(visitor: Visitor, acme: TenantId) -> None:
    await visitor.sign_in_as(Role.SYSTEM_ADMIN)

    page = await visitor.open("/system/tenants/new")
    await page.get_by_role("button", name="Create the tenant").click()
    await page.locator("[role=alert]").wait_for()
    await assert_accessible(page)

    page = await visitor.open(f"/system/tenants/{acme}")
    await assert_accessible(page)
    await page.get_by_role("button", name="Disable it").first.click()
    await page.locator("dialog[open]").wait_for()
    await assert_accessible(page)
    async with page.expect_navigation():
        await page.locator("dialog[open] [data-yes]").click()
    assert await page.get_by_text("The tenant is disabled.").count() == 1


async def test_searching_changes_the_list_while_one_types(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await create_tenant(room, TenantDraft("Zeta", "zeta.example"))
    await visitor.sign_in_as(Role.SYSTEM_ADMIN)
    page = await visitor.open("/system/tenants")

    await page.get_by_label("Name or domain begins with").press_sequentially("zet")

    await page.get_by_text("1 tenant found.").wait_for()
    assert await page.get_by_role("link", name="Acme", exact=True).count() == 0
    assert acme


def _link(page: str, rel: str) -> str:
    return page.partition(f'rel="{rel}" href="')[2].partition('"')[0]


async def test_who_changes_a_tenant_does_not_enable_what_somebody_disables_at_that_moment(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    token, path = {"csrf": await csrf_of(client)}, f"{AT}/{acme}"
    renamed = {**token, "name": "Acme Ltd.", "domain": "acme.example", "timezone": "UTC", "locale": "en"}

    await asyncio.gather(client.post(f"{path}/disable", data=token), client.post(path, data=renamed))

    tenant = await room.database.read(tenants.show, acme)
    assert (tenant.name, tenant.enabled) == ("Acme Ltd.", False)

"""The pages of people: invited, changed, kept out, removed; and nobody locks themselves out."""

import re

import httpx
import pytest
from tests.conftest import Clock
from tests.console.conftest import PASSWORD, ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.domain.access import INVITATION_S, Role, User
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import access, audit
from ringpost.storage.audit import Filter
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.room import Room

LISTED = re.compile(r'<th scope="row">(\w+)')
NEXT = re.compile(r'rel="next" href="/console/people\?(after=\w+)"')
LINK = re.compile(r"https://ringpost\.example(/console/welcome/rp_welcome_[\w-]+)")


async def invite(client: httpx.AsyncClient, name: str, role: str = "read_only", at: str = "/console/people") -> str:
    """The page after somebody was invited."""
    answer = await client.post(at, data={"csrf": await csrf_of(client), "username": name, "role": role})
    return answer.text


async def user(room: Room, owner: TenantId, name: str) -> User:
    found = await room.database.read(access.find_user, owner, name)
    assert found is not None
    return found[0]


async def test_somebody_invited_sets_a_password_and_is_in(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client, guest = await client_of(Role.TENANT_ADMIN), await client_of()

    page = await invite(client, " Nina@Example.com")

    link = LINK.search(page)
    assert link is not None
    assert "It sets the password and signs in" in page
    assert LINK.search((await client.get("/console/people")).text) is None
    assert "Invited" in (await client.get("/console/people")).text
    csrf = await csrf_of(guest, link[1])
    await guest.post(link[1], data={"csrf": csrf, "password": PASSWORD, "again": PASSWORD})
    assert (await user(room, acme, "nina@example.com")).role is Role.READ_ONLY
    assert "Invited" not in (await client.get("/console/people")).text


async def test_a_link_taken_back_is_of_no_use(client_of: ClientOf) -> None:
    client, guest = await client_of(Role.TENANT_ADMIN), await client_of()
    link = LINK.search(await invite(client, "nina"))
    assert link is not None

    await client.post("/console/people/withdraw", data={"csrf": await csrf_of(client), "username": "nina"})

    assert (await guest.get(link[1])).status_code == 404


async def test_whose_link_has_ended_is_not_shown_as_invited(client_of: ClientOf, clock: Clock) -> None:
    await invite(await client_of(Role.TENANT_ADMIN), "nina")
    clock.advance(INVITATION_S)
    page = (await (await client_of(Role.TENANT_ADMIN)).get("/console/people")).text
    assert "nina" not in page


async def test_people_and_the_invited_are_listed_by_name_a_page_at_a_time(
    client_of: ClientOf, room: Room, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.console.people.ON_A_PAGE", 3)
    for name in ("zoe", "ben"):
        await create_user(room, acme, NewUser(name, PASSWORD, Role.READ_ONLY))
    client = await client_of(Role.TENANT_ADMIN)
    for name in ("xenia", "nina", "zoe"):
        await invite(client, name)

    first = (await client.get("/console/people")).text
    more = NEXT.search(first)
    assert more is not None
    second = (await client.get(f"/console/people?{more[1]}")).text

    assert LISTED.findall(first) == ["nina", "anna", "ben"], "who is invited leads, of those whose turn it is by name"
    assert LISTED.findall(second) == ["xenia", "ron", "zoe"]
    assert ("Has a link" in first, "Has a link" in second) == (False, True)
    assert NEXT.search(second) is None


async def test_a_page_whose_people_are_all_gone_shows_those_who_are_there(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    page = (await client.get("/console/people?after=zoe")).text

    assert LISTED.findall(page) == ["anna", "ron"]
    assert "To the start" not in page


async def test_a_user_is_changed_and_removed(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client, ron = await client_of(Role.TENANT_ADMIN), await client_of(Role.READ_ONLY)
    csrf = {"csrf": await csrf_of(client)}
    at = f"/console/people/{(await user(room, acme, 'ron')).id}"

    await client.post(f"{at}/role", data={**csrf, "role": "tenant_admin"})
    assert (await user(room, acme, "ron")).role is Role.TENANT_ADMIN

    await client.post(f"{at}/disable", data=csrf)
    assert (await ron.get("/console/account")).status_code == 303
    await client.post(f"{at}/enable", data=csrf)
    assert (await user(room, acme, "ron")).enabled

    renewed = (await client.post(f"{at}/invite", data=csrf)).text
    assert LINK.search(renewed)
    assert "It sets another password, once" in renewed
    assert "Has a link" in (await client.get("/console/people")).text
    await client.post(f"{at}/destroy", data=csrf)
    assert await room.database.read(access.find_user, acme, "ron") is None
    done = {entry.action for entry in await room.database.read(audit.page, acme, Filter(actor="anna"), 9)}
    assert done == {"change_user", "invite_user", "destroy_user"}


@pytest.mark.parametrize("act", ["role", "disable", "destroy"])
async def test_nobody_locks_themselves_out(client_of: ClientOf, room: Room, acme: TenantId, act: str) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    anna = await user(room, acme, "anna")

    form = {"csrf": await csrf_of(client), "role": "read_only"}
    answer = await client.post(f"/console/people/{anna.id}/{act}", data=form)

    assert answer.status_code == 409
    assert await user(room, acme, "anna") == anna


async def test_nobody_becomes_what_the_level_does_not_have(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    ron = await user(room, acme, "ron")
    csrf = await csrf_of(client)

    answer = await client.post(f"/console/people/{ron.id}/role", data={"csrf": csrf, "role": "system_admin"})
    assert answer.status_code == 409
    assert "Nothing was saved yet." in await invite(client, "nina", "system_admin")
    assert (await user(room, acme, "ron")).role is Role.READ_ONLY


async def test_people_of_others_are_not_there(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    root = await user(room, SYSTEM, "root")

    for act in ("role", "disable", "enable", "invite", "destroy"):
        form = {"csrf": await csrf_of(client), "role": "read_only"}
        assert (await client.post(f"/console/people/{root.id}/{act}", data=form)).status_code == 404
    assert await user(room, SYSTEM, "root") == root


async def test_the_system_has_administrators_only(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)

    page = await invite(client, "rita", "system_admin", "/console/system/people")

    assert LINK.search(page)
    entries = await room.database.read(audit.page, SYSTEM, Filter(actor="root"), 9)
    assert [(entry.action, entry.subject) for entry in entries] == [("invite_user", "rita")]
    assert "Nothing was saved yet." in await invite(client, "rita", "tenant_admin", "/console/system/people")


async def test_the_page_is_accessible_in_every_state(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/people")
    await page.get_by_role("button", name="Make the link").click()
    await page.locator("[role=alert]").wait_for()
    await assert_accessible(page)

    await page.get_by_label("User name").fill("<i>nina</i>")
    await page.get_by_role("button", name="Make the link").click()
    await page.locator(".once").wait_for()
    assert await page.locator("main i").count() == 0
    await assert_accessible(page)

    await page.locator("summary", has_text="Change").first.click()
    await assert_accessible(page)


async def test_who_only_looks_sees_people_and_no_buttons(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/people")

    await assert_accessible(page)
    assert await page.get_by_role("rowheader", name="anna").count() == 1
    assert await page.locator("main button").count() == 0

"""Every page and form of the console, given what names things of another tenant wherever a name may stand.

Nothing of it is shown, and nothing of it changes.
"""

import re
from itertools import product

import httpx
import pytest
from tests.console import theirs
from tests.console.conftest import ClientOf, csrf_of
from tests.console.mails import report
from tests.console.test_access import ENDS_SESSIONS
from tests.console.theirs import MARK, NAMED_BY_TYPE, TEMPLATE, Theirs

from ringpost.console.app import PAGES
from ringpost.console.routing import Access, Page
from ringpost.domain.access import Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.usecases.room import Room

PLACES = ("id", "username", "which", "not", "before", "after", "top", "seen", "q", "revision", "tenant", "typed")
"""Fields of forms and of addresses that say which thing is meant."""
OTHER_FIELDS = {"csrf", "was", "next", "do", "all", "role", "of_system"}
"""Hidden fields that name no thing."""
DOING = ({"do": "cancel", "role": "read_only"}, {"do": "retry", "changed": "1", "left": "1", "done": "retry"})
TWO_WAYS = {"/deliveries", "/deliveries/many"}


@pytest.fixture
async def foreign(room: Room, other: TenantId) -> Theirs:
    """All that there is of the other tenant."""
    await theirs.furnish(room, other, "other.example")
    return await theirs.of(room, other)


async def signed_in(client_of: ClientOf, role: Role, acme: TenantId) -> tuple[httpx.AsyncClient, str]:
    """Somebody in Acme, and the token of the forms there."""
    client = await client_of(role)
    if role is Role.SYSTEM_ADMIN:
        await client.post(f"/console/system/tenants/{acme}/act", data={"csrf": await csrf_of(client)})
    return client, await csrf_of(client)


@pytest.mark.parametrize("role", [Role.TENANT_ADMIN, Role.SYSTEM_ADMIN])
async def test_nothing_of_another_tenant_is_shown_or_changed_whatever_is_asked_for(
    client_of: ClientOf, room: Room, acme: TenantId, other: TenantId, foreign: Theirs, role: Role
) -> None:
    client, token = await signed_in(client_of, role, acme)
    tried = 0

    for page in PAGES:
        if page.access in (Access.SYSTEM, Access.PUBLIC) or page.path in ENDS_SESSIONS:
            continue
        for name, doing in product(foreign.ids, DOING if page.path in TWO_WAYS else DOING[:1]):
            answer = await ask(client, page, name, {"csrf": token, **dict.fromkeys(PLACES, name), **doing})
            assert MARK.lower() not in answer.text.lower(), (page, name)
            assert answer.status_code < 500, (page, name)
            if _names_a_thing(page):
                assert answer.status_code == 404 or _is_about_sessions(page, answer), (page, name, answer.status_code)
            tried += 1

    assert tried > 40 * len(foreign.ids)
    assert (await theirs.of(room, other)).rows == foreign.rows
    assert (await client.get("/console/account")).status_code == 200, "still signed in, so all of it was let in"


async def test_pages_of_the_system_level_do_nothing_to_what_is_a_tenants(
    client_of: ClientOf, room: Room, other: TenantId, foreign: Theirs
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    token = await csrf_of(client)

    for page in PAGES:
        if page.access is Access.SYSTEM and not page.path.startswith("/system/tenants"):
            for name in foreign.ids:
                form = {"csrf": token, **dict.fromkeys(PLACES, name), "role": "system_admin"}
                answer = await ask(client, page, name, form)
                assert answer.status_code < 500, (page, name)
                if _names_a_thing(page):
                    assert answer.status_code == 404, (page, name)

    assert (await theirs.of(room, other)).rows == foreign.rows


async def test_no_tenant_reaches_what_is_the_system_levels(
    client_of: ClientOf, room: Room, acme: TenantId, people: dict[Role, str]
) -> None:
    client, token = await signed_in(client_of, Role.TENANT_ADMIN, acme)
    await client_of(Role.SYSTEM_ADMIN)  # has a session
    of_system = await theirs.of(room, SYSTEM)
    assert people[Role.SYSTEM_ADMIN] in of_system.ids

    for page in PAGES:
        if page.path in ENDS_SESSIONS:
            continue
        for name in of_system.ids:
            answer = await ask(client, page, name, {"csrf": token, **dict.fromkeys(PLACES, name)})
            assert answer.status_code == 403 or page.access is not Access.SYSTEM, (page, name)

    assert (await theirs.of(room, SYSTEM)).rows == of_system.rows


async def test_every_field_that_a_page_fills_in_by_itself_is_known_here(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await theirs.furnish(room, acme, "acme.example")
    await report(room, acme, "a@example.com")
    found: set[str] = set()
    for role in (Role.TENANT_ADMIN, Role.SYSTEM_ADMIN):
        client = await client_of(role)
        for page in PAGES:
            if page.method == "GET":
                text = (await ask(client, page, TEMPLATE, {"do": "retry", "all": "on"})).text
                for field in re.findall(r"<input [^>]*>", text):
                    if 'type="hidden"' in field or ('type="checkbox"' in field and 'value="on"' not in field):
                        found |= set(re.findall(r' name="(\w+)"', field))

    assert {"id", "csrf", "username", "seen"} <= found
    assert found <= {*PLACES, *OTHER_FIELDS}, "say of each whether it names a thing"


async def ask(client: httpx.AsyncClient, page: Page, name: str, form: dict[str, str]) -> httpx.Response:
    """Call a route with a name in the place of every parameter of its path, and these fields."""
    known = {"name": TEMPLATE, "number": "1"}
    path = re.sub(r"{(\w+)}", lambda parameter: known.get(parameter[1], httpx.URL(name).raw_path.decode()), page.path)
    if page.method == "GET":
        return await client.get(f"/console{path}", params={key: form[key] for key in form if key != "csrf"})
    return await client.post(f"/console{path}", data=form)


def _names_a_thing(page: Page) -> bool:
    parameters = set(re.findall(r"{(\w+)}", page.path))
    return bool(parameters - NAMED_BY_TYPE) or page.path.endswith(("/revisions/{number}", "/{number}/restore"))


def _is_about_sessions(page: Page, answer: httpx.Response) -> bool:
    """Ending a session that there is not, or not any more, is no fault."""
    return page.path == "/account/sessions/{session}/end" and answer.status_code == 303

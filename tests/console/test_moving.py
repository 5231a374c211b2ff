"""The pages of export and import: nothing is done before it was shown, and then all of it or nothing."""

import html
import json
import re
from typing import Any

import httpx
import pytest
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of
from tests.console.leftovers import english_of

from ringpost.console.guard import LANGUAGE_COOKIE
from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.storage import settings
from ringpost.usecases.room import Room

AT = "/console/moving"


async def exported(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(f"{AT}/export")
    assert "attachment" in answer.headers["content-disposition"]
    return answer.json()


async def send(client: httpx.AsyncClient, act: str, content: object) -> httpx.Response:
    text = content if isinstance(content, str) else json.dumps(content)
    return await client.post(f"{AT}/{act}", data={"csrf": await csrf_of(client), "pasted": text})


async def test_what_would_change_is_shown_first_and_done_then(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    file = await exported(client)
    file["settings"] |= {"type": "SMTP", "server": "mail.example.com", "username": "u@example.com", "port": 587}
    file["templates"]["QUEUE_SLA"] = {"subject": "<b>Late</b>", "body": ["<p>one", "two</p>"]}

    page = (await send(client, "check", file)).text
    before = await room.database.read(settings.show, acme)
    assert before.mail_server is None
    assert "settings.server" in page
    assert "&lt;b&gt;Late" in page
    assert "<b>Late" not in page
    assert "settings.password" in page.partition("To be entered afterwards")[2]

    carried = page.partition('name="pasted" hidden>')[2].partition("</textarea>")[0].lstrip("\n")
    done = await send(client, "import", html.unescape(carried))
    assert done.headers["location"] == f"{AT}?done=imported_secrets"
    after = await room.database.read(settings.show, acme)
    assert after.mail_server is not None
    assert after.mail_server.server == "mail.example.com"
    assert "The file changes nothing" in (await send(client, "check", file)).text


async def test_a_file_is_taken_as_a_file_too(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    file = await exported(client)
    file["settings"]["recipients"] = "new@example.com"
    form = {"csrf": await csrf_of(client)}

    upload = ("acme.json", json.dumps(file).encode(), "application/json")
    page = (await client.post(f"{AT}/check", data=form, files={"file": upload})).text
    assert "new@example.com" in page

    broken = ("acme.json", b"\xff\xfe{}", "application/json")
    answer = await client.post(f"{AT}/check", data=form, files={"file": broken})
    assert answer.status_code == 422
    assert "UTF-8" in answer.text


async def test_each_fault_is_told_with_its_place_and_nothing_is_done(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    file = await exported(client)
    file["settings"] |= {"port": 99999, "recipients": "a@example.com"}
    file["templates"]["QUEUE_SLA"] = {"subject": "two\nlines"}

    for act in ("check", "import"):
        answer = await send(client, act, file)
        assert answer.status_code == 422
        assert "settings.port" in answer.text
        assert "templates.QUEUE_SLA.subject" in answer.text
    for wrong, said in (("", "Choose a file"), ("{", "The file is not JSON"), ('{"a":1,"a":2}', "twice"), ("[]", "")):
        answer = await send(client, "check", wrong)
        assert answer.status_code == 422
        assert said in answer.text
    assert (await room.database.read(settings.show, acme)).recipients == ()


@pytest.mark.parametrize(
    "broken",
    ["{", '{"a": nul}', '{"a":1,"a":2}', "NaN", "[" * 40, "[" * 40 + "]" * 40, "1" * 400, "1e999", "\ufeff{}", "[]"],
)
async def test_what_is_no_json_is_told_in_german_too(client_of: ClientOf, broken: str) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    english = await send(client, "check", broken)
    client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")

    german = await send(client, "check", broken)

    said = [re.sub("<.*?>", "", re.findall(r"<li>(.*?)</li>", page.text)[-1]) for page in (english, german)]
    assert not re.search(r"\.[:.]|Expecting", "".join(said))
    assert said[0] != said[1]
    assert english_of(german.text) == []


async def test_what_changes_of_templates_is_told_in_german_too(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    file = await exported(client)
    file["templates"]["QUEUE_SLA"] = {"subject": "default"}
    client.cookies.set(LANGUAGE_COOKIE, "de", domain="ringpost.example", path="/console")

    page = (await send(client, "check", file)).text

    assert "<span>Standard</span>" in page
    assert "<span>Angepasst</span>" in page
    assert "<span>default</span>" in page, "what somebody wrote stays as it is"


async def test_a_tenants_file_is_not_for_the_system(client_of: ClientOf) -> None:
    tenant, system = await client_of(Role.TENANT_ADMIN), await client_of(Role.SYSTEM_ADMIN)
    form = {"csrf": await csrf_of(system), "pasted": json.dumps(await exported(tenant))}

    answer = await system.post("/console/system/moving/check", data=form)

    assert answer.status_code == 422
    assert (await system.get("/console/system/moving/export")).json()["format"] == "ringpost-system"


async def test_the_page_is_accessible_in_every_state(visitor: Visitor, client_of: ClientOf) -> None:
    file = await exported(await client_of(Role.TENANT_ADMIN))
    file["settings"]["recipients"] = "new@example.com"
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/moving")
    await assert_accessible(page)

    await page.get_by_role("button", name="Show what would change").click()
    await page.locator("[role=alert]").wait_for()
    await assert_accessible(page)
    await page.get_by_text("Or paste its content", exact=True).click()
    await page.get_by_label("Content", exact=True).fill(json.dumps(file))
    async with page.expect_navigation():
        await page.get_by_role("button", name="Show what would change").click()
    await assert_accessible(page)
    async with page.expect_navigation():
        await page.get_by_role("button", name="Import it now").click()
    assert await page.get_by_text("Imported.").count() == 1


async def test_who_only_looks_may_export_and_nothing_else(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.READ_ONLY)

    page = await visitor.open("/moving")

    await assert_accessible(page)
    assert await page.get_by_role("link", name="Download the file").count() == 1
    assert await page.locator("main button, main input").count() == 0

"""The page of notifications, in a browser and without one."""

import re
from dataclasses import replace
from html import unescape

from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of

from ringpost.console.notifications import GROUPS
from ringpost.console.template_levels import LEVELS
from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.settings import TENANT_SWITCHES
from ringpost.domain.tenants import TenantId
from ringpost.storage import settings
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room


def test_every_event_type_has_its_words_on_the_page() -> None:
    assert sorted(told.name for group in GROUPS for told in group.types) == sorted(CATALOGUE)


def test_a_type_without_words_of_its_own_is_called_by_its_description() -> None:
    assert replace(LEVELS[0], groups=()).title("QUEUE_SLA") == CATALOGUE["QUEUE_SLA"].description


async def test_recipients_and_switches_are_chosen_with_the_keyboard(
    visitor: Visitor, room: Room, acme: TenantId
) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    await page.get_by_role("textbox", name="Addresses").focus()
    await page.keyboard.type('anna@example.com,"Doe, Jane" <jane@example.org>;bad@@example.com')
    await page.keyboard.press("Enter")
    await page.get_by_label("A caller has waited for too long", exact=True).focus()
    await page.keyboard.press("Space")
    await visitor.press_save()
    assert "There is more than one @ in it." in await page.locator("#recipients-error").inner_text()
    assert (await page.locator(".chips li.wrong").inner_text()).startswith("bad@@example.com")
    await assert_accessible(page)
    await page.get_by_role("button", name="Remove bad@@example.com").click()

    await visitor.press_save()

    saved = await room.database.read(settings.show, acme)
    assert [one.spec for one in saved.recipients] == ["anna@example.com", "jane@example.org"]
    assert saved.switches["notify_queue_sla_breached"] is True
    assert await page.get_by_role("status").filter(has_text="Saved").is_visible()


async def test_a_sixteenth_recipient_is_told_while_typing_and_refused(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    field = page.get_by_role("textbox", name="Addresses")
    await field.fill(", ".join(f"a{number}@example.com" for number in range(16)))
    await field.press("Enter")

    assert await page.locator(".chips-count.error").inner_text() == "16 of 15 · One too many. Remove one first."
    await field.fill(", ".join(f"b{number}@example.com" for number in range(8)))
    await field.press("Enter")
    assert await page.locator(".chips-count.error").inner_text() == "24 of 15 · 9 too many. Remove as many first."
    for number in range(8):
        await page.get_by_role("button", name=f"Remove b{number}@example.com").click()
    await visitor.press_save()

    assert "At most 15 addresses are allowed" in await page.locator("#recipients-error").inner_text()
    await page.get_by_role("button", name="Remove a15@example.com").click()
    assert (await page.locator(".chips-count").inner_text()).startswith("15 of 15")
    await visitor.press_save()
    assert await page.get_by_role("status").filter(has_text="Saved").is_visible()


async def test_what_is_no_address_is_told_while_typing(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    field = page.get_by_role("textbox", name="Addresses")
    for text in ("anna@example.com", '"Doe, Jane" <jane@example.org>', "a@münchen.de", '"odd @ one"@example.com'):
        await field.fill(text)
        await field.press("Enter")
    assert await page.locator(".chips li.wrong").count() == 0

    await field.fill("anna@example; Bob <bob>")
    await field.press("Enter")

    assert await page.locator(".chips li.wrong").count() == 2
    assert "No whole mail address: anna@example, Bob <bob>" in await page.locator(".chips-count").inner_text()
    await page.get_by_role("button", name="Remove anna@example", exact=True).click()
    await page.get_by_role("button", name="Remove Bob <bob>").click()
    assert await page.locator(".chips-count.error").count() == 0
    page.on("dialog", lambda dialog: dialog.accept())


async def test_changes_are_not_lost_without_asking(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    asked: list[str] = []
    await page.get_by_label("A queue called a caller back", exact=True).check()

    async def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        await dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    await page.get_by_role("link", name="Overview").click(no_wait_after=True)
    await page.wait_for_function("document.querySelector('form.changed')")
    while not asked:
        await page.wait_for_timeout(50)

    assert asked == ["beforeunload"]
    assert page.url.endswith("/notifications")


async def test_a_sample_says_why_it_was_not_sent(visitor: Visitor) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/notifications")
    await page.get_by_role("textbox", name="Addresses").fill("anna@example.com")
    await visitor.press_save()

    await page.get_by_role("button", name="Send a sample of: A voicemail arrived").click()

    said = page.locator("#sample-VOICEMAIL_RECEIVED .notice")
    await said.wait_for()
    assert "There is no mail server to send through." in await said.inner_text()


async def test_two_tabs_undo_nothing_of_each_other(visitor: Visitor, room: Room, acme: TenantId) -> None:
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    first = await visitor.open("/notifications")
    await first.get_by_role("textbox", name="Addresses").fill("anna@example.com, gone@example.com")
    await visitor.press_save()
    second = await first.context.new_page()
    await second.goto(first.url)
    await first.get_by_label("A queue called a caller back", exact=True).check()
    await first.get_by_role("button", name="Remove gone@example.com").click()
    await first.get_by_role("textbox", name="Addresses").fill("bob@example.com")
    await visitor.press_save()

    await second.get_by_label("A caller left a queue unanswered", exact=True).check()
    await second.get_by_role("textbox", name="Addresses").fill("carl@example.com")
    async with second.expect_navigation():
        await second.get_by_role("button", name="Save", exact=True).click()

    saved = await room.database.read(settings.show, acme)
    assert {name for name, on in saved.switches.items() if on} == {"notify_queue_callback", "notify_queue_call_lost"}
    assert [one.spec for one in saved.recipients] == ["anna@example.com", "bob@example.com", "carl@example.com"]


async def test_two_tabs_undo_nothing_of_each_other_at_the_system_level(client_of: ClientOf) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    page = "/console/system/notifications"

    async def opened() -> dict[str, str]:
        shown = (await client.get(page)).text
        return {name: unescape(value) for name, value in re.findall(r'name="(csrf|was)" value="(.*?)"', shown)}

    first, second = await opened(), await opened()
    await client.post(page, data={**first, "notify_ip_blocked": "on", "cpu_threshold": "91.5"})
    refused = await client.post(page, data={**second, "notify_license_limited": "on", "memory_threshold": "x"})
    kept = unescape(re.findall(r'name="was" value="(.*?)"', refused.text)[0])
    await client.post(page, data={**second, "was": kept, "notify_license_limited": "on", "memory_threshold": "80"})

    shown = (await client.get(page)).text
    assert set(re.findall(r'name="(notify_\w+)" value="on" checked', shown)) == {
        "notify_ip_blocked",
        "notify_license_limited",
    }
    assert re.findall(r'id="(?:cpu|memory)_threshold" .*?value="(.*?)"', shown) == ["91.5", "80"]


async def test_a_form_that_tells_nonsense_of_what_it_showed_is_saved_as_it_is(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    token = await csrf_of(client, "/console/notifications")
    for nonsense in ("", "[" * 5000, "[]", '{"recipients": 7}', '{"recipients": "no address"}', '{"recipients": null}'):
        form = {"csrf": token, "was": nonsense, "recipients": "a@example.com"}
        assert (await client.post("/console/notifications", data=form)).status_code == 303, nonsense

    assert len((await room.database.read(settings.show, acme)).recipients) == 1


async def test_it_works_without_scripts_and_keeps_the_mail_server(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    form = {"csrf": await csrf_of(client, "/console/notifications")}
    server = {"type": "SMTP", "server": "mail.example.com", "username": "u@example.com", "password": "made up"}
    anna = Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "anna", "t")
    await change_settings(room, anna, server)
    every = dict.fromkeys(TENANT_SWITCHES, "on")

    await client.post("/console/notifications", data={**form, **every, "recipients": "a@example.com\r\nb@example.com"})

    saved = await room.database.read(settings.load, room.sealer, acme)
    assert saved.mail_server is not None
    assert saved.mail_server.password is not None
    assert saved.mail_server.password.reveal() == "made up"
    assert len(saved.recipients) == 2
    assert all(saved.switches[name] for name in TENANT_SWITCHES)


async def test_each_wrong_recipient_is_told_its_own_fault(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    typed = 'jane@acme, "Doe, Jo" <jo@example.com>; bob smith@acme.example.com\nb`b@example.com, nobody'

    answer = await client.post(
        "/console/notifications", data={"csrf": await csrf_of(client, "/console/notifications"), "recipients": typed}
    )

    error = answer.text.partition('id="recipients-error"')[2].partition("</p>")[0]
    lines = [re.sub(r"<(?!/?code)[^>]*>", "", line) for line in error.partition("<span>")[2].split("<br>")]
    assert len(lines) == 3
    assert lines[0].startswith("<code>jane@acme</code>: The part after the @ has no dot.")
    assert lines[1].startswith("<code>bob smith@acme.example.com</code>: The part before the @ has a character")
    assert lines[2].startswith("<code>nobody</code>: There is no @ in it.")
    assert "Also wrong" not in answer.text
    assert answer.text.count('<li><a href="#recipients">') == 3


async def test_sixteen_recipients_are_refused_beside_the_field(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    many = "\n".join(f"a{number}@example.com" for number in range(16))

    answer = await client.post(
        "/console/notifications", data={"csrf": await csrf_of(client, "/console/notifications"), "recipients": many}
    )

    assert answer.status_code == 422
    assert 'id="recipients-error"' in answer.text
    assert "a15@example.com" in answer.text


async def test_every_event_type_is_on_the_page(client_of: ClientOf) -> None:
    page = (await (await client_of(Role.TENANT_ADMIN)).get("/console/notifications")).text

    assert [name for name in CATALOGUE if f'id="sample-{name}"' not in page] == []


async def test_thresholds_that_a_program_has_set_stay_what_they_are(client_of: ClientOf, room: Room) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)

    async def save(thresholds: dict[str, str]) -> None:
        form = {"csrf": await csrf_of(client), **thresholds}
        assert (await client.post("/console/system/notifications", data=form)).status_code == 303

    await save({"cpu_threshold": "12.5", "memory_threshold": "0,5 %", "hard_disk_threshold": "99.9"})
    page = (await client.get("/console/system/notifications")).text
    shown = dict(re.findall(r'name="((?:cpu|memory|hard_disk)_threshold)"[^>]*? value="([^"]*)"', page))
    assert shown == {"cpu_threshold": "12.5", "memory_threshold": "0.5", "hard_disk_threshold": "99.9"}
    await save(shown)

    saved = await room.database.read(settings.show_system)
    assert (saved.cpu_threshold, saved.memory_threshold, saved.hard_disk_threshold) == (0.125, 0.005, 0.999)

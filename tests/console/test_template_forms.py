"""The pages of templates without scripts: forms, headers, levels, and what is not lost."""

import re

import httpx
from tests.console.conftest import ClientOf, csrf_of
from tests.turns import turns_of_others

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.storage import audit, templates
from ringpost.storage.audit import Filter
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.room import Room

PAGE = "/console/templates/RECHARGE"
GERMAN_SUBJECT = "Zu lange Wartezeit in der Warteschlange"


def anna_of(tenant: TenantId) -> Principal:
    """The tenant's administrator."""
    return Principal(tenant, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "anna", "t")


async def form_of(client: httpx.AsyncClient, path: str = PAGE, **fields: str) -> dict[str, str]:
    """What a browser without scripts would send."""
    page = (await client.get(path)).text
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    empty = dict.fromkeys(("from", "subject", "body", "text_body"), "")
    return {"csrf": await csrf_of(client), "seen": seen, "values": "samples", "view": "html", **empty, **fields}


async def test_every_template_is_listed_and_its_own_are_marked(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    await create_template(room, anna_of(acme), "RECHARGE", Parts(subject="Paid"))
    client = await client_of(Role.READ_ONLY)

    page = (await client.get("/console/templates")).text

    assert [name for name in CATALOGUE if f'/console/templates/{name}"' not in page] == []
    assert (page.count("Customised"), page.count(">Default<")) == (1, len(CATALOGUE) - 1)
    for name in CATALOGUE:
        assert (await client.get(f"/console/templates/{name}")).status_code == 200


async def test_defaults_are_in_the_language_of_the_tenant(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    english = (await client.get(PAGE.replace("RECHARGE", "QUEUE_SLA"))).text
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", locale="de-AT"))

    german = (await client.get(PAGE.replace("RECHARGE", "QUEUE_SLA"))).text

    assert "Waiting too long in the queue" in english
    assert "Waiting too long in the queue" not in german
    assert GERMAN_SUBJECT in german
    assert GERMAN_SUBJECT not in english


async def test_a_template_is_saved_and_reset_without_scripts(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await client.post(PAGE, data=await form_of(client, subject=" Paid ", body="<p>one</p>\r\n<p>two</p>"))
    assert answer.headers["location"] == f"{PAGE}?done=saved"
    saved = await room.database.read(templates.get, acme, "RECHARGE")
    assert saved.parts == Parts(subject="Paid", body="<p>one</p>\n<p>two</p>")

    await client.post(f"{PAGE}/reset", data={"csrf": await csrf_of(client)})
    assert await room.database.read(templates.show, acme, "RECHARGE") is None
    actions = {entry.action for entry in await room.database.read(audit.page, acme, Filter(), 99)}
    assert {"create_template", "destroy_template"} <= actions
    again = await client.post(f"{PAGE}/reset", data={"csrf": await csrf_of(client)})
    assert again.status_code == 303


async def test_checking_comparing_and_trying_keep_the_draft_and_save_nothing(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    draft = await form_of(client, subject="Mine <b>", body="<p>%%PAYMENT_AMOUN%%</p>", to="jane@example.org")
    said = {"check": "Did you mean <code>%%PAYMENT_AMOUNT%%</code>?", "difference": "Added:", "test": "no mail server"}

    for action, words in said.items():
        answer = await client.post(f"{PAGE}/{action}", data=draft)
        assert answer.status_code == 200, action
        assert words in answer.text, action
        assert 'value="Mine &lt;b&gt;"' in answer.text, action
        assert "&lt;p&gt;%%PAYMENT_AMOUN%%&lt;/p&gt;" in answer.text, action
    assert await room.database.read(templates.show, acme, "RECHARGE") is None


async def test_what_no_mail_can_hold_is_refused_beside_its_field(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)

    answer = await client.post(PAGE, data=await form_of(client, subject="x" * 999, body="<p>kept</p>"))

    assert answer.status_code == 422
    assert 'id="subject-error"' in answer.text
    assert "At most 998 characters." in answer.text
    assert "&lt;p&gt;kept&lt;/p&gt;" in answer.text


async def test_a_part_of_blanks_is_the_defaults(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    blank = await form_of(client, subject="Paid", body=" \r\n ", text_body=" ")
    empty = {**blank, "body": "", "text_body": ""}
    for path in ("preview", "difference"):
        shown = [
            (await client.post(f"{PAGE}/{path}", data=form, headers={"HX-Request": "true"})).text
            for form in (blank, empty)
        ]
        assert shown[0] == shown[1], path
    await client.post(PAGE, data=blank)
    assert (await room.database.read(templates.get, acme, "RECHARGE")).parts == Parts(subject="Paid")


async def test_beside_a_body_of_ones_own_the_defaults_text_is_not_what_stands_for_nothing(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    before = (await client.get(PAGE)).text
    await create_template(room, anna_of(acme), "RECHARGE", Parts(body="<p>Paid</p>"))

    after = (await client.get(PAGE)).text

    grey = re.compile(r'<textarea id="text_body"[^>]* placeholder="([^"]*)"')
    assert "Thank you for your payment" in (grey.search(before) or [""])[1]
    assert (grey.search(after) or ["none"])[1] == ""


async def test_starting_from_the_default_takes_nothing_away_that_is_saved(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    fresh = (await client.get(f"{PAGE}?start=body")).text
    await create_template(room, anna_of(acme), "RECHARGE", Parts(body="<p>ours alone</p>"))
    saved = (await client.get(f"{PAGE}?start=body")).text
    bodies = [page.partition('name="body"')[2].partition(">")[2].partition("</textarea>")[0] for page in (fresh, saved)]
    assert len(bodies[0]) > 100, "something to start from"
    assert bodies[1].strip() == "&lt;p&gt;ours alone&lt;/p&gt;"


async def test_nothing_is_lost_when_somebody_else_was_faster(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    mine = await form_of(client, subject="Mine")
    theirs = await create_template(room, anna_of(acme), "RECHARGE", Parts(subject="Theirs"))

    refused = await client.post(PAGE, data=mine)

    assert refused.status_code == 409
    assert 'value="Mine"' in refused.text
    assert "Theirs</del>" in refused.text
    assert await room.database.read(templates.get, acme, "RECHARGE") == theirs
    knowingly = {**mine, "seen": refused.text.partition('name="seen" value="')[2].partition('"')[0]}
    assert (await client.post(PAGE, data=knowingly)).status_code == 303
    assert [one.number for one in await room.database.read(templates.list_saved, acme, "RECHARGE", 9)] == [2, 1]


async def test_previews_may_do_and_load_nothing(client_of: ClientOf) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    draft = await form_of(client, body="<p>Hello</p><script>1</script>")

    answers = [
        await client.get(f"{PAGE}/preview"),
        await client.post(f"{PAGE}/preview", data=draft),
        await client.post(f"{PAGE}/preview", data={**draft, "view": "text"}),
        await client.post(f"{PAGE}/preview", data={**draft, "subject": "x" * 999}),
    ]

    for answer in answers:
        policy = set(answer.headers["content-security-policy"].split("; "))
        assert policy == {
            "sandbox",
            "default-src 'none'",
            "img-src data:",
            "style-src 'unsafe-inline'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        }
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    assert "At most 998 characters." in answers[-1].text
    page = (await client.get(PAGE)).text
    assert page.count("<iframe") == page.count('sandbox=""') == 1


async def test_secrets_of_the_last_event_are_not_shown(
    client_of: ClientOf, tenant_client: httpx.AsyncClient, room: Room, acme: TenantId
) -> None:
    server = {"type": "SMTP", "server": "mail.example.com", "username": "u@example.com", "password": "made up"}
    await change_settings(room, anna_of(acme), {**server, "notify_user_registration": True})
    variables = {"USER_NAME": "zoe.real", "USER_PASSWORD": "real-secret-1", "USER_EMAIL": "zoe@example.com"}
    event = {"type": "USER_CREATION", "id": "u1", "variables": variables, "recipients": ["zoe@example.com"]}
    assert (await tenant_client.post("/events", json=event)).status_code == 202
    client = await client_of(Role.READ_ONLY)

    preview = await client.get("/console/templates/USER_CREATION/preview?values=last_event")
    page = await client.get("/console/templates/USER_CREATION?values=last_event")

    assert "zoe.real" in preview.text
    assert "real-secret-1" not in preview.text + page.text
    assert "passwords and PINs are made up" in page.text


async def test_a_preview_says_when_there_was_no_event_yet(client_of: ClientOf) -> None:
    client = await client_of(Role.READ_ONLY)

    page = (await client.get(f"{PAGE}?values=last_event")).text

    assert "There was no such event yet" in page


async def test_an_old_revision_is_restored_without_scripts(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    await client.post(PAGE, data=await form_of(client, subject="One"))
    await client.post(PAGE, data=await form_of(client, subject="Two"))

    page = (await client.get(f"{PAGE}/revisions/2")).text
    assert "One</del>" in page
    assert "Two</ins>" in page
    await client.post(f"{PAGE}/revisions/1/restore", data={"csrf": await csrf_of(client)})

    saved = await room.database.read(templates.get, acme, "RECHARGE")
    assert (saved.number, saved.author, saved.parts.subject) == (3, "anna", "One")
    for wrong in ("0", "4", "x", "9" * 30, "²"):
        assert (await client.get(f"{PAGE}/revisions/{wrong}")).status_code == 404


async def test_the_system_level_has_templates_of_its_own(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client, path = await client_of(Role.SYSTEM_ADMIN), "/console/system/templates/CPU_EXCEEDED"
    token = {"csrf": await csrf_of(client)}
    page = (await client.get("/console/system/templates")).text
    assert [name for name in SYSTEM_CATALOGUE if f'/console/system/templates/{name}"' not in page] == []

    await client.post(path, data=await form_of(client, path, subject="Busy: %%CPU_USAGE%%"))
    await client.post(f"/console/system/tenants/{acme}/act", data=token)
    await client.post(path, data=await form_of(client, path, subject="Very busy"))

    saved = await room.database.read(templates.get, SYSTEM, "CPU_EXCEEDED")
    assert (saved.number, saved.author, saved.parts.subject) == (2, "root", "Very busy")
    assert await room.database.read(templates.list_in_force, acme) == {}
    assert (await client.get("/console/templates/CPU_EXCEEDED")).status_code == 404


async def test_a_large_body_fits_into_the_form(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    large = "<p>%%PAYMENT_AMOUNT%%</p>" + "ä" * (255 * 1024)
    form = await form_of(client, body=large, text_body=large)

    answer = await client.post(PAGE, files={name: (None, value) for name, value in form.items()})

    assert answer.status_code == 303
    assert (await room.database.read(templates.get, acme, "RECHARGE")).parts.body == large


async def test_while_two_large_texts_are_compared_others_get_their_turn(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    theirs, mine = ("\n".join(f"{number:b}") for number in (3**63_000, 5**43_000))  # 100,000 lines without a pattern
    fields = await form_of(client, body=mine)
    await create_template(room, anna_of(acme), "RECHARGE", Parts(body=theirs))

    async with turns_of_others() as gaps:
        clash = await client.post(PAGE, data=fields)

    assert clash.status_code == 409
    assert max(gaps) < sum(gaps) / 2

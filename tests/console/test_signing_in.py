"""Signing in and out, one-time links, sessions that end, and acting for a tenant."""

import re

import httpx
import pytest
from sqlalchemy import Connection
from tests.conftest import Clock
from tests.console.conftest import PASSWORD, ClientOf, Visitor, csrf_of

from ringpost.console.browsers import browser_name
from ringpost.console.guard import SESSION_COOKIE, VISIT_COOKIE
from ringpost.domain.access import CONSOLE_IDLE_S, CONSOLE_SESSION_S, Role
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.errors import RateLimited
from ringpost.limits import LoginLimits
from ringpost.storage import access, audit, passwords, sessions
from ringpost.storage.audit import Filter
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.change_user import UserChange, change_user
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.room import Room

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"


async def sign_in(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Send the form, as Anna unless told."""
    token = await csrf_of(client, "/console/sign-in")
    form = {"csrf": token, "username": "anna", "password": PASSWORD, "domain": "acme.example", **fields}
    return await client.post("/console/sign-in", data=form)


async def test_somebody_signs_in_and_out_in_a_browser(visitor: Visitor) -> None:
    page = await visitor.open("/notifications")
    assert "/console/sign-in?next=" in page.url
    await page.get_by_label("User name").fill("Anna")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Domain").fill("ACME.example")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/notifications")

    await page.get_by_role("button", name="Sign out").click()

    await page.wait_for_url("**/console/sign-in**")
    assert "/console/sign-in" in (await visitor.open("/")).url


async def test_cookies_are_out_of_reach_of_scripts_other_sites_and_clear_text(client_of: ClientOf) -> None:
    client = await client_of()
    first = await client.get("/console/sign-in")

    answer = await sign_in(client)

    for made, name in ((first, VISIT_COOKIE), (answer, SESSION_COOKIE)):
        cookie = next(line for line in made.headers.get_list("set-cookie") if line.startswith(name))
        assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/console"} <= set(cookie.split("; "))
    assert VISIT_COOKIE not in client.cookies, "what a form was bound to before is of no use after"


async def test_a_session_from_before_signing_in_is_of_no_use_after(client_of: ClientOf) -> None:
    attacker = await client_of(Role.READ_ONLY)
    planted = attacker.cookies[SESSION_COOKIE]
    victim = await client_of()
    victim.cookies.set(SESSION_COOKIE, planted, domain="ringpost.example", path="/console")
    token = await csrf_of(victim)
    form = {"csrf": token, "username": "anna", "password": PASSWORD, "domain": "acme.example"}

    await victim.post("/console/sign-in", data=form)

    assert victim.cookies[SESSION_COOKIE] != planted
    assert (await attacker.get("/console/account")).status_code == 303


@pytest.mark.parametrize(
    "fields", [{"password": "wrong"}, {"username": "nobody"}, {"domain": "other.example"}, {"domain": ""}]
)
async def test_nobody_learns_what_was_wrong(client_of: ClientOf, fields: dict[str, str]) -> None:
    answer = await sign_in(await client_of(), **fields)

    assert answer.status_code == 422
    assert "The username or the password is wrong." in answer.text
    assert SESSION_COOKIE not in answer.headers.get("set-cookie", "")


async def test_who_leaves_the_domain_out_is_told_that_it_may_be_missing(
    client_of: ClientOf, people: dict[Role, str]
) -> None:
    client = await client_of()
    form = {"csrf": await csrf_of(client, "/console/sign-in"), "username": people[Role.TENANT_ADMIN]}

    without = await client.post("/console/sign-in", data={**form, "password": PASSWORD})
    wrong = await client.post("/console/sign-in", data={**form, "password": "wrong", "domain": "acme.example"})

    assert "domain-error" in without.text
    assert "domain-error" not in wrong.text
    assert "The username or the password is wrong." in without.text


async def test_guessing_is_slowed_down(client_of: ClientOf) -> None:
    client = await client_of()
    answers = [await sign_in(client, password="wrong") for _ in range(7)]

    assert answers[0].status_code == 422
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_who_has_to_wait_is_told_how_long_and_keeps_the_form(client_of: ClientOf) -> None:
    client = await client_of()
    answer = [await sign_in(client, password="wrong") for _ in range(12)][-1]

    wait = int(answer.headers["retry-after"])
    assert answer.status_code == 429
    words = f"in {wait} seconds?" if wait < 120 else f"in {-(-wait // 60)} minutes"
    assert re.search(f"Too many tries. Try again {words}", answer.text)
    assert 'name="username" type="text" value="anna"' in answer.text
    assert 'name="password"' in answer.text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "in 1 second"),
        (59, "in 59 seconds"),
        (119, "in 119 seconds"),
        (121, "in 3 minutes"),
        (3600, "in 60 minutes"),
    ],
)
async def test_how_long_to_wait_is_told_in_words(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, seconds: int, words: str
) -> None:
    def refuse(*_: object) -> None:
        raise RateLimited("Too many tries.", seconds)

    client = await client_of()
    monkeypatch.setattr(LoginLimits, "begin", refuse)

    assert f"Try again {words}." in (await sign_in(client)).text


async def test_who_guesses_links_gives_no_work_and_has_to_wait(
    client_of: ClientOf, room: Room, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await client_of()
    token = await csrf_of(client, "/console/sign-in")
    form = {"csrf": token, "password": PASSWORD, "again": PASSWORD}
    hashed: list[Secret] = []
    hash_password = passwords.hash_password

    async def counted(password: Secret) -> str:
        hashed.append(password)
        return await hash_password(password)

    monkeypatch.setattr(passwords, "hash_password", counted)
    answers = [await client.post(f"/console/welcome/rp_welcome_{number}", data=form) for number in range(11)]

    assert [answer.status_code for answer in answers] == [404] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert hashed == []
    link = await invite_user(room, acme, Guest("nina", Role.READ_ONLY))
    assert (await client.post(f"/console/welcome/{link.reveal()}", data=form)).status_code == 303, "a good one goes on"


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example",
        "/console/../elsewhere",
        "/console//elsewhere.example",
        "/console/\\elsewhere.example",
        "/consolex",
        "javascript:alert(1)",
        "/console/\r\nSet-Cookie: a=b",
    ],
)
async def test_nobody_is_sent_elsewhere_after_signing_in_or_choosing(client_of: ClientOf, target: str) -> None:
    stranger = await client_of()
    choice = {"csrf": await csrf_of(stranger, "/console/sign-in"), "language": "de", "next": target}

    chosen = await stranger.post("/console/preferences", data=choice)
    signed_in = await sign_in(await client_of(), next=target)

    for answer in (chosen, signed_in):
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize(("pauses", "alive"), [((CONSOLE_IDLE_S - 60,), True), ((CONSOLE_IDLE_S + 1,), False)])
async def test_a_session_ends_when_nothing_is_asked_of_it(
    client_of: ClientOf, clock: Clock, pauses: tuple[int, ...], alive: bool
) -> None:
    client = await client_of(Role.TENANT_ADMIN)
    for pause in pauses:
        clock.advance(pause)

    assert (await client.get("/console/account")).status_code == (200 if alive else 303)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/", Role.TENANT_ADMIN),
        ("/", Role.SYSTEM_ADMIN),
        ("/system/health", Role.SYSTEM_ADMIN),
        ("/deliveries", Role.TENANT_ADMIN),
    ],
)
async def test_a_page_that_renews_itself_is_no_use(visitor: Visitor, clock: Clock, path: str, role: Role) -> None:
    await visitor.sign_in_as(role)
    await visitor.page.clock.install()
    page = await visitor.open(path)
    await page.wait_for_load_state("networkidle")
    clock.advance(CONSOLE_IDLE_S - 60)
    async with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true") as renewed:
        await page.clock.run_for(31_000)
    assert (await renewed.value).ok
    await page.goto("about:blank")
    clock.advance(61)

    assert "/console/sign-in" in (await visitor.open("/account")).url


async def test_a_session_ends_after_a_day_of_work(client_of: ClientOf, clock: Clock) -> None:
    client, spent = await client_of(Role.TENANT_ADMIN), 0
    while spent + 3600 < CONSOLE_SESSION_S:
        clock.advance(3600)
        spent += 3600
        assert (await client.get("/console/account")).status_code == 200
    clock.advance(3600)

    assert (await client.get("/console/account")).status_code == 303


async def test_a_link_says_until_when_it_is_good_in_utc_whoever_looks_at_it(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", timezone="Europe/Berlin"))
    link = await invite_user(room, acme, Guest("nina", Role.READ_ONLY))
    path = f"/console/welcome/{link.reveal()}"

    pages = [(await client.get(path)).text for client in (await client_of(), await client_of(Role.TENANT_ADMIN))]

    said = [re.sub("<.*?>", "", re.findall(r"This link works once.*?</p>", page)[0]) for page in pages]
    assert said[0] == said[1]
    assert "(UTC)" in said[0]


async def test_a_disabled_user_and_a_disabled_tenant_are_out_at_once(
    client_of: ClientOf, room: Room, acme: TenantId
) -> None:
    anna, ron = await client_of(Role.TENANT_ADMIN), await client_of(Role.READ_ONLY)
    users = {user.username: user for user in await room.database.read(access.list_users, acme)}
    await change_user(room, acme, users["anna"].id, UserChange(enabled=False))
    assert (await anna.get("/console/account")).status_code == 303
    assert (await ron.get("/console/account")).status_code == 200

    await change_tenant(room, acme, TenantDraft("Acme", "acme.example", enabled=False))

    assert (await ron.get("/console/account")).status_code == 303


async def test_signing_out_everywhere_ends_every_session(client_of: ClientOf) -> None:
    here, there = await client_of(Role.TENANT_ADMIN), await client_of(Role.TENANT_ADMIN)

    await here.post("/console/account/sign-out-everywhere", data={"csrf": await csrf_of(here)})

    assert (await there.get("/console/account")).status_code == 303
    assert (await here.get("/console/account")).status_code == 303


async def test_where_one_is_signed_in_is_told_from_the_newest_on(client_of: ClientOf, clock: Clock) -> None:
    await client_of(Role.TENANT_ADMIN)
    clock.advance(600)
    page = (await (await client_of(Role.TENANT_ADMIN)).get("/console/account")).text
    signed_in = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert re.findall(r'data-label="Signed in"><time datetime="2027-01-15T([0-9:]{5})', signed_in) == ["08:10", "08:00"]


async def test_nobody_ends_a_session_of_somebody_else(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    anna, ron = await client_of(Role.TENANT_ADMIN), await client_of(Role.READ_ONLY)
    found = await room.database.read(access.find_user, acme, "anna")
    assert found is not None
    (session,) = await room.database.read(sessions.list_of, found[0], room.clock())

    await ron.post(f"/console/account/sessions/{session.id}/end", data={"csrf": await csrf_of(ron)})

    assert (await anna.get("/console/account")).status_code == 200
    await anna.post(f"/console/account/sessions/{session.id}/end", data={"csrf": await csrf_of(anna)})
    assert (await anna.get("/console/account")).status_code == 303


async def test_another_password_signs_out_all_but_this_browser(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    here, there = await client_of(Role.TENANT_ADMIN), await client_of(Role.TENANT_ADMIN)
    before = here.cookies[SESSION_COOKIE]
    form = {"csrf": await csrf_of(here), "password": "another horse", "again": "another horse"}
    wrong = await here.post("/console/account/password", data={**form, "current": "not this"})
    assert wrong.status_code == 422

    await here.post("/console/account/password", data={**form, "current": PASSWORD})

    assert (await here.get("/console/account")).status_code == 200
    assert here.cookies[SESSION_COOKIE] != before
    assert (await there.get("/console/account")).status_code == 303
    assert (await sign_in(await client_of(), password="another horse")).status_code == 303
    entries = await room.database.read(audit.page, acme, Filter(), 99)
    assert next(entry.actor for entry in entries if entry.action == "change_user") == "anna"


async def test_a_system_administrator_acts_for_a_tenant_and_both_logs_tell(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    client = await client_of(Role.SYSTEM_ADMIN)
    form = {"csrf": await csrf_of(client)}
    assert (await client.get("/console/notifications")).status_code == 403

    clock.advance(1)
    await client.post(f"/console/system/tenants/{acme}/act", data=form)
    form = {"csrf": await csrf_of(client)}

    assert "You work in <strong>Acme</strong>" in (await client.get("/console/notifications")).text
    clock.advance(1)
    await client.post("/console/notifications", data={**form, "recipients": "a@example.com"})
    entries = await room.database.read(audit.page, acme, Filter(), 99)
    assert [(entry.actor, entry.action) for entry in entries[:2]] == [
        ("root (system)", "change_settings"),
        ("root", "begin_to_act_for"),
    ]
    clock.advance(1)
    await client.post("/console/system/stop-acting", data=form)
    assert (await client.get("/console/notifications")).status_code == 403
    system = await room.database.read(audit.page, SYSTEM, Filter(), 99)
    assert [entry.action for entry in system[:2]] == ["end_to_act_for", "begin_to_act_for"]


async def test_going_from_one_tenant_to_another_ends_in_the_first_ones_log(
    client_of: ClientOf, acme: TenantId, room: Room, clock: Clock
) -> None:
    other = await create_tenant(room, TenantDraft("Other", "other.example"))
    client = await client_of(Role.SYSTEM_ADMIN)
    form = {"csrf": await csrf_of(client)}
    for path in (f"tenants/{acme}/act", f"tenants/{other}/act", "stop-acting", "stop-acting"):
        clock.advance(1)
        await client.post(f"/console/system/{path}", data=form)

    def acted(connection: Connection, log: TenantId) -> list[str]:
        return [one.action for one in audit.page(connection, log, Filter(), 99)[::-1] if one.action.endswith("act_for")]

    both = ["begin_to_act_for", "end_to_act_for"]
    assert [await room.database.read(acted, log) for log in (acme, other, SYSTEM)] == [both, both, both * 2]


async def test_browsers_at_the_root_go_to_the_console_and_programs_do_not(client_of: ClientOf) -> None:
    client = await client_of()

    browser = await client.get("/", headers={"Accept": "text/html,*/*"})
    program = await client.get("/", headers={"Accept": "application/json"})

    assert browser.headers["location"] == "/console/"
    assert program.status_code == 404
    assert program.json()["errors"][0]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox, Windows"),
        (f"{CHROME} Safari/537.36 Edg/126.0.0.0", "Edge, Windows"),
        (f"{CHROME} Safari/537.36", "Chrome, Windows"),
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
        ("<b>Firefox", "<b>Firefox"),
    ],
)
def test_sessions_are_told_by_the_browsers_name(agent: str, name: str) -> None:
    assert browser_name(agent) == name

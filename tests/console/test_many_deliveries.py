"""Many deliveries at once: chosen, or all that are found; tried again or cancelled, and told of."""

import pytest
from sqlalchemy import Connection, delete, select, update
from tests.conftest import Clock
from tests.console.conftest import ClientOf, Visitor, assert_accessible, csrf_of
from tests.console.leftovers import texts_of
from tests.console.mails import refused, report, states

from ringpost.console.many_deliveries import MOST_NAMED
from ringpost.domain.access import Role
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.storage import audit, tables
from ringpost.storage.audit import Filter
from ringpost.usecases.room import Room


def erase_and_send(connection: Connection, erased: str, sent: str) -> None:
    """The text of one is erased, another is sent: neither can be tried again."""
    its_event = select(tables.deliveries.c.event).where(tables.deliveries.c.id == erased).scalar_subquery()
    connection.execute(delete(tables.messages).where(tables.messages.c.event == its_event))
    connection.execute(
        update(tables.deliveries).where(tables.deliveries.c.id == sent).values(state=State.SENT, sent_at=1)
    )


def notice_of(page: str) -> str:
    """What is said at the top of the list."""
    return page.partition('class="notice good" role="status">')[2].partition("<form")[0]


async def test_many_are_chosen_counted_and_retried(visitor: Visitor, room: Room, acme: TenantId, clock: Clock) -> None:
    for number in range(3):
        clock.advance(1)
        await refused(room, acme, await report(room, acme, f"a{number}@example.com"))
    await visitor.sign_in_as(Role.TENANT_ADMIN)
    page = await visitor.open("/deliveries?state=failed")

    await page.get_by_label("Choose the mail to a1@example.com").check()
    await page.get_by_label("All on this page").check()
    await page.get_by_text("3 chosen").wait_for()
    await page.get_by_label("Choose the mail to a0@example.com").uncheck()
    await page.get_by_role("button", name="Try chosen again").click()
    await page.get_by_role("heading", name="Try 2 mails again?").wait_for()
    await assert_accessible(page)
    await page.get_by_role("button", name="Try again").click()

    await page.get_by_text("2 mails are queued again.").wait_for()
    assert await page.locator(".notice.good a").all_inner_texts() == ["a2@example.com", "a1@example.com"]
    await assert_accessible(page)
    assert sorted((await states(room, acme)).values()) == [State.QUEUED, State.QUEUED, State.REJECTED]
    entries = await room.database.read(audit.page, acme, Filter(), 99)
    assert [entry.subject.partition(",")[0] for entry in entries if entry.action == "retry_deliveries"] == [
        "2 deliveries"
    ]


async def test_all_that_are_found_are_retried_and_no_others(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    for number in range(120):
        await refused(room, acme, await report(room, acme, f"a{number}@example.com"))
    client = await client_of(Role.TENANT_ADMIN)
    asked = await client.get("/console/deliveries/many?do=retry&all=on&state=failed")
    assert "Try 120 mails again?" in asked.text

    form = {"csrf": await csrf_of(client), "do": "retry", "all": "on", "state": "failed", "q": "a11"}
    answer = await client.post("/console/deliveries/many", data=form)

    assert answer.status_code == 303
    done = await client.get(answer.headers["location"])
    assert "11 mails are queued again." in done.text
    retried = [name for name, state in (await states(room, acme)).items() if state is State.QUEUED]
    assert len(retried) == 11
    assert all(name.startswith("a11") for name in retried)


async def test_those_that_could_not_be_retried_are_named_with_the_reason(
    client_of: ClientOf, room: Room, acme: TenantId, other: TenantId
) -> None:
    failed, erased, sent = [await report(room, acme, f"{name}@example.com") for name in ("failed", "erased", "sent")]
    for one in (failed, erased, sent):
        await refused(room, acme, one)
    theirs = await report(room, other, "theirs@example.com")
    await room.database.write(erase_and_send, erased, sent)
    client = await client_of(Role.TENANT_ADMIN)
    form = {"csrf": await csrf_of(client), "do": "retry", "id": [failed, erased, sent, theirs]}

    answer = await client.post("/console/deliveries/many", data=form)
    page = (await client.get(answer.headers["location"])).text

    notice = " ".join(texts_of(notice_of(page)))
    assert notice.startswith("1 mail is queued again. failed@example.com 3 were left alone:")
    assert "erased@example.com Refused Its text is erased." in notice
    assert "sent@example.com Sent" in notice
    assert "theirs" not in page
    for added, status in ((".%01.x", 200), (".%00.x", 404)):
        assert (await client.get(f"{answer.headers['location']}{added}")).status_code == status


async def test_of_very_many_only_the_first_are_named(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    for number in range(MOST_NAMED + 3):
        await report(room, acme, f"a{number}@example.com")
    client = await client_of(Role.TENANT_ADMIN)
    form = {"csrf": await csrf_of(client), "do": "cancel", "all": "on", "state": "waiting"}

    answer = await client.post("/console/deliveries/many", data=form)
    page = (await client.get(answer.headers["location"])).text

    notice = notice_of(page)
    assert len(answer.headers["location"]) < 1000
    assert notice.count("@example.com</a>") == MOST_NAMED
    assert "and 3 more" in notice


async def test_cancelling_many_leaves_alone_what_does_not_wait(client_of: ClientOf, room: Room, acme: TenantId) -> None:
    waiting, failed = await report(room, acme, "a@example.com"), await report(room, acme, "b@example.com")
    await refused(room, acme, failed)
    client = await client_of(Role.TENANT_ADMIN)

    asked = await client.get(f"/console/deliveries/many?do=cancel&id={waiting}&id={failed}")
    form = {"csrf": await csrf_of(client), "do": "cancel", "id": [waiting, failed]}
    await client.post("/console/deliveries/many", data=form)

    assert "Cancel 1 mail?" in asked.text
    assert "1 of those chosen" in asked.text
    assert await states(room, acme) == {"a@example.com": State.CANCELLED, "b@example.com": State.REJECTED}


@pytest.mark.parametrize("form", [{}, {"all": "on", "q": "nobody@example.com"}])
async def test_what_means_nobody_never_means_all(
    client_of: ClientOf, room: Room, acme: TenantId, form: dict[str, str]
) -> None:
    await report(room, acme, "a@example.com")
    client = await client_of(Role.TENANT_ADMIN)

    await client.post("/console/deliveries/many", data={"csrf": await csrf_of(client), "do": "cancel", **form})

    assert await states(room, acme) == {"a@example.com": State.QUEUED}

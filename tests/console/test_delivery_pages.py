"""Pages of the list of deliveries: they lead to everything, once and back, and cost little."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event
from tests.conftest import Clock
from tests.console.conftest import ClientOf
from tests.console.mails import names_in, refused, report
from tests.storage.population import fill, repeatable

from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.storage import counts, search
from ringpost.usecases.room import Room

IN_LIST = re.compile(r'href="/console/deliveries/([0-9a-f]+-[0-9]+)"')


@pytest.mark.parametrize(
    "query", ["", "type=EMERGENCY_CALL", "q=a", "state=waiting", "state=waiting&type=EMERGENCY_CALL"]
)
async def test_pages_lead_to_everything_once_and_back(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock, query: str
) -> None:
    every: list[str] = []
    for number in range(60):
        clock.advance(0.001)
        pair = f"a{number}@example.com", f"ab{number}@example.com"
        await report(room, acme, *pair)
        every += pair
        if number % 10 == 0:
            await report(room, acme)  # nobody is told
    client = await client_of(Role.TENANT_ADMIN)
    if query == "q=a":
        query, every = "q=a1%40example.com", ["a1@example.com"]

    first = await client.get(f"/console/deliveries?{query}")
    older = await pages_from(client, first, "next")
    newer = await pages_from(client, older[-1], "prev")

    assert sorted(name for page in older for name in names_in(page)) == sorted(every)
    assert names_in(newer[-1]) == names_in(first)


async def test_they_lead_to_everything_and_back_also_where_a_search_ends_on_its_way(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_LOOKED_AT", 60)
    every: list[str] = []
    for number in range(400):
        clock.advance(0.001)
        delivery = await report(room, acme, "jane@example.com")
        if number % 130 == 20:
            await refused(room, acme, delivery)
            every.append(delivery)
    client = await client_of(Role.TENANT_ADMIN)
    first = await client.get("/console/deliveries?q=jane%40example.com&state=failed")

    older = await pages_from(client, first, "next")
    newer = await pages_from(client, older[-1], "prev")

    assert sorted(IN_LIST.findall("".join(page.text for page in older))) == every
    assert sorted(set(IN_LIST.findall("".join(page.text for page in newer)))) == every


async def pages_from(client: httpx.AsyncClient, page: httpx.Response, way: str) -> list[httpx.Response]:
    """This page and all that its links lead to one after the other, `next` or `prev`."""
    pages = [page]
    while (link := re.search(f'rel="{way}" href="([^"]+)"', pages[-1].text)) is not None:
        assert len(pages) < 20, "they lead round"
        pages.append(await client.get(link[1].replace("&amp;", "&")))
    return pages


async def test_what_is_newer_than_the_second_page_is_no_page_of_its_own_when_it_is_less(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    ids: list[str] = []
    for name in ("a", "b", "c"):
        clock.advance(1)
        ids.append(await report(room, acme, f"{name}@example.com"))
    page = await (await client_of(Role.TENANT_ADMIN)).get(f"/console/deliveries?after={ids[1]}")
    assert names_in(page) == ["c@example.com", "b@example.com", "a@example.com"]


@pytest.mark.parametrize(
    ("narrowed", "shown"),
    [
        ("since=2027-01-15T08:00", True),
        ("since=2027-01-15T08:01", False),
        ("until=2027-01-15T08:01", True),
        ("until=2027-01-15T08:00", False),
    ],
)
async def test_the_mails_of_an_event_are_narrowed_by_time_like_all_others(
    client_of: ClientOf, room: Room, acme: TenantId, narrowed: str, shown: bool
) -> None:
    await report(room, acme, "jane@example.com", id="call-1")
    page = await (await client_of(Role.TENANT_ADMIN)).get(f"/console/deliveries?q=call-1&{narrowed}")
    assert names_in(page) == ["jane@example.com"] * shown


async def test_times_narrow_in_the_zone_of_the_tenant(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await report(room, acme, "old@example.com")
    clock.advance(7200)
    await report(room, acme, "new@example.com")
    client = await client_of(Role.TENANT_ADMIN)

    async def found(query: str) -> list[str]:
        return names_in(await client.get(f"/console/deliveries?{query}"))

    assert await found("when=hour") == ["new@example.com"]
    assert await found("when=day") == ["new@example.com", "old@example.com"]
    assert await found("until=2027-01-15T09:00") == ["old@example.com"]  # the clock stands at 08:00 UTC, two hours on
    assert await found("since=2027-01-15T09:00") == ["new@example.com"]
    assert await found("since=rubbish&state=rubbish&type=rubbish&before=%27&when=ever") == await found("")


async def test_what_a_page_costs_does_not_grow_with_the_tables(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of SQLite's virtual machine, which are the same on every machine and every day."""
    monkeypatch.setattr(search, "MOST_LOOKED_AT", 200)
    monkeypatch.setattr(counts, "MOST_OF_AN_HOUR", 100)
    delivery = await report(room, acme, "a@example.com", "b@example.com")
    client = await client_of(Role.TENANT_ADMIN)
    chance = repeatable(1)

    await room.database.write(fill, 500, chance, acme)
    few = await steps_of_pages(client, delivery)
    await room.database.write(fill, 6000, chance, acme, first=500)
    clock.advance(601)  # counts of hours that are over are kept for so long
    many = await steps_of_pages(client, delivery)

    assert len(few) == len(PAGES_OF_DELIVERIES)
    assert {path: (few[path], many[path]) for path in few if many[path] > 1.5 * few[path] + 1000} == {}


PAGES_OF_DELIVERIES = (
    "", "?q=a", "?q=p1@example.com", "?q=nobody@example.com", "?q=p1@example.com&state=sent", "?when=day",
    "?state=failed", "?state=waiting", "?state=cancelled", "?type=QUEUE_SLA", "?type=RECHARGE",
    "?state=sent&type=RECHARGE", "?before={id}", "?after={id}", "?top={id}",
    "/skipped", "/skipped?reason=NO_RECIPIENTS&type=DISK_LOW", "/hours", "/{id}", "/{id}/message",
    "/many?do=retry&id={id}",
)  # fmt: skip


async def steps_of_pages(client: httpx.AsyncClient, delivery: str) -> dict[str, int]:
    """How many steps the database takes for each page."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 10
        return 0

    def watch(connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.set_progress_handler(count, 10)

    found: dict[str, int] = {}
    event.listen(Engine, "before_cursor_execute", watch)
    try:
        for path in PAGES_OF_DELIVERIES:
            steps = 0
            answer = await client.get(f"/console/deliveries{path.replace('{id}', delivery)}")
            assert answer.status_code == 200, path
            found[path] = steps
    finally:
        event.remove(Engine, "before_cursor_execute", watch)
    return found

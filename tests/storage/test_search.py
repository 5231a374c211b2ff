"""A search finds what a look at every row finds, page by page, and what it costs does not grow with the tables."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from tests.storage.population import ACME, BEGIN, FEW_TYPES, Row, fill, repeatable

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import HOUR_MS
from ringpost.storage import counts, search
from ringpost.storage.engines import open_engines
from ringpost.storage.search import Filter

A_LONG_TIME = 3_000
"""Events of the larger table; each has up to two deliveries."""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """To a fresh database; what is written is gone at the end."""
    reader, writer = open_engines(database_url)
    with writer.connect() as connection:
        yield connection
    reader.dispose()
    writer.dispose()


def fits(row: Row, wanted: Filter) -> bool:
    """The search said as simply as possible."""
    return (
        (not wanted.states or row["state"] in wanted.states)
        and (not wanted.type or row["type"] == wanted.type)
        and (not wanted.recipients or row["recipient"] in wanted.recipients)
        and (wanted.since is None or row["created_at"] >= wanted.since)
        and (wanted.until is None or row["created_at"] < wanted.until)
    )


def questions(chance: Random) -> Iterator[Filter]:
    for _ in range(60):
        yield Filter(
            states=tuple(chance.sample(list(State), chance.choice((0, 0, 1, 2)))),
            type=chance.choice(("", "", *FEW_TYPES)),
            recipients=tuple(f"p{n}@example.com" for n in chance.sample(range(6), chance.choice((0, 0, 1, 2)))),
            since=chance.choice((None, BEGIN + 90_000)),
            until=chance.choice((None, BEGIN + 250_000)),
            most=chance.choice((1, 7, 50)),
        )


def test_every_page_of_every_question_has_what_fits_and_nothing_else(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_LOOKED_AT", 40)  # so that searches end on their way, and go on from there
    monkeypatch.setattr(search, "_EVENTS_AT_ONCE", 13)
    chance = repeatable(1)
    rows = fill(connection, 300, chance)
    fill(connection, 100, chance, tenant="other")
    for wanted in questions(chance):
        expected = sorted((row["id"] for row in rows if fits(row, wanted)), reverse=True)
        assert back(connection, wanted) == expected, wanted
        if expected:
            assert forth(connection, replace(wanted, after=expected[-1])) == expected[-2::-1], wanted


def back(connection: Connection, wanted: Filter) -> list[str]:
    """All pages from the newest on, joined."""
    ids: list[str] = []
    for _ in range(2000):
        found = search.find_deliveries(connection, ACME, wanted)
        assert found.ids == sorted(found.ids, reverse=True)
        ids += found.ids
        if not found.more:
            return ids
        wanted = replace(wanted, before=found.looked_to or found.ids[-1])
    raise AssertionError(f"no end: {wanted}")


def forth(connection: Connection, wanted: Filter) -> list[str]:
    """All pages towards the newest, joined, the oldest first."""
    ids: list[str] = []
    for _ in range(2000):
        found = search.find_deliveries(connection, ACME, wanted)
        assert found.ids == sorted(found.ids, reverse=True)
        ids += found.ids[::-1]
        if not found.more:
            return ids
        wanted = replace(wanted, after=found.looked_to or found.ids[0])
    raise AssertionError(f"no end: {wanted}")


def test_people_are_found_by_how_their_address_begins(connection: Connection) -> None:
    chance = repeatable(2)
    fill(connection, 50, chance)
    fill(connection, 5, chance, tenant="other", first=50)

    assert search.people(connection, ACME, "p") == [f"p{n}@example.com" for n in range(5)]
    assert search.people(connection, ACME, "p3@") == ["p3@example.com"]
    assert search.people(connection, ACME, "x") == []
    assert search.people(connection, TenantId("nobody"), "p") == []


def test_hours_are_counted_and_the_last_event_of_each_type_is_found(connection: Connection) -> None:
    rows = fill(connection, 4000, repeatable(3))

    counted = counts.count_hour(connection, ACME, BEGIN)
    last = search.last_of_each_type(connection, ACME, list(CATALOGUE))

    of_hour = [row for row in rows if row["created_at"] < BEGIN + HOUR_MS]
    assert counted == {state: sum(row["state"] == state for row in of_hour) for state in State}
    assert last.keys() == set(FEW_TYPES)
    for kind in FEW_TYPES:
        assert last[kind].accepted_at >= max(row["created_at"] for row in rows if row["type"] == kind)


def test_skipped_events_are_found_page_by_page(connection: Connection) -> None:
    fill(connection, 200, repeatable(4))

    found: list[str] = []
    wanted = Filter(most=7)
    for _ in range(20):
        rows, edge = search.find_skipped(connection, ACME, wanted, "NOTIFICATION_OFF")
        found += [row.key for row in rows]
        if not edge:
            break
        wanted = replace(wanted, before=edge)

    assert len(found) == len(set(found)) == 40
    assert found == sorted(found, reverse=True)
    assert search.find_skipped(connection, ACME, wanted, "NO_RECIPIENTS") == ([], "")


QUESTIONS = {
    "everything": Filter(),
    "failed": Filter(states=(State.REJECTED, State.EXPIRED)),
    "cancelled": Filter(states=(State.CANCELLED,)),
    "waiting": Filter(states=(State.QUEUED, State.SENDING)),
    "of a type": Filter(type="QUEUE_SLA"),
    "of a type that is never reported": Filter(type="RECHARGE"),
    "to somebody": Filter(recipients=("p1@example.com",)),
    "to somebody that never failed": Filter(states=(State.REJECTED,), recipients=("q@example.com",)),
    "failed of a type that never fails": Filter(states=(State.REJECTED,), type="RECHARGE"),
}


@pytest.mark.parametrize("kind_of_database", ["sqlite"])
def test_what_a_search_costs_does_not_grow_with_the_tables(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of SQLite's virtual machine, which are the same on every machine and every day."""
    monkeypatch.setattr(search, "MOST_LOOKED_AT", 200)
    monkeypatch.setattr(counts, "MOST_OF_AN_HOUR", 100)
    reader, writer = open_engines(database_url)
    chance = repeatable(5)
    with writer.begin() as connection:
        fill(connection, A_LONG_TIME // 4, chance)
    few = costs(reader)
    with writer.begin() as connection:
        fill(connection, 3 * A_LONG_TIME, chance, first=A_LONG_TIME)
    many = costs(reader)
    reader.dispose()
    writer.dispose()

    assert {name: (few[name], many[name]) for name in few if many[name] > 1.5 * few[name] + 500} == {}


def costs(reader: Engine) -> dict[str, int]:
    """Thousands of steps are in a full scan of the smaller table; a page takes some hundreds."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 10
        return 0

    found: dict[str, int] = {}
    with reader.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(count, 10)

        def cost(name: str, work: Any, *args: Any) -> None:
            nonlocal steps
            steps = 0
            work(connection, ACME, *args)
            found[name] = steps

        for name, wanted in QUESTIONS.items():
            cost(name, search.find_deliveries, wanted)
            cost(f"newer: {name}", search.find_deliveries, replace(wanted, after=f"{BEGIN + 200_000:011x}"))
        cost("people", search.people, "p")
        cost("nobody", search.people, "zz")
        cost("skipped", search.find_skipped, Filter())
        cost("skipped of a type", search.find_skipped, Filter(type="RECHARGE"))
        cost("last of each type", search.last_of_each_type, list(CATALOGUE))
        cost("an hour", counts.count_hour, BEGIN)
        raw.set_progress_handler(None, 0)
    return found

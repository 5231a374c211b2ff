"""What is PostgreSQL's own: many processes at once, and what it must be."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, Engine, func, insert, select, text
from tests.postgresql import PostgresServer
from tests.storage.mails import GOOD, NOW, claim, hold_lane, probe_claim, put, said
from tests.storage.notes import add, words

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import TenantId
from ringpost.errors import StorageUnavailable
from ringpost.storage import outbox, outcomes, tenants
from ringpost.storage.database import Database, open_database
from ringpost.storage.deliveries import cancel
from ringpost.storage.engines import open_engines
from ringpost.storage.outbox import Claimed
from ringpost.storage.tables import attempts, deliveries, holds, metadata

Taking = Callable[[Connection, str], list[Claimed]]
"""How a worker takes mail, under a claim of this name."""


@pytest.fixture
def kind_of_database() -> str:
    """This one only."""
    return "postgresql"


@pytest.fixture
def writers(database_url: str) -> Iterator[tuple[Engine, Engine]]:
    """What two processes write by."""
    engines = *open_engines(database_url), *open_engines(database_url)
    _, writer, _, other_writer = engines
    yield writer, other_writer
    for engine in engines:
        engine.dispose()


# Many processes -----------------------------------------------------------------------------------------------------


def test_processes_that_start_at_once_migrate_once(postgres: PostgresServer) -> None:
    name = postgres.new_database()
    with ThreadPoolExecutor(5) as threads:
        for reader, writer in threads.map(open_engines, [postgres.url(name)] * 5):
            with reader.connect() as connection:
                assert connection.execute(select(func.count()).select_from(deliveries)).scalar() == 0
            reader.dispose()
            writer.dispose()
    with postgres.connect(name) as connection:
        made = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert made == (len(metadata.tables) + 1,), "ours, and the one that counts migrations"
    postgres.drop_database(name)


def test_two_workers_never_claim_the_same_and_never_wait_for_each_other(database_url: str) -> None:
    reader, writer = open_engines(database_url)
    with writer.begin() as connection:
        for number in range(10):
            put(connection, f"e{number}")
    with writer.begin() as one, reader.begin() as other:
        mine = {item.id for item in claim(one, limit=6, name="one-1")}
        others = {item.id for item in claim(other, limit=6, name="other-1")}  # `one` is still in its transaction
    assert len(mine) == 6
    assert mine.isdisjoint(others)
    assert len(others) <= 4
    reader.dispose()
    writer.dispose()


def meanwhile(writers: tuple[Engine, Engine], first: Taking, second: Taking) -> tuple[set[str], set[str]]:
    """What two workers take of an emergency and a normal mail on a lane that is due for a probe.

    The second one begins while the first one is still in its transaction.
    """
    writer, other_writer = writers
    others: set[str] = set()
    with writer.begin() as connection:
        put(connection, "urgent", urgency=Urgency.EMERGENCY)
        put(connection, "other")
        why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
        connection.execute(insert(holds).values(lane="t1", since=0, until=0, **why))

    def take() -> None:
        with other_writer.begin() as connection:
            others.update(item.id for item in second(connection, "other-1"))

    thread = threading.Thread(target=take)
    with writer.begin() as connection:
        mine = {item.id for item in first(connection, "one-1")}
        thread.start()
        thread.join(0.5)
    thread.join()
    return mine, others


def take_emergencies(connection: Connection, name: str) -> list[Claimed]:
    return claim(connection, name=name, urgency=Urgency.EMERGENCY)


def take_probes(connection: Connection, name: str) -> list[Claimed]:
    return outbox.claim_probes(connection, probe_claim(name, NOW + 5000))


def test_a_probe_does_not_take_what_another_worker_is_taking(writers: tuple[Engine, Engine]) -> None:
    mine, others = meanwhile(writers, take_emergencies, take_probes)
    assert mine == {"urgent-1"}
    assert mine.isdisjoint(others), "both would send it, and nobody would know why it came twice"


def test_two_workers_do_not_probe_the_same_lane(writers: tuple[Engine, Engine]) -> None:
    mine, others = meanwhile(writers, take_probes, take_probes)
    assert (mine, others) == ({"urgent-1"}, set())


def test_a_probe_that_is_given_back_untried_goes_to_another_worker_that_waits_for_its_lane(
    writers: tuple[Engine, Engine],
) -> None:
    def take_and_give_back(connection: Connection, name: str) -> list[Claimed]:
        probes = take_probes(connection, name)
        outbox.give_back(connection, NOW, probes)
        return probes

    mine, others = meanwhile(writers, take_and_give_back, take_probes)
    assert (mine, others) == ({"urgent-1"}, {"urgent-1"})


def test_a_lane_stays_on_hold_while_what_would_be_its_probe_is_being_cancelled(writers: tuple[Engine, Engine]) -> None:
    """Else all that waits would go at once to a server that has failed nine times, or refuses the password."""
    writer, other_writer = writers
    with writer.begin() as connection:
        hold_lane(connection, "first", due_at=NOW - 1)
        for number in range(3):
            put(connection, f"next-{number}")
    with writer.begin() as administrator, other_writer.begin() as worker:
        worker.execute(text("SET LOCAL lock_timeout = '1s'"))
        assert cancel(administrator, TenantId("t1"), "first-1", NOW, NOW)
        (probe,) = take_probes(worker, "w-1")
        assert claim(worker, name="w-1.2") == [], "all others wait for what it tells"
    assert probe.id != "first-1"


def test_a_lane_stays_on_hold_while_all_that_waits_for_it_is_being_cancelled(writers: tuple[Engine, Engine]) -> None:
    writer, other_writer = writers
    with writer.begin() as connection:
        hold_lane(connection, "only")
    administrator = writer.connect()
    assert cancel(administrator, TenantId("t1"), "only-1", NOW, NOW)
    with other_writer.begin() as worker:
        assert take_probes(worker, "w-1") == []
    administrator.rollback()
    administrator.close()
    with writer.begin() as connection:
        assert claim(connection) == [], "it was not cancelled after all"


def test_a_tenant_is_emptied_while_a_worker_records_what_became_of_its_mail(writers: tuple[Engine, Engine]) -> None:
    writer, other_writer = writers
    with writer.begin() as connection:
        put(connection, "a")
        (claimed,) = claim(connection)

    def empty() -> bool:
        with other_writer.begin() as administrator:
            return tenants.empty_bite(administrator, TenantId("t1"))

    with ThreadPoolExecutor(1) as threads:
        with writer.begin() as worker:
            assert outcomes.record(worker, NOW, [said(claimed, GOOD)]) == [True]
            emptied = threads.submit(empty)
            wait([emptied], timeout=0.5)
        assert emptied.result()
    with writer.begin() as connection:
        assert connection.execute(select(func.count()).select_from(attempts)).scalar() == 0


async def test_what_another_process_writes_at_the_same_time_is_seen_instead_of_clashing(
    processes: tuple[Database, Database],
) -> None:
    def add_once(connection: Connection, word: str) -> bool:
        known = word in words(connection)
        if not known:
            add(connection, word)
        return not known

    for round_ in range(20):
        ours = (process.write(add_once, f"word {round_}") for process in processes * 5)
        assert sorted(await asyncio.gather(*ours)) == [False] * 9 + [True]


async def test_transactions_that_lock_each_other_out_are_both_done(processes: tuple[Database, Database]) -> None:
    one, other = processes
    for word in ("a", "b"):
        await one.write(add, word)
    meeting = threading.Barrier(2, timeout=10)

    def cross(connection: Connection, first: str, second: str) -> None:
        change = text("UPDATE note SET word = word || '+' WHERE word LIKE :word")
        connection.execute(change, {"word": f"{first}%"})
        if not meeting.broken:
            try:
                meeting.wait()
            except threading.BrokenBarrierError:
                pass
            else:
                meeting.abort()  # only the first time
        connection.execute(change, {"word": f"{second}%"})

    await asyncio.gather(one.write(cross, "a", "b"), other.write(cross, "b", "a"))
    assert await one.read(words) == {"a++", "b++"}


# What it must be ----------------------------------------------------------------------------------------------------


def settings_of(connection: Connection) -> dict[str, Any]:
    """What is in force for a connection."""
    names = ("synchronous_commit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return {name: connection.execute(text(f"SHOW {name}")).scalar() for name in names}


async def test_a_commit_is_on_disk_whatever_the_server_does_by_itself(
    postgres: PostgresServer, database_url: str
) -> None:
    name = Identifier(database_url.rpartition("/")[2])
    with postgres.connect() as connection:
        connection.execute(SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    database = await open_database(database_url)
    found = await database.write(settings_of)
    await database.close()
    assert found == {
        "synchronous_commit": "on",
        "statement_timeout": "1min",
        "lock_timeout": "15s",
        "idle_in_transaction_session_timeout": "1min",
    }


async def test_a_service_need_not_be_allowed_to_change_tables_once_they_are_there(
    postgres: PostgresServer, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    with postgres.connect(name) as connection:
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk")
    database = await open_database(database_url.replace("//ringpost@", "//clerk@"))
    assert await database.read(lambda connection: connection.execute(select(func.count(deliveries.c.id))).scalar()) == 0
    await database.close()
    with postgres.connect(name) as connection:
        connection.execute("DROP OWNED BY clerk")
        connection.execute("DROP ROLE clerk")


def test_a_database_with_another_encoding_is_refused_with_what_to_do(postgres: PostgresServer) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StorageUnavailable, match="CREATE DATABASE ringpost ENCODING 'UTF8'"):
        open_engines(postgres.url("narrow"))


@pytest.mark.parametrize("url", ["postgresql://ringpost:s3cret@[::1/ringpost", "postgresql://h/d?no_such=s3cret"])
def test_a_url_that_cannot_be_read_is_explained_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match="percent encoding") as caught:
        open_engines(url)
    assert "s3cret" not in str(caught.value)


async def test_what_the_server_says_to_a_stranger_is_passed_on(postgres: PostgresServer) -> None:
    with pytest.raises(StorageUnavailable, match='database "nowhere" does not exist'):
        await open_database(postgres.url("nowhere"))

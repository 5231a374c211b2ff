"""What is PostgreSQL's own: many processes at once, failovers, the bell, and what it refuses to be."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, func, insert, select, text
from tests.postgresql import PostgresServer, postgres_server
from tests.storage.notes import NOTES, add, words
from tests.storage.test_outbox import NOW, claim, probe_claim, put

from ringpost.domain.deliveries import Urgency
from ringpost.errors import StorageUnavailable
from ringpost.storage import bell, outbox, postgresql
from ringpost.storage.database import READERS, Database, open_database
from ringpost.storage.engines import open_engines
from ringpost.storage.groups import afterwards
from ringpost.storage.outbox import Claimed
from ringpost.storage.tables import deliveries, holds, metadata

Taking = Callable[[Connection, str], list[Claimed]]
"""How a worker takes mail, under a claim of this name."""


@pytest.fixture
def kind_of_database() -> str:
    """This one only."""
    return "postgresql"


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two processes on one database, as far as the database can tell."""
    one, other = await open_database(database_url), await open_database(database_url)
    await one.write(lambda connection: connection.execute(NOTES))
    yield one, other
    await one.close()
    await other.close()


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.02)


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


def meanwhile(database_url: str, first: Taking, second: Taking) -> tuple[set[str], set[str]]:
    """What two workers take of an emergency and a normal mail on a lane that is due for a probe.

    The second one begins while the first one is still in its transaction.
    """
    engines = *open_engines(database_url), *open_engines(database_url)
    _, writer, _, other_writer = engines
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
    for engine in engines:
        engine.dispose()
    return mine, others


def take_emergencies(connection: Connection, name: str) -> list[Claimed]:
    return claim(connection, name=name, urgency=Urgency.EMERGENCY)


def take_probes(connection: Connection, name: str) -> list[Claimed]:
    return outbox.claim_probes(connection, probe_claim(name, NOW + 5000))


def test_a_probe_does_not_take_what_another_worker_is_taking(database_url: str) -> None:
    mine, others = meanwhile(database_url, take_emergencies, take_probes)
    assert mine == {"urgent-1"}
    assert mine.isdisjoint(others), "both would send it, and nobody would know why it came twice"


def test_two_workers_do_not_probe_the_same_lane(database_url: str) -> None:
    mine, others = meanwhile(database_url, take_probes, take_probes)
    assert (mine, others) == ({"urgent-1"}, set())


def test_a_probe_that_is_given_back_untried_goes_to_another_worker_that_waits_for_its_lane(database_url: str) -> None:
    def take_and_give_back(connection: Connection, name: str) -> list[Claimed]:
        probes = take_probes(connection, name)
        outbox.give_back(connection, NOW, probes)
        return probes

    mine, others = meanwhile(database_url, take_and_give_back, take_probes)
    assert (mine, others) == ({"urgent-1"}, {"urgent-1"})


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


# Connections that end -----------------------------------------------------------------------------------------------


def hang_up(postgres: PostgresServer, database_url: str) -> None:
    """End all connections to a database, as an administrator may."""
    with postgres.connect() as connection:
        name = database_url.rpartition("/")[2]
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


async def test_lost_connections_are_made_again_without_anybody_noticing(
    processes: tuple[Database, Database], postgres: PostgresServer, database_url: str
) -> None:
    one, _ = processes
    await one.read(words)
    hang_up(postgres, database_url)
    await one.write(add, "after")
    hang_up(postgres, database_url)
    assert await one.read(words) == {"after"}


async def test_a_connection_that_ends_in_mid_transaction_leaves_nothing_half_done(
    processes: tuple[Database, Database], postgres: PostgresServer, database_url: str
) -> None:
    one, _ = processes
    tries: list[str] = []

    def add_and_lose(connection: Connection) -> None:
        tries.append("once")
        add(connection, f"try {len(tries)}")
        if len(tries) == 1:
            hang_up(postgres, database_url)
        add(connection, f"more of try {len(tries)}")

    await one.write(add_and_lose)
    assert await one.read(words) == {"try 2", "more of try 2"}


HANG_UP = text("""
    CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'""")
AT_COMMIT = text("""
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hang_up()""")


async def test_a_connection_that_ends_at_the_commit_leaves_it_to_who_waits_to_ask_again(
    processes: tuple[Database, Database],
) -> None:
    """Nobody knows then whether it was stored; doing it once more could do it twice."""
    one, other = processes
    await one.write(lambda connection: connection.execute(HANG_UP).close())
    await one.write(lambda connection: connection.execute(AT_COMMIT).close())
    told: list[str] = []

    def add_and_tell(connection: Connection) -> None:
        told.append("tried")
        afterwards(connection, lambda: told.append("done"), lambda: told.append("undone"))
        add(connection, "a")

    with pytest.raises(StorageUnavailable):
        await one.write(add_and_tell)
    assert told == ["tried", "undone"]
    await other.write(lambda connection: connection.execute(text("DROP TRIGGER at_commit ON note")).close())
    await until_written(one, "b")
    assert await one.read(words) == {"b"}


async def test_a_server_that_became_a_standby_is_left_and_its_primary_found(
    processes: tuple[Database, Database], postgres: PostgresServer, database_url: str
) -> None:
    one, _ = processes
    name = Identifier(database_url.rpartition("/")[2])
    await one.write(lambda connection: connection.execute(text("SET default_transaction_read_only = on")).close())
    await one.write(add, "on a new connection")
    with postgres.connect() as connection:  # no primary anywhere
        connection.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    hang_up(postgres, database_url)
    with pytest.raises(StorageUnavailable):
        await one.write(add, "to nobody")
    with postgres.connect() as connection:
        connection.execute(SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
    await until_written(one, "to the new primary")
    assert await one.read(words) == {"on a new connection", "to the new primary"}


async def until_written(database: Database, word: str) -> None:
    """Write as soon as the database can be reached again."""
    async with asyncio.timeout(60):
        while True:
            try:
                await database.write(add, word)
            except StorageUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_server_that_says_nothing_is_found_out_once_and_not_by_everybody_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(postgresql.CONNECTING, "connect_timeout", 2)  # s; libpq's least
    with postgres_server() as server, socket.socket() as silent:
        database = await open_database(server.url(server.new_database()))
        server.stop()
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", server.port))
        silent.listen(100)

        async def seconds_until_refused(ask: Callable[..., Any]) -> float:
            begun = time.monotonic()
            with pytest.raises(StorageUnavailable):
                await ask(settings_of)
            return time.monotonic() - begun

        reads = await asyncio.gather(*[seconds_until_refused(database.read) for _ in range(5 * READERS)])
        await seconds_until_refused(database.write)
        again = await seconds_until_refused(database.write)
        await database.close()
    assert max(reads) < 2 * 2 + 1
    assert again < 1, "it is left alone for a moment"


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with postgres_server() as server:
        yield server


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
async def test_a_server_that_was_away_is_reached_again_and_nothing_was_acknowledged_meanwhile(
    own_server: PostgresServer, how: signal.Signals
) -> None:
    heard = asyncio.Event()
    url = own_server.url(own_server.new_database())
    database = await open_database(url)
    database.on_ring(heard.set)
    await database.write(lambda connection: connection.execute(NOTES).close())
    await heard.wait()
    heard.clear()
    own_server.stop(how)
    for word in ("lost 1", "lost 2"):
        with pytest.raises(StorageUnavailable):
            await database.write(add, word)
        with pytest.raises(StorageUnavailable):
            await database.read(words)
    own_server.start()
    await until_written(database, "after")
    assert await database.read(words) == {"after"}
    async with asyncio.timeout(60):
        await heard.wait()  # what was rung meanwhile was missed, so it is looked for
    await database.close()


async def test_a_row_that_somebody_keeps_locked_stops_only_who_wants_it(
    processes: tuple[Database, Database], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = processes
    await one.write(add, "a")
    monkeypatch.setitem(postgresql.SESSION, "lock_timeout", "300ms")
    impatient = await open_database(database_url)
    with psycopg.connect(database_url) as stranger:
        stranger.execute("UPDATE note SET word = 'b'")
        with pytest.raises(StorageUnavailable):
            await impatient.write(lambda connection: connection.execute(text("DELETE FROM note")).close())
        await impatient.write(add, "c")
        stranger.rollback()
    assert await one.read(words) == {"a", "c"}
    await impatient.close()


async def test_text_that_postgresql_cannot_store_is_the_fault_of_its_own_write(
    processes: tuple[Database, Database],
) -> None:
    one, _ = processes
    results = await asyncio.gather(one.write(add, "nul \0"), one.write(add, "good"), return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [True, False]
    assert await one.read(words) == {"good"}


# The bell -----------------------------------------------------------------------------------------------------------


async def test_the_bell_is_heard_in_every_process_once_the_write_is_committed(
    processes: tuple[Database, Database], postgres: PostgresServer, database_url: str
) -> None:
    rings = [0, 0]

    def hears(index: int) -> Callable[[], None]:
        def heard() -> None:
            rings[index] += 1

        return heard

    for index, process in enumerate(processes):
        process.on_ring(hears(index))
    await eventually(lambda: min(rings) == 1)  # it listens now
    await processes[0].write(bell.ring)
    await eventually(lambda: min(rings) == 2)

    def ring_and_fail(connection: Connection) -> None:
        bell.ring(connection)
        raise ValueError("after all not")

    with pytest.raises(ValueError, match="after all not"):
        await processes[0].write(ring_and_fail)
    hang_up(postgres, database_url)
    await eventually(lambda: min(rings) >= 3)  # it listens again, and may have missed something
    await until_written(processes[1], "x")
    before = list(rings)
    await processes[1].write(bell.ring)
    await eventually(lambda: all(now > then for now, then in zip(rings, before, strict=True)))


async def test_the_bell_is_heard_again_whatever_went_wrong_at_hearing_it(
    processes: tuple[Database, Database],
) -> None:
    rings: list[str] = []

    def heard() -> None:
        rings.append("ring")
        if len(rings) <= 2:
            raise (OSError, RuntimeError)[len(rings) - 1](f"at ring {len(rings)}")

    processes[0].on_ring(heard)
    await eventually(lambda: len(rings) == 3)  # it listens, for the third time
    await processes[1].write(bell.ring)
    await eventually(lambda: len(rings) == 4)


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

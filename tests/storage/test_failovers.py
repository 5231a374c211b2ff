"""PostgreSQL: connections that end, servers that go away or say nothing, and the bell, which hangs on a connection."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, text
from tests.patience import patience
from tests.postgresql import PostgresServer, postgres_server
from tests.storage.notes import NOTES, add, words

from ringpost.errors import StorageUnavailable
from ringpost.storage import bell, direct, postgresql, silence
from ringpost.storage.database import Database, open_database
from ringpost.storage.engines import READERS
from ringpost.storage.groups import afterwards


@pytest.fixture
def kind_of_database() -> str:
    """This one only."""
    return "postgresql"


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    async with patience(30):
        while not is_so():
            await asyncio.sleep(0.02)


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


async def test_a_connection_that_ends_while_it_is_found_out_whose_fault_it_is_is_no_fault_of_who_wrote(
    processes: tuple[Database, Database], postgres: PostgresServer, database_url: str
) -> None:
    """What failed by itself is tried again in savepoints; going back to one tells nothing where nothing is left."""
    one, _ = processes
    tries: list[str] = []

    def fail_and_lose(connection: Connection) -> None:
        tries.append("once")
        if len(tries) == 1:
            raise ValueError("a fault of its own")
        hang_up(postgres, database_url)
        add(connection, "lost")

    refused = await asyncio.gather(one.write(fail_and_lose), one.write(add, "beside it"), return_exceptions=True)
    assert len(tries) == 2
    assert [type(error) for error in refused] == [StorageUnavailable, StorageUnavailable]
    await until_written(one, "after")
    assert await one.read(words) == {"after"}


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


async def until_done(ask: Callable[..., Any], *what: Any) -> Any:
    """Read or write as soon as the database can be reached again."""
    async with patience(60):
        while True:
            try:
                return await ask(*what)
            except StorageUnavailable:
                await asyncio.sleep(0.05)


async def until_written(database: Database, word: str) -> None:
    """Write a word as soon as the database can be reached again."""
    await until_done(database.write, add, word)


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
                await ask(words)
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is given up after seconds."""
    monkeypatch.setitem(postgresql.CONNECTING, "connect_timeout", 2)  # s; libpq's least
    monkeypatch.setattr(silence, "LONGEST_S", 1.0)
    monkeypatch.setattr(silence, "LOOK_EVERY_S", 0.1)


def direct_read(connection: Connection) -> None:
    """Past the driver."""
    direct.run(connection, "SELECT 1")


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("impatient")
async def test_a_server_that_takes_questions_and_never_answers_is_given_up(own_server: PostgresServer) -> None:
    database = await open_database(own_server.url(own_server.new_database()))
    await database.write(lambda connection: connection.execute(NOTES).close())
    for ask, work in ((database.read, words), (database.read, direct_read), (database.write, direct_read)):
        await until_done(ask, work)
        with own_server.frozen(), pytest.raises(StorageUnavailable):
            await ask(work)
    await until_written(database, "after")
    assert await until_done(database.read, words) == {"after"}
    with own_server.frozen():
        asked = asyncio.create_task(database.write(add, "never"))
        await asyncio.sleep(0)
        await database.close()
        with pytest.raises(StorageUnavailable):
            await asked


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
    async with patience(60):
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

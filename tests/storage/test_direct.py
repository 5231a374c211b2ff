"""Statements past the driver's cursors: they mean the same, stay prepared, and undo the same."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Connection, Engine, exc, func, select, text

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import SYSTEM
from ringpost.storage import bulk, direct, events
from ringpost.storage.database import Database, open_database
from ringpost.storage.engines import open_engines
from ringpost.storage.events import DeliveryRow, EventRow, MessageRow
from ringpost.storage.faults import Fault, fault_of, is_taken
from ringpost.storage.tables import deliveries, messages
from ringpost.storage.tables import events as events_table

NOW = 1_800_000_000_000
OF = SYSTEM


@pytest.fixture
def kind_of_database() -> str:
    """This one only."""
    return "postgresql"


@pytest.fixture
def engines(database_url: str) -> Iterator[tuple[Engine, Engine]]:
    """To read and to write with."""
    reader, writer = open_engines(database_url)
    yield reader, writer
    reader.dispose()
    writer.dispose()


@pytest.fixture
def writer(engines: tuple[Engine, Engine]) -> Engine:
    """To write with."""
    return engines[1]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """With the writer's own thread."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()


def put(connection: Connection, *keys: str, content: bytes = b"sealed", variables: bytes | None = None) -> None:
    """An event, its message and its delivery, of each of these keys."""
    accepted = [EventRow(key, OF, key, "DISK_LOW", NOW, NOW, b"\0'", variables, None, None, None, None) for key in keys]
    waits = OF, "queued", 0, NOW, NOW, NOW, None, None
    to_deliver = [DeliveryRow(f"{key}-1", OF, key, "DISK_LOW", "a@x", Urgency.NORMAL, False, *waits) for key in keys]
    events.add(connection, accepted, [MessageRow(key, OF, key.encode() + content) for key in keys], to_deliver)


def counts(connection: Connection) -> list[int]:
    """Rows of the three tables."""
    tables = events_table, messages, deliveries
    return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def prepared(connection: Connection) -> int:
    """Statements of ours that the server keeps."""
    found = text("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'ringpost%'")
    return connection.execute(found).scalar_one()


def test_a_key_that_is_taken_is_told_as_sqlalchemy_would_and_all_that_came_with_it_is_undone(writer: Engine) -> None:
    with writer.begin() as connection:
        put(connection, "e1")
    with pytest.raises(exc.IntegrityError) as raised, writer.begin() as connection:
        put(connection, "e2", "e1")
    assert is_taken(raised.value)
    assert fault_of(raised.value) is None
    with writer.begin() as connection:
        assert counts(connection) == [1, 1, 1]


@pytest.mark.parametrize("most", [bulk.MOST_BYTES, 20, 1])
def test_bytes_come_back_as_they_were_written_in_one_statement_or_in_several(
    writer: Engine, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(bulk, "MOST_BYTES", most)
    content, keys = bytes(range(256)), [f"e{number}" for number in range(5)]
    with writer.begin() as connection:
        put(connection, *keys, content=content, variables=b"")
        put(connection, "none")
    with writer.begin() as connection:
        found = {row.event: row.content for row in connection.execute(select(messages))}
        assert found == {key: key.encode() + content for key in keys} | {"none": b"nonesealed"}
        variables = {row.key: row.variables for row in connection.execute(select(events_table))}
        assert variables == dict.fromkeys(keys, b"") | {"none": None}
        (again,) = events.known(connection, [(OF, "e3"), (OF, "e9")]).values()
    assert again == (OF, "e3", "e3", "DISK_LOW", b"\0'", None)


def test_postgresql_does_not_try_to_compress_what_is_sealed(writer: Engine) -> None:
    storage = "SELECT attstorage FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attname = 'content'"
    with writer.connect() as connection:
        assert connection.execute(text(storage)).scalar_one() == "e"


def test_a_commit_after_a_failure_that_nobody_heeded_raises_instead_of_storing_nothing(writer: Engine) -> None:
    with writer.connect() as connection:
        transaction = connection.begin()
        put(connection, "e1")
        with pytest.raises(exc.IntegrityError):
            put(connection, "e1")
        with pytest.raises(exc.DBAPIError):
            transaction.commit()
    with writer.begin() as connection:
        assert counts(connection) == [0, 0, 0]


def test_what_was_prepared_is_prepared_again_after_something_was_undone(writer: Engine) -> None:
    nothing = text("SELECT 1")
    for number in range(10):  # the driver prepares what it has seen often, and throws all away when it undoes
        with writer.begin() as connection:
            connection.execute(nothing)
            put(connection, f"e{number}")
            savepoint = connection.begin_nested()
            put(connection, f"u{number}")
            savepoint.rollback()
            put(connection, f"f{number}")
        with writer.connect() as connection:
            connection.begin()
            put(connection, f"g{number}")  # is undone
    with writer.begin() as connection:
        assert counts(connection) == [20, 20, 20]


def test_plans_are_made_anew_as_tables_grow_and_old_ones_are_not_kept(
    writer: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "FIRST_PLANS", 1)
    writer.dispose()  # what is connected now has the old number
    for number in range(20):
        with writer.begin() as connection:
            put(connection, f"e{number}")
            events.known(connection, [(OF, "e1")])
            assert prepared(connection) == 2
    with writer.begin() as connection:
        assert counts(connection) == [20, 20, 20]


def test_a_transaction_that_cannot_begin_writes_nothing(engines: tuple[Engine, Engine]) -> None:
    reader, writer = engines
    with writer.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with writer.connect() as connection, reader.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(exc.DBAPIError) as raised, connection.begin():
            put(connection, "e1")
    assert fault_of(raised.value) is Fault.AWAY
    with writer.begin() as connection:
        assert counts(connection) == [0, 0, 0]


async def test_of_writes_in_one_commit_only_the_one_with_the_key_that_is_taken_is_refused(database: Database) -> None:
    await database.write(put, "e1")
    go_on = threading.Event()
    before = asyncio.create_task(database.write(lambda _connection: go_on.wait(30)))
    refused = asyncio.create_task(database.write(put, "e2", "e1"))
    taken = asyncio.create_task(database.write(put, "e3"))
    await asyncio.sleep(0.1)
    go_on.set()
    assert await before
    with pytest.raises(exc.IntegrityError):
        await refused
    await taken
    assert await database.read(counts) == [2, 2, 2]

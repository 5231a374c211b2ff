"""What is quick is written by the event loop itself, but never so that it would have to wait."""

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pysqlite3.dbapi2 as driver
import pytest
from sqlalchemy import Connection, exc, text
from tests.patience import patience
from tests.storage.notes import add, words
from tests.storage.test_sqlite import locked

from ringpost.errors import StorageUnavailable
from ringpost.storage import at_once
from ringpost.storage.database import Database, open_database

THREAD = "ringpost-write"


@pytest.fixture
def kind_of_database() -> str:
    """The one that is written in this process."""
    return "sqlite"


def note(connection: Connection, _context: object, items: Sequence[str]) -> list[str]:
    """Write notes; says which thread did."""
    for item in items:
        if item == "bad":
            raise ValueError(item)
        add(connection, item)
    return [threading.current_thread().name] * len(items)


def putting(database: Database, *notes: str) -> "list[asyncio.Task[str]]":
    return [asyncio.create_task(database.write_each(note, database, each, quick=True)) for each in notes]


async def put(database: Database, *notes: str) -> list[str | BaseException]:
    return await asyncio.gather(*putting(database, *notes), return_exceptions=True)


async def beats(until: "asyncio.Task[Any]") -> float:
    """The longest time, in seconds, that the event loop stood still until something was over."""
    longest = 0.0
    while not until.done():
        begun = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - begun)
    return longest


async def test_the_event_loop_writes_what_is_quick(database: Database) -> None:
    assert set(await put(database, "one", "two")) == {"MainThread"}
    assert await database.read(words) == {"one", "two"}


async def test_the_thread_writes_what_is_not(database: Database) -> None:
    assert await database.write_each(note, database, "one") == THREAD


async def test_what_comes_together_is_one_commit(database: Database, database_path: Path) -> None:
    seen: set[int] = set()
    other: Any
    with closing(cast("Any", driver).connect(str(database_path))) as other:

        async def watch() -> None:
            while True:
                seen.add(other.execute("SELECT count(*) FROM note").fetchone()[0])
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        await put(database, *(f"word {number}" for number in range(50)))
        watching.cancel()
    assert seen <= {0, 50}


async def test_what_is_enough_is_not_kept_waiting_for_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "GATHERS_S", 60)
    sizes: list[int] = []

    def count(_connection: Connection, _context: object, items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        return items

    writing: list[asyncio.Task[int]] = []
    for number in range(at_once.LARGEST - 1):  # each turn of the loop brings one more
        writing.append(asyncio.create_task(database.write_each(count, database, number, quick=True)))
        await asyncio.sleep(0)
    await asyncio.gather(*writing)

    assert sizes[0] <= at_once.ENOUGH + 1


async def test_a_bad_one_is_told_and_those_beside_it_are_kept(database: Database) -> None:
    one, bad, two = await put(database, "one", "bad", "two")

    assert (one, two) == (THREAD, THREAD)  # which finds out whose fault it was
    assert isinstance(bad, ValueError)
    assert await database.read(words) == {"one", "two"}


async def test_what_was_submitted_before_is_stored_before(database: Database) -> None:
    writing = putting(database, "one", "two")
    await asyncio.sleep(0)  # they are submitted

    assert await database.write(words) == {"one", "two"}
    await asyncio.gather(*writing)


async def test_a_locked_file_keeps_the_loop_from_nothing(database: Database, database_path: Path) -> None:
    with locked(database_path) as stranger:
        (writing,) = putting(database, "one")
        beating = asyncio.create_task(beats(writing))
        await asyncio.sleep(0.5)
        assert not writing.done()
        stranger.rollback()
        assert await writing == THREAD
    assert await beating < 0.4
    assert set(await put(database, "two")) == {"MainThread"}


async def test_another_process_is_waited_for_by_the_thread(database: Database, database_url: str) -> None:
    other = await open_database(database_url)
    begun, over = threading.Event(), threading.Event()

    def write_long(_connection: Connection) -> None:
        begun.set()
        over.wait(30)

    async with asyncio.TaskGroup() as group:
        group.create_task(other.write(write_long))
        await asyncio.to_thread(begun.wait, 30)
        writing = group.create_task(put(database, "one"))
        await asyncio.sleep(0.1)
        assert not writing.done()
        over.set()
        assert await writing == [THREAD]
    await other.close()


async def test_a_slow_disk_is_left_to_the_thread_for_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "WARY_S", 0.5)

    def slow(_connection: Connection, _context: object, items: Sequence[str]) -> list[str]:
        time.sleep(at_once.SLOW_S * 1.1)
        return [threading.current_thread().name] * len(items)

    assert await database.write_each(slow, database, "", quick=True) == "MainThread"
    assert await database.write_each(slow, database, "", quick=True) == THREAD
    await asyncio.sleep(0.5)
    assert set(await put(database, "one")) == {"MainThread"}


async def test_a_large_one_is_the_threads(database: Database) -> None:
    def many(_connection: Connection, _context: object, items: Sequence[list[str]]) -> list[str]:
        return [threading.current_thread().name] * len(items)

    large = ["x"] * (at_once.LARGEST + 1)

    assert await database.write_each(many, database, large[1:], quick=True, weight=len(large) - 1) == "MainThread"
    assert await database.write_each(many, database, large, quick=True, weight=len(large)) == THREAD


async def test_a_full_disk_is_told_and_heals(database: Database) -> None:
    def limit(connection: Connection, pages: int) -> None:
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    await database.write(limit, 1)
    (refused,) = await put(database, "x" * 1_000_000)
    await database.write(limit, 1_000_000)

    assert isinstance(refused, StorageUnavailable)
    assert set(await put(database, "one")) == {"MainThread"}
    assert await database.read(words) == {"one"}


async def test_a_commit_that_fails_stores_nothing(database: Database) -> None:
    await database.write(
        lambda connection: connection.execute(text("CREATE TABLE child (id TEXT REFERENCES note (word))"))
    )
    await database.write(lambda connection: connection.execute(text("CREATE UNIQUE INDEX words ON note (word)")))

    def orphan(connection: Connection, _context: object, items: Sequence[str]) -> list[None]:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))  # looked at when the transaction is committed
        connection.execute(text("INSERT INTO child VALUES ('nobody')"))
        return [None] * len(items)

    with pytest.raises((exc.IntegrityError, StorageUnavailable)):
        await database.write_each(orphan, database, "", quick=True)
    assert set(await put(database, "one")) == {"MainThread"}
    assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM child")).scalar()) == 0


def quietly(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """The loop's own log of what is raised on purpose."""


def undone(connection: Connection, _context: object, items: Sequence[str]) -> list[None]:
    """What SQLite does by itself to a transaction that memory or the disk fails, without another word."""
    driver_connection: Any = connection.connection.driver_connection
    driver_connection.rollback()
    return [None] * len(items)


@pytest.mark.parametrize("quick", [True, False])
async def test_a_transaction_that_sqlite_has_undone_is_not_taken_for_stored(database: Database, quick: bool) -> None:
    told = await asyncio.gather(
        database.write_each(note, database, "one", quick=quick),
        database.write_each(undone, database, "", quick=quick),
        return_exceptions=True,
    )

    assert {type(each) for each in told} == {StorageUnavailable}
    assert await database.read(words) == set()
    assert await put(database, "two")
    assert await database.read(words) == {"two"}


async def test_whatever_keeps_a_transaction_from_beginning_loses_no_write(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [MemoryError()]
    begin = Connection.begin

    def begin_later(connection: Connection) -> Any:
        if faults:
            raise faults.pop()
        return begin(connection)

    monkeypatch.setattr(Connection, "begin", begin_later)
    asyncio.get_running_loop().set_exception_handler(quietly)

    async with patience(10):
        assert await put(database, "one") == [THREAD]
        assert await put(database, "two") == ["MainThread"]


async def test_what_was_submitted_is_finished_when_the_database_is_closed(
    database_url: str, database: Database
) -> None:
    other = await open_database(database_url)
    writing = putting(other, *(f"word {number}" for number in range(100)))
    await asyncio.sleep(0)

    await other.close()

    await asyncio.gather(*writing)
    assert len(await database.read(words)) == 100

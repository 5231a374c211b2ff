"""The group commit: one transaction for many, a savepoint for each."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from psycopg.errors import DiskFull
from sqlalchemy import Connection, exc, text
from structlog.testing import capture_logs
from tests.patience import patience
from tests.storage.notes import add, words

from ringpost.errors import StorageUnavailable
from ringpost.storage.database import Database, open_database
from ringpost.storage.engines import open_engines
from ringpost.storage.groups import LARGEST, afterwards

WORDS_OF_NOTES = text("CREATE TABLE more (word TEXT REFERENCES note (word) DEFERRABLE INITIALLY DEFERRED)")
OF_NO_NOTE = text("INSERT INTO more VALUES ('of no note')")
"""What is found out at the commit, and fails it."""


async def test_a_write_that_raises_undoes_only_its_own_changes(database: Database) -> None:
    results = await asyncio.gather(*(database.write(add, word) for word in ("a", "bad", "b")), return_exceptions=True)
    assert results[0] == "a"
    assert isinstance(results[1], ValueError)
    assert results[2] == "b"
    assert await database.read(words) == {"a", "b"}


async def test_what_goes_on_is_told_again_after_a_while_with_how_often_it_was_met(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_no_room(_connection: Connection) -> None:
        raise exc.OperationalError("INSERT", {}, DiskFull("no room"))

    async def try_again() -> None:
        with pytest.raises(StorageUnavailable):
            await database.write(find_no_room)

    with capture_logs() as logs:
        for _ in range(3):
            await try_again()
        monkeypatch.setattr("ringpost.storage.away.TELL_EVERY_S", 0.0)
        await try_again()
    told = [line.get("times_before") for line in logs if line["event"] == "database_unavailable"]
    assert told == [None, 2]


async def test_a_write_that_raises_what_no_future_takes_keeps_nobody_else_waiting(database: Database) -> None:
    def takes_the_first_of_none(_connection: Connection) -> str:
        return next(iter(()))

    async with patience(5):
        results = await asyncio.gather(
            database.write(takes_the_first_of_none), database.write(add, "a"), return_exceptions=True
        )
        assert await database.write(add, "b") == "b"

    assert isinstance(results[0], RuntimeError)
    assert results[1] == "a"


async def test_joined_writes_of_a_group_with_a_fault_are_done_one_by_one(database: Database) -> None:
    def add_all(connection: Connection, _context: object, items: Sequence[str]) -> list[str]:
        return [add(connection, item) for item in items]

    context = object()
    results = await asyncio.gather(
        *(database.write_each(add_all, context, word) for word in ("a", "bad", "b")), return_exceptions=True
    )
    assert [type(result) for result in results] == [str, ValueError, str]
    assert await database.read(words) == {"a", "b"}


async def test_joined_writes_get_their_own_results_in_order(database: Database) -> None:
    groups: list[int] = []

    def shout(_connection: Connection, _context: object, items: Sequence[str]) -> list[str]:
        groups.append(len(items))
        return [item.upper() for item in items]

    context = object()
    wanted = [f"w{number}" for number in range(200)]
    results = await asyncio.gather(*(database.write_each(shout, context, word) for word in wanted))
    assert results == [word.upper() for word in wanted]
    assert len(groups) < 200, "none of 200 concurrent writes was joined with another"


async def test_a_commit_takes_no_more_once_it_has_a_thousand_items(database: Database) -> None:
    """Lists count by what is in them: what waits behind sixty of a thousand each does not wait for all of them."""
    commits: list[int] = []

    def note(_connection: Connection, _context: object, lists: Sequence[list[int]]) -> list[int]:
        commits.append(sum(map(len, lists)))
        return [len(one) for one in lists]

    context = object()
    lists = [list(range(1000))] * 5 + [list(range(100))] * 30
    results = await asyncio.gather(*(database.write_each(note, context, one, weight=len(one)) for one in lists))
    assert results == [len(one) for one in lists]
    assert sum(commits) == sum(results)
    assert max(commits) < 2 * LARGEST


async def test_a_read_commits_nothing(database: Database) -> None:
    await database.read(add, "never")
    assert await database.read(words) == set()


async def test_a_cancelled_waiter_does_not_undo_the_write_of_others(database: Database) -> None:
    gone = asyncio.create_task(database.write(add, "a"))
    stays = asyncio.create_task(database.write(add, "b"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "b"
    assert "b" in await database.read(words)


async def test_a_closed_database_refuses_instead_of_hanging(database_url: str) -> None:
    opened = await open_database(database_url)
    pending = asyncio.create_task(opened.write(lambda connection: connection.execute(text("SELECT 1")).scalar()))
    await asyncio.sleep(0)
    await opened.close()
    assert await pending == 1, "what was submitted before the close is finished"
    with pytest.raises(StorageUnavailable):
        await opened.write(words)


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="must start with sqlite"):
        open_engines("mysql://db.example.com/ringpost")


# What is left for afterwards ----------------------------------------------------------------------------------------


class Told:
    """What writes that left something for afterwards were told, in order."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.left = 0

    @property
    def in_the_end(self) -> dict[str, str]:
        """Of each word, what was told last; a write may be run again, and each run is told what became of it."""
        assert len(self.words) == self.left, "each that was left is told once"
        done = [word for word in self.words if word.endswith(" done")]
        assert len(done) == len({*done}), "nothing is done twice"
        return dict(word.split() for word in self.words)

    def add(self, connection: Connection, word: str) -> None:
        """Write a word, and note what becomes of it."""
        self.left += 1
        afterwards(
            connection, lambda: self.words.append(f"{word} done"), lambda: self.words.append(f"{word} undone")
        )  # fmt: skip
        add(connection, word)


async def test_who_waits_hears_of_a_write_after_what_was_left_for_afterwards(database: Database) -> None:
    told = Told()
    await database.write(told.add, "a")
    assert told.words == ["a done"]


async def test_what_was_left_for_afterwards_is_undone_with_its_own_write_alone(database: Database) -> None:
    told = Told()
    words_of_one_group = ("a", "bad", "b")
    await asyncio.gather(*(database.write(told.add, word) for word in words_of_one_group), return_exceptions=True)
    assert told.in_the_end == {"a": "done", "b": "done", "bad": "undone"}


async def test_a_commit_that_fails_undoes_what_everybody_left_for_afterwards(
    database: Database,
) -> None:
    await database.write(lambda connection: connection.execute(WORDS_OF_NOTES).close())
    told, go_on = Told(), threading.Event()
    first = asyncio.create_task(database.write(lambda _connection: go_on.wait(20)))
    await asyncio.sleep(0.1)
    group = [asyncio.create_task(database.write(told.add, word)) for word in ("a", "b")]
    group.append(asyncio.create_task(database.write(lambda connection: connection.execute(OF_NO_NOTE).close())))
    await asyncio.sleep(0.1)
    go_on.set()
    assert await first
    for one in group:
        with pytest.raises(StorageUnavailable):
            await one
    assert told.in_the_end == {"a": "undone", "b": "undone"}
    assert await database.read(words) == set()
    await database.write(told.add, "a")
    assert told.in_the_end == {"a": "done", "b": "undone"}, "and the database goes on"

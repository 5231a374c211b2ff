"""What is SQLite's own: its file, its locks, its full disk."""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from tests.left_out import left_out
from tests.storage.notes import NOTES, add, words

from ringpost.errors import StorageUnavailable
from ringpost.storage import sqlite
from ringpost.storage.database import Database, open_database
from ringpost.storage.engines import open_engines
from ringpost.storage.writer import EXIT_SYNC_FAILED


@pytest.fixture
def kind_of_database() -> str:
    """This one only."""
    return "sqlite"


async def test_a_full_disk_acknowledges_nothing_and_heals_by_itself(database: Database) -> None:
    def limit(connection: Connection, pages: int) -> None:
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    def fill(connection: Connection, word: str) -> None:
        connection.execute(text("INSERT INTO note VALUES (:word)"), {"word": word * 4096 * 64})

    await database.write(limit, 1)  # as large as it is, and no larger
    with pytest.raises(StorageUnavailable):
        await database.write(fill, "x")
    await database.write(limit, 1_000_000)
    await database.write(add, "after")
    assert await database.read(words) == {"after"}


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    reader, writer = open_engines(f"sqlite:///{tmp_path / 'deep' / 'x.db'}")
    with writer.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2, "FULL: an answer survives a power cut"
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    reader.dispose()
    writer.dispose()
    assert (tmp_path / "deep" / "x.db").stat().st_mode & 0o777 == 0o600


def test_where_there_can_be_no_log_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network share; a database in memory has none either (sqlite.org/wal.html)."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageUnavailable, match="local disk"):
        open_engines("sqlite:///:memory:")


@pytest.mark.parametrize("name", ["what?", "50%3F of it", "a#b&c=d"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    for engine in open_engines(f"sqlite:///{tmp_path / name / 'x.db'}"):
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM changes")).scalar() == 1
        engine.dispose()

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "x.db").stat().st_mode & 0o777 == 0o600


def test_a_failed_sync_ends_the_process_and_acknowledges_nothing(database_url: str) -> None:
    """Nobody knows what is on the disk then (the kernel may have dropped what it could not write)."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "no_sync.py"), database_url],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "no seccomp here" in done.stderr:
        left_out("a failing disk, because this machine does not let a process filter its system calls")
    assert done.returncode == EXIT_SYNC_FAILED, done.stdout + done.stderr
    assert done.stdout.count("acknowledged\n") == 1, "only the write before the disk failed"
    assert "sync_failed" in done.stdout + done.stderr


async def test_after_a_burst_the_write_ahead_log_gets_small_again(database: Database, database_path: Path) -> None:
    def burst(connection: Connection) -> None:
        word = {"word": "x" * (sqlite.LONGEST_LOG + 2**20)}
        connection.execute(text("INSERT INTO note VALUES (:word)"), word)

    log = database_path.with_name(f"{database_path.name}-wal")
    await database.write(burst)
    assert log.stat().st_size > sqlite.LONGEST_LOG
    await database.write(add, "after")
    assert log.stat().st_size <= sqlite.LONGEST_LOG


@contextmanager
def locked(path: Path) -> Generator[Connection]:
    """A file that somebody else writes to, until `rollback`."""
    engine = create_engine(f"sqlite:///{path}", module=sqlite.driver)
    with engine.connect() as stranger:
        stranger.exec_driver_sql("INSERT INTO note VALUES ('stranger')")
        yield stranger
    engine.dispose()


async def test_a_write_waits_for_who_has_the_file_locked(database: Database, database_path: Path) -> None:
    with locked(database_path) as stranger:
        waiting = asyncio.create_task(database.write(add, "a"))
        assert await database.read(words) == set(), "reads go on"
        await asyncio.sleep(0.5)
        assert not waiting.done()
        stranger.rollback()
        assert await waiting == "a"


async def test_a_file_that_stays_locked_refuses_and_then_goes_on(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.3)
    database = await open_database(f"sqlite:///{database_path}")
    await database.write(lambda connection: connection.execute(NOTES))
    with locked(database_path) as stranger:
        with pytest.raises(StorageUnavailable):
            await database.write(add, "a")
        stranger.rollback()
    await database.write(add, "b")
    assert await database.read(words) == {"b"}
    await database.close()


async def test_all_that_wait_for_a_file_that_stays_locked_are_refused_together(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, the last would wait for as many patiences as there are."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 1)
    database = await open_database(f"sqlite:///{database_path}")
    await database.write(lambda connection: connection.execute(NOTES))
    with locked(database_path):
        async with asyncio.timeout(10):
            refused = await asyncio.gather(
                *(database.write(add, f"word {number}") for number in range(20)), return_exceptions=True
            )
    assert {type(each) for each in refused} == {StorageUnavailable}
    assert await database.read(words) == set()
    await database.close()


async def test_what_came_while_a_process_waited_for_its_turn_goes_in_the_same_commit(
    database: Database, database_path: Path
) -> None:
    stored_before: list[int] = []

    def look_and_add(connection: Connection, word: str) -> None:
        engine = create_engine(f"sqlite:///{database_path}")
        with engine.connect() as other:
            stored_before.append(other.execute(text("SELECT count(*) FROM note")).scalar_one())
        engine.dispose()
        add(connection, word)

    with locked(database_path) as stranger:
        waiting = [asyncio.create_task(database.write(look_and_add, "the first"))]
        await asyncio.sleep(0.2)  # it waits for the file now
        waiting += [asyncio.create_task(database.write(look_and_add, f"word {number}")) for number in range(4)]
        await asyncio.sleep(0.2)
        stranger.rollback()
        await asyncio.gather(*waiting)
    assert stored_before == [0] * 5

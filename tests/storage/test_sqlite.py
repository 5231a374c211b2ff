"""What is SQLite's own: its file, its locks, its full disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from tests.storage.test_database import NOTES, add, words

from ringpost.errors import StorageUnavailable
from ringpost.storage.database import Database, open_database
from ringpost.storage.engines import open_engines


@pytest.fixture
def kind_of_database() -> str:
    """This one only."""
    return "sqlite"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with one table of ours."""
    opened = await open_database(database_url)
    await opened.write(lambda connection: connection.execute(NOTES))
    yield opened
    await opened.close()


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

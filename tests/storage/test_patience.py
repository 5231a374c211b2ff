"""Whoever comes back from the database gets the interpreter at once, and is then left in peace."""

import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, exc

from ringpost.errors import StorageUnavailable
from ringpost.storage.database import Database, open_database
from ringpost.storage.patience import AT_ONCE_S, IN_PEACE_S


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    """Others go on with the interval that they had."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the schema."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()


def intervals(connection: Connection) -> tuple[float, float]:
    """While SQLite works, and while Python does."""
    driver: Any = connection.connection.driver_connection
    driver.create_function("switch_interval", 0, sys.getswitchinterval)
    while_away: float = connection.exec_driver_sql("SELECT switch_interval()").scalar_one()
    return while_away, sys.getswitchinterval()


@pytest.mark.parametrize("kind_of_database", ["sqlite"])  # whose functions run in this process
async def test_a_thread_asks_for_the_interpreter_at_once_when_it_comes_back(database: Database) -> None:
    for found in (await database.write(intervals), await database.read(intervals)):
        assert found == pytest.approx((AT_ONCE_S, IN_PEACE_S))


async def test_after_a_commit_all_are_left_in_peace(database: Database) -> None:
    await database.write(lambda connection: connection.exec_driver_sql("UPDATE changes SET count = count + 1"))

    assert sys.getswitchinterval() == pytest.approx(IN_PEACE_S)


async def test_after_an_error_all_are_left_in_peace(database: Database) -> None:
    with pytest.raises((exc.SQLAlchemyError, StorageUnavailable)):
        await database.write(lambda connection: connection.exec_driver_sql("SELECT * FROM no_such_table"))

    assert sys.getswitchinterval() == pytest.approx(IN_PEACE_S)

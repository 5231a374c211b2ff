"""Tests of this folder run on both databases."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.storage.notes import NOTES

from ringpost.storage.database import Database, open_database
from ringpost.storage.engines import open_engines


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    """Every test of this folder runs on both."""
    return request.param


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with one table of ours."""
    opened = await open_database(database_url)
    await opened.write(lambda connection: connection.execute(NOTES))
    yield opened
    await opened.close()


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two processes on one database, as far as the database can tell."""
    one, other = await open_database(database_url), await open_database(database_url)
    await one.write(lambda connection: connection.execute(NOTES))
    yield one, other
    await one.close()
    await other.close()


@pytest.fixture
def engine(database_url: str) -> Any:
    """A migrated database."""
    reader, writer = open_engines(database_url)
    yield writer
    reader.dispose()
    writer.dispose()


@pytest.fixture
def connection(engine: Engine) -> Any:
    """An open transaction."""
    with engine.begin() as opened:
        yield opened

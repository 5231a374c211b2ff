"""Keeps everybody from writing to a database, as a careless backup or an administrator's forgotten session does."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from pysqlite3 import dbapi2

_sqlite: Any = dbapi2
CannotWrite: type[Exception] = _sqlite.OperationalError
"""Somebody else keeps everybody from writing to a SQLite file."""


@contextmanager
def writing_is_held_up(database_url: str, patience_s: float = 60) -> Generator[None]:
    """Reading goes on. Raises CannotWrite when somebody else does the same to a SQLite file all the time."""
    if database_url.startswith("sqlite:///"):
        connection = _sqlite.connect(database_url.removeprefix("sqlite:///"), timeout=patience_s, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
        finally:
            connection.close()
    else:
        with psycopg.connect(database_url) as locking:
            locking.execute("LOCK TABLE events, deliveries, holds IN SHARE MODE")
            yield
            locking.rollback()

"""Engines: how SQLAlchemy talks to each database."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from ringpost.storage import sqlite
from ringpost.storage.patience import come_back_at_once
from ringpost.storage.schema import migrate

_IN_A_FILE: Final = "sqlite:///"
"""How the URL of an embedded database begins. All that follows is the path of its file, whatever it holds."""


READERS: Final = 4
"""Threads of a process that read; each has a connection of its own."""


def open_engines(url: str, *, make: bool = True) -> tuple[Engine, Engine]:
    """Engines to read and to write with, after the schema was brought up to date; without `make`, it has to have one.

    Raises ValueError when the URL is of no known kind, StorageUnavailable when the database is not what we need, and
    what `migrate` raises.
    """
    check_url(url)
    file = database_file(url)
    if file is not None:
        reader, writer = sqlite.engines(file)
        check = None
    else:
        from ringpost.storage import postgresql  # noqa: PLC0415  its driver takes 5 MB of memory, and SQLite none of it

        reader, writer = postgresql.engines(url, READERS)
        check = postgresql.check_server
    try:
        if check is not None:
            check(writer)
        migrate(writer, make=make)
        for engine in (reader, writer):
            come_back_at_once(engine)
    except BaseException:
        reader.dispose()
        writer.dispose()
        raise
    return reader, writer


def database_file(url: str) -> Path | None:
    """The file of an embedded database; None when it is on a server."""
    return Path(url.removeprefix(_IN_A_FILE)) if url.startswith(_IN_A_FILE) else None


def check_url(url: str) -> None:
    """Raise ValueError when the URL is of no known kind."""
    if not url.startswith((_IN_A_FILE, "postgresql://", "postgres://")):
        raise ValueError(
            "this must start with sqlite:/// (a file) or postgresql:// (a server), such as "
            "postgresql://ringpost@db.example.com/ringpost"
        )

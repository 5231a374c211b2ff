"""SQLite: the embedded database, one file on a local disk, written by one process at a time."""

import errno
import os
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pysqlite3.dbapi2 as driver
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from ringpost.errors import StorageUnavailable
from ringpost.storage.turns import Turns
from ringpost.storage.whereabouts import Whereabouts

OLDEST = (3, 51, 3)
"""3.7.0 to 3.51.2 can lose committed writes in WAL mode with two connections (WAL-reset bug, sqlite.org/wal.html)."""

BUSY_TIMEOUT_S = 60
LINE_PATIENCE_S = 2.0
"""How long a process stands in line to write before it tries its luck without: somebody in it may have been stopped."""

WRITERS_CACHE_KIB = 16_000
"""Pages that the connection that writes keeps."""
CACHE_KIB = 4_000
"""Pages that each connection that reads keeps; the system keeps the file's pages too, and for all of them."""

LONGEST_LOG = 64 * 2**20
"""Bytes that the write-ahead log keeps on disk; what a burst has made it is cut off when it begins anew."""


_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()
"""The turns of each engine to write with."""
_NO_LOG = "SQLite cannot keep a write-ahead log here. The database must be on a local disk, not on a network share."
_AT_ONCE = "ringpost_at_once"
_WITHOUT_WAITING = "PRAGMA busy_timeout = 0"
"""How connections to write with are: what locks the file is met when a transaction begins, or not at all."""


def engines(path: Path) -> tuple[Engine, Engine]:
    """Engines to read and to write a file with; it is made when it is not there. Raises StorageUnavailable, OSError."""
    if driver.sqlite_version_info < OLDEST:
        found, needed = (".".join(map(str, version)) for version in (driver.sqlite_version_info, OLDEST))
        raise StorageUnavailable(f"SQLite {found} can lose committed writes; at least {needed} is needed.")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    _must_be_ours_to_write(path)
    turns, file = Turns(path, LINE_PATIENCE_S), Whereabouts(path)
    reader = _engine(path, "BEGIN", CACHE_KIB)
    writer = _engine(path, "BEGIN IMMEDIATE", WRITERS_CACHE_KIB, turns)
    _turns[writer] = turns
    for engine, moment in ((reader, "begin"), (writer, "commit"), (reader, "do_connect"), (writer, "do_connect")):
        event.listen(engine, moment, lambda *_: file.must_be_known(), insert=True)
    return reader, writer


def _must_be_ours_to_write(path: Path) -> None:
    """Raise PermissionError where SQLite would open the file all the same and fail later, or say that it is read-only.

    To open the file for that would not do: closing it gives up all locks that this process has on it.
    """
    for part in (path.parent, *(Path(f"{path}{end}") for end in ("", "-wal", "-shm"))):
        if part.exists() and not os.access(part, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(part))


def begin_at_once(writer: Engine) -> Connection | None:
    """A transaction to write in; None when others write, or anything else is wrong: whoever waits for one is told."""
    turns = _turns[writer]
    if not turns.take_at_once():
        return None
    connection: Connection | None = None
    try:
        connection = writer.connect()
        connection.info[_AT_ONCE] = True
        connection.begin()
    except BaseException as error:
        if connection is None:
            turns.give()
        else:
            connection.close()
        if isinstance(error, exc.DBAPIError | StorageUnavailable):
            return None
        raise
    return connection


def _engine(path: Path, begin: str, cache_kib: int, turns: Turns | None = None) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=driver,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        _prepare(connection, cache_kib)
        if turns is not None:
            connection.execute(_WITHOUT_WAITING)

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        if turns is None or connection.info.pop(_AT_ONCE, False):
            connection.exec_driver_sql(begin)
        else:
            turns.take()
            _waiting(connection, begin)

    event.listen(engine, "commit", _make_sure_of_transaction)

    @event.listens_for(engine, "checkin")
    def end(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        if connection is not None and connection.in_transaction:  # a commit that fails leaves it open
            connection.rollback()
        if turns is not None:
            turns.give()

    return engine


def _prepare(connection: Any, cache_kib: int) -> None:
    """Set up a fresh connection of the driver. Raises StorageUnavailable."""
    connection.isolation_level = None  # the driver must not begin on its own: we say when, and how
    (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if journal != "wal":
        raise StorageUnavailable(_NO_LOG)
    for pragma in (
        "synchronous = FULL",  # an acknowledged event survives a power cut
        "foreign_keys = ON",
        "temp_store = MEMORY",
        f"cache_size = {-cache_kib}",
        f"journal_size_limit = {LONGEST_LOG}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _waiting(connection: Connection, statement: str) -> None:
    """Run it, and wait for another program that has locked the file: one that does not stand in line."""
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    try:
        connection.exec_driver_sql(statement)
    finally:
        connection.exec_driver_sql(_WITHOUT_WAITING)


def _make_sure_of_transaction(connection: Connection) -> None:
    """SQLite undoes a transaction by itself when memory or the disk fails it; then a commit stores nothing.

    Raises StorageUnavailable (sqlite.org/lang_transaction.html, Response To Errors Within A Transaction).
    """
    driver_connection: Any = connection.connection.driver_connection
    if not driver_connection.in_transaction:
        raise StorageUnavailable("The database has undone what was to be written; nothing was stored. Try again.")

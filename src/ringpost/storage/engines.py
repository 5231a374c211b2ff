"""Engines: how SQLAlchemy talks to each database, and the schema brought up to date."""

from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Engine, create_engine, event

from ringpost.errors import StorageUnavailable

OLDEST_SQLITE = (3, 51, 3)
"""3.7.0 to 3.51.2 can lose committed writes in WAL mode with two connections (WAL-reset bug, sqlite.org/wal.html)."""

BUSY_TIMEOUT_S = 60


def open_engines(url: str) -> tuple[Engine, Engine]:
    """Engines to read and to write with, after the schema was brought up to date."""
    if not url.startswith("sqlite:///"):
        raise ValueError("RINGPOST_DATABASE_URL must start with sqlite:/// (a file)")
    if sqlite.sqlite_version_info < OLDEST_SQLITE:
        found, needed = (".".join(map(str, version)) for version in (sqlite.sqlite_version_info, OLDEST_SQLITE))
        raise StorageUnavailable(f"SQLite {found} can lose committed writes; at least {needed} is needed.")
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    reader, writer = _sqlite_engine(url, "BEGIN"), _sqlite_engine(url, "BEGIN IMMEDIATE")
    migrate(writer)
    return reader, writer


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision. Safe to run at every start, and from several processes."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _sqlite_engine(url: str, begin: str) -> Engine:
    engine = create_engine(
        url,
        module=sqlite,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # the driver must not begin on its own: we say when, and how
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # an acknowledged event survives a power cut
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -32000",  # KiB
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine

"""PostgreSQL: the database of many machines, written by any number of processes at the same time.

The URL is libpq's own, with everything that it can say: several hosts, TLS, a service file. Unless it says otherwise,
only a server that takes writes is connected to, so that after a failover the new primary is found.
"""

import functools
from collections.abc import Mapping
from typing import Any

import psycopg
import structlog
from psycopg import conninfo
from sqlalchemy import Connection, Engine, create_engine, event, text

from ringpost.errors import StorageUnavailable
from ringpost.storage.direct import DirectConnection, driver_of

OLDEST = 14
"""Older ones are not maintained any more (postgresql.org/support/versioning)."""

CONNECTING: dict[str, Any] = {
    "application_name": "ringpost",
    "client_encoding": "UTF8",
    "connect_timeout": 5,  # s, for each host
    "target_session_attrs": "read-write",
    # a server that has vanished without a word is noticed in half a minute
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms
}
"""How to connect, as far as the URL does not say (postgresql.org/docs/current/libpq-connect.html)."""

SESSION = {
    "jit": "off",  # compiling takes longer than anything of ours
    "statement_timeout": "60s",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "60s",
}
"""Nothing of ours takes so long; what does is stuck, and must not keep others from their rows."""

BY_INDEX = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Options of the connection that writes: whatever it asks for is found by an index, one row after the other.

Its statements stay prepared, and so do their plans; those made while a table was small would read all of it.
"""

_MIGRATING = 0x52494E47504F5354
"""Key of the lock that is held while the schema is changed: `RINGPOST` in ASCII."""

_log = structlog.get_logger("ringpost.storage")


def connection_options(url: str) -> dict[str, Any]:
    """Everything that libpq needs to connect. Raises ValueError when the URL cannot be read; never shows it."""
    try:
        said = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ValueError(
            "RINGPOST_DATABASE_URL cannot be read. It has the form "
            "postgresql://user:password@host:5432/database?sslmode=verify-full; characters such as @ : / in a password "
            "are written in percent encoding."
        ) from None
    return {**CONNECTING, **said}


def engines(url: str, readers: int) -> tuple[Engine, Engine]:
    """Engines to read with, by up to `readers` at once, and to write with; nothing is connected yet.

    Raises ValueError.
    """
    connect = functools.partial(DirectConnection.connect, **connection_options(url))
    # a read sees one state of the database from its first query to its last, as on SQLite
    reader = _engine(connect, readers, SESSION, isolation_level="REPEATABLE READ")
    writer = _engine(connect, 1, SESSION | BY_INDEX, isolation_level="READ COMMITTED")
    event.listen(writer, "rollback_savepoint", _forget)
    return reader, writer


def check_server(engine: Engine) -> None:
    """Raise StorageUnavailable when it cannot be what we need, with what to do about it."""
    with engine.connect() as connection:
        version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        syncs = connection.execute(text("SHOW fsync")).scalar_one()
    if version < OLDEST * 10_000:
        raise StorageUnavailable(f"PostgreSQL {version // 10_000} is too old; at least {OLDEST} is needed.")
    if encoding != "UTF8":
        raise StorageUnavailable(
            f"The database has the encoding {encoding}, and names and mails need UTF8. Make one that has it: "
            "CREATE DATABASE ringpost ENCODING 'UTF8' TEMPLATE template0"
        )
    if syncs != "on":
        _log.warning("database_does_not_sync", hint="with fsync = off a power cut loses what was acknowledged")


def be_the_only_one_to_migrate(connection: Connection) -> None:
    """Wait until no other process changes the schema; until the end of the transaction, none will."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})


def _forget(connection: Connection, _name: str, _context: object) -> None:
    if not connection.invalidated:  # what is gone has nothing prepared, and asking for it would hide why it is gone
        driver_of(connection).forget()


def _engine(connect: Any, connections: int, session: Mapping[str, str], **options: Any) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://", creator=connect, pool_size=connections, max_overflow=0, pool_use_lifo=True, **options
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in session.items())
        before, connection.autocommit = connection.autocommit, True
        connection.execute(f"SELECT {settings}")
        # an acknowledged event survives a power cut, whatever the server's default is
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.autocommit = before

    return engine

"""PostgreSQL without detours: a statement of the hot path is one call of libpq.

The driver waits for an answer in many small steps and lets go of the interpreter's lock at each of them, five times a
statement; where another thread is busy, each time it waits for that lock anew. libpq's own call lets go of it once.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.rows import TupleRow
from sqlalchemy import Connection, exc

from ringpost.storage import patience, silence

T = TypeVar("T")
Value = str | bytes
"""What a parameter may be: any text that the server can read, or bytes."""

FIRST_PLANS = 200
"""Rows written, after which statements are planned anew; then, each time, when there were twice as many.

A plan stays with its statement, and which index is best is not to be told from a small table.
"""

_GOOD = pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK


def run(connection: Connection, statement: str, values: Sequence[Value] = ()) -> tuple[int, list[TupleRow]]:
    """`DirectConnection.run` in SQLAlchemy's transaction, with SQLAlchemy's errors."""
    driver = driver_of(connection)
    patience.go_in()
    try:
        return driver.run(statement, values)
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise exc.DBAPIError.instance(
            statement, None, error, psycopg.Error, dialect=connection.dialect, connection_invalidated=driver.closed
        ) from error
    finally:
        patience.come_back()


def driver_of(connection: Connection) -> "DirectConnection":
    """What is below SQLAlchemy's."""
    return cast("DirectConnection", connection.connection.driver_connection)


class DirectConnection(psycopg.Connection[TupleRow]):
    """A connection that can do so; for one thread at a time. What it begins and ends itself, it does directly too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known: dict[str, bytes] = {}
        self._made = 0
        self._written = 0
        self._plans_until = FIRST_PLANS

    def commit(self) -> None:
        """Commit; raises when the server did not, because a statement has failed and nobody heeded it."""
        if self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            return
        silence.ask(self)
        try:
            done = self._good(self.pgconn.exec_(b"COMMIT"))
        finally:
            silence.answered(self)
        if done.command_status != b"COMMIT":
            raise psycopg.errors.InFailedSqlTransaction("The transaction was undone: a statement of it had failed.")

    def rollback(self) -> None:
        """Undo what there is to undo; the pool asks for it after each commit too, and then there is nothing."""
        if self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            super().rollback()
            self.forget()

    def run(self, statement: str, values: Sequence[Value] = ()) -> tuple[int, list[TupleRow]]:
        """Run one statement, whose parameters are $1, $2 and so on; returns how many rows it wrote, and what it found.

        It stays prepared. Raises psycopg.Error.
        """
        silence.ask(self)
        try:
            return self._run(statement, values)
        finally:
            silence.answered(self)

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """What the driver does in its own way waits here."""
        silence.ask(self)
        try:
            return super().wait(gen, *args, **kwargs)
        finally:
            silence.answered(self)

    def hang_up(self) -> None:
        """End the connection on the network, on another thread than the one that waits in libpq."""
        with suppress(psycopg.Error, OSError):  # it has ended already
            borrowed = socket.socket(fileno=self.pgconn.socket)
            try:
                borrowed.shutdown(socket.SHUT_RDWR)
            finally:
                borrowed.detach()

    def _run(self, statement: str, values: Sequence[Value]) -> tuple[int, list[TupleRow]]:
        begins = not self.autocommit and self.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if begins:
            if self._written > self._plans_until:
                self._plan_anew()
            self._begin(wait=not statement.startswith("SELECT"))
        name = self._known.get(statement) or self._prepare(statement)
        told = [value.encode() if isinstance(value, str) else value for value in values]
        formats = [pq.Format.TEXT if isinstance(value, str) else pq.Format.BINARY for value in values]
        result = self._good(self.pgconn.exec_prepared(name, told, formats))
        if begins and self.pgconn.transaction_status != pq.TransactionStatus.INTRANS:
            raise psycopg.OperationalError("The transaction did not begin.")
        found: list[TupleRow] = []
        if result.ntuples:
            reading = Transformer(self)
            reading.set_pgresult(result)
            found = reading.load_rows(0, result.ntuples, tuple)
        count = result.command_tuples or 0
        self._written += count
        return count, found

    def forget(self) -> None:
        """Prepare everything anew: the driver throws away all that is prepared when it has undone something."""
        self._known.clear()

    def _plan_anew(self) -> None:
        self._plans_until = self._written * 2
        for name in self._known.values():
            self._good(self.pgconn.exec_(b"DEALLOCATE " + name))
        self.forget()
        self._good(self.pgconn.exec_(b"DISCARD PLANS"))  # of what the driver has prepared

    def _begin(self, *, wait: bool) -> None:
        """Before what only reads, it goes out without waiting: libpq hears the answer, and throws it away.

        What writes would be stored by itself if the answer was an error.
        """
        level = psycopg.IsolationLevel(self.isolation_level or psycopg.IsolationLevel.READ_COMMITTED)
        statement = f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}".encode()
        if wait:
            self._good(self.pgconn.exec_(statement))
        else:
            self.pgconn.send_query(statement)

    def _prepare(self, statement: str) -> bytes:
        self._made += 1
        name = b"ringpost_%d" % self._made
        self._good(self.pgconn.prepare(name, statement.encode()))
        self._known[statement] = name
        return name

    def _good(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in _GOOD:
            return result
        if result.error_field(pq.DiagnosticField.SQLSTATE) is None:  # no server said so
            raise psycopg.OperationalError(self.pgconn.get_error_message())
        raise psycopg.errors.error_from_result(result)

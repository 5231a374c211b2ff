"""Many rows in one statement, on the way of every mail: past what SQLAlchemy does for each row and each column.

PostgreSQL gets new rows by COPY and what is known of old ones as JSON, so that each is one statement, whatever the
number of rows, and stays prepared. SQLite gets lists of rows in a few lengths, so that their statements stay prepared:
its driver lets go of the interpreter's lock once a statement, and with a statement a row two busy threads would do
little else than hand that lock to and fro.
"""

import json
import typing
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, Table, any_, cast, exc, func, select
from sqlalchemy.dialects import postgresql

RowValues = tuple[Any, ...]

LONGEST_LIST = 64
"""Rows; with some fifteen columns far below SQLite's limit of 32,766 parameters."""
STEP = 8
"""Between the lengths of long lists."""

_POSTGRESQL = postgresql.dialect()


class Insert:
    """INSERT of many rows, each a tuple of values of `columns` in their order."""

    def __init__(self, *columns: Column[Any]) -> None:
        self._columns = columns
        self._table: Table = columns[0].table  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(self, connection: Connection, rows: Sequence[RowValues]) -> None:
        """Write them; none is fine."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            self._copy(connection, rows)
        else:
            for part in _parts(rows):
                rows_of_marks = ", ".join([self._marks] * len(part))
                connection.exec_driver_sql(f"{self._into} VALUES {rows_of_marks}", tuple(chain.from_iterable(part)))

    @cached_property
    def _into(self) -> str:
        return f"INSERT INTO {self._table.name} ({', '.join(map(_quoted, self._columns))})"

    @cached_property
    def _marks(self) -> str:
        return f"({', '.join('?' * len(self._columns))})"

    def _copy(self, connection: Connection, rows: Sequence[RowValues]) -> None:
        import psycopg  # noqa: PLC0415  only where PostgreSQL is the database

        driver = typing.cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        try:
            with driver.cursor() as cursor, cursor.copy(self._copy_in) as copying:
                copying.set_types(self._types)
                for row in rows:
                    copying.write_row(row)
        except psycopg.Error as error:  # as SQLAlchemy would have told it
            raise exc.DBAPIError.instance(
                "COPY", None, error, psycopg.Error, dialect=connection.dialect, connection_invalidated=driver.closed
            ) from error

    @cached_property
    def _copy_in(self) -> bytes:
        columns = ", ".join(map(_quoted, self._columns))
        return f"COPY {self._table.name} ({columns}) FROM STDIN (FORMAT BINARY)".encode()

    @cached_property
    def _types(self) -> list[str]:
        return [_type(column) for column in self._columns]


class Update:
    """UPDATE of many rows, each a tuple of values of `where` and then of `values`; `also` is set in every row."""

    def __init__(self, where: Sequence[Column[Any]], values: Sequence[Column[Any]], also: str) -> None:
        self._where, self._values, self._also = tuple(where), tuple(values), also
        self._table: Table = where[0].table  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(self, connection: Connection, rows: Sequence[RowValues]) -> int:
        """Write them; returns how many rows there were to write."""
        if not rows:
            return 0
        if connection.dialect.name == "postgresql":
            return connection.exec_driver_sql(
                self._from_json, (_as_json((*self._where, *self._values), rows),)
            ).rowcount
        count = 0
        for part in _parts(rows):
            statement = self._from_rows.format(", ".join([self._marks] * len(part)))
            count += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part))).rowcount
        return count

    @cached_property
    def _marks(self) -> str:
        return f"({', '.join('?' * (len(self._where) + len(self._values)))})"

    @cached_property
    def _from_rows(self) -> str:
        """SQLite calls the columns of a list of rows column1, column2 and so on."""
        names = {column: f"said.column{number}" for number, column in enumerate((*self._where, *self._values), 1)}
        values = ", ".join(f"{_quoted(column)} = {names[column]}" for column in self._values)
        where = " AND ".join(f"{self._table.name}.{_quoted(column)} = {names[column]}" for column in self._where)
        return f"UPDATE {self._table.name} SET {values}, {self._also} FROM (VALUES {{}}) AS said WHERE {where}"

    @cached_property
    def _from_json(self) -> str:
        columns = (*self._where, *self._values)
        values = ", ".join(f"{_quoted(column)} = said.{_quoted(column)}" for column in self._values)
        where = " AND ".join(f"{self._table.name}.{_quoted(column)} = said.{_quoted(column)}" for column in self._where)
        return f"UPDATE {self._table.name} SET {values}, {self._also} FROM {_recordset(columns)} WHERE {where}"


class Lookup:
    """SELECT of `columns` where the values of `keys` are among many, each a tuple of them in their order."""

    def __init__(self, keys: Sequence[Column[Any]], columns: Sequence[Column[Any]]) -> None:
        self._keys, self._columns = tuple(keys), tuple(columns)
        self._table: Table = keys[0].table  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(self, connection: Connection, keys: Sequence[RowValues]) -> list[Row[Any]]:
        """The rows that there are, in no order."""
        if not keys:
            return []
        if connection.dialect.name == "postgresql":
            statement = f"{self._where} (SELECT * FROM {_recordset(self._keys)})"
            return list(connection.exec_driver_sql(statement, (_as_json(self._keys, keys),)))
        marks = f"({', '.join('?' * len(self._keys))})"
        found: list[Row[Any]] = []
        for part in _parts(keys):
            statement = f"{self._where} (VALUES {', '.join([marks] * len(part))})"
            found += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))
        return found

    @cached_property
    def _where(self) -> str:
        columns, keys = (", ".join(map(_quoted, each)) for each in (self._columns, self._keys))
        return f"SELECT {columns} FROM {self._table.name} WHERE ({keys}) IN"


def among(connection: Connection, column: Column[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text column has one of any number of values, in one parameter: a statement has 65,535 at most."""
    if connection.dialect.name == "postgresql":
        return column == any_(cast(list(values), postgresql.ARRAY(column.type)))
    return column.in_(select(func.json_each(json.dumps(list(values))).table_valued("value").c.value))


def _parts(rows: Sequence[RowValues]) -> Iterator[Sequence[RowValues]]:
    """Rows in as few lists as there can be of 64, 56, 48 and so on down to 16, and then of any length."""
    begin = 0
    while left := len(rows) - begin:
        length = left if left < STEP * 2 else min(left // STEP * STEP, LONGEST_LIST)
        yield rows[begin : begin + length]
        begin += length


def _quoted(column: Column[Any]) -> str:
    return f'"{column.name}"'


def _recordset(columns: Sequence[Column[Any]]) -> str:
    fields = ", ".join(f"{_quoted(column)} {_type(column)}" for column in columns)
    return f"json_to_recordset(%s::json) AS said ({fields})"


def _as_json(columns: Sequence[Column[Any]], rows: Sequence[RowValues]) -> str:
    names = [column.name for column in columns]
    return msgspec.json.encode([dict(zip(names, row, strict=True)) for row in rows]).decode()


def _type(column: Column[Any]) -> str:
    return column.type.compile(_POSTGRESQL).partition(" COLLATE")[0].lower()

"""Many rows in one statement, on the way of every mail: past what SQLAlchemy does for each row and each column.

SQLite gets `executemany`; PostgreSQL one statement over arrays (`unnest`), which is one round trip.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql

RowValues = tuple[Any, ...]

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
            connection.exec_driver_sql(self._from_arrays, _as_arrays(rows))
        else:
            connection.exec_driver_sql(self._row_by_row, list(rows))

    @cached_property
    def _into(self) -> str:
        return f"INSERT INTO {self._table.name} ({', '.join(map(_quoted, self._columns))})"

    @cached_property
    def _row_by_row(self) -> str:
        return f"{self._into} VALUES ({', '.join('?' * len(self._columns))})"

    @cached_property
    def _from_arrays(self) -> str:
        return f"{self._into} SELECT * FROM {_arrays(self._columns)}"


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
            return connection.exec_driver_sql(self._from_arrays, _as_arrays(rows)).rowcount
        at = len(self._where)  # in SQLite's statement the condition stands last
        return connection.exec_driver_sql(self._row_by_row, [row[at:] + row[:at] for row in rows]).rowcount

    @cached_property
    def _row_by_row(self) -> str:
        values = ", ".join(f"{_quoted(column)} = ?" for column in self._values)
        where = " AND ".join(f"{_quoted(column)} = ?" for column in self._where)
        return f"UPDATE {self._table.name} SET {values}, {self._also} WHERE {where}"

    @cached_property
    def _from_arrays(self) -> str:
        columns = (*self._where, *self._values)
        values = ", ".join(f"{_quoted(column)} = said.{_quoted(column)}" for column in self._values)
        where = " AND ".join(f"{self._table.name}.{_quoted(column)} = said.{_quoted(column)}" for column in self._where)
        said = f"{_arrays(columns)} AS said ({', '.join(map(_quoted, columns))})"
        return f"UPDATE {self._table.name} SET {values}, {self._also} FROM {said} WHERE {where}"


def _quoted(column: Column[Any]) -> str:
    return f'"{column.name}"'


def _arrays(columns: Sequence[Column[Any]]) -> str:
    types = (column.type.compile(_POSTGRESQL).partition(" COLLATE")[0] for column in columns)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in types)})"


def _as_arrays(rows: Sequence[RowValues]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))

"""Many rows in one statement, on the way of every mail: past what SQLAlchemy does for each row and each column.

PostgreSQL is told rows in two values, JSON and bytes, so that a statement stays prepared whatever the number of rows;
and what belongs together is one statement, because each is waited for: for the server, for a free core, and for the
interpreter's lock. SQLite gets lists of rows in a few lengths, so that their statements stay prepared: its driver lets
go of that lock once a statement, and with a statement a row two busy threads would do little else than hand it about.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, compress
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Table, any_, cast, func, select
from sqlalchemy.dialects import postgresql

RowValues = tuple[Any, ...]

LONGEST_LIST = 64
"""Rows; with some fifteen columns far below SQLite's limit of 32,766 parameters."""
STEP = 8
"""The difference between two lengths of long lists."""

MOST_BYTES = 4 * 2**20
"""Bytes of sealed values in one statement to PostgreSQL, which holds all of it in memory and takes a gigabyte."""

_POSTGRESQL = postgresql.dialect()


class Insert:
    """INSERT of many rows, each a tuple of values of `columns` in their order."""

    def __init__(self, *columns: Column[Any], where: str = "") -> None:
        """`where`: PostgreSQL leaves out rows that it is not true of; they are `said`."""
        self._columns, self._where = columns, where
        self._table: Table = columns[0].table  # pyright: ignore[reportAttributeAccessIssue]
        self.told = _Told(columns)

    def __call__(self, connection: Connection, rows: Sequence[RowValues]) -> None:
        """Write them; none is fine."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            for part in self.told.in_parts(rows):
                _run(connection, self._from_told, self.told.values(part))
        else:
            for part in _parts(rows):
                rows_of_marks = ", ".join([self._marks] * len(part))
                connection.exec_driver_sql(f"{self._into} VALUES {rows_of_marks}", tuple(chain.from_iterable(part)))

    def from_told(self, first: int = 1) -> str:
        """The statement for PostgreSQL, its parameters numbered from `first` on.

        A condition on the rows may follow where there is none.
        """
        where = f" WHERE {self._where}" if self._where else ""
        return f"{self._into} SELECT {self.told.columns(first)} FROM {self.told.rows(first)}{where}"

    @cached_property
    def _from_told(self) -> str:
        return self.from_told()

    @cached_property
    def _into(self) -> str:
        return f"INSERT INTO {self._table.name} ({', '.join(map(_quoted, self._columns))})"

    @cached_property
    def _marks(self) -> str:
        return f"({', '.join('?' * len(self._columns))})"


class InsertTogether:
    """INSERT into several tables; rows may refer to rows of any of them."""

    def __init__(self, *inserts: Insert) -> None:
        self._inserts = inserts

    def __call__(self, connection: Connection, *rows: Sequence[RowValues]) -> None:
        """Write the rows of each table, in their order."""
        each = list(zip(self._inserts, rows, strict=True))
        if connection.dialect.name == "postgresql" and all(insert.told.is_small(some) for insert, some in each):
            values = chain.from_iterable(insert.told.values(some) for insert, some in each)
            _run(connection, self._statement, list(values))
        else:
            for insert, some in each:
                insert(connection, some)

    @cached_property
    def _statement(self) -> str:
        """PostgreSQL looks at foreign keys when all of it is written."""
        statements: list[str] = []
        parameter = 1
        for insert in self._inserts:
            statements.append(insert.from_told(parameter))
            parameter += insert.told.parameters
        *others, last = statements
        return f"WITH {', '.join(f'w{number} AS ({one})' for number, one in enumerate(others))} {last}"


class Update:
    """UPDATE of many rows, each a tuple of values of `where`, `values` and `unless_none` (None leaves that as it is).

    `also` is set in every row.
    """

    def __init__(
        self,
        where: Sequence[Column[Any]],
        values: Sequence[Column[Any]],
        *,
        unless_none: Sequence[Column[Any]] = (),
        also: str,
    ) -> None:
        self._where, self._values, self._unless_none, self._also = tuple(where), tuple(values), tuple(unless_none), also
        self._columns = (*self._where, *self._values, *self._unless_none)
        self._table: Table = where[0].table  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(self, connection: Connection, rows: Sequence[RowValues]) -> int:
        """Write them; returns how many rows it changed."""
        if not rows:
            return 0
        if connection.dialect.name == "postgresql":
            return _run(connection, self.from_told, self.told.values(rows))[0]
        count = 0
        for part in _parts(rows):
            statement = self._from_rows.format(", ".join([self._marks] * len(part)))
            count += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part))).rowcount
        return count

    @cached_property
    def _marks(self) -> str:
        return f"({', '.join('?' * len(self._columns))})"

    @cached_property
    def _from_rows(self) -> str:
        """SQLite calls the columns of a list of rows column1, column2 and so on."""
        told = {column: f"said.column{number}" for number, column in enumerate(self._columns, 1)}
        return self._statement("(VALUES {}) AS said", told)

    @cached_property
    def told(self) -> "_Told":
        """How PostgreSQL is told its rows."""
        return _Told(self._columns)

    @cached_property
    def from_told(self) -> str:
        """The statement for PostgreSQL."""
        return self._statement(self.told.rows(), {column: f"said.{_quoted(column)}" for column in self._columns})

    def _statement(self, said: str, told: Mapping[Column[Any], str]) -> str:
        """`said` is what stands behind FROM, `told` each column's name in it."""
        mine = {column: f"{self._table.name}.{_quoted(column)}" for column in self._columns}
        values = [f"{_quoted(column)} = {told[column]}" for column in self._values]
        values += [f"{_quoted(column)} = coalesce({told[column]}, {mine[column]})" for column in self._unless_none]
        where = " AND ".join(f"{mine[column]} = {told[column]}" for column in self._where)
        return f"UPDATE {self._table.name} SET {', '.join(values)}, {self._also} FROM {said} WHERE {where}"


class UpdateWithInsert:
    """UPDATE of many rows, INSERT of one more for each that was there, and a question: one statement of PostgreSQL."""

    def __init__(
        self, update: Update, insert: Insert, *, key: Column[Any], refers_to_it: Column[Any], question: str
    ) -> None:
        """`key` is a column of `update`'s, `refers_to_it` one of `insert`'s; `question` is for one column of text."""
        self._update, self._insert = update, insert
        self._key, self._refers, self._question = key, refers_to_it, question

    def __call__(
        self, connection: Connection, rows: Sequence[RowValues], others: Sequence[RowValues]
    ) -> tuple[set[str], list[str]]:
        """Write them; returns the keys of those that were there, and the answers."""
        values = [*self._update.told.values(rows), *self._insert.told.values(others)]
        _, found = _run(connection, self._statement, values)
        return {key for key, _ in found if key is not None}, [answer for key, answer in found if key is None]

    @cached_property
    def _statement(self) -> str:
        insert = self._insert.from_told(1 + self._update.told.parameters)
        key, refers = _quoted(self._key), _quoted(self._refers)
        return (
            f"WITH hit AS ({self._update.from_told} RETURNING {self._key.table.name}.{key}), "
            f"written AS ({insert} WHERE {refers} IN (SELECT {key} FROM hit) RETURNING {refers}) "
            f"SELECT {refers}, NULL FROM written UNION ALL SELECT NULL, answer FROM ({self._question}) AS asked(answer)"
        )


class Lookup:
    """SELECT of `columns` where the values of `keys` are among many, each a tuple of them in their order."""

    def __init__(self, keys: Sequence[Column[Any]], columns: Sequence[Column[Any]]) -> None:
        self._keys, self._columns = tuple(keys), tuple(columns)
        self._table: Table = keys[0].table  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(self, connection: Connection, keys: Sequence[RowValues]) -> Sequence[tuple[Any, ...]]:
        """The rows that there are, in no order."""
        if not keys:
            return []
        if connection.dialect.name == "postgresql":
            return _run(connection, f"{self._where} (SELECT * FROM {self._told.rows()})", self._told.values(keys))[1]
        marks = f"({', '.join('?' * len(self._keys))})"
        found: list[tuple[Any, ...]] = []
        for part in _parts(keys):
            statement = f"{self._where} (VALUES {', '.join([marks] * len(part))})"
            found += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))
        return found

    @cached_property
    def _told(self) -> "_Told":
        return _Told(self._keys)

    @cached_property
    def _where(self) -> str:
        columns, keys = (", ".join(map(_quoted, each)) for each in (self._columns, self._keys))
        return f"SELECT {columns} FROM {self._table.name} WHERE ({keys}) IN"


class _Told:
    """How PostgreSQL is told rows of these columns: as JSON, which has no bytes; those are one long value beside it."""

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self._names = [column.name for column in columns]
        self._types = [_type(column) for column in columns]
        self._has_bytes = [kind == "bytea" for kind in self._types]
        self.parameters = 2 if any(self._has_bytes) else 1

    def rows(self, first: int = 1) -> str:
        """What stands behind FROM; `first` is the number of the first parameter."""
        fields = [
            f'"{name}" integer, "{name}_size" integer' if has_bytes else f'"{name}" {kind}'
            for name, kind, has_bytes in zip(self._names, self._types, self._has_bytes, strict=True)
        ]
        return f"json_to_recordset(${first}::json) AS said ({', '.join(fields)})"

    def columns(self, first: int = 1) -> str:
        """What stands behind SELECT."""
        cut_out = f'substring(${first + 1}::bytea FROM "{{0}}" FOR "{{0}}_size")'
        each = zip(self._names, self._has_bytes, strict=True)
        return ", ".join(cut_out.format(name) if has_bytes else f'"{name}"' for name, has_bytes in each)

    def values(self, rows: Sequence[RowValues]) -> list[str | bytes]:
        """The parameters."""
        said = [dict(zip(self._names, row, strict=True)) for row in rows]
        pieces: list[bytes] = []
        begin = 1
        for name in compress(self._names, self._has_bytes):
            for row in said:
                if (piece := row[name]) is not None:
                    pieces.append(piece)
                    row[name], row[f"{name}_size"] = begin, len(piece)
                    begin += len(piece)
        told = msgspec.json.encode(said).decode()
        return [told, b"".join(pieces)] if self.parameters > 1 else [told]

    def is_small(self, rows: Sequence[RowValues]) -> bool:
        """Whether one statement takes them all."""
        return sum(map(self._size, rows)) <= MOST_BYTES

    def in_parts(self, rows: Sequence[RowValues]) -> Iterator[Sequence[RowValues]]:
        """As many at a time as one statement takes, and one at least."""
        begin = size = 0
        for end, row in enumerate(rows):
            size += self._size(row)
            if size > MOST_BYTES and end > begin:
                yield rows[begin:end]
                begin, size = end, self._size(row)
        yield rows[begin:]

    def _size(self, row: RowValues) -> int:
        return sum(len(value) for value in compress(row, self._has_bytes) if value is not None)


def ask(connection: Connection, statement: str) -> Sequence[tuple[Any, ...]]:
    """The rows of a query without parameters."""
    if connection.dialect.name == "postgresql":
        return _run(connection, statement, ())[1]
    return connection.exec_driver_sql(statement).all()


def among(connection: Connection, column: Column[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text column has one of any number of values, in one parameter: a statement has 65,535 at most."""
    if connection.dialect.name == "postgresql":
        return column == any_(cast(list(values), postgresql.ARRAY(column.type)))
    return column.in_(select(func.json_each(json.dumps(list(values))).table_valued("value").c.value))


def _parts(rows: Sequence[RowValues]) -> Iterator[Sequence[RowValues]]:
    """Rows in lists of 64 at most. Lengths from 16 on are multiples of 8, so few statements have to be prepared."""
    begin = 0
    while left := len(rows) - begin:
        length = left if left < STEP * 2 else min(left // STEP * STEP, LONGEST_LIST)
        yield rows[begin : begin + length]
        begin += length


def _quoted(column: Column[Any]) -> str:
    return f'"{column.name}"'


def _run(connection: Connection, statement: str, values: Sequence[str | bytes]) -> tuple[int, list[tuple[Any, ...]]]:
    from ringpost.storage import direct  # noqa: PLC0415  only where PostgreSQL is the database

    return direct.run(connection, statement, values)


def _type(column: Column[Any]) -> str:
    return column.type.compile(_POSTGRESQL).partition(" COLLATE")[0].lower()

"""Databases of any size: rows that Ringpost made itself, cloned with raw inserts.

One tenant is set up and one event is accepted and delivered through Ringpost; the rows that this left are copied with
other ids. So the columns are those of the schema, whatever they are.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, Table, select

from bench.contenders.ringpost import Served
from bench.sink import Sink
from ringpost.storage import engines, tables
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import Place, Sealer

RECIPIENTS: Final = 5
"""Deliveries of one event."""
BUSY_TENANTS: Final = 10
"""The first tenants have 50 deliveries at least, however few there are in all: pages are as long then."""
_BATCH: Final = 50_000
_PAST: Final = "5"
_DUE: Final = "6"
"""How the keys of events begin: those that were sent, and those that wait."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    tenants: int
    ended: int
    """Deliveries that were sent."""
    waiting: int
    """Deliveries that are due."""

    @property
    def words(self) -> str:
        """For the report."""
        return f"{self.tenants:,} tenants, {self.ended:,} deliveries sent, {self.waiting:,} waiting"


@dataclass(frozen=True, slots=True)
class Models:
    """The rows to clone, by table."""

    tenant: Mapping[Table, Row]
    sent: Mapping[Table, Row]
    waiting: Mapping[Table, Row]
    content: bytes
    """The message, not sealed."""
    variables: bytes
    """Those of the event, not sealed."""


def models(served: Served, sink: Sink, url: str) -> Models:
    """Set up a tenant, have one event accepted and delivered, and take the rows that there were before and after."""
    sealer = sealer_of(served.folder)
    with served.one_more(workers=0):
        served.set_up(sink.port)
        served.offer(1)
        engine = engines.open_engines(url)[0]
        waiting = _rows(engine, (tables.events, tables.messages, tables.deliveries))
        tenant = _rows(engine, (tables.tenants, tables.settings))
    with served.one_more():
        sink.wait_until(sink.taken + 1, 60)
    sent = _rows(engine, (tables.events, tables.deliveries, tables.attempts))
    engine.dispose()
    message, event = waiting[tables.messages], waiting[tables.events]
    content = sealer.unseal(Place(message["tenant"], "messages", message["event"], "content"), message["content"])
    variables = sealer.unseal(Place(event["tenant"], "events", event["key"], "variables"), event["variables"])
    return Models(tenant, sent, waiting, content, variables)


def fill(url: str, folder: Path, models: Models, size: Size) -> None:
    """Clone the rows until there is as much as `size` says. Indexes are made afterwards, as fast loads do."""
    sealer = sealer_of(folder)
    _, writer = engines.open_engines(url)
    indexed = (tables.events, tables.deliveries)
    with writer.begin() as connection:
        for table in indexed:
            for index in table.indexes:
                index.drop(connection)
    raw = writer.raw_connection()
    is_sqlite = writer.dialect.name == "sqlite"
    cursor = raw.cursor()
    for statement in (
        ("PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000")
        if is_sqlite
        else ("SET session_replication_role = replica", "SET statement_timeout = 0")
    ):
        cursor.execute(statement)
    insert = _insert_into_sqlite if is_sqlite else _copy_into_postgresql
    for table, rows in _all_rows(models, size, sealer):
        insert(raw, table, rows)
    raw.invalidate()  # with its settings
    with writer.begin() as connection:
        if not is_sqlite:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for table in indexed:
            for index in table.indexes:
                index.create(connection)
    if not is_sqlite:  # autovacuum would do it in its time
        with writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("VACUUM ANALYZE")
    writer.dispose()


def tenant_id(number: int) -> str:
    """The id of the tenant with this number."""
    return f"{number:024x}"


def sealer_of(folder: Path) -> Sealer:
    """The sealer of the processes that have their data here."""
    return Sealer(KeyRing.load_or_create(folder / "data" / "keys"))


def _all_rows(models: Models, size: Size, sealer: Sealer) -> Iterator[tuple[Table, Iterable[Row]]]:
    yield tables.tenants, _tenants(models, size)
    settings = models.tenant[tables.settings]
    yield tables.settings, ({**settings, "tenant": tenant_id(n)} for n in range(size.tenants))
    past, due = size.ended // RECIPIENTS, size.waiting // RECIPIENTS
    sealed = (models.variables, sealer)
    yield tables.events, _events(models.sent[tables.events], _PAST, past, size.tenants, *sealed)
    yield tables.deliveries, _deliveries(models.sent[tables.deliveries], _PAST, past, size.tenants)
    newest = range(past - past // 10, past)
    yield tables.attempts, _attempts(models.sent[tables.attempts], _PAST, newest, size.tenants)
    yield tables.events, _events(models.waiting[tables.events], _DUE, due, size.tenants, *sealed)
    yield tables.messages, _messages(models, due, size.tenants, sealer)
    yield tables.deliveries, _deliveries(models.waiting[tables.deliveries], _DUE, due, size.tenants)


def _tenants(models: Models, size: Size) -> Iterator[Row]:
    model = models.tenant[tables.tenants]
    for number in range(size.tenants):
        yield {**model, "id": tenant_id(number), "domain": f"t{number}.example.com", "name": f"Tenant {number}"}


def _events(model: Row, series: str, count: int, tenants: int, variables: bytes, sealer: Sealer) -> Iterator[Row]:
    for number in range(count):
        key, tenant = _key(series, number), _owner(series, number, tenants)
        sealed = sealer.seal(Place(tenant, "events", key, "variables"), variables)
        yield {**model, "key": key, "id": key, "tenant": tenant, "variables": sealed}


def _messages(models: Models, count: int, tenants: int, sealer: Sealer) -> Iterator[Row]:
    model = models.waiting[tables.messages]
    for number in range(count):
        key, tenant = _key(_DUE, number), _owner(_DUE, number, tenants)
        sealed = sealer.seal(Place(tenant, "messages", key, "content"), models.content)
        yield {**model, "event": key, "tenant": tenant, "content": sealed}


def _deliveries(model: Row, series: str, count: int, tenants: int) -> Iterator[Row]:
    for number in range(count):
        key, tenant = _key(series, number), _owner(series, number, tenants)
        for place in range(1, RECIPIENTS + 1):
            recipient = f"person{place}@t{number % tenants}.example.com"
            yield {
                **model,
                "id": f"{key}-{place}",
                "event": key,
                "tenant": tenant,
                "queue": tenant,
                "recipient": recipient,
            }


def _attempts(model: Row, series: str, numbers: Iterable[int], tenants: int) -> Iterator[Row]:
    for number in numbers:
        key, tenant = _key(series, number), _owner(series, number, tenants)
        for place in range(1, RECIPIENTS + 1):
            yield {**model, "delivery": f"{key}-{place}", "tenant": tenant}


def _owner(series: str, number: int, tenants: int) -> str:
    busy = series == _PAST and number < 10 * BUSY_TENANTS
    return tenant_id(number % (BUSY_TENANTS if busy else tenants))


def _key(series: str, number: int) -> str:
    return f"{series}{number:023x}"


def _insert_into_sqlite(raw: Any, table: Table, rows: Iterable[Row]) -> None:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, _BATCH)):
        names, marks = ", ".join(_names(batch[0])), ", ".join("?" * len(batch[0]))
        raw.cursor().execute("BEGIN")
        raw.cursor().executemany(
            f"INSERT INTO {table.name} ({names}) VALUES ({marks})",  # noqa: S608  names of our own tables
            [tuple(row.values()) for row in batch],
        )
        raw.cursor().execute("COMMIT")


def _copy_into_postgresql(raw: Any, table: Table, rows: Iterable[Row]) -> None:
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    with raw.cursor().copy(f"COPY {table.name} ({', '.join(_names(first))}) FROM STDIN") as copy:
        for row in itertools.chain([first], iterator):
            copy.write_row(tuple(row.values()))
    raw.commit()


def _names(row: Row) -> Sequence[str]:
    return [f'"{name}"' for name in row]


def _rows(engine: Engine, wanted: Sequence[Table]) -> dict[Table, Row]:
    """The only row of each table, by the names of its columns."""
    found: dict[Table, Row] = {}
    with engine.connect() as connection:
        for table in wanted:
            row = connection.execute(select(table)).mappings().first()
            assert row is not None, f"{table.name} is empty"
            found[table] = {column.name: row[column] for column in table.columns}
    return found

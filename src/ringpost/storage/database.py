"""One database: reads on threads, writes by group commit.

SQL is synchronous and the edges are asynchronous; this is where they meet. `write` gathers what waits and commits it
together: one transaction, one fsync, and everyone who waited is answered after it. Nothing is answered before it is on
disk. What a fault of the database means for those who wait: `faults`.
"""

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, exc

from ringpost.errors import StorageUnavailable
from ringpost.storage import bell, engines, silence, sqlite
from ringpost.storage.at_once import AtOnce
from ringpost.storage.away import Away
from ringpost.storage.faults import Fault, fault_of
from ringpost.storage.groups import Job
from ringpost.storage.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Context = TypeVar("Context")


class Database:
    """An open database; `open_database` makes one."""

    def __init__(self, url: str, reader: Engine, writer: Engine) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer
        self._waiting: deque[Job] = deque()
        self._threads = ThreadPoolExecutor(engines.READERS, thread_name_prefix="ringpost-read")
        self._loop = asyncio.get_running_loop()
        self._listening: asyncio.Task[None] | None = None
        self._closed = False
        self._away = Away()
        self._thread = Writer(writer, self._waiting, self._see_to_what_waits)
        self._at_once: AtOnce | None = None
        if self.dialect == "sqlite":
            self._at_once = AtOnce(functools.partial(sqlite.begin_at_once, writer), self._waiting, self._thread)
        self._ending_silence = self._loop.create_task(_end_silence()) if self.dialect == "postgresql" else None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    @property
    def writes_at_once(self) -> bool:
        """Whether the event loop itself writes what is quick."""
        return self._at_once is not None

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` on a thread, in a transaction of its own that is never committed."""
        return await self._loop.run_in_executor(self._threads, functools.partial(self._read, work, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` and return its result once it is on disk.

        It shares a transaction with what else waits and has a savepoint of its own: when it raises, only its own
        changes are undone and the exception is raised here. It may be run again, so its only effects are those on the
        connection, and what it leaves to `afterwards`. Raises StorageUnavailable when the database cannot take it.
        """

        def run(connection: Connection) -> T:
            return work(connection, *args, **kwargs)

        return await self._submit(Job(run, None, self._loop.create_future()))

    async def write_each(
        self,
        work: Callable[[Connection, Context, Sequence[Item]], Sequence[T]],
        context: Context,
        item: Item,
        *,
        quick: bool = False,
        weight: int = 1,
    ) -> T:
        """Like `write`, for what comes in thousands: calls with the same work and context are handed over as one list.

        `work(connection, context, items)` returns one result per item, in order. `quick`: the event loop may do it
        itself, see `at_once`. `weight`: how much of a commit's room it takes, when it is about more than one thing.
        """
        return await self._submit(Job(work, (context, item), self._loop.create_future(), quick, weight))

    def on_ring(self, heard: Callable[[], None]) -> None:
        """Call `heard` whenever any process has put mail into the outbox (`bell`; never on SQLite)."""
        if self.dialect == "postgresql":
            self._listening = self._loop.create_task(bell.listen(self._url, heard))

    async def close(self) -> None:
        """Finish what was submitted, then close all connections."""
        if self._closed:
            return
        self._closed = True
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        self._thread.write_all()
        await self._loop.run_in_executor(None, self._thread.end)
        await self._loop.run_in_executor(None, self._threads.shutdown)
        if self._ending_silence is not None:
            self._ending_silence.cancel()
        self._reader.dispose()
        self._writer.dispose()

    def _submit(self, job: Job) -> "asyncio.Future[Any]":
        if self._closed:
            raise StorageUnavailable("The database is closed.")
        self._waiting.append(job)
        self._see_to_what_waits()
        return job.future

    def _see_to_what_waits(self) -> None:
        if self._at_once is not None and not self._closed:
            self._at_once.begin_to_gather()
        elif self._waiting and not self._thread.busy:
            self._thread.write_all()

    def _read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        self._away.refuse_for_now("read")
        try:
            return self._read_once(work, *args, **kwargs)
        except exc.DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if fault in (Fault.AGAIN, Fault.AWAY):  # an old connection may be gone although the server is back
                self._reader.dispose()
                return self._read_at_last(work, *args, **kwargs)
            raise self._away.cannot("read", error) from error

    def _read_at_last(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        begun = time.monotonic()
        try:
            found = self._read_once(work, *args, **kwargs)
        except exc.DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if fault is Fault.AWAY:
                self._away.noticed(time.monotonic() - begun)
            raise self._away.cannot("read", error) from error
        self._away.over()
        return found

    def _read_once(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with self._reader.connect() as connection:
            return work(connection, *args, **kwargs)


async def _end_silence() -> NoReturn:
    """Until cancelled."""
    while True:
        await asyncio.sleep(silence.LOOK_EVERY_S)
        silence.end()


async def open_database(url: str, *, make: bool = True) -> Database:
    """Open the database at `url` (`sqlite:///path`, `postgresql://host/name`), after migrating it.

    Raises StorageUnavailable when it cannot be opened, ValueError when the URL is of no known kind. Without `make`, an
    empty one stays empty: NothingThere.
    """
    try:
        reader, writer = await asyncio.to_thread(engines.open_engines, url, make=make)
    except exc.DBAPIError as error:
        raise StorageUnavailable(f"The database cannot be opened: {str(error.orig).strip()}") from error
    return Database(url, reader, writer)

"""One database: reads on threads, writes by group commit.

SQL is synchronous and the edges are asynchronous; this is where they meet. `write` gathers what waits and commits it
together: one transaction, one fsync, and everyone who waited is answered after it. Nothing is answered before it is on
disk.
"""

import asyncio
import functools
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Engine, exc

from ringpost.errors import StorageUnavailable
from ringpost.storage import engines

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Context = TypeVar("Context")

_log = structlog.get_logger("ringpost.storage")

READERS = 4
LARGEST_GROUP = 1000
"""Jobs in one commit at most: bounds how long the first of them waits, and the memory of a transaction."""


@dataclass(slots=True)
class _Job:
    """One thing to write, and who waits for it."""

    work: Callable[..., Any]
    argument: tuple[object, object] | None
    """Context and item of a job that may be joined with its like; None for one that stands alone."""
    future: "asyncio.Future[Any]"
    result: object = None
    error: BaseException | None = None


class Database:
    """An open database; `open_database` makes one."""

    def __init__(self, reader: Engine, writer: Engine) -> None:
        self._reader = reader
        self._writer = writer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="ringpost-read")
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._thread = threading.Thread(target=self._write_forever, name="ringpost-write", daemon=True)
        self._thread.start()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` on a thread, in a transaction of its own that is never committed."""
        return await self._loop.run_in_executor(self._threads, functools.partial(self._read, work, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, ...)` and return its result once it is on disk.

        It shares a transaction with what else waits and has a savepoint of its own: when it raises, only its own
        changes are undone and the exception is raised here. It may be run again, so its only effects are those on the
        connection. Raises StorageUnavailable when the database cannot take it.
        """

        def run(connection: Connection) -> T:
            return work(connection, *args, **kwargs)

        return await self._submit(run, None)

    async def write_each(
        self, work: Callable[[Connection, Context, Sequence[Item]], Sequence[T]], context: Context, item: Item
    ) -> T:
        """Like `write`, for what comes in thousands: calls with the same work and context are handed over as one list.

        `work(connection, context, items)` returns one result per item, in order.
        """
        return await self._submit(work, (context, item))

    async def close(self) -> None:
        """Finish what was submitted, then close all connections."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._threads.shutdown()
        self._reader.dispose()
        self._writer.dispose()

    def _submit(self, work: Callable[..., Any], argument: tuple[object, object] | None) -> "asyncio.Future[Any]":
        if self._closed:
            raise StorageUnavailable("The database is closed.")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put(_Job(work, argument, future))
        return future

    def _read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        try:
            with self._reader.connect() as connection:
                return work(connection, *args, **kwargs)
        except exc.OperationalError as error:
            _log.error("database_unavailable", error=str(error.orig))
            raise StorageUnavailable("The database cannot be read now. Try again.") from error

    # The writer thread --------------------------------------------------------------------------------------------

    def _write_forever(self) -> None:
        running = True
        while running:
            jobs, running = self._gather()
            if jobs:
                self._commit(jobs)
                self._loop.call_soon_threadsafe(_answer, jobs)

    def _gather(self) -> tuple[list[_Job], bool]:
        """Wait for one job, then take all that wait with it."""
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == LARGEST_GROUP:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            with self._writer.begin() as connection:
                for group in _grouped(jobs):
                    _run(connection, group)
        except exc.DBAPIError as error:
            _log.error("database_unavailable", error=str(error.orig), jobs=len(jobs))
            for job in jobs:
                job.error = StorageUnavailable("The database cannot be written now; nothing was stored. Try again.")
        except Exception as error:  # noqa: BLE001  the writer must go on, whatever happened to this group
            _log.exception("write_failed", jobs=len(jobs))
            for job in jobs:
                job.error = error


def _grouped(jobs: list[_Job]) -> list[list[_Job]]:
    """Jobs that are handed over together: those joined by work and context, at the place of the first of them."""
    groups: dict[object, list[_Job]] = {}
    for job in jobs:
        key = id(job) if job.argument is None else (job.work, id(job.argument[0]))
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _run(connection: Connection, group: list[_Job]) -> None:
    try:
        with connection.begin_nested():
            _call(connection, group)
    except exc.OperationalError:
        raise  # the database itself failed: the whole transaction is in doubt
    except Exception as error:  # noqa: BLE001  whatever it is belongs to who waits for it
        if len(group) == 1:
            group[0].error = error
            return
        for job in group:  # find out whose fault it is: each on its own
            _run(connection, [job])


def _call(connection: Connection, group: list[_Job]) -> None:
    first = group[0]
    if first.argument is None:
        first.result = first.work(connection)
        return
    items = [job.argument[1] for job in group if job.argument is not None]
    for job, result in zip(group, first.work(connection, first.argument[0], items), strict=True):
        job.result = result


def _answer(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the waiter was cancelled; the write stands all the same
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


async def open_database(url: str) -> Database:
    """Open the database at `url` (`sqlite:///path`), after making and migrating it.

    Raises StorageUnavailable when it cannot be opened, ValueError when the URL is of no known kind.
    """
    try:
        reader, writer = await asyncio.to_thread(engines.open_engines, url)
    except exc.OperationalError as error:
        raise StorageUnavailable(f"The database cannot be opened: {error.orig}") from error
    return Database(reader, writer)

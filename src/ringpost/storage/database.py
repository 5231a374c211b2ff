"""One database: reads on threads, writes by group commit.

SQL is synchronous and the edges are asynchronous; this is where they meet. `write` gathers what waits and commits it
together: one transaction, one fsync, and everyone who waited is answered after it. Nothing is answered before it is on
disk. What a fault of the database means for those who wait: `faults`.
"""

import asyncio
import functools
import itertools
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Engine, exc

from ringpost.errors import StorageUnavailable
from ringpost.storage import bell, engines
from ringpost.storage.faults import Fault, fault_of, is_taken

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Context = TypeVar("Context")

_log = structlog.get_logger("ringpost.storage")

READERS = 4
LARGEST_GROUP = 1000
"""Items in one commit, after which no more join it: bounds how long the first waits, and the size of a transaction."""
MOST_TRIES = 8
"""Of a group whose transaction was in the way of another process's."""
LONGEST_PAUSE_S = 2.0
"""Between two tries to reach a database that is away; meanwhile everything is refused at once."""
EXIT_SYNC_FAILED = 74
"""EX_IOERR of sysexits.h: the process ended itself because a sync to disk failed."""


_AFTERWARDS = "ringpost_afterwards"

_Calls = list[tuple[Callable[[], None], Callable[[], None]]]


def afterwards(connection: Connection, done: Callable[[], None], undone: Callable[[], None]) -> None:
    """Inside of a write: have `done` called once it is on disk, or `undone` when it is not going to be.

    One of the two, once, on the event loop, and before whoever waits for the write hears of it. A write that is run
    again leaves its own anew.
    """
    connection.info[_AFTERWARDS].append((done, undone))


@dataclass(slots=True)
class _Job:
    """One thing to write, and who waits for it."""

    work: Callable[..., Any]
    argument: tuple[object, object] | None
    """Context and item of a job that may be joined with its like; None for one that stands alone."""
    future: "asyncio.Future[Any]"
    result: object = None
    error: BaseException | None = None

    @property
    def weight(self) -> int:
        """How many items it is about: of a list of events, each."""
        item = self.argument[1] if self.argument is not None else None
        return max(1, len(item)) if isinstance(item, list | tuple) else 1  # pyright: ignore[reportUnknownArgumentType]


@dataclass(slots=True)
class _Attempt:
    """One try to store a group; `begun` by the monotonic clock, in seconds."""

    tries: int
    begun: float
    committing: bool = False


class Database:
    """An open database; `open_database` makes one."""

    def __init__(self, url: str, reader: Engine, writer: Engine) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="ringpost-read")
        self._loop = asyncio.get_running_loop()
        self._listening: asyncio.Task[None] | None = None
        self._closed = False
        self._ending = False
        self._away_for_reads, self._away = _Away(), _Away()
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
        connection, and what it leaves to `afterwards`. Raises StorageUnavailable when the database cannot take it.
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
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        await self._loop.run_in_executor(None, self._threads.shutdown)
        self._reader.dispose()
        self._writer.dispose()

    def _submit(self, work: Callable[..., Any], argument: tuple[object, object] | None) -> "asyncio.Future[Any]":
        if self._closed:
            raise StorageUnavailable("The database is closed.")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put(_Job(work, argument, future))
        return future

    def _read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        self._away_for_reads.refuse_for_now("read")
        try:
            return self._read_once(work, *args, **kwargs)
        except exc.DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if fault in (Fault.AGAIN, Fault.AWAY):  # an old connection may be gone although the server is back
                self._reader.dispose()
                return self._read_at_last(work, *args, **kwargs)
            raise _cannot("read", error) from error

    def _read_at_last(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        begun = time.monotonic()
        try:
            found = self._read_once(work, *args, **kwargs)
        except exc.DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if fault is Fault.AWAY:
                self._away_for_reads.noticed(time.monotonic() - begun)
            raise _cannot("read", error) from error
        self._away_for_reads.over()
        return found

    def _read_once(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with self._reader.connect() as connection:
            return work(connection, *args, **kwargs)

    # The writer thread --------------------------------------------------------------------------------------------

    def _write_forever(self) -> None:
        while not self._ending and (job := self._jobs.get()) is not None:
            jobs = [job]
            self._commit(jobs)
            self._call_soon(_answer, jobs)

    def _gather(self, jobs: list[_Job]) -> None:
        """Add all that wait, once it is this process's turn to write: while it waited for that, there came more."""
        weight = sum(job.weight for job in jobs)
        while weight < LARGEST_GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._ending = True
                return
            jobs.append(job)
            weight += job.weight

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            self._away.refuse_for_now("written")
            self._try_until_stored(jobs)
        except (exc.DBAPIError, StorageUnavailable) as error:
            self._gather(jobs)  # what waited with it would only wait as long, and find the same
            refusal = error if isinstance(error, StorageUnavailable) else _cannot("written", error, jobs=len(jobs))
            for job in jobs:
                job.error = refusal
        except Exception as error:  # noqa: BLE001  the writer must go on, whatever happened to this group
            _log.exception("write_failed", jobs=len(jobs))
            for job in jobs:
                job.error = error

    def _try_until_stored(self, jobs: list[_Job]) -> None:
        """Commit the group; once more when it was in another's way, or its connection was gone before the commit.

        It is first tried without savepoints, which cost two statements each: hardly ever does anything raise. When
        something did, all of it is undone and tried with them, to find out whose fault it is and to keep the rest.
        """
        run = _call
        for tries in itertools.count(1):
            calls: _Calls = []
            attempt = _Attempt(tries, time.monotonic())
            try:
                with self._writer.connect() as connection, connection.begin() as transaction:
                    connection.info[_AFTERWARDS] = calls
                    self._gather(jobs)
                    for group in _grouped(jobs):
                        run(connection, group)
                    attempt.committing = True
                    transaction.commit()
            except Exception as error:  # noqa: BLE001  it is raised where nothing can be done about it
                self._undo(calls)
                if run == _call and fault_of(error) is None and not isinstance(error, StorageUnavailable):
                    run = self._run
                else:
                    self._bear(error, attempt)
            else:
                self._away.over()
                self._call_soon(_call_all, [done for done, _ in calls])
                return

    def _bear(self, error: Exception, attempt: "_Attempt") -> None:
        """Do what a fault of the database asks for before the next try; raise it when there is none."""
        fault = fault_of(error)
        if fault is Fault.BROKEN and attempt.committing:
            _end_the_process(error)
        if fault is Fault.AWAY:
            self._writer.dispose()
            # the first time it may be an old connection; after a commit nobody knows what was stored
            if attempt.tries > 1 or attempt.committing:
                self._away.noticed(time.monotonic() - attempt.begun)
                raise error
        elif fault is not Fault.AGAIN or attempt.tries >= MOST_TRIES:
            raise error
        else:
            time.sleep(random.uniform(0, 0.01 * attempt.tries))  # noqa: S311  guards nothing

    def _run(self, connection: Connection, group: list[_Job]) -> None:
        try:
            self._run_in_savepoint(connection, group)
        except Exception as error:  # whatever it is belongs to who waits for it
            if fault_of(error) is not None:
                raise  # the database itself failed: the whole transaction is in doubt
            if len(group) == 1:
                group[0].error = error
                return
            for job in group:  # find out whose fault it is: each on its own
                self._run(connection, [job])

    def _run_in_savepoint(self, connection: Connection, group: list[_Job]) -> None:
        """Once more when another process was quicker with the same row: now it is there, and can be seen."""
        try:
            self._run_once(connection, group)
        except exc.IntegrityError as error:
            if not is_taken(error):
                raise
            self._run_once(connection, group)

    def _run_once(self, connection: Connection, group: list[_Job]) -> None:
        calls: _Calls = connection.info[_AFTERWARDS]
        before = len(calls)
        try:
            with connection.begin_nested():
                _call(connection, group)
        except Exception:
            self._undo(calls[before:])
            del calls[before:]
            raise

    def _undo(self, calls: _Calls) -> None:
        if calls:
            self._call_soon(_call_all, [undone for _, undone in calls])

    def _call_soon(self, work: Callable[[Any], None], argument: object) -> None:
        self._loop.call_soon_threadsafe(work, argument)


class _Away:
    """A database that could not be reached is left alone for a moment, longer each time."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = 0.0

    def refuse_for_now(self, what: str) -> None:
        """Raises StorageUnavailable while it is left alone; `what` could not be done: `read` or `written`."""
        if time.monotonic() < self._until:
            stored = "; nothing was stored" if what == "written" else ""
            raise StorageUnavailable(f"The database cannot be reached{stored}. Try again.")

    def noticed(self, took_s: float) -> None:
        """It could not be reached, and finding that out took so long: asking again at once would take it again."""
        self._pause_s = min(LONGEST_PAUSE_S, max(took_s, self._pause_s * 2 or 0.1))
        self._until = time.monotonic() + self._pause_s

    def over(self) -> None:
        """It answers."""
        self._pause_s = self._until = 0.0


def _cannot(what: str, error: exc.DBAPIError, **context: Any) -> StorageUnavailable:
    _log.error("database_unavailable", error=str(error.orig).strip(), **context)
    stored = "; nothing was stored" if what == "written" else ""
    return StorageUnavailable(f"The database cannot be {what} now{stored}. Try again.")


def _end_the_process(error: Exception) -> None:
    """A failed sync may have lost what was written before, too; only reading the file anew tells what is in it."""
    _log.critical(
        "sync_failed", error=str(getattr(error, "orig", error)), hint="the process ends itself; check the disk"
    )
    os._exit(EXIT_SYNC_FAILED)


def _grouped(jobs: list[_Job]) -> list[list[_Job]]:
    """Jobs that are handed over together: those joined by work and context, at the place of the first of them."""
    groups: dict[object, list[_Job]] = {}
    for job in jobs:
        key = id(job) if job.argument is None else (job.work, id(job.argument[0]))
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _call(connection: Connection, group: list[_Job]) -> None:
    for job in group:
        job.error = None  # of an earlier try
    first = group[0]
    if first.argument is None:
        first.result = first.work(connection)
        return
    items = [job.argument[1] for job in group if job.argument is not None]
    for job, result in zip(group, first.work(connection, first.argument[0], items), strict=True):
        job.result = result


def _call_all(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()


def _answer(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the waiter was cancelled; the write stands all the same
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


async def open_database(url: str) -> Database:
    """Open the database at `url` (`sqlite:///path`, `postgresql://host/name`), after migrating it.

    Raises StorageUnavailable when it cannot be opened, ValueError when the URL is of no known kind.
    """
    try:
        reader, writer = await asyncio.to_thread(engines.open_engines, url)
    except exc.DBAPIError as error:
        raise StorageUnavailable(f"The database cannot be opened: {str(error.orig).strip()}") from error
    return Database(url, reader, writer)

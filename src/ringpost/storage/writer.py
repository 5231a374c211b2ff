"""The thread that writes: it commits groups of what waits, once more where that may help, and tells the outcome."""

import asyncio
import itertools
import os
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, exc

from ringpost.errors import StorageUnavailable
from ringpost.storage import groups
from ringpost.storage.away import Away
from ringpost.storage.faults import Fault, fault_of, is_taken
from ringpost.storage.groups import Calls, Job
from ringpost.storage.no_room import has_no_room

MOST_TRIES: Final = 8
"""How often a group is tried whose transaction was in the way of another process's."""
EXIT_SYNC_FAILED: Final = 74
"""EX_IOERR of sysexits.h: the process ended itself because a sync to disk failed."""

_log = structlog.get_logger("ringpost.storage")


@dataclass(frozen=True, slots=True)
class Begun:
    """A group that was written already, and is to be committed."""

    connection: Connection
    jobs: list[Job]
    calls: Calls


@dataclass(slots=True)
class _Attempt:
    """One try to store a group; `begun` by the monotonic clock, in seconds."""

    tries: int
    begun: float
    committing: bool = False


class Writer:
    """One thread. Orders are given to it on the event loop, and carried out one after the other."""

    def __init__(self, engine: Engine, waiting: deque[Job], idle: Callable[[], None]) -> None:
        """`waiting` is taken from while an order is carried out; `idle` is called on the loop after the last order."""
        self._engine = engine
        self._waiting = waiting
        self._idle = idle
        self.loop = asyncio.get_running_loop()
        self._away = Away()
        self._orders: queue.SimpleQueue[Callable[[], Sequence[Job]] | None] = queue.SimpleQueue()
        self._under_way = 0
        self._thread = threading.Thread(target=self._work, name="ringpost-write", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether orders are being carried out."""
        return self._under_way > 0

    def write_all(self) -> None:
        """Order that all that waits is written, in as many groups as it takes."""
        self._order(self._write_all)

    def write_some(self) -> None:
        """Order that a group of what waits is written."""
        self._order(self._write_some)

    def finish(self, begun: Begun) -> None:
        """Order that a group that was begun is committed."""
        self._order(lambda: self._finish(begun))

    def end(self) -> None:
        """Wait for the orders that were given, and end. Blocks."""
        self._orders.put(None)
        self._thread.join()

    def _order(self, work: Callable[[], Sequence[Job]]) -> None:
        self._under_way += 1
        self._orders.put(work)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            self._call_soon(self._done, order())

    def _done(self, jobs: Sequence[Job]) -> None:
        self._under_way -= 1
        try:
            groups.answer(jobs)
        finally:
            if not self._under_way:
                self._idle()

    def _write_all(self) -> Sequence[Job]:
        while self._waiting:
            self._call_soon(groups.answer, self._write_some())
        return ()

    def _write_some(self) -> Sequence[Job]:
        jobs: list[Job] = []
        groups.gather(self._waiting, jobs, most=1)
        if jobs:
            self._commit(jobs)
        return jobs

    def _finish(self, begun: Begun) -> Sequence[Job]:
        try:
            begun.connection.commit()
        except Exception as error:  # noqa: BLE001  whatever it was, it is written again, and told if it is met again
            self._must_be_known(error)
            self._undo(begun.calls)
            _close(begun.connection)
            self._commit(begun.jobs)
        else:
            self._done_with(begun.calls)
            _close(begun.connection)
        return begun.jobs

    def _commit(self, jobs: list[Job]) -> None:
        try:
            self._away.refuse_for_now("written")
            self._try_until_stored(jobs)
        except (exc.DBAPIError, StorageUnavailable) as error:
            groups.gather(self._waiting, jobs)  # what waits with it would only wait as long, and find the same
            refusal = (
                error if isinstance(error, StorageUnavailable) else self._away.cannot("written", error, jobs=len(jobs))
            )
            for job in jobs:
                job.error = refusal
        except Exception as error:  # noqa: BLE001  the writer must go on, whatever happened to this group
            _log.exception("write_failed", jobs=len(jobs))
            for job in jobs:
                job.error = error

    def _try_until_stored(self, jobs: list[Job]) -> None:
        """Commit the group; once more when it was in another's way, or its connection was gone before the commit.

        It is first tried without savepoints, which cost two statements each: hardly ever does anything raise. When
        something did, all of it is undone and tried with them, to find out whose fault it is and to keep the rest.

        What waits joins the group once it is this process's turn to write: while it waited for that, there came more.
        """
        run = groups.run
        for tries in itertools.count(1):
            calls = Calls()
            attempt = _Attempt(tries, time.monotonic())
            try:
                with self._engine.connect() as connection, connection.begin() as transaction:
                    calls = groups.collect_calls(connection)
                    groups.gather(self._waiting, jobs)
                    for group in groups.grouped(jobs):
                        run(connection, group)
                    attempt.committing = True
                    transaction.commit()
            except Exception as error:  # noqa: BLE001  it is raised where nothing can be done about it
                self._undo(calls)
                if run == groups.run and fault_of(error) is None and not isinstance(error, StorageUnavailable):
                    run = self._run
                else:
                    self._bear(error, attempt)
            else:
                self._away.over()
                self._done_with(calls)
                return

    def _bear(self, error: Exception, attempt: _Attempt) -> None:
        """Do what a fault of the database asks for before the next try; raise it when there is none."""
        fault = fault_of(error)
        if attempt.committing:
            self._must_be_known(error)
        if fault is Fault.AWAY:
            self._engine.dispose()
            # the first time it may be an old connection; after a commit nobody knows what was stored
            if attempt.tries > 1 or attempt.committing:
                self._away.noticed(time.monotonic() - attempt.begun)
                raise error
        elif fault is not Fault.AGAIN or attempt.tries >= MOST_TRIES:
            raise error
        else:
            time.sleep(random.uniform(0, 0.01 * attempt.tries))  # noqa: S311  guards nothing

    def _must_be_known(self, error: Exception) -> None:
        """End the process when nobody knows what is on the disk after a commit that failed."""
        if fault_of(error) is not Fault.BROKEN:
            return
        if not has_no_room(Path(self._engine.url.database or "")):
            _end_the_process(error)
        _log.error("no_room_to_write", error=_words_of(error), hint="a quota or a limit of file sizes was met")

    def _run(self, connection: Connection, group: list[Job]) -> None:
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

    def _run_in_savepoint(self, connection: Connection, group: list[Job]) -> None:
        """Once more when another process was quicker with the same row: now it is there, and can be seen."""
        try:
            self._run_once(connection, group)
        except exc.IntegrityError as error:
            if not is_taken(error):
                raise
            self._run_once(connection, group)

    def _run_once(self, connection: Connection, group: list[Job]) -> None:
        calls = groups.calls_of(connection)
        before = len(calls)
        try:
            with connection.begin_nested():
                groups.run(connection, group)
        except Exception:
            self._undo(calls[before:])
            del calls[before:]
            raise

    def _done_with(self, calls: Calls) -> None:
        if calls:
            self._call_soon(groups.call_all, [done for done, _ in calls])

    def _undo(self, calls: Calls) -> None:
        if calls:
            self._call_soon(groups.call_all, [undone for _, undone in calls])

    def _call_soon(self, work: Callable[..., Any], *arguments: object) -> None:
        self.loop.call_soon_threadsafe(work, *arguments)


def _close(connection: Connection) -> None:
    """Whatever is wrong with the connection changes nothing of what was committed."""
    try:
        connection.close()
    except Exception:  # noqa: BLE001  as said
        _log.exception("connection_not_closed")


def _end_the_process(error: Exception) -> None:
    """A failed sync may have lost what was written before, too; only reading the file anew tells what is in it."""
    _log.critical("sync_failed", error=_words_of(error), hint="the process ends itself; check the disk")
    os._exit(EXIT_SYNC_FAILED)


def _words_of(error: Exception) -> str:
    return str(getattr(error, "orig", error))

"""Small groups, written to SQLite by the event loop itself; only the commit, which waits for the disk, is the thread's.

To hand a mail's rows to a thread costs more than to write them: both want the interpreter, and whoever comes back from
the database wakes the other up in vain. So what is quick and comes in thousands is written where it is, and while the
thread commits it, the next group gathers.

The thread gets what would keep the loop waiting: all that waits when there is something among it that is not quick,
when it is another process's turn, when anything raises, and for a while after the disk was slow.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from ringpost.storage import groups
from ringpost.storage.groups import Job
from ringpost.storage.writer import Begun, Writer

LARGEST: Final = 96
"""Items in a group, after which no more join it: four milliseconds of writing, or little more."""
ENOUGH: Final = 16
"""Jobs that are worth a commit: for more, nothing is waited for. What comes next gathers while these are committed, and
the loop, which would have been through with it before, has something to do meanwhile."""
GATHERS_S: Final = 0.004
"""How long a group may gather while more and more comes."""
SLOW_S: Final = 0.05
"""A group that took so long had to read from the disk."""
WARY_S: Final = 10.0
"""How long the thread gets all groups after that."""


class AtOnce:
    """Decides who writes what waits. Everything here happens on the event loop."""

    def __init__(self, begin: Callable[[], Connection | None], waiting: deque[Job], writer: Writer) -> None:
        """`begin` begins a transaction, or says that it cannot be had at once."""
        self._begin_transaction = begin
        self._waiting = waiting
        self._writer = writer
        self._loop = writer.loop
        self._looking = False
        self._seen = 0
        self._gathers_until = 0.0
        self._wary_until = 0.0

    def begin_to_gather(self) -> None:
        """Something waits; see to its being written soon."""
        if not self._looking:
            self._looking = True
            self._seen = 0
            self._gathers_until = self._loop.time() + GATHERS_S
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Gather as long as each turn of the loop brings more, until it is enough."""
        waiting = len(self._waiting)
        if self._writer.busy or not waiting:
            self._looking = False  # the writer says when it is idle
        elif self._seen < waiting < ENOUGH and self._loop.time() < self._gathers_until:
            self._seen = waiting
            self._loop.call_soon(self._look)
        else:
            self._looking = False
            self._write()

    def _write(self) -> None:
        jobs = self._small() if time.monotonic() >= self._wary_until else []
        begun = False
        try:
            begun = bool(jobs) and self._begin(jobs)
        finally:
            if not begun:
                self._waiting.extendleft(reversed(jobs))
                self._writer.write_some()

    def _small(self) -> list[Job]:
        """A group from the front of what waits; none when there is something among it that is for the thread."""
        jobs: list[Job] = []
        if all(job.quick and job.weight <= LARGEST for job in self._waiting):
            groups.gather(self._waiting, jobs, most=LARGEST)
        return jobs

    def _begin(self, jobs: list[Job]) -> bool:
        """Write a group, but for its commit; False when that cannot be done at once, and nothing has happened."""
        begun_at = time.monotonic()
        connection = self._begin_transaction()
        if connection is None:
            return False
        calls = groups.collect_calls(connection)
        try:
            for group in groups.grouped(jobs):
                groups.run(connection, group)
        except Exception:  # noqa: BLE001  the thread finds out what to do about it
            groups.call_all([undone for _, undone in calls])
            connection.close()
            return False
        self._writer.finish(Begun(connection, jobs, calls))
        ended_at = time.monotonic()
        if ended_at - begun_at > SLOW_S:
            self._wary_until = ended_at + WARY_S
        return True

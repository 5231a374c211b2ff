"""Whose turn it is to write a SQLite file, when several processes want to.

SQLite itself lets those who wait look again and again, ever more seldom, and whoever comes by at the right moment is
next: with two busy processes, both stand still most of the time. Here they stand in line, and the kernel wakes the next
one. Both locks are `flock`, which the kernel takes back from the dead, but not from a process that was stopped
(SIGSTOP, a debugger, a frozen container). So the line is a courtesy: who has waited long in it goes without the turn,
and what keeps writers apart is SQLite's own lock, as ever.
"""

import fcntl
import os
import weakref
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from ringpost.errors import StorageUnavailable

_LONGEST_S: Final = 60.0
"""How long a thread waits at most until another thread of this process has written."""
_BUSY: Final = "This process has been writing something else for too long; nothing was stored. Try again."


class Turns:
    """One process's place in the line. Whoever is first in it waits for the file; the others wait behind."""

    def __init__(self, path: Path, patience_s: float) -> None:
        """`path` is the database's; two empty files are made beside it. Nobody stands in line for longer at a time."""
        self._patience_s = patience_s
        self._line, self._turn = (_open(Path(f"{path}-{name}")) for name in ("line", "turn"))
        for file in (self._line, self._turn):
            weakref.finalize(self, os.close, file)
        self._waiting: Future[None] | None = None
        self._wanted = False
        """Whether somebody here still waits for the turn when it comes."""
        self._state = Lock()
        self._mine = Lock()

    def take(self) -> None:
        """Wait for the turn, and keep it until `give`; without it, when the line does not move."""
        if not self._mine.acquire(timeout=_LONGEST_S):
            raise StorageUnavailable(_BUSY)
        try:
            self._wait()
        except BaseException:
            self._mine.release()
            raise

    def take_at_once(self) -> bool:
        """Take the turn and keep it until `give`, if nobody else writes or waits."""
        if not self._mine.acquire(blocking=False):
            return False
        taken = False
        try:
            with self._state:
                taken = self._waiting is None and self._lock_at_once()
        finally:
            if not taken:
                self._mine.release()
        return taken

    def _wait(self) -> None:
        with self._state:
            if self._waiting is not None:  # since an earlier time, in a line that has not moved yet
                return
            if self._lock_at_once():
                return
            self._wanted = True
            waiting = self._waiting = self._begin_to_wait()
        try:
            waiting.result(self._patience_s)
        except TimeoutError:
            with self._state:
                self._wanted = False  # if it came at this very moment, it is kept

    def give(self) -> None:
        """Let the next one write; nothing happens when it is nobody's turn here."""
        if self._mine.locked():
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            self._mine.release()

    def _lock_at_once(self) -> bool:
        """Whether nobody else writes or waits."""
        try:
            fcntl.flock(self._line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._line, fcntl.LOCK_UN)
        return True

    def _begin_to_wait(self) -> Future[None]:
        """Wait on a thread of its own, which keeps no process from ending."""
        waiting: Future[None] = Future()
        Thread(target=self._stand_in_line, args=(waiting,), name="ringpost-turn", daemon=True).start()
        return waiting

    def _stand_in_line(self, waiting: Future[None]) -> None:
        """Get the turn; keep it if it is still wanted."""
        fcntl.flock(self._line, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._line, fcntl.LOCK_UN)
        with self._state:
            self._waiting = None
            if not self._wanted:
                fcntl.flock(self._turn, fcntl.LOCK_UN)
            waiting.set_result(None)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

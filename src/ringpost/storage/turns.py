"""Whose turn it is to write a SQLite file, when several processes want to.

SQLite itself lets those who wait look again and again, ever more seldom, and whoever comes by at the right moment is
next: with two busy processes, both stand still most of the time. Here they stand in line, and the kernel wakes the next
one. Both locks are `flock`, which the kernel takes back from the dead.
"""

import fcntl
import os
import weakref
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from ringpost.errors import StorageUnavailable

_HELD_UP: Final = "Another process keeps everybody from writing the database; nothing was stored. Try again."


class Turns:
    """One process's place in the line. Whoever is first in it waits for the file; the others wait behind."""

    def __init__(self, path: Path, patience_s: float) -> None:
        """`path` is the database's; two empty files are made beside it."""
        self._patience_s = patience_s
        self._line, self._turn = (_open(Path(f"{path}-{name}")) for name in ("line", "turn"))
        for file in (self._line, self._turn):
            weakref.finalize(self, os.close, file)
        self._waiting: Future[bool] | None = None
        self._asked = False
        """Whether somebody here still wants the turn when it comes."""
        self._state = Lock()
        self._mine = Lock()

    def take(self) -> None:
        """Wait for the turn, and keep it until `give`. Raises StorageUnavailable when it does not come in time."""
        if not self._mine.acquire(timeout=self._patience_s):
            raise StorageUnavailable(_HELD_UP)
        try:
            while not self._comes():
                pass
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

    def _comes(self) -> bool:
        """Whether it is this process's turn; False when the turn came just when nobody wanted it any more."""
        with self._state:
            self._asked = True
            if self._waiting is None and self._lock_at_once():
                return True
            waiting = self._waiting = self._waiting or self._begin_to_wait()
        try:
            return waiting.result(self._patience_s)
        except TimeoutError:
            with self._state:
                if self._waiting is not waiting:  # it came at this very moment
                    return waiting.result()
                self._asked = False
            raise StorageUnavailable(_HELD_UP) from None

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

    def _begin_to_wait(self) -> Future[bool]:
        """On a thread of its own, which keeps no process from ending."""
        waiting: Future[bool] = Future()
        Thread(target=self._stand_in_line, args=(waiting,), name="ringpost-turn", daemon=True).start()
        return waiting

    def _stand_in_line(self, waiting: Future[bool]) -> None:
        """Tells whether the turn is kept: somebody asked for it until it came."""
        fcntl.flock(self._line, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._line, fcntl.LOCK_UN)
        with self._state:
            self._waiting = None
            if not self._asked:
                fcntl.flock(self._turn, fcntl.LOCK_UN)
            waiting.set_result(self._asked)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

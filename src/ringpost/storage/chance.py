"""Random bytes from the operating system, fetched many at a time.

Each call to the system lets go of the interpreter's lock; a busy process that asks for twelve bytes a thousand times a
second waits for that lock a thousand times. What was handed out is handed out once.
"""

import os
from threading import Lock
from typing import Final

FETCHED: Final = 4096


class Chance:
    """Unpredictable bytes (`os.urandom`). Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bytes = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """So many bytes, that nobody else gets."""
        with self._lock:
            if self._at + count > len(self._bytes):
                self._bytes, self._at = os.urandom(max(count, FETCHED)), 0
            begin, self._at = self._at, self._at + count
            return self._bytes[begin : self._at]


chance: Final = Chance()
os.register_at_fork(after_in_child=chance.__init__)

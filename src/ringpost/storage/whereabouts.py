"""Whether the embedded database's file is still where it was opened.

A file that was removed, moved, or hidden by another mount goes on taking what is written by whoever has it open, and
nobody finds it there afterwards. So nothing is read or stored while it is not at its path. When the same file is there
again (a folder moved back, a disk mounted again), all goes on; another one is not taken, because only a start looks at
its version and its keys.
"""

import os
from pathlib import Path
from threading import Lock
from typing import Final

import structlog

from ringpost.errors import StorageUnavailable

_GONE: Final = "The file of the database is not where it was; nothing was stored. Try again."
_HINT: Final = "bring this very file back and all goes on by itself; to use another one, such as a backup, restart"

_log = structlog.get_logger("ringpost.storage")


class Whereabouts:
    """Of one file that is there now. Safe for threads; the log has a line when it goes, and one when it is back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = self._path.stat()
        self._gone = False
        self._telling = Lock()

    def must_be_known(self) -> None:
        """Raise StorageUnavailable while the file is not at its path."""
        gone = not self._is_there()
        if gone != self._gone:
            self._tell(gone)
        if gone:
            raise StorageUnavailable(_GONE)

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), self._opened)
        except OSError:
            return False

    def _tell(self, gone: bool) -> None:
        with self._telling:
            if gone == self._gone:
                return
            self._gone = gone
            if gone:
                _log.error("database_file_gone", file=str(self._path), hint=_HINT)
            else:
                _log.info("database_file_back", file=str(self._path))
